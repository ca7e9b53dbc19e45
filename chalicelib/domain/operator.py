"""Who may do what, and the second factor that proves it is them."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.errors import Code, Rejected

#: Wrong codes in a row that lock an operator out …
FAILURES_BEFORE_LOCK = 5
#: … for this long the first time, and twice as long each further time until a right code.
FIRST_LOCK_LASTS = timedelta(minutes=15)


class Role(StrEnum):
    """What an operator may do. Each role may do all that the ones before it may."""

    VIEWER = "viewer"
    PROMOTER = "promoter"
    SUPERADMIN = "superadmin"

    def covers(self, needed: "Role") -> bool:
        """Tell whether this role may do what `needed` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A person who may call the API."""

    name: str
    role: Role
    token_sha256: str
    #: TOTP secret, encrypted with KMS under the encryption context `operator=<name>`.
    totp_ciphertext: bytes
    disabled: bool = False
    #: The newest TOTP time step that was accepted: only a greater one is.
    last_timecode: int = 0
    #: Wrong codes since the last right one.
    failures: int = 0
    locked_until: datetime | None = None

    def owns(self, secret: str) -> bool:
        """Is this the operator's token secret? Takes the same time whatever the answer."""
        given = hashlib.sha256(secret.encode()).hexdigest()
        return hmac.compare_digest(given, self.token_sha256)

    def locked(self, now: datetime) -> bool:
        """Tell whether too many wrong codes were tried: none is looked at until `locked_until`."""
        return self.locked_until is not None and now < self.locked_until


@dataclass(frozen=True, kw_only=True)
class SpentCode:
    """A right TOTP code, to be spent in the transaction of the transition that it authorises.

    `operator` is the record that the code was judged by. Spending demands that it has not moved
    since: guesses sent side by side are worth no more than the first of them.
    """

    operator: Operator
    timecode: int


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls, as the authorizer found."""

    name: str
    role: Role

    def require(self, needed: Role) -> None:
        """Raise `Rejected` unless the caller's role covers `needed`."""
        if not self.role.covers(needed):
            raise Rejected(
                Code.ROLE_INSUFFICIENT,
                f"{self.name} is a {self.role}; this needs a {needed}. Ask one, or a superadmin.",
            )


def lock_after(failures: int) -> timedelta | None:
    """How long the `failures`-th wrong code in a row locks the operator out, if at all."""
    rounds, rest = divmod(failures, FAILURES_BEFORE_LOCK)
    if rest or not rounds:
        return None
    return FIRST_LOCK_LASTS * (1 << min(rounds - 1, 10))
