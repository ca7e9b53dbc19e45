"""`SecondFactor`, over the fake and over pyotp with Parameter Store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import boto3
import pyotp
import pytest
from moto import mock_aws

from chalicelib.adapters.totp import ParameterTotpSecrets, PyotpSecondFactor
from chalicelib.domain.operator import Operator
from chalicelib.ports import SecondFactor
from tests.factories import an_operator
from tests.fakes import FakeSecondFactor, code_of

NOW = datetime(2026, 5, 9, 4, 28, 10, tzinfo=UTC)
STEP = int(NOW.timestamp()) // 30
SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"


@dataclass
class Phone:
    """A second factor, its operator, and the codes that the operator's phone shows."""

    factor: SecondFactor
    operator: Operator
    code: Callable[[int], str]


@pytest.fixture(params=["fake", "pyotp"])
def phone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Phone]:
    if request.param == "fake":
        yield Phone(FakeSecondFactor(), an_operator(), code_of)
        return
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        ssm = boto3.client("ssm", region_name="eu-central-1")
        reference = ParameterTotpSecrets(client=lambda: ssm, stage="test").put("kim", SECRET)
        yield Phone(
            PyotpSecondFactor(client=lambda: ssm, stage="test"),
            an_operator(totp_reference=reference),
            pyotp.TOTP(SECRET).generate_otp,
        )


@pytest.mark.parametrize("step", [STEP - 1, STEP, STEP + 1])
def test_the_codes_of_now_and_of_the_steps_beside_it_are_right(phone: Phone, step: int) -> None:
    assert phone.factor.timecode(phone.operator, phone.code(step), at=NOW) == step


@pytest.mark.parametrize("step", [STEP - 2, STEP + 2, STEP - 2880])
def test_the_codes_of_other_steps_are_wrong(phone: Phone, step: int) -> None:
    assert phone.factor.timecode(phone.operator, phone.code(step), at=NOW) is None


def test_a_code_that_no_step_has_is_wrong(phone: Phone) -> None:
    near = {phone.code(step) for step in range(STEP - 1, STEP + 2)}
    wrong = next(code for code in ("000000", "000001", "000002", "000003") if code not in near)

    assert phone.factor.timecode(phone.operator, wrong, at=NOW) is None


def test_a_code_is_judged_by_the_time_that_is_given(phone: Phone) -> None:
    later = NOW + timedelta(minutes=5)

    assert phone.factor.timecode(phone.operator, phone.code(STEP), at=later) is None
