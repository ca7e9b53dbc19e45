"""Withdraw a promotion that was not accepted yet."""

from dataclasses import dataclass

from chalicelib.domain.actions import require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.operator import Caller, Role, act_of
from chalicelib.domain.promotion import (
    Change,
    Effect,
    Promotion,
    SettledBy,
    State,
    advance,
)
from chalicelib.ports import Clock, PromotionStore
from chalicelib.usecases.conclude import Concluded
from chalicelib.usecases.lookup import changed


@dataclass(frozen=True, kw_only=True)
class Cancel:
    """End a `pending` or `staged` promotion without effect; is idempotent.

    Raises `Rejected`: not found, role, state, stale version.
    """

    store: PromotionStore
    clock: Clock

    def __call__(
        self,
        promotion_id: str,
        *,
        caller: Caller,
        if_version: int | None,
        reason: str | None,
    ) -> Concluded:
        caller.require(Role.PROMOTER)
        replayed = False

        def cancelled(promotion: Promotion) -> Change | None:
            nonlocal replayed
            if promotion.state is State.CANCELLED:
                replayed = True
                return None
            require_state(promotion, "cancel")
            now = self.clock.now()
            return advance(
                promotion,
                act_of(caller, Action.CANCEL, now, {"reason": reason}),
                state=State.CANCELLED,
                settled_at=now,
                settled_by=SettledBy.OPERATOR,
                effect=Effect.NONE,
                reason=reason,
            )

        promotion = changed(self.store, promotion_id, cancelled, if_version=if_version)
        return Concluded(promotion=promotion, replayed=replayed)
