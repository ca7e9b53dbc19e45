"""`TotpSecrets`, over the fake and over Parameter Store."""

import boto3
import pytest

from chalicelib.adapters.totp import ParameterTotpSecrets
from chalicelib.ports import TotpSecrets
from tests.fakes import FakeTotpSecrets


@pytest.fixture(params=["fake", "parameters"])
def totp_secrets(request: pytest.FixtureRequest, aws: None) -> TotpSecrets:  # noqa: ARG001 - the engine behind it
    if request.param == "fake":
        return FakeTotpSecrets()
    return ParameterTotpSecrets(client=lambda: boto3.client("ssm"), stage="test")


def test_each_secret_has_a_reference_that_fits_no_other(totp_secrets: TotpSecrets) -> None:
    puts = [("kim", "ONE"), ("kim", "TWO"), ("kim", "ONE"), ("sam", "THREE")]

    references = [totp_secrets.put(operator, secret) for operator, secret in puts]

    assert len(set(references)) == len(puts)
    assert all(references)


def test_no_reference_shows_its_secret(totp_secrets: TotpSecrets) -> None:
    assert "KIMSTOTP" not in totp_secrets.put("kim", "KIMSTOTP")
