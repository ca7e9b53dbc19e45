"""List promotions, newest first."""

from dataclasses import dataclass

from chalicelib.domain.operator import Caller, Role
from chalicelib.ports import Clock, Page, PromotionStore, Query


@dataclass(frozen=True, kw_only=True)
class Browse:
    """Read one page of promotions. May lag by some seconds."""

    store: PromotionStore
    clock: Clock

    def __call__(self, query: Query, *, before: str | None, limit: int, caller: Caller) -> Page:
        caller.require(Role.VIEWER)
        return self.store.page(query, before=before, limit=limit, now=self.clock.now())
