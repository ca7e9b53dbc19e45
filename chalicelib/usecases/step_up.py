"""Ask for the second factor, where an action needs more than a token."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.operator import (
    FAILURES_BEFORE_LOCK,
    Caller,
    Operator,
    SpentCode,
    lock_after,
)
from chalicelib.ports import Clock, Operators, SecondFactor

#: A code lasts for this long (RFC 6238, default time step).
TIME_STEP = timedelta(seconds=30)

_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_ATTEMPTS_TO_RECORD = 5


@dataclass(frozen=True, kw_only=True)
class StepUp:
    """Judge a caller's TOTP code. A right one is returned to be spent; a wrong one is counted.

    Raises `Rejected`: no code, not six ASCII digits, wrong, used before, or locked out.
    """

    operators: Operators
    second_factor: SecondFactor
    clock: Clock

    def __call__(self, caller: Caller, code: str | None) -> SpentCode:
        code = _well_formed(code)
        for _ in range(_ATTEMPTS_TO_RECORD):
            operator = self._operator(caller)
            now = self.clock.now()
            _require_unlocked(operator, now)
            timecode = self.second_factor.timecode(operator, code, at=now)
            if timecode is None:
                if self._recorded(operator, now):
                    raise _wrong(operator)
                continue
            if timecode <= operator.last_timecode:
                raise reused()
            return SpentCode(operator=operator, timecode=timecode)
        raise Rejected(
            Code.CONTENTION,
            "Too many codes are being tried for this operator at once. Nothing was changed.",
        )

    def _operator(self, caller: Caller) -> Operator:
        operator = self.operators.get(caller.name)
        if operator is None or operator.disabled:
            raise Rejected(Code.UNAUTHENTICATED, "This operator may not call any more.")
        return operator

    def _recorded(self, operator: Operator, now: datetime) -> bool:
        lasts = lock_after(operator.failures + 1)
        return self.operators.record_failure(
            operator,
            locked_until=now + lasts if lasts else None,
        )


def reused() -> Rejected:
    """The answer to a right code that was spent before (RFC 6238 section 5.2)."""
    return Rejected(
        Code.TOTP_REUSED,
        "This code was used before; each works once. Nothing was changed. "
        f"Wait for the next one, at most {TIME_STEP.seconds} seconds.",
        retry_after=TIME_STEP,
    )


def _well_formed(code: str | None) -> str:
    if code is None:
        raise Rejected(
            Code.TOTP_REQUIRED,
            "This needs a code from your authenticator app, in the header X-TOTP.",
            errors=(FieldError(field="X-TOTP", detail="is missing"),),
        )
    # pyotp would take full-width digits for digits: ask for ASCII first.
    if not _CODE.fullmatch(code):
        detail = "must be the six digits 0-9 that your authenticator app shows, nothing else"
        raise Rejected(
            Code.INVALID_REQUEST,
            f"X-TOTP {detail}.",
            errors=(FieldError(field="X-TOTP", detail=detail),),
        )
    return code


def _require_unlocked(operator: Operator, now: datetime) -> None:
    if operator.locked_until is not None and operator.locked(now):
        raise Rejected(
            Code.TOTP_LOCKED,
            "Too many wrong codes: no code of yours is looked at until "
            f"{operator.locked_until:%Y-%m-%dT%H:%M:%SZ}. Nothing was changed.",
            retry_after=operator.locked_until - now,
        )


def _wrong(operator: Operator) -> Rejected:
    left = FAILURES_BEFORE_LOCK - (operator.failures + 1) % FAILURES_BEFORE_LOCK
    locked = left == FAILURES_BEFORE_LOCK
    consequence = "You are locked out for a while." if locked else f"{left} more lock you out."
    return Rejected(
        Code.TOTP_INVALID,
        f"Wrong code. Nothing was changed. {consequence} "
        "Check that the clock of your phone is right.",
    )
