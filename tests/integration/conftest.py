"""Engines that speak AWS's protocols, in this process."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pyotp
import pytest
from moto import mock_aws

from chalicelib.adapters.dynamodb import DynamoDBOperators, Tables
from chalicelib.adapters.parameters import heroku_token, store
from chalicelib.adapters.totp import ParameterTotpSecrets
from chalicelib.settings import Settings
from chalicelib.usecases.work import Wake
from chalicelib.wire import events
from local.heroku import Simulator
from tests.factories import KIM, an_operator
from tests.fakes import FakeClock
from tests.integration.kit import Doom, TestContainer
from tests.integration.measured import alarms_of, the_template
from tests.integration.tables import make_tables


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """AWS by moto. One thread only: it loses writes under concurrency."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield


@pytest.fixture
def tables(aws: None) -> Tables:  # noqa: ARG001 - the engine that they are made in
    """The production template's tables, empty."""
    return Tables(make_tables(boto3.client("dynamodb")))


@pytest.fixture
def heroku() -> Iterator[Simulator]:
    """A Heroku on a loopback port, without apps."""
    with Simulator() as simulator:
        yield simulator


@dataclass
class Backstage:
    """Everything that Hoist's real adapters need, and what makes containers of them."""

    heroku: Simulator
    settings: Settings
    clock: FakeClock
    totp_secret: str

    def container(self, doom: Doom | None = None) -> TestContainer:
        """A process that was started just now."""
        return TestContainer(self.settings, self.clock, doom)

    def code(self) -> str:
        """What kim's authenticator app shows."""
        return pyotp.TOTP(self.totp_secret).at(self.clock.now())

    def received(self) -> list[Wake]:
        """The wakes that are queued, taken off the queue."""
        sqs = boto3.client("sqs")
        url = self.settings.hoist_wakes_queue_url
        wakes: list[Wake] = []
        for _ in range(100):
            messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages")
            if not messages:
                break
            for message in messages:
                wake = events.wake(message["Body"], receipt=message["ReceiptHandle"])
                assert wake is not None
                wakes.append(wake)
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return wakes


@pytest.fixture
def backstage(aws: None, heroku: Simulator) -> Backstage:  # noqa: ARG001 - the engine behind it
    """Tables, queue and secrets in moto; a Heroku simulator; the operator kim."""
    names = make_tables(boto3.client("dynamodb"))
    queue = boto3.client("sqs").create_queue(
        QueueName="wakes.fifo",
        Attributes={"FifoQueue": "true"},
    )
    ssm = boto3.client("ssm")
    store(lambda: ssm, heroku_token("test"), heroku.token)
    settings = Settings(
        hoist_stage="test",
        hoist_promotions_table=names.promotions,
        hoist_audit_table=names.audit,
        hoist_locks_table=names.locks,
        hoist_operators_table=names.operators,
        hoist_targets_table=names.targets,
        hoist_wakes_queue_url=queue["QueueUrl"],
        hoist_on_call_topic_arn="unused",
        heroku_api_url=heroku.url,
        hoist_runbook_url="https://example.invalid/runbook",
    )
    totp_secret = pyotp.random_base32()
    reference = ParameterTotpSecrets(client=lambda: ssm, stage="test").put(KIM.name, totp_secret)
    operator = an_operator(KIM, totp_reference=reference)
    DynamoDBOperators(Tables(names)).put(operator)
    return Backstage(
        heroku=heroku,
        settings=settings,
        clock=FakeClock(),
        totp_secret=totp_secret,
    )


@pytest.fixture(scope="package")
def template() -> dict[str, Any]:
    """The template as it is deployed to AWS."""
    return the_template()


@pytest.fixture(scope="package")
def alarms(template: dict[str, Any]) -> dict[str, Any]:
    """Its alarms' properties, by name."""
    return alarms_of(template)
