"""TOTP by pyotp; the secrets are in Parameter Store, encrypted with KMS."""

from dataclasses import dataclass, field
from datetime import datetime

import pyotp
from pyotp.exceptions import OTPVerificationError

from chalicelib.adapters.parameters import Client, store, stored
from chalicelib.adapters.parameters import totp_secret as parameter_of
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.operator import Operator, secret_digest

#: Steps before and after the current one whose codes pass (RFC 6238 section 5.2 advises one).
_WINDOW = 1


@dataclass(frozen=True, kw_only=True)
class PyotpSecondFactor:
    """`SecondFactor` by pyotp.

    A secret once read stays in this process's memory, so that a warm promote asks Parameter Store
    nothing; one that another reference names is read anew.
    """

    client: Client
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
        name = f"{parameter_of(self.stage, operator.name)}:{version}"
        secret = stored(self.client, name) if version else None
        # Deleted and made anew, a parameter begins with version 1 again: that one is another.
        if secret is None or _reference(version, secret) != operator.totp_reference:
            detail = (
                f"The TOTP secret of {operator.name} is not in Parameter Store. Who deploys Hoist "
                "can give a new one: they `reset` the operator."
            )
            raise Unavailable(detail)
        return secret


@dataclass(frozen=True, kw_only=True)
class ParameterTotpSecrets:
    """`TotpSecrets` by Parameter Store."""

    client: Client
    stage: str

    def put(self, operator: str, totp_secret: str) -> str:
        """Keep the secret as a new version; the reference names that and the secret's digest."""
        version = store(self.client, parameter_of(self.stage, operator), totp_secret)
        return _reference(str(version), totp_secret)


def _reference(version: str, secret: str) -> str:
    return f"{version}:{secret_digest(secret)}"
