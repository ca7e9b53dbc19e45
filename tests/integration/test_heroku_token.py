"""The Heroku token: what is stored may be anything, and must not show."""

import json
from datetime import timedelta

import boto3
import pytest

from chalicelib.adapters.aws import AwsClients
from chalicelib.adapters.secrets import KEPT_FOR, TOKEN, KeptSecret
from chalicelib.domain.errors import AccessDenied
from tests.fakes import FakeClock


@pytest.fixture
def token(aws: None) -> KeptSecret:  # noqa: ARG001 - the engine that keeps it
    boto3.client("secretsmanager").create_secret(Name="heroku", SecretString="{}")
    clients = AwsClients()
    return KeptSecret(
        client=lambda: clients.secrets_manager,
        secret_id="heroku",
        member="token",
        shape=TOKEN,
        complaint=AccessDenied,
        clock=FakeClock(),
    )


def store(text: str) -> None:
    boto3.client("secretsmanager").put_secret_value(SecretId="heroku", SecretString=text)


def test_the_stored_token_is_read_and_kept_for_a_while(token: KeptSecret) -> None:
    store(json.dumps({"token": "HRKU-one\n"}))
    first = token()
    store(json.dumps({"token": "HRKU-two"}))

    kept = token()
    token.clock.sleep(KEPT_FOR + timedelta(seconds=1))
    renewed = token()

    assert (first, kept, renewed) == ("HRKU-one", "HRKU-one", "HRKU-two")


def test_a_refused_token_is_read_anew(token: KeptSecret) -> None:
    store(json.dumps({"token": "HRKU-one"}))
    token()
    store(json.dumps({"token": "HRKU-two"}))

    token.forget()

    assert token() == "HRKU-two"


@pytest.mark.parametrize(
    "stored",
    ["{}", "[]", "HRKU-bare", '{"token": ""}', '{"token": 7}', '{"token": "HRKU a\\r\\nb: c"}'],
)
def test_a_secret_without_a_usable_token_asks_for_one_and_does_not_show(
    token: KeptSecret,
    stored: str,
) -> None:
    store(stored)

    with pytest.raises(AccessDenied) as denied:
        token()

    assert "HRKU a" not in repr(denied.value) + repr(denied.value.__cause__)
    assert "HRKU-bare" not in repr(denied.value) + repr(denied.value.__cause__)
    assert "HRKU-bare" not in repr(token)
