"""Withdraw a promotion that was not accepted yet."""

from dataclasses import dataclass

from chalicelib.domain.actions import require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import (
    Act,
    Effect,
    Promotion,
    SettledBy,
    State,
    advance,
)
from chalicelib.ports import Clock, Lost, PromotionStore
from chalicelib.usecases.lookup import require_version, wanted

_ATTEMPTS = 3


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
    ) -> Promotion:
        caller.require(Role.PROMOTER)
        for _ in range(_ATTEMPTS):
            promotion = wanted(self.store, promotion_id)
            if promotion.state is State.CANCELLED:
                return promotion
            require_state(promotion, "cancel")
            require_version(promotion, if_version)
            now = self.clock.now()
            change = advance(
                promotion,
                Act(actor=caller.name, action=Action.CANCEL, at=now, facts={"reason": reason}),
                state=State.CANCELLED,
                settled_at=now,
                settled_by=SettledBy.OPERATOR,
                effect=Effect.NONE,
                reason=reason,
            )
            try:
                self.store.commit(change)
            except Lost:
                continue
            return change.after
        raise Rejected(
            Code.CONTENTION,
            "Others are changing this promotion at the same moment. Nothing was changed.",
        )
