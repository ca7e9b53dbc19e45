"""The demo data that a new local stack begins with. Seeding again changes nothing."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

import requests

from local.directions import DemoOperator

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

_ANSWER_SECONDS = 30
TARGETS = ("raxx-console-prod", "raxx-console-staging")


def seed_targets(api: str, superadmin: DemoOperator, apps: Iterable[str] = TARGETS) -> None:
    """List the demo targets, unless they are: as anybody would, so that it is audited."""
    headers = {"Authorization": f"Bearer {superadmin.token}"}
    for app in apps:
        url = f"{api}/targets/{app}"
        found = requests.get(url, headers=headers, timeout=_ANSWER_SECONDS)
        if found.status_code == requests.codes.not_found:
            found = requests.put(url, json={}, headers=headers, timeout=_ANSWER_SECONDS)
        found.raise_for_status()


def seed_operators(
    dynamodb: "DynamoDBClient",
    table: str,
    operators: Mapping[str, DemoOperator],
    keep: Callable[[str, str], str],
) -> None:
    """Enter the operators, by role, unless an entry has their token and a second factor.

    `keep(operator's name, TOTP secret)` keeps the second factor, and returns a reference to it.
    """
    for role, operator in operators.items():
        secret = operator.token.partition(".")[2]
        digest = hashlib.sha256(secret.encode()).hexdigest()
        stored = dynamodb.get_item(
            TableName=table, Key={"name": {"S": operator.name}}, ConsistentRead=True
        ).get("Item")
        # An entry with another token is of a stack whose local.json was lost.
        if not stored or stored["token_sha256"] != {"S": digest} or "totp_reference" not in stored:
            item: dict[str, AttributeValueTypeDef] = {
                "name": {"S": operator.name},
                "role": {"S": role},
                "token_sha256": {"S": digest},
                "totp_reference": {"S": keep(operator.name, operator.totp_secret)},
                "disabled": {"BOOL": False},
                "last_timecode": {"N": "0"},
                "failures": {"N": "0"},
            }
            dynamodb.put_item(TableName=table, Item=item)
