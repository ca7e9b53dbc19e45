"""One transition as one `TransactWriteItems`.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import random
import time
from collections.abc import Sequence
from typing import Any

from pynamodb.exceptions import CancellationReason, TransactWriteError
from pynamodb.expressions.condition import Condition

from chalicelib.adapters.dynamodb.rows import audit_row, promotion_of, promotion_row
from chalicelib.adapters.dynamodb.tables import (
    LockRow,
    PromotionRow,
    Tables,
    TargetRow,
    translated,
)
from chalicelib.domain.audit import AuditEntry
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.promotion import Change
from chalicelib.domain.record import Record, Revision
from chalicelib.ports import Clash, Lost

RETURN_ITEM = "ALL_OLD"
_ATTEMPTS = 6
_FIRST_PAUSE_SECONDS = 0.01
#: Reasons that pass by themselves: another transaction on the same rows, or too many at once.
_PASSING_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"},
)
_CONDITION_FAILED = "ConditionalCheckFailed"


class Transaction:
    """The writes of one transition, and which condition each stands for.

    Reasons for a cancellation come in the order of the writes on the wire: checks, deletes,
    puts, updates.
    """

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._writes: dict[str, list[dict[str, Any]]] = {
            "check": [],
            "delete": [],
            "put": [],
            "update": [],
        }
        self._clashes: dict[str, list[Clash]] = {kind: [] for kind in self._writes}

    def add(self, kind: str, clash: Clash, write: dict[str, Any]) -> None:
        """Add a `check`, `delete`, `put` or `update`."""
        self._writes[kind].append(write)
        self._clashes[kind].append(clash)

    def copy(self) -> "Transaction":
        """The same writes so far, to go on from in another way."""
        copied = Transaction(self._tables)
        for kind, writes in self._writes.items():
            copied._writes[kind] = list(writes)
            copied._clashes[kind] = list(self._clashes[kind])
        return copied

    def transition(self, change: Change) -> None:
        """The promotion is as it was read, and its next audit entry does not exist yet."""
        model = self._tables.promotions
        unchanged: Condition = model.id.does_not_exist()
        if change.before:
            same_version = model.version == change.before.version
            same_state = model.state == change.before.state
            unchanged = same_version & same_state
        row = promotion_row(model, change.after)
        self.add(
            "put",
            Clash.PROMOTION,
            row.get_save_kwargs_from_instance(
                condition=unchanged,
                return_values_on_condition_failure=RETURN_ITEM,
            ),
        )
        self.entry(change.entry, Clash.PROMOTION)

    def revision(self, row: LockRow | TargetRow, revision: Revision[Record]) -> None:
        """The record is at the version that was read, and its next audit entry does not exist.

        `row` is the record as it shall be, with its version.
        """
        model = type(row)
        as_read: Condition = model.version == revision.before.version
        if not revision.before.version:
            as_read = model.version.does_not_exist()
        self.add("put", Clash.RECORD, row.get_save_kwargs_from_instance(condition=as_read))
        self.entry(revision.entry, Clash.RECORD)

    def entry(self, entry: AuditEntry, clash: Clash) -> None:
        """The audit entry is the first of its version."""
        audit = self._tables.audit
        new = audit.subject.does_not_exist()
        row = audit_row(audit, entry)
        self.add("put", clash, row.get_save_kwargs_from_instance(condition=new))

    def write(self) -> None:
        """Write all or nothing. Raises `Lost` where a condition does not hold."""
        for attempt in range(_ATTEMPTS):
            if self._written():
                return
            time.sleep(random.uniform(0, _FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311 - no secret
        detail = "DynamoDB: others are writing to the same rows right now."
        raise Unavailable(detail)

    def _written(self) -> bool:
        """Try once; `False` where only what passes stood in the way.

        botocore sends every try of one call with one `ClientRequestToken`: an answer lost on
        the way is not written twice.
        """
        with translated():
            try:
                self._tables.connection.transact_write_items(
                    condition_check_items=self._writes["check"],
                    delete_items=self._writes["delete"],
                    put_items=self._writes["put"],
                    update_items=self._writes["update"],
                )
            except TransactWriteError as error:
                reasons = list(error.cancellation_reasons)
                if not reasons:
                    raise
                lost = self._lost(reasons)
                if lost:
                    raise lost from error
                if any(reason and reason.code not in _PASSING_REASONS for reason in reasons):
                    raise
                return False
        return True

    def _lost(self, reasons: Sequence[CancellationReason | None]) -> Lost | None:
        """Which conditions did not hold, and what is stored in their place."""
        clashes = [clash for kind in self._writes for clash in self._clashes[kind]]
        failed = [
            (clash, reason)
            for clash, reason in zip(clashes, reasons, strict=True)
            if reason and reason.code == _CONDITION_FAILED
        ]
        if not failed:
            return None
        items = {clash: reason.raw_item for clash, reason in failed if reason.raw_item}
        stored, lock = items.get(Clash.PROMOTION), items.get(Clash.FLAG_LOCK)
        return Lost(
            (clash for clash, _ in failed),
            stored=promotion_of(PromotionRow.from_raw_data(stored)) if stored else None,
            holder=lock["promotion_id"]["S"] if lock else None,
        )
