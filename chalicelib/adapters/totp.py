"""TOTP by pyotp; the secrets are encrypted with KMS."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import pyotp
from pyotp.exceptions import OTPVerificationError

from chalicelib.adapters.aws import translated
from chalicelib.domain.operator import Operator

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

#: Steps before and after the current one whose codes pass (RFC 6238 section 5.2 advises one).
_WINDOW = 1


@dataclass(frozen=True, kw_only=True)
class PyotpSecondFactor:
    """`SecondFactor` by pyotp.

    A secret once decrypted stays in this process's memory, so that a warm promote asks KMS
    nothing; a changed ciphertext is decrypted anew.
    """

    kms: "Callable[[], KMSClient]"
    key_id: str
    _secrets: dict[bytes, str] = field(default_factory=dict, repr=False)

    def timecode(self, operator: Operator, code: str, *, at: datetime) -> int | None:
        """The step that the code belongs to, within one of now."""
        totp = pyotp.TOTP(self._secret(operator))
        try:
            return totp.verify_and_get_timecode(code, for_time=at, valid_window=_WINDOW)
        except OTPVerificationError:
            return None

    def _secret(self, operator: Operator) -> str:
        ciphertext = operator.totp_ciphertext
        if ciphertext not in self._secrets:
            with translated("KMS"):
                answer = self.kms().decrypt(
                    CiphertextBlob=ciphertext,
                    KeyId=self.key_id,
                    EncryptionContext=_context(operator.name),
                )
            self._secrets[ciphertext] = answer["Plaintext"].decode()
        return self._secrets[ciphertext]


@dataclass(frozen=True, kw_only=True)
class KmsTotpSealer:
    """`TotpSealer` by KMS."""

    kms: "Callable[[], KMSClient]"
    key_id: str

    def seal(self, operator: str, totp_secret: str) -> bytes:
        """Encrypt the secret under the operator's name."""
        with translated("KMS"):
            answer = self.kms().encrypt(
                KeyId=self.key_id,
                Plaintext=totp_secret.encode(),
                EncryptionContext=_context(operator),
            )
        return answer["CiphertextBlob"]


def _context(operator: str) -> dict[str, str]:
    """What a ciphertext is bound to: copied into another operator's record, it does not open."""
    return {"operator": operator}
