"""TOTP by pyotp; the secrets are in Parameter Store, encrypted with KMS."""

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
    nothing; another version is read anew.
    """

    client: "Callable[[], SSMClient]"
    stage: str
    _secrets: dict[str, str] = field(default_factory=dict, repr=False)

    def timecode(self, operator: Operator, code: str, *, at: datetime) -> int | None:
        """The step that the code belongs to, within one of now."""
        totp = pyotp.TOTP(self._secret(operator))
        try:
            return totp.verify_and_get_timecode(code, for_time=at, valid_window=_WINDOW)
        except OTPVerificationError:
            return None

    def _secret(self, operator: Operator) -> str:
        # The version that the record names: a newer one counts from when the record says so.
        name = f"{parameter_of(self.stage, operator.name)}:{operator.totp_version}"
        if name not in self._secrets:
            self._secrets[name] = self._read(name, operator)
        return self._secrets[name]

    def _read(self, name: str, operator: Operator) -> str:
        client = self.client()
        known = client.exceptions
        with translated("Parameter Store"):
            try:
                answer = client.get_parameter(Name=name, WithDecryption=True)
            except (known.ParameterNotFound, known.ParameterVersionNotFound) as error:
                detail = (
                    f"The TOTP secret of {operator.name} is not in Parameter Store. Who deploys "
                    "Hoist can give a new one: they `reset` the operator."
                )
                raise Unavailable(detail) from error
        return answer["Parameter"]["Value"]


@dataclass(frozen=True, kw_only=True)
class ParameterTotpSecrets:
    """`TotpSecrets` by Parameter Store, which keeps the last hundred versions of each."""

    client: "Callable[[], SSMClient]"
    stage: str

    def put(self, operator: str, totp_secret: str) -> int:
        """Keep the secret as a new version, and return which."""
        with translated("Parameter Store"):
            answer = self.client().put_parameter(
                Name=parameter_of(self.stage, operator),
                Value=totp_secret,
                Type="SecureString",
                Overwrite=True,
            )
        return answer["Version"]
