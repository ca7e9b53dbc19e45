"""The tables of the production template, made in any engine that speaks DynamoDB."""

from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from chalicelib.adapters.dynamodb import TableNames
from infra.paths import ROOT

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT = ("KeySchema", "AttributeDefinitions", "GlobalSecondaryIndexes", "BillingMode")


@cache
def _resources() -> dict[str, Any]:
    text = (ROOT / "infra" / "template" / "tables.yaml").read_text(encoding="utf-8")
    resources: dict[str, Any] = yaml.safe_load(text)["Resources"]
    return resources


def make_tables(dynamodb: "DynamoDBClient", *, prefix: str = "") -> TableNames:
    """Create all five, empty."""
    names = {}
    for logical_id, resource in _resources().items():
        name = logical_id.removesuffix("Table").lower()
        names[name] = f"{prefix}{name}"
        wanted = {key: value for key, value in resource["Properties"].items() if key in _KEPT}
        dynamodb.create_table(TableName=names[name], **wanted)
    return TableNames(**names)
