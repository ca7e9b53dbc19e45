"""TOTP by pyotp; the secrets are in Parameter Store, encrypted with KMS."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import pyotp
from pyotp.exceptions import OTPVerificationError

from chalicelib.adapters.aws import translated
from chalicelib.adapters.parameters import totp_secret as parameter_of
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.operator import Operator

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

#: Steps before and after the current one whose codes pass (RFC 6238 section 5.2 advises one).
_WINDOW = 1


@dataclass(frozen=True, kw_only=True)
class PyotpSecondFactor:
    """`SecondFactor` by pyotp.

    A secret once read stays in this process's memory, so that a warm promote asks Parameter Store
    nothing; one that another reference names is read anew.
    """

    client: "Callable[[], SSMClient]"
    stage: str
    _secrets: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    def timecode(self, operator: Operator, code: str, *, at: datetime) -> int | None:
        """The step that the code belongs to, within one of now."""
        totp = pyotp.TOTP(self._secret(operator))
        try:
            return totp.verify_and_get_timecode(code, for_time=at, valid_window=_WINDOW)
        except OTPVerificationError:
            return None

    def _secret(self, operator: Operator) -> str:
        key = operator.name, operator.totp_reference
        if key not in self._secrets:
            self._secrets[key] = self._read(operator)
        return self._secrets[key]

    def _read(self, operator: Operator) -> str:
        """The secret that the operator's record refers to. Raises `Unavailable`: it is gone."""
        version = operator.totp_reference.partition(":")[0]
        secret = self._stored(operator.name, version) if version else None
        # Deleted and made anew, a parameter begins with version 1 again: that one is another.
        if secret is None or _reference(version, secret) != operator.totp_reference:
            detail = (
                f"The TOTP secret of {operator.name} is not in Parameter Store. Who deploys Hoist "
                "can give a new one: they `reset` the operator."
            )
            raise Unavailable(detail)
        return secret

    def _stored(self, name: str, version: str) -> str | None:
        client = self.client()
        known = client.exceptions
        parameter = f"{parameter_of(self.stage, name)}:{version}"
        with translated("Parameter Store"):
            try:
                answer = client.get_parameter(Name=parameter, WithDecryption=True)
            except (known.ParameterNotFound, known.ParameterVersionNotFound):
                return None
        return answer["Parameter"]["Value"]


@dataclass(frozen=True, kw_only=True)
class ParameterTotpSecrets:
    """`TotpSecrets` by Parameter Store, which keeps the last hundred versions of each."""

    client: "Callable[[], SSMClient]"
    stage: str

    def put(self, operator: str, totp_secret: str) -> str:
        """Keep the secret as a new version; the reference names that and the secret's digest."""
        with translated("Parameter Store"):
            answer = self.client().put_parameter(
                Name=parameter_of(self.stage, operator),
                Value=totp_secret,
                Type="SecureString",
                Overwrite=True,
            )
        return _reference(str(answer["Version"]), totp_secret)


def _reference(version: str, secret: str) -> str:
    """As with a token: the secret is random, so a plain hash cannot be turned back."""
    return f"{version}:{hashlib.sha256(secret.encode()).hexdigest()}"
