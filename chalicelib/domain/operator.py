"""Who may do what, and the second factor that proves it is them."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from chalicelib.domain.audit import GENESIS, Act, Action
from chalicelib.domain.errors import Code, Rejected

#: What an operator can be called: it stands before the dot of a token.
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

#: Wrong codes in a row that lock an operator out …
FAILURES_BEFORE_LOCK = 5
#: … for this long the first time, and twice as long each further time until a right code, though
#: for no longer than `PERIOD`: more would not lower the odds.
FIRST_LOCK_LASTS = timedelta(minutes=15)
#: After so many times it is as long as that.
_DOUBLINGS = 12
#: A right code forgives the wrong ones before it, but these are counted all the same: whoever
#: guesses beside an operator who works every day gets no more than so many …
WRONG_CODES_A_PERIOD = 20
#: … in this time; then the operator is locked out until it is over, or a superadmin unlocks.
PERIOD = timedelta(days=30)
#: Wrong codes of all operators together in one hour, after which each single one locks.
BRAKE_AFTER = 30


class Role(StrEnum):
    """What an operator may do. Each of the first three may do all that the ones before it may."""

    VIEWER = "viewer"
    PROMOTER = "promoter"
    SUPERADMIN = "superadmin"
    #: A program, such as a console, that acts for a person. Alone it may only look.
    SERVICE = "service"

    def covers(self, needed: "Role") -> bool:
        """Tell whether this role may do what `needed` may."""
        return _RANK[self] >= _RANK[needed]


_RANK: Mapping[Role, int] = {
    Role.SERVICE: 0,
    Role.VIEWER: 0,
    Role.PROMOTER: 1,
    Role.SUPERADMIN: 2,
}


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Who may call the API: a person, or a service that acts for one. A `Record`."""

    name: str
    role: Role
    token_sha256: str
    #: Which of the TOTP secrets that were kept under the operator's name counts, as `TotpSecrets`
    #: says it. A service has none: no text.
    totp_reference: str
    #: Of a service: the highest role that it may use for others.
    up_to: Role = Role.PROMOTER
    disabled: bool = False
    #: The newest TOTP time step that was accepted: only a greater one is.
    last_timecode: int = 0
    #: Wrong codes since the last right one, or the last lock.
    failures: int = 0
    #: Locks since the last right code: the next lasts twice as long.
    locks: int = 0
    locked_until: datetime | None = None
    #: Wrong codes since `wrong_since`, whatever came between.
    wrong_codes: int = 0
    wrong_since: datetime | None = None
    version: int = 0
    audit_hash: str = GENESIS

    @property
    def subject(self) -> str:
        """What its audit entries are found under."""
        return f"operator:{self.name}"

    def owns(self, secret: str) -> bool:
        """Is this the operator's token secret? Takes the same time whatever the answer."""
        return hmac.compare_digest(secret_digest(secret), self.token_sha256)

    def locked(self, now: datetime) -> bool:
        """Tell whether too many wrong codes were tried: none is looked at until `locked_until`."""
        return self.locked_until is not None and now < self.locked_until

    def wrong_codes_at(self, now: datetime) -> int:
        """How many wrong codes the period that `now` is in has seen so far."""
        over = self.wrong_since is None or now - self.wrong_since >= PERIOD
        return 0 if over else self.wrong_codes


def secret_digest(secret: str) -> str:
    """What is kept of a token, or a TOTP secret: random, so a plain hash cannot be turned back."""
    return hashlib.sha256(secret.encode()).hexdigest()


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
    #: The service through which the operator calls, if one does.
    via: str | None = None

    def require(self, needed: Role) -> None:
        """Raise `Rejected` unless the caller's role covers `needed`."""
        if self.role.covers(needed):
            return
        if self.role is Role.SERVICE:
            raise Rejected(
                Code.ROLE_INSUFFICIENT,
                f"{self.name} is a service: alone it may only look. Name the {needed} that it "
                "acts for in the header X-On-Behalf-Of.",
            )
        raise Rejected(
            Code.ROLE_INSUFFICIENT,
            f"{self.name} is a {self.role}{f' through {self.via}' if self.via else ''}; "
            f"this needs a {needed}. Ask one"
            f"{'' if needed is Role.SUPERADMIN else ', or a superadmin'}.",
        )


def acting_for(service: Operator, operator: Operator) -> Caller:
    """The operator, called through a service: may do what both may do."""
    lower = min(operator.role, service.up_to, key=_RANK.__getitem__)
    return Caller(name=operator.name, role=lower, via=service.name)


def act_of(
    caller: Caller,
    action: Action,
    at: datetime,
    facts: Mapping[str, Any] | None = None,
) -> Act:
    """The caller's act. Where a service acted for an operator, the audit shows both."""
    told = dict(facts or {})
    if caller.via:
        told["via"] = caller.via
    return Act(actor=caller.name, action=action, at=at, facts=told)


def counted(operator: Operator, now: datetime, *, braked: bool) -> Operator:
    """The operator after one more wrong code: locked out, where that was one too many.

    RFC 4226 section 7.3 asks for a throttle; docs/security.md has the odds that this one leaves.
    """
    wrong_codes = operator.wrong_codes_at(now) + 1
    since = now if wrong_codes == 1 else operator.wrong_since or now
    after = replace(
        operator,
        failures=operator.failures + 1,
        wrong_codes=wrong_codes,
        wrong_since=since,
    )
    until = now + _lock_lasts(operator.locks)
    if wrong_codes >= WRONG_CODES_A_PERIOD:
        return _locked(after, max(until, since + PERIOD))
    if braked or after.failures >= FAILURES_BEFORE_LOCK:
        return _locked(after, until)
    return after


def wrong_codes_left(operator: Operator) -> int:
    """How many more wrong codes lock the operator out, as long as the brake is off."""
    return min(
        FAILURES_BEFORE_LOCK - operator.failures,
        WRONG_CODES_A_PERIOD - operator.wrong_codes,
    )


def _lock_lasts(locks: int) -> timedelta:
    doubled: timedelta = FIRST_LOCK_LASTS * 2 ** min(locks, _DOUBLINGS)
    return min(doubled, PERIOD)


def _locked(operator: Operator, until: datetime) -> Operator:
    return replace(operator, failures=0, locks=operator.locks + 1, locked_until=until)


def proved(operator: Operator, timecode: int) -> Operator:
    """The operator after a right code: the wrong ones before it are forgiven, but stay counted."""
    return replace(operator, last_timecode=timecode, failures=0, locks=0, locked_until=None)


def unlocked(operator: Operator) -> Operator:
    """The operator, with all wrong codes forgiven."""
    return replace(
        operator,
        failures=0,
        locks=0,
        locked_until=None,
        wrong_codes=0,
        wrong_since=None,
    )
