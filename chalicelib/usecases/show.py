"""Show one promotion, with what it waits for and what the caller may do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain.actions import ActionOffer, offers
from chalicelib.domain.drift import Drift
from chalicelib.domain.lease import TargetLock, WaitingOn
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Promotion, State
from chalicelib.domain.waiting import Gate, waiting_on
from chalicelib.ports import Baselines, Clock, PromotionStore, TargetLocks
from chalicelib.usecases.gates import Gates
from chalicelib.usecases.lookup import wanted


@dataclass(frozen=True, kw_only=True)
class PromotionDetail:
    """A promotion as one caller sees it at one moment."""

    promotion: Promotion
    waiting_on: WaitingOn | None
    offers: tuple[ActionOffer, ...]
    #: How many more have to approve it before it may be promoted.
    approvals_missing: int
    now: datetime
    #: How the target differs from it, where it is what was deployed last of its flag.
    drift: Drift | None = None


@dataclass(frozen=True, kw_only=True)
class Show:
    """Read one promotion (consistent). Raises `Rejected` where there is none of that id."""

    store: PromotionStore
    locks: TargetLocks
    baselines: Baselines
    gates: Gates
    clock: Clock

    def __call__(self, promotion_id: str, *, caller: Caller) -> PromotionDetail:
        caller.require(Role.VIEWER)
        promotion = wanted(self.store, promotion_id)
        if promotion.state is State.DEPLOYED:
            return replace(
                self.just_written(promotion, caller=caller),
                drift=self._drift(promotion),
            )
        if promotion.state is not State.DEPLOYING:
            return self.just_written(promotion, caller=caller)
        return self._detail(
            promotion,
            caller,
            Gate(),
            lock=self.locks.get(promotion.target),
            deploying=self.store.deploying(promotion.target),
        )

    def _drift(self, promotion: Promotion) -> Drift | None:
        baseline = self.baselines.get(promotion.target)
        declared = baseline.declared.get(promotion.flag)
        if declared is None or declared.promotion_id != promotion.id:
            return None
        return baseline.drifts.get(promotion.flag)

    def just_written(self, promotion: Promotion, *, caller: Caller) -> PromotionDetail:
        """Show a promotion that the caller has in hand; reads only what keeps it from beginning."""
        waits = promotion.state in {State.PENDING, State.STAGED}
        gate = self.gates(promotion, at=self.clock.now()) if waits else Gate()
        return self._detail(promotion, caller, gate, lock=None, deploying=())

    def _detail(
        self,
        promotion: Promotion,
        caller: Caller,
        gate: Gate,
        *,
        lock: TargetLock | None,
        deploying: Sequence[Promotion],
    ) -> PromotionDetail:
        now = self.clock.now()
        return PromotionDetail(
            promotion=promotion,
            waiting_on=waiting_on(promotion, lock=lock, deploying=deploying, gate=gate, now=now),
            approvals_missing=gate.approvals_missing(promotion),
            offers=offers(promotion, caller, gate),
            now=now,
        )
