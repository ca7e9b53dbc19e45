"""What Hoist's Lambdas find where they are deployed: AWS by moto, Heroku and Slack simulated."""

import base64
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

import boto3
import pyotp
import pytest
from moto import mock_aws

from bench.aws import REGION, Answer, by_moto, served
from chalicelib.adapters.dynamodb import DynamoDBOperators, Tables
from chalicelib.adapters.parameters import heroku_token, slack_webhook_url, store
from chalicelib.adapters.totp import ParameterTotpSecrets
from chalicelib.bootstrap import Container
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.promotion import Promotion, State, Step, advance
from chalicelib.domain.record import revise
from chalicelib.domain.target import Target
from chalicelib.settings import Settings
from chalicelib.usecases.mark import MarkOrder
from local import slack
from local.heroku import Simulator
from tests.factories import KIM, an_operator
from tests.integration.tables import make_tables

STAGE = "bench"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "bench",
    "AWS_SECRET_ACCESS_KEY": "bench",  # Opens nothing.
    "AWS_DEFAULT_REGION": REGION,
}


@dataclass(frozen=True, kw_only=True)
class Site:
    """Where Hoist is deployed, with the operator kim and whatever targets a bench lists."""

    aws_url: str
    settings: Settings
    heroku: Simulator
    totp_secret: str = field(repr=False)
    serial: Iterator[int] = field(default_factory=itertools.count)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a Lambda's environment says."""
        named = {name.upper(): value for name, value in vars(self.settings).items()}
        return {
            **named,
            **CREDENTIALS,
            "AWS_ENDPOINT_URL": self.aws_url,
            "AWS_LAMBDA_FUNCTION_NAME": "bench",
        }

    @cached_property
    def hoist(self) -> Container:
        """Hoist in this process, for what has to be there before a bench begins."""
        container = Container()
        container.settings = self.settings
        return container

    def target(self, name: str) -> str:
        """List an app that Heroku knows."""
        self.heroku.controls.create_app(name)
        listed = Target(app=name)
        act = Act(actor="sam", action=Action.SET_POLICY, at=self.hoist.clock.now())
        self.hoist.targets.write(revise(listed, listed, act))
        return name

    def mark(self, target: str) -> Promotion:
        """Mark a flag of its own."""
        flag = f"flag_{next(self.serial)}"
        order = MarkOrder(
            caller=KIM, target=target, flag=flag, value="true", note=None, key=f"key-{flag}"
        )
        return self.hoist.mark(order).promotion

    def begun(self, promotion: Promotion) -> Promotion:
        """Accept it, without a code, as nothing but a bench can."""
        act = Act(actor=KIM.name, action=Action.PROMOTE, at=self.hoist.clock.now())
        change = advance(promotion, act, state=State.DEPLOYING, step=Step.QUEUED)
        self.hoist.store.commit(change)
        return change.after

    def code(self, at: datetime | None = None) -> str:
        """What kim's authenticator app shows."""
        return pyotp.TOTP(self.totp_secret).at(at or self.hoist.clock.now())

    def forget_codes(self) -> None:
        """Let the current code count once more."""
        key = {"name": {"S": KIM.name}}
        boto3.client("dynamodb").update_item(
            TableName=self.settings.hoist_operators_table,
            Key=key,
            UpdateExpression="SET last_timecode = :none",
            ExpressionAttributeValues={":none": {"N": "0"}},
        )


@contextmanager
def site(answer: Answer = by_moto) -> Iterator[Site]:
    """Deploy Hoist's surroundings for as long as the context lasts; `answer` speaks for AWS."""
    with ExitStack() as running:
        environment = running.enter_context(pytest.MonkeyPatch.context())
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        running.enter_context(mock_aws())
        heroku = running.enter_context(Simulator())
        team = running.enter_context(_slack())
        totp_secret = pyotp.random_base32()
        yield Site(
            aws_url=running.enter_context(served(answer)),
            settings=_deploy(heroku, team, totp_secret),
            heroku=heroku,
            totp_secret=totp_secret,
        )


class _Quiet(slack.Sink):
    """A channel that takes everything, and prints nothing amid a bench's tables."""

    def post(self, payload: object) -> slack.Answer:  # noqa: ARG002 - the base class's signature
        return slack.Answer()


@contextmanager
def _slack() -> Iterator[str]:
    server = slack.Server(0, _Quiet())
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{slack.WEBHOOK_PATH}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def _deploy(heroku: Simulator, slack_url: str, totp_secret: str) -> Settings:
    names = make_tables(boto3.client("dynamodb"))
    queue = boto3.client("sqs").create_queue(
        QueueName="wakes.fifo", Attributes={"FifoQueue": "true"}
    )
    ssm = boto3.client("ssm")
    store(lambda: ssm, heroku_token(STAGE), heroku.token)
    store(lambda: ssm, slack_webhook_url(STAGE), slack_url)
    reference = ParameterTotpSecrets(client=lambda: ssm, stage=STAGE).put(KIM.name, totp_secret)
    operator = an_operator(KIM, totp_reference=reference)
    DynamoDBOperators(Tables(names)).put(operator)
    return Settings(
        hoist_stage=STAGE,
        **{f"hoist_{name}_table": table for name, table in vars(names).items()},
        hoist_wakes_queue_url=queue["QueueUrl"],
        hoist_on_call_topic_arn=boto3.client("sns").create_topic(Name="on-call")["TopicArn"],
        heroku_api_url=heroku.url,
        hoist_runbook_url="https://example.invalid/runbook",
        hoist_api_url="https://example.invalid/api",
    )


# What AWS hands each Lambda.


def request_event(
    method: str, resource: str, *, promotion_id: str | None = None, **headers: str
) -> dict[str, Any]:
    """A request of kim's, as API Gateway hands it to the API's Lambda."""
    return {
        "resource": resource,
        "path": resource,
        "pathParameters": {"promotion_id": promotion_id} if promotion_id else None,
        "httpMethod": method,
        "headers": {"content-type": "application/json", **headers},
        "multiValueQueryStringParameters": None,
        "requestContext": {
            "httpMethod": method,
            "resourcePath": resource,
            "requestId": "bench",
            "authorizer": {"name": KIM.name, "role": str(KIM.role)},
        },
        "body": None,
        "isBase64Encoded": False,
        "stageVariables": None,
    }


def promote_event(promotion_id: str, code: str) -> dict[str, Any]:
    """A promote."""
    path = "/promotions/{promotion_id}/promote"
    return request_event("POST", path, promotion_id=promotion_id, **{"X-TOTP": code})


def authorize_event() -> dict[str, Any]:
    """A bearer token, as API Gateway hands it to the authorizer."""
    arn = f"arn:aws:execute-api:{REGION}:123456789012:abc/api/GET/promotions"
    return {"type": "TOKEN", "authorizationToken": "Bearer kim.secret", "methodArn": arn}


def wake_event(promotion: Promotion) -> dict[str, Any]:
    """A wake, as the queue's poller hands it to the worker."""
    body = json.dumps({"target": promotion.target, "promotion_id": promotion.id})
    return {"Records": [{"messageId": "m-1", "receiptHandle": "r-1", "body": body}]}


def schedule_event() -> dict[str, Any]:
    """A schedule's call."""
    names = ("version", "account", "region", "detail", "detail-type", "source", "time", "id")
    return {**dict.fromkeys(names, ""), "resources": []}


def stream_event(*images: Mapping[str, Any]) -> dict[str, Any]:
    """New rows of the audit table, as the stream's poller hands them on."""
    return {"Records": [_inserted(number, image) for number, image in enumerate(images)]}


def _inserted(number: int, image: Mapping[str, Any]) -> dict[str, Any]:
    spelled = json.loads(json.dumps(image, default=_base64))
    return {
        "eventName": "INSERT",
        "eventID": str(number),
        "eventSourceARN": f"arn:aws:dynamodb:{REGION}:123456789012:table/audit/stream/x",
        "awsRegion": REGION,
        "dynamodb": {"NewImage": spelled, "SequenceNumber": str(number), "Keys": {}},
    }


def _base64(value: bytes) -> str:
    return base64.b64encode(value).decode()
