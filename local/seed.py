"""The demo data that a new local stack begins with. Seeding again changes nothing."""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from local.directions import DemoOperator

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

TARGETS = ("raxx-console-prod", "raxx-console-staging")


def seed_targets(dynamodb: "DynamoDBClient", table: str, apps: Iterable[str] = TARGETS) -> None:
    """List the demo targets, unless they are."""
    for app in apps:
        item: dict[str, AttributeValueTypeDef] = {
            "app": {"S": app},
            "version": {"N": "1"},
            "max_flags_per_release": {"N": "50"},
        }
        _put_if_missing(dynamodb, table, "app", item)


def seed_operators(
    dynamodb: "DynamoDBClient",
    table: str,
    operators: Mapping[str, DemoOperator],
    encrypt: Callable[[str, str], bytes],
) -> None:
    """Enter the operators, by role, unless an entry has their token.

    `encrypt(operator's name, TOTP secret)` gives what is stored of the second factor.
    """
    for role, operator in operators.items():
        secret = operator.token.partition(".")[2]
        digest = hashlib.sha256(secret.encode()).hexdigest()
        stored = dynamodb.get_item(
            TableName=table, Key={"name": {"S": operator.name}}, ConsistentRead=True
        ).get("Item")
        # An entry with another token is of a stack whose local.json was lost.
        if stored is None or stored["token_sha256"] != {"S": digest}:
            item: dict[str, AttributeValueTypeDef] = {
                "name": {"S": operator.name},
                "role": {"S": role},
                "token_sha256": {"S": digest},
                "totp_ciphertext": {"B": encrypt(operator.name, operator.totp_secret)},
                "disabled": {"BOOL": False},
                "last_timecode": {"N": "0"},
                "failures": {"N": "0"},
            }
            dynamodb.put_item(TableName=table, Item=item)


def _put_if_missing(
    dynamodb: "DynamoDBClient", table: str, key: str, item: "Mapping[str, AttributeValueTypeDef]"
) -> None:
    try:
        dynamodb.put_item(
            TableName=table,
            Item=item,
            ConditionExpression="attribute_not_exists(#key)",
            ExpressionAttributeNames={"#key": key},
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return
