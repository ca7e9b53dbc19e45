"""Things to destroy: a decoy of any of the stack's resources, which nothing else uses."""

import json
import uuid
from collections.abc import Callable, Mapping

from tests.e2e.aws_calls import TRUSTS_ALL, code
from tests.e2e.lambda_roles import Deployment, Principal


def decoy(deployment: Deployment, logical: str) -> str:
    """Make a resource of the same type as this one; return its name."""
    kind, real = deployment.resources[logical.partition("/")[0]]
    return _MAKERS[kind](deployment.root, real)


def _new() -> str:
    return f"decoy-{uuid.uuid4().hex}"


def _table(root: Principal, real: str) -> str:
    like = root("dynamodb").describe_table(TableName=real)["Table"]
    indexes = [
        {part: index[part] for part in ("IndexName", "KeySchema", "Projection")}
        for index in like.get("GlobalSecondaryIndexes", ())
    ]
    made = root("dynamodb").create_table(
        TableName=_new(),
        KeySchema=like["KeySchema"],
        AttributeDefinitions=like["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
        **({"GlobalSecondaryIndexes": indexes} if indexes else {}),
    )
    return str(made["TableDescription"]["TableName"])


def _queue(root: Principal, real: str) -> str:
    fifo = real.endswith(".fifo")
    made = root("sqs").create_queue(
        QueueName=_new() + (".fifo" if fifo else ""),
        Attributes={"FifoQueue": "true"} if fifo else {},
    )
    return str(made["QueueUrl"])


def _parameter(root: Principal, _: str) -> str:
    name = f"/{_new()}"
    root("ssm").put_parameter(Name=name, Value="x", Type="SecureString")
    return name


def _role(root: Principal, _: str) -> str:
    made = root("iam").create_role(RoleName=_new(), AssumeRolePolicyDocument=TRUSTS_ALL)
    return str(made["Role"]["RoleName"])


def _function(root: Principal, real: str) -> str:
    like = root("lambda").get_function_configuration(FunctionName=real)
    made = root("lambda").create_function(
        FunctionName=_new(),
        Runtime=like["Runtime"],
        Role=like["Role"],
        Handler="nothing.handler",
        Code={"ZipFile": code()},
    )
    return str(made["FunctionName"])


def _stack(root: Principal, _: str) -> str:
    topic = {"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}}
    made = root("cloudformation").create_stack(StackName=_new(), TemplateBody=json.dumps(topic))
    return str(made["StackId"])


def _bucket(root: Principal, _: str) -> str:
    root("s3").create_bucket(Bucket=(name := _new()))
    return name


def _rule(root: Principal, _: str) -> str:
    root("events").put_rule(Name=(name := _new()), ScheduleExpression="rate(1 day)")
    return name


def _alarm(root: Principal, _: str) -> str:
    root("cloudwatch").put_metric_alarm(
        AlarmName=(name := _new()),
        Namespace=name,
        MetricName=name,
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanThreshold",
    )
    return name


def _log_group(root: Principal, _: str) -> str:
    root("logs").create_log_group(logGroupName=(name := _new()))
    return name


_MAKERS: Mapping[str, Callable[[Principal, str], str]] = {
    "AWS::DynamoDB::Table": _table,
    "AWS::SQS::Queue": _queue,
    "AWS::SSM::Parameter": _parameter,
    "AWS::SNS::Topic": lambda root, _: str(root("sns").create_topic(Name=_new())["TopicArn"]),
    "AWS::IAM::Role": _role,
    "AWS::Lambda::Function": _function,
    "AWS::CloudFormation::Stack": _stack,
    "AWS::S3::Bucket": _bucket,
    "AWS::ApiGateway::RestApi": lambda root, _: str(
        root("apigateway").create_rest_api(name=_new())["id"]
    ),
    "AWS::Events::Rule": _rule,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::Logs::LogGroup": _log_group,
}
