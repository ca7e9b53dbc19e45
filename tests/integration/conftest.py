"""Engines that speak AWS's protocols, in this process."""

from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters.dynamodb import Tables
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
