"""An AWS that takes a call and never answers is away, and no bug of ours."""

import socket
from collections.abc import Iterator

import pytest
from botocore.exceptions import ReadTimeoutError

from chalicelib.adapters.dynamodb import (
    DynamoDBOperators,
    DynamoDBPromotionStore,
    DynamoDBTargetLocks,
    TableNames,
    Tables,
)
from chalicelib.domain.errors import Unavailable
from tests.factories import TARGET, a_change
from tests.fakes import START

NAMES = ("promotions", "audit", "locks", "operators", "targets")


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """Tables behind a port that accepts connections, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_MAX_ATTEMPTS": "1",
        }.items():
            monkeypatch.setenv(name, value)
        tables = Tables(TableNames(**{name: name for name in NAMES}))
        impatient = tables.connection
        monkeypatch.setattr(impatient, "_read_timeout_seconds", 0.05)
        monkeypatch.setattr(impatient, "_max_retry_attempts_exception", 0)
        yield tables


def test_a_dynamodb_that_does_not_answer_in_time_is_told_from_a_bug(tables: Tables) -> None:
    locks, operators = DynamoDBTargetLocks(tables), DynamoDBOperators(tables)
    store = DynamoDBPromotionStore(tables)

    for call in (
        lambda: locks.acquire(TARGET, holder="w", now=START, until=START),
        lambda: operators.get("kim"),
        lambda: store.get("prm_x"),
        lambda: store.deploying(TARGET),
        lambda: store.commit(a_change()),
    ):
        with pytest.raises(Unavailable) as away:
            call()
        assert isinstance(away.value.__cause__.cause, ReadTimeoutError)  # type: ignore[union-attr]
