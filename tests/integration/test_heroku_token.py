"""The Heroku token: what is stored may be anything, and must not show."""

from datetime import timedelta

import boto3
import pytest

from chalicelib.adapters import parameters
from chalicelib.adapters.aws import AwsClients
from chalicelib.adapters.secrets import KEPT_FOR, TOKEN, KeptSecret
from chalicelib.domain.errors import AccessDenied
from tests.fakes import FakeClock

NAME = parameters.heroku_token("test")


@pytest.fixture
def token(aws: None) -> KeptSecret:  # noqa: ARG001 - the engine that keeps it
    clients = AwsClients()
    return KeptSecret(
        client=lambda: clients.ssm,
        parameter=NAME,
        shape=TOKEN,
        complaint=lambda name: AccessDenied(f"no token in {name}"),
        clock=FakeClock(),
    )


def store(text: str) -> None:
    parameters.store(lambda: boto3.client("ssm"), NAME, text)


def test_the_stored_token_is_read_and_kept_for_a_while(token: KeptSecret) -> None:
    store("HRKU-one\n")
    first = token()
    store("HRKU-two")

    kept = token()
    token.clock.sleep(KEPT_FOR + timedelta(seconds=1))
    renewed = token()

    assert (first, kept, renewed) == ("HRKU-one", "HRKU-one", "HRKU-two")


def test_a_refused_token_is_read_anew(token: KeptSecret) -> None:
    store("HRKU-one")
    token()
    store("HRKU-two")

    token.forget()

    assert token() == "HRKU-two"


def test_a_token_that_nobody_has_stored_is_asked_for(token: KeptSecret) -> None:
    with pytest.raises(AccessDenied, match=NAME):
        token()


@pytest.mark.parametrize("stored", [" ", '{"token": "HRKU-json"}', "HRKU a\r\nb: c", "HRKU-\u00e9"])
def test_what_is_no_token_asks_for_one_and_does_not_show(token: KeptSecret, stored: str) -> None:
    store(stored)

    with pytest.raises(AccessDenied, match=NAME) as denied:
        token()

    shown = repr(denied.value) + repr(denied.value.__cause__) + repr(token)
    assert "HRKU" not in shown
