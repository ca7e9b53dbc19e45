"""Say that somebody knows: no rung is raised for a while."""

from dataclasses import dataclass
from datetime import timedelta

from chalicelib.domain.actions import require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Caller, Role, act_of
from chalicelib.domain.promotion import Change, Promotion, advance
from chalicelib.ports import Clock, PromotionStore
from chalicelib.usecases.lookup import changed


@dataclass(frozen=True, kw_only=True)
class Acknowledge:
    """Acknowledge a `deploying` promotion for a time; a later one replaces an earlier one.

    It changes who is told, never what the promotion does. When the time ends, the highest rung
    reached meanwhile is raised. Raises `Rejected`: not found, role, state, stale version.
    """

    store: PromotionStore
    clock: Clock

    def __call__(
        self,
        promotion_id: str,
        *,
        caller: Caller,
        lasts: timedelta,
        note: str | None,
        if_version: int | None,
    ) -> Promotion:
        caller.require(Role.PROMOTER)

        def acknowledged(promotion: Promotion) -> Change:
            require_state(promotion, "ack")
            now = self.clock.now()
            until = now + lasts
            facts = {"until": spell(until), "note": note}
            act = act_of(caller, Action.ACKNOWLEDGE, now, facts)
            return advance(promotion, act, acknowledged_until=until, acknowledged_by=caller.name)

        return changed(self.store, promotion_id, acknowledged, if_version=if_version)
