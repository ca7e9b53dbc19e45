"""Ask for the second factor, where an action needs more than a token."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import (
    BRAKE_AFTER,
    Caller,
    Operator,
    Role,
    SpentCode,
    act_of,
    counted,
    wrong_codes_left,
)
from chalicelib.domain.record import Revision, revise
from chalicelib.ports import Clock, Lost, Operators, SecondFactor

#: A code lasts for this long (RFC 6238, default time step).
TIME_STEP = timedelta(seconds=30)

_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_ATTEMPTS_TO_RECORD = 5


@dataclass(frozen=True, kw_only=True)
class StepUp:
    """Judge a caller's TOTP code. A right one is returned to be spent; a wrong one is counted.

    It is always the named operator's own code, whichever service stands in between. A wrong code
    that locks the operator out is written with its audit entry.
    Raises `Rejected`: no code, not six ASCII digits, wrong, used before, or locked out.
    """

    operators: Operators
    second_factor: SecondFactor
    clock: Clock

    def __call__(self, caller: Caller, code: str | None) -> SpentCode:
        code = _well_formed(code)
        braked: bool | None = None
        for _ in range(_ATTEMPTS_TO_RECORD):
            operator = self._operator(caller)
            now = self.clock.now()
            _require_unlocked(operator, caller, now)
            timecode = self.second_factor.timecode(operator, code, at=now)
            if timecode is not None:
                return _unspent(operator, timecode)
            if braked is None:
                braked = self.operators.count_wrong_code(now) > BRAKE_AFTER
            wrong = _WrongCode(caller=caller, operator=operator, at=now, braked=braked)
            if self._recorded(wrong):
                raise wrong.answer()
        raise Rejected(
            Code.CONTENTION,
            "Too many codes are being tried for this operator at once. Nothing was changed.",
        )

    def require_unspent(self, spend: SpentCode) -> None:
        """Tell a spent code, which is final, from a record that moved for another reason.

        Raises `Rejected` for the former.
        """
        operator = self.operators.get(spend.operator.name)
        if operator is not None:
            _unspent(operator, spend.timecode)

    def _operator(self, caller: Caller) -> Operator:
        operator = self.operators.get(caller.name)
        if operator is None or operator.disabled:
            raise Rejected(Code.UNAUTHENTICATED, "This operator may not call any more.")
        if operator.role is Role.SERVICE:
            raise Rejected(
                Code.ROLE_INSUFFICIENT,
                f"{operator.name} is a service, and has no codes. Name the operator that it acts "
                "for in the header X-On-Behalf-Of, and send that operator's code.",
            )
        return operator

    def _recorded(self, wrong: "_WrongCode") -> bool:
        """Write the count; `False`, and nothing written, where the record has moved meanwhile."""
        if not wrong.locks:
            return self.operators.count_failure(wrong.operator, wrong.counted)
        try:
            self.operators.write(wrong.lock_out())
        except Lost:
            return False
        return True


@dataclass(frozen=True, kw_only=True)
class _WrongCode:
    """A wrong code, and what it does to the operator that it was judged for."""

    caller: Caller
    operator: Operator
    at: datetime
    braked: bool

    @cached_property
    def counted(self) -> Operator:
        return counted(self.operator, self.at, braked=self.braked)

    @property
    def locks(self) -> bool:
        return self.counted.locked(self.at)

    def lock_out(self) -> Revision[Operator]:
        after = self.counted
        facts = {
            "until": after.locked_until and spell(after.locked_until),
            "wrong_codes": after.wrong_codes,
            "braked": self.braked,
        }
        return revise(self.operator, after, act_of(self.caller, Action.LOCK_OUT, self.at, facts))

    def answer(self) -> Rejected:
        return Rejected(
            Code.TOTP_INVALID,
            f"Wrong code. Nothing was changed. {self._consequence()} "
            "Check that the clock of your phone is right.",
        )

    def _consequence(self) -> str:
        if not self.locks:
            left = wrong_codes_left(self.counted)
            return f"{left} more lock you out." if left > 1 else "One more locks you out."
        why = "Many wrong codes are being tried right now, so a single one locks. "
        return f"{why if self.braked else ''}{_locked_out(self.counted, self.caller)}"


def reused() -> Rejected:
    """The answer to a right code that was spent before (RFC 6238 section 5.2)."""
    return Rejected(
        Code.TOTP_REUSED,
        "This code was used before; each works once. Nothing was changed. "
        f"Wait for the next one, at most {TIME_STEP.seconds} seconds.",
        retry_after=TIME_STEP,
    )


def _unspent(operator: Operator, timecode: int) -> SpentCode:
    if timecode <= operator.last_timecode:
        raise reused()
    return SpentCode(operator=operator, timecode=timecode)


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


def _require_unlocked(operator: Operator, caller: Caller, now: datetime) -> None:
    if operator.locked_until is not None and operator.locked(now):
        raise Rejected(
            Code.TOTP_LOCKED,
            f"Too many wrong codes. Nothing was changed. {_locked_out(operator, caller)}",
            retry_after=operator.locked_until - now,
        )


def _locked_out(operator: Operator, caller: Caller) -> str:
    """Until when no code counts, and what can be done."""
    held = f"your token or that of {caller.via}" if caller.via else "your token"
    return (
        f"No code of yours is looked at until {operator.locked_until:%Y-%m-%dT%H:%M:%SZ}: wait, or "
        "ask a superadmin to unlock you. If these were not all your codes, somebody holds "
        f"{held}: have it rotated."
    )
