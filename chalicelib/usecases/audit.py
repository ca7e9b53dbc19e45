"""Read a promotion's audit trail, and check that it is whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.audit import StoredEntry, Verification, verify
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Promotion
from chalicelib.ports import PromotionStore
from chalicelib.usecases.lookup import wanted


@dataclass(frozen=True, kw_only=True)
class Trail:
    """The entries, oldest first, and what recomputing their chain has shown."""

    promotion: Promotion
    entries: Sequence[StoredEntry]
    verification: Verification


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Read and verify the trail. Raises `Rejected` where there is no such promotion."""

    store: PromotionStore

    def __call__(self, promotion_id: str, *, caller: Caller) -> Trail:
        caller.require(Role.VIEWER)
        promotion = wanted(self.store, promotion_id)
        # The promotion is read before its trail: an entry written in between belongs to a later
        # version, and is left out rather than taken for a broken chain.
        entries = [
            stored
            for stored in self.store.trail(promotion_id)
            if stored.entry.version <= promotion.version
        ]
        verification = verify(entries, version=promotion.version, head=promotion.audit_hash)
        return Trail(promotion=promotion, entries=entries, verification=verification)
