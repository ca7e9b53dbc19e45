"""Accept a promotion: from here it moves by itself."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.actions import in_the_way, require_gate_open, require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.errors import TryAgain
from chalicelib.domain.freeze import Hold
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Role, SpentCode, act_of
from chalicelib.domain.promotion import (
    EXPIRES_AFTER,
    Change,
    Promotion,
    State,
    Step,
    advance,
)
from chalicelib.domain.waiting import Gate
from chalicelib.ports import Clock, Wakes
from chalicelib.usecases.authorised import Authorised, Order
from chalicelib.usecases.gates import Gates

#: How long after its time, or after a freeze, a promotion that begins by itself may still begin.
BEGINS_WITHIN = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class PromoteOrder(Order):
    """Which promotion shall go, on whose word."""

    #: Why it shall go over missing approvals, a missing stage, or a freeze.
    break_glass: str | None = None


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The promotion goes on by itself, durably, whatever happens next."""

    promotion: Promotion
    replayed: bool
    #: Its wake is queued. If not, the watchdog wakes the target within a minute. One that a
    #: freeze holds back needs none: the watchdog begins it.
    woken: bool


@dataclass(frozen=True, kw_only=True)
class Promote:
    """Accept a promotion: state and spent code in one transaction, then a wake.

    During a freeze it is `staged`, and begins by itself when the target opens. A repeat with the
    same idempotency key is answered before a code is looked at.
    Raises `Rejected`: not found, role, state, approvals, stage, stale version, second factor.
    """

    authorised: Authorised
    gates: Gates
    wakes: Wakes
    clock: Clock

    def __call__(self, order: PromoteOrder) -> Accepted:
        order.caller.require(Role.PROMOTER)
        attempt = _Attempt(order=order, gates=self.gates, clock=self.clock)
        promotion = self.authorised(order, attempt.accepted, admit=attempt.admit)
        begun = promotion.state is State.DEPLOYING and not attempt.replayed
        woken = begun and wake(self.wakes, promotion)
        return Accepted(promotion=promotion, replayed=attempt.replayed, woken=woken)


def wake(wakes: Wakes, promotion: Promotion) -> bool:
    """Queue a wake. Losing it costs time, not the promotion: the intention is stored."""
    try:
        wakes.send(promotion.target, promotion_id=promotion.id)
    except TryAgain:
        return False
    return True


@dataclass(kw_only=True)
class _Attempt:
    order: PromoteOrder
    gates: Gates
    clock: Clock
    replayed: bool = False
    gate: Gate | None = None

    def admit(self, promotion: Promotion) -> Promotion | None:
        order = self.order
        if order.fingerprint and promotion.promote_key == order.fingerprint:
            self.replayed = True
            return promotion
        require_state(promotion, "promote")
        self.gate = self.gates(promotion, at=self.clock.now())
        if order.break_glass is None:
            require_gate_open(promotion, self.gate)
        return None

    def accepted(self, promotion: Promotion, spend: SpentCode) -> Change:
        order, now = self.order, self.clock.now()
        gate = self.gate or Gate()
        hold = gate.hold if order.break_glass is None else None
        facts: dict[str, Any] = {"value": promotion.value, "totp_timecode": spend.timecode}
        if order.break_glass is not None:
            over = list(in_the_way(promotion, gate))
            facts |= {"break_glass": True, "reason": order.break_glass, "over": over}
        if hold:
            facts |= {"held_by": hold.freeze.id, "until": hold.until and spell(hold.until)}
        return advance(
            promotion,
            act_of(order.caller, Action.PROMOTE, now, facts),
            promoted_by=order.caller.name,
            promote_key=order.fingerprint,
            **(held(hold, promotion.expires_at, now) if hold else begun(now)),
        )


def begun(now: datetime) -> dict[str, Any]:
    """What changes as a promotion begins."""
    return {
        "state": State.DEPLOYING,
        "step": Step.QUEUED,
        "promoted_at": now,
        "held_by": None,
    }


def held(hold: Hold, expires_at: datetime, now: datetime) -> dict[str, Any]:
    """What changes as a freeze holds an accepted promotion back: it outlasts the freeze."""
    lasts = outlasting(hold, expires_at, now)
    return {"state": State.STAGED, "not_before": now, "held_by": "freeze", "expires_at": lasts}


def outlasting(hold: Hold, expires_at: datetime, now: datetime) -> datetime:
    """When what a freeze holds back expires: not before it could begin.

    Where no end of the freeze is in sight, it is put off by a week, again and again.
    """
    if hold.until:
        return max(expires_at, hold.until + BEGINS_WITHIN)
    return expires_at if expires_at - now > BEGINS_WITHIN else now + EXPIRES_AFTER
