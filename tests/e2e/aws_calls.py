"""Calls that a Lambda might make, were it taken over: each real, on the stack's own resources.

Where a call may succeed it changes nothing: writes have a condition that fails, receipts are made
up, and a wake is for a target that nobody has.
"""

import io
import json
import uuid
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

from botocore.exceptions import ClientError

from infra.template import merge_template
from tests.e2e.lambda_roles import PARAMETERS, Principal

#: What a service answers to a call that IAM has let through, and that is made up otherwise.
_PAST_IAM = frozenset(
    {"ConditionalCheckFailedException", "ReceiptHandleIsInvalid"},
)
_DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "AuthorizationError"})
_NOBODYS = "nobodys"
#: As long as a message can be kept out of sight: what rings for it must not.
_OUT_OF_SIGHT_SECONDS = 900

_TEMPLATE: Mapping[str, dict[str, Any]] = merge_template()["Resources"]

Key = dict[str, dict[str, str]]
#: Makes a call: somebody, and the name of what it is made on.
Make = Callable[[Principal, str], object]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call, made by `make(somebody, the resource's name)`."""

    action: str
    on: str
    make: Make

    def __str__(self) -> str:
        return f"{self.action}-{self.on}"

    def denied(self, principal: Principal, name: str) -> str | None:
        """Make it; return the refusal of this very action, or `None` where IAM lets it through.

        Any other error is a broken call, and raised.
        """
        try:
            self.make(principal, name)
        except ClientError as error:
            said = error.response["Error"]
            if said["Code"] in _PAST_IAM:
                return None
            if said["Code"] in _DENIALS and f"perform: {self.action} " in said["Message"]:
                return said["Message"]
            raise
        return None


def _of_type(kind: str) -> list[str]:
    return [name for name, each in _TEMPLATE.items() if each.get("Type") == f"AWS::{kind}"]


def _key(table: str, schema: Sequence[Mapping[str, str]]) -> Key:
    """A key that no row has."""
    types = {
        each["AttributeName"]: each["AttributeType"]
        for each in _TEMPLATE[table]["Properties"]["AttributeDefinitions"]
    }
    names = [each["AttributeName"] for each in schema]
    return {name: {types[name]: "0" if types[name] == "N" else _NOBODYS} for name in names}


# Tables: their rows, and they themselves

Item = Callable[[Any, str, Key], object]


def _where(key: Key, condition: str) -> dict[str, Any]:
    return {
        "ConditionExpression": f"{condition}(#k)",
        "ExpressionAttributeNames": {"#k": next(iter(key))},
    }


def _query(dynamodb: Any, table: str, key: Key, **index: str) -> object:  # noqa: ANN401
    name, value = next(iter(key.items()))
    return dynamodb.query(
        TableName=table,
        KeyConditionExpression="#k = :k",
        ExpressionAttributeNames={"#k": name},
        ExpressionAttributeValues={":k": value},
        **index,
    )


def _scan(dynamodb: Any, table: str, _: Key, **index: str) -> object:  # noqa: ANN401
    return dynamodb.scan(TableName=table, Limit=1, **index)


def _check(dynamodb: Any, table: str, key: Key) -> object:  # noqa: ANN401
    check = {"TableName": table, "Key": key, **_where(key, "attribute_not_exists")}
    return dynamodb.transact_write_items(TransactItems=[{"ConditionCheck": check}])


_ITEM_CALLS: Mapping[str, Item] = {
    "GetItem": lambda db, table, key: db.get_item(TableName=table, Key=key),
    "BatchGetItem": lambda db, table, key: db.batch_get_item(RequestItems={table: {"Keys": [key]}}),
    "Query": _query,
    "Scan": _scan,
    "PutItem": lambda db, table, key: db.put_item(
        TableName=table, Item=key, **_where(key, "attribute_exists")
    ),
    "UpdateItem": lambda db, table, key: db.update_item(
        TableName=table, Key=key, **_where(key, "attribute_exists")
    ),
    "DeleteItem": lambda db, table, key: db.delete_item(
        TableName=table, Key=key, **_where(key, "attribute_exists")
    ),
    "ConditionCheckItem": _check,
    "BatchWriteItem": lambda db, table, key: db.batch_write_item(
        RequestItems={table: [{"DeleteRequest": {"Key": key}}]}
    ),
    "UpdateTable": lambda db, table, _: db.update_table(
        TableName=table, DeletionProtectionEnabled=False
    ),
    "UpdateContinuousBackups": lambda db, table, _: db.update_continuous_backups(
        TableName=table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False},
    ),
    "UpdateTimeToLive": lambda db, table, _: db.update_time_to_live(
        TableName=table,
        TimeToLiveSpecification={"AttributeName": "expires_at", "Enabled": True},
    ),
    "DeleteTable": lambda db, table, _: db.delete_table(TableName=table),
}


def _on_items(item: Item, key: Key) -> Make:
    return lambda aws, table: item(aws("dynamodb"), table, key)


def _on_tables() -> Iterator[Call]:
    for table, (verb, item) in product(_of_type("DynamoDB::Table"), _ITEM_CALLS.items()):
        key = _key(table, _TEMPLATE[table]["Properties"]["KeySchema"])
        yield Call(action=f"dynamodb:{verb}", on=table, make=_on_items(item, key))


def _on_indexes() -> Iterator[Call]:
    for table in _of_type("DynamoDB::Table"):
        for index in _TEMPLATE[table]["Properties"].get("GlobalSecondaryIndexes", ()):
            name, key = index["IndexName"], _key(table, index["KeySchema"])
            for verb, item in (("Query", _query), ("Scan", _scan)):
                make = _on_items(partial(item, IndexName=name), key)
                yield Call(action=f"dynamodb:{verb}", on=f"{table}/index/{name}", make=make)


# Queues, the topic and secrets


def _send(aws: Principal, url: str) -> object:
    body = json.dumps({"target": _NOBODYS, "promotion_id": None})
    fifo = {"MessageGroupId": _NOBODYS, "MessageDeduplicationId": uuid.uuid4().hex}
    how = fifo if url.endswith(".fifo") else {"DelaySeconds": _OUT_OF_SIGHT_SECONDS}
    return aws("sqs").send_message(QueueUrl=url, MessageBody=body, **how)


_QUEUE_CALLS: Mapping[str, Make] = {
    "SendMessage": _send,
    "ReceiveMessage": lambda aws, url: aws("sqs").receive_message(
        QueueUrl=url, VisibilityTimeout=0
    ),
    "DeleteMessage": lambda aws, url: aws("sqs").delete_message(
        QueueUrl=url, ReceiptHandle=_NOBODYS
    ),
    "ChangeMessageVisibility": lambda aws, url: aws("sqs").change_message_visibility(
        QueueUrl=url, ReceiptHandle=_NOBODYS, VisibilityTimeout=0
    ),
    "GetQueueAttributes": lambda aws, url: aws("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["QueueArn"]
    ),
    "SetQueueAttributes": lambda aws, url: aws("sqs").set_queue_attributes(
        QueueUrl=url, Attributes={"VisibilityTimeout": "90"}
    ),
    "PurgeQueue": lambda aws, url: aws("sqs").purge_queue(QueueUrl=url),
    "DeleteQueue": lambda aws, url: aws("sqs").delete_queue(QueueUrl=url),
}


def _publish(aws: Principal, topic: str) -> object:
    message = {"AlarmName": "nobodys", "NewStateValue": "OK", "AlarmDescription": "A test."}
    return aws("sns").publish(TopicArn=topic, Message=json.dumps(message))


_TOPIC_CALLS: Mapping[str, Make] = {
    "Publish": _publish,
    "Subscribe": lambda aws, topic: aws("sns").subscribe(
        TopicArn=topic, Protocol="email", Endpoint="nobody@example.com"
    ),
    "SetTopicAttributes": lambda aws, topic: aws("sns").set_topic_attributes(
        TopicArn=topic, AttributeName="DisplayName", AttributeValue="Hoist local"
    ),
    "DeleteTopic": lambda aws, topic: aws("sns").delete_topic(TopicArn=topic),
}

_PARAMETER_CALLS: Mapping[str, Make] = {
    "GetParameter": lambda aws, name: aws("ssm").get_parameter(Name=name, WithDecryption=True),
    "GetParameters": lambda aws, name: aws("ssm").get_parameters(Names=[name]),
    "GetParametersByPath": lambda aws, name: aws("ssm").get_parameters_by_path(
        Path=name.rpartition("/")[0] or "/"
    ),
    "GetParameterHistory": lambda aws, name: aws("ssm").get_parameter_history(Name=name),
    "PutParameter": lambda aws, name: aws("ssm").put_parameter(
        Name=name, Value="x", Overwrite=True
    ),
    "DeleteParameter": lambda aws, name: aws("ssm").delete_parameter(Name=name),
}

# What the stack itself is made of

#: The trust policy of a role that anybody may assume.
TRUSTS_ALL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}},
        ],
    },
)
_MAY_ALL = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
    },
)


def _assume(aws: Principal, role: str) -> object:
    account = aws("sts").get_caller_identity()["Account"]
    arn = f"arn:aws:iam::{account}:role/{role}"
    return aws("sts").assume_role(RoleArn=arn, RoleSessionName=_NOBODYS)


def code() -> bytes:
    """A function's code that does nothing."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("nothing.py", "def handler(event, context):\n    return None\n")
    return packed.getvalue()


_ROLE_CALLS: Mapping[str, Make] = {
    "iam:PutRolePolicy": lambda aws, role: aws("iam").put_role_policy(
        RoleName=role, PolicyName=_NOBODYS, PolicyDocument=_MAY_ALL
    ),
    "iam:AttachRolePolicy": lambda aws, role: aws("iam").attach_role_policy(
        RoleName=role, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
    ),
    "iam:UpdateAssumeRolePolicy": lambda aws, role: aws("iam").update_assume_role_policy(
        RoleName=role, PolicyDocument=TRUSTS_ALL
    ),
    "sts:AssumeRole": _assume,
}

_FUNCTION_CALLS: Mapping[str, Make] = {
    "InvokeFunction": lambda aws, function: aws("lambda").invoke(FunctionName=function),
    "UpdateFunctionCode": lambda aws, function: aws("lambda").update_function_code(
        FunctionName=function, ZipFile=code()
    ),
    "UpdateFunctionConfiguration": lambda aws, function: aws(
        "lambda"
    ).update_function_configuration(FunctionName=function, MemorySize=512),
    "DeleteFunction": lambda aws, function: aws("lambda").delete_function(FunctionName=function),
}

_THE_REST: tuple[tuple[str, str, Make], ...] = (
    (
        "iam:CreateUser",
        "Stack",
        lambda aws, _: aws("iam").create_user(UserName=f"{_NOBODYS}-{uuid.uuid4().hex}"),
    ),
    (
        "cloudformation:DeleteStack",
        "Stack",
        lambda aws, stack: aws("cloudformation").delete_stack(StackName=stack),
    ),
    (
        "s3:PutObject",
        "Artifacts",
        lambda aws, bucket: aws("s3").put_object(Bucket=bucket, Key=_NOBODYS, Body=b""),
    ),
    (
        "apigateway:DELETE",
        "RestAPI",
        lambda aws, api: aws("apigateway").delete_rest_api(restApiId=api),
    ),
    (
        "events:DisableRule",
        "WatchWatchEvent",
        lambda aws, rule: aws("events").disable_rule(Name=rule),
    ),
    (
        "cloudwatch:DeleteAlarms",
        "WatchdogSilentAlarm",
        lambda aws, alarm: aws("cloudwatch").delete_alarms(AlarmNames=[alarm]),
    ),
    (
        "cloudwatch:PutMetricData",
        "Stack",
        lambda aws, _: aws("cloudwatch").put_metric_data(
            Namespace=_NOBODYS, MetricData=[{"MetricName": _NOBODYS, "Value": 1}]
        ),
    ),
    (
        "logs:DeleteLogGroup",
        "ApiLogs",
        lambda aws, group: aws("logs").delete_log_group(logGroupName=group),
    ),
    (
        "logs:FilterLogEvents",
        "ApiLogs",
        lambda aws, group: aws("logs").filter_log_events(logGroupName=group),
    ),
)


def _each(
    service: str,
    calls: Mapping[str, Make],
    resources: Sequence[str],
) -> Iterator[Call]:
    for resource, (action, make) in product(resources, calls.items()):
        yield Call(action=service + action, on=resource, make=make)


#: Of every table, index, queue and topic in the template, those that come with it too; and of
#: every secret.
CALLS: tuple[Call, ...] = (
    *_on_tables(),
    *_on_indexes(),
    *_each("sqs:", _QUEUE_CALLS, _of_type("SQS::Queue")),
    *_each("sns:", _TOPIC_CALLS, _of_type("SNS::Topic")),
    *_each("ssm:", _PARAMETER_CALLS, tuple(PARAMETERS)),
    *_each("", _ROLE_CALLS, ["ApiHandlerRole", "WorkRole"]),
    *_each("lambda:", _FUNCTION_CALLS, ["Authorize", "Work"]),
    *(Call(action=action, on=on, make=make) for action, on, make in _THE_REST),
)
