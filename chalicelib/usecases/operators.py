"""Who may call: list them, and unlock who was locked out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import NAME, Caller, Operator, Role, act_of, unlocked
from chalicelib.domain.record import revise
from chalicelib.ports import Clock, Lost, Operators
from chalicelib.usecases.step_up import StepUp

_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class ListedOperator:
    """What others may know of an operator."""

    name: str
    role: Role
    disabled: bool
    #: No code is looked at until then; `None`: codes are.
    locked_until: datetime | None
    #: In the present period. Somebody who guesses and is never locked out shows here.
    wrong_codes: int
    #: Of a service: the highest role that it may use for others.
    up_to: Role | None


@dataclass(frozen=True, kw_only=True)
class ListOperators:
    """Every operator, by name. Raises `Rejected` for anybody but a superadmin."""

    operators: Operators
    clock: Clock

    def __call__(self, *, caller: Caller) -> Sequence[ListedOperator]:
        caller.require(Role.SUPERADMIN)
        now = self.clock.now()
        return [listed(operator, now) for operator in self.operators.all()]


@dataclass(frozen=True, kw_only=True)
class UnlockOrder:
    """Who shall be unlocked, on whose word, and why."""

    name: str
    reason: str
    caller: Caller
    code: str | None


@dataclass(frozen=True, kw_only=True)
class UnlockOperator:
    """Forgive an operator's wrong codes, on another's code: both in one transaction.

    Where there is nothing to forgive, no code is looked at. Raises `Rejected`: role, oneself,
    not found, second factor.
    """

    operators: Operators
    step_up: StepUp
    clock: Clock

    def __call__(self, order: UnlockOrder) -> Operator:
        order.caller.require(Role.SUPERADMIN)
        _require_another(order)
        for _ in range(_ATTEMPTS):
            before = wanted(self.operators, order.name)
            if unlocked(before) == before:
                return before
            after = self._unlocked(before, order)
            if after:
                return after
        raise contended()

    def _unlocked(self, before: Operator, order: UnlockOrder) -> Operator | None:
        """The operator as written; `None` where the world moved: read, and judge, again."""
        spend = self.step_up(order.caller, order.code)
        facts = {"reason": order.reason, "totp_timecode": spend.timecode}
        act = act_of(order.caller, Action.UNLOCK, self.clock.now(), facts)
        revision = revise(before, unlocked(before), act)
        try:
            self.operators.write(revision, spend=spend)
        except Lost:
            return None
        return revision.after


def listed(operator: Operator, now: datetime) -> ListedOperator:
    """The operator as others may know them."""
    return ListedOperator(
        name=operator.name,
        role=operator.role,
        disabled=operator.disabled,
        locked_until=operator.locked_until if operator.locked(now) else None,
        wrong_codes=operator.wrong_codes_at(now),
        up_to=operator.up_to if operator.role is Role.SERVICE else None,
    )


def wanted(operators: Operators, name: str) -> Operator:
    """The operator. Raises `Rejected` where there is none of that name."""
    operator = operators.get(name) if NAME.fullmatch(name) else None
    if operator is None:
        raise Rejected(Code.NOT_FOUND, "There is no operator of this name.")
    return operator


def contended() -> Rejected:
    """The answer where others keep winning."""
    return Rejected(
        Code.CONTENTION,
        "Others are changing this operator at the same moment. Nothing was changed.",
    )


def _require_another(order: UnlockOrder) -> None:
    if order.name == order.caller.name:
        raise Rejected(
            Code.ROLE_INSUFFICIENT,
            "Nobody unlocks themselves, for whoever guesses your codes would. Ask another "
            "superadmin.",
        )
