"""Read an audit trail, and check that it is whole."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.audit import StoredEntry, Verification, verify
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.record import Record, verify_record
from chalicelib.ports import Catalogues, Freezes, Operators, PromotionStore, Targets
from chalicelib.usecases.lookup import wanted


@dataclass(frozen=True, kw_only=True)
class Trail:
    """The entries, oldest first, and what recomputing their chain has shown."""

    entries: Sequence[StoredEntry]
    verification: Verification


@dataclass(frozen=True, kw_only=True)
class PromotionTrail(Trail):
    """The trail of a promotion, with the promotion that it leads to."""

    promotion: Promotion


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Read and verify the trail. Raises `Rejected` where there is no such promotion."""

    store: PromotionStore

    def __call__(self, promotion_id: str, *, caller: Caller) -> PromotionTrail:
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
        return PromotionTrail(promotion=promotion, entries=entries, verification=verification)


@dataclass(frozen=True, kw_only=True)
class RecordAudit:
    """Read and verify the trail of a record. Raises `Rejected` where there is no such record."""

    store: PromotionStore
    operators: Operators
    targets: Targets
    catalogues: Catalogues
    freezes: Freezes

    def __call__(self, kind: str, name: str, *, caller: Caller) -> Trail:
        caller.require(Role.VIEWER)
        record = self._record(kind, name)
        if record is None:
            raise Rejected(
                Code.NOT_FOUND,
                "There is no such record. Its subject is operator:<name>, target:<app>, "
                "catalogue:<id> or freezes; promotions have GET /promotions/{id}/audit.",
            )
        # Read before its trail, for the same reason as a promotion is.
        entries = [
            stored
            for stored in self.store.trail(record.subject)
            if stored.entry.version <= record.version
        ]
        return Trail(entries=entries, verification=verify_record(record, entries))

    def _record(self, kind: str, name: str) -> Record | None:
        match kind:
            case "operator" if name:
                return self.operators.get(name)
            case "target" if name:
                return self.targets.get(name)
            case "catalogue" if name:
                return self.catalogues.get(name)
            case "freezes" if not name:
                return self.freezes.get()
            case _:
                return None
