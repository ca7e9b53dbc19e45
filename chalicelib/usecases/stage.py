"""Stage a promotion: preflight passes, and it may get a time at which it begins by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.actions import require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Role, SpentCode, act_of
from chalicelib.domain.preflight import Check, Outcome, blocked_by, unacknowledged
from chalicelib.domain.promotion import Change, Promotion, State, advance
from chalicelib.ports import Clock
from chalicelib.usecases.authorised import Authorised, Order
from chalicelib.usecases.lookup import changed
from chalicelib.usecases.preflight import Preflight
from chalicelib.usecases.promote import BEGINS_WITHIN

#: How far off its time may be: what was let go longer ago would begin to everybody's surprise.
FARTHEST = timedelta(days=30)


@dataclass(frozen=True, kw_only=True)
class StageOrder(Order):
    """Which promotion, when, and which warnings are known."""

    not_before: datetime | None = None
    #: Ids of warnings.
    acknowledge: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, kw_only=True)
class Staged:
    """The promotion, and what preflight saw."""

    promotion: Promotion
    checks: Sequence[Check]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """Stage a promotion, or stage it anew; is idempotent.

    With a time it needs a code: from then on it begins without its operator. Another time takes
    its approvals away. Raises `Rejected`: not found, role, state, stale version, a check that
    blocks, warnings that were not acknowledged, second factor.
    """

    authorised: Authorised
    preflight: Preflight
    clock: Clock

    def __call__(self, order: StageOrder) -> Staged:
        order.caller.require(Role.PROMOTER)
        attempt = _Attempt(order=order, preflight=self.preflight, clock=self.clock)
        if order.not_before is None:
            promotion = changed(
                self.authorised.store,
                order.promotion_id,
                attempt.staged_without_time,
                if_version=order.if_version,
            )
        else:
            promotion = self.authorised(order, attempt.scheduled, admit=attempt.admit)
        return Staged(promotion=promotion, checks=attempt.checks)


@dataclass(kw_only=True)
class _Attempt:
    order: StageOrder
    preflight: Preflight
    clock: Clock
    checks: Sequence[Check] = ()

    def admit(self, promotion: Promotion) -> Promotion | None:
        """Check it all; a promotion that is staged so already is done."""
        order = self.order
        require_state(promotion, "stage")
        if promotion.state is State.STAGED and promotion.not_before == order.not_before:
            return promotion
        self._require_near_future()
        time = order.not_before
        self.checks = self.preflight(
            replace(promotion, not_before=time),
            at=time or self.clock.now(),
        )
        _require_passed(self.checks, order.acknowledge)
        return None

    def staged_without_time(self, promotion: Promotion) -> Change | None:
        if self.admit(promotion):
            return None
        return self._staged(promotion, {})

    def scheduled(self, promotion: Promotion, spend: SpentCode) -> Change:
        return self._staged(promotion, {"totp_timecode": spend.timecode})

    def _staged(self, promotion: Promotion, facts: dict[str, Any]) -> Change:
        order, time = self.order, self.order.not_before
        facts |= {
            "value": promotion.value,
            "not_before": time and spell(time),
            "acknowledged": sorted(order.acknowledge & _warnings(self.checks)),
        }
        changes: dict[str, Any] = {}
        if time != promotion.not_before and promotion.approvals:
            changes["approvals"] = ()
            facts["approvals_reset"] = sorted(promotion.approvers)
        if time:
            changes["expires_at"] = max(promotion.expires_at, time + BEGINS_WITHIN)
            changes["expiry_warned_at"] = None
        return advance(
            promotion,
            act_of(order.caller, Action.STAGE, self.clock.now(), facts),
            state=State.STAGED,
            not_before=time,
            promoted_by=order.caller.name if time else None,
            held_by=None,
            **changes,
        )

    def _require_near_future(self) -> None:
        wrong = _time_problem(self.order.not_before, self.clock.now())
        if wrong:
            raise Rejected(
                Code.INVALID_REQUEST,
                f"{wrong.field} {wrong.detail}. Nothing was changed.",
                errors=(wrong,),
            )


def _time_problem(time: datetime | None, now: datetime) -> FieldError | None:
    if time is None or now < time <= now + FARTHEST:
        return None
    detail = (
        "must be in the future; to let it go now, promote it"
        if time <= now
        else f"must be at most {FARTHEST.days} days off"
    )
    return FieldError(field="not_before", detail=detail)


def _warnings(checks: Sequence[Check]) -> set[str]:
    return {check.id for check in checks if check.outcome is Outcome.WARN}


def _require_passed(checks: Sequence[Check], acknowledged: frozenset[str]) -> None:
    block = blocked_by(checks)
    if block:
        blocks = [check for check in checks if check.outcome is Outcome.BLOCK]
        raise Rejected(
            Code.PREFLIGHT_BLOCKS,
            f"{block.seen} Nothing was changed.",
            conflict={"checks": [told(check) for check in blocks]},
        )
    warnings = unacknowledged(checks, acknowledged)
    if warnings:
        ids = ", ".join(check.id for check in warnings)
        raise Rejected(
            Code.WARNINGS_UNACKNOWLEDGED,
            f"{warnings[0].seen} Nothing was changed. If that is fine, send the ids of these "
            f"warnings in acknowledge: {ids}.",
            conflict={"checks": [told(check) for check in warnings]},
        )


def told(check: Check) -> dict[str, str]:
    """A check as callers see it."""
    return {
        "id": check.id,
        "name": check.name,
        "outcome": check.outcome,
        "seen": check.seen,
    }
