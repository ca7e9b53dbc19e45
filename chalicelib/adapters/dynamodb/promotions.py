"""Promotions in DynamoDB: each transition is one `TransactWriteItems`.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""

import copy
import hashlib
import logging
import random
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.exceptions import CancellationReason, DoesNotExist, TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.indexes import GlobalSecondaryIndex

from chalicelib.adapters.dynamodb.rows import (
    audit_row,
    month,
    promotion_of,
    promotion_row,
    stored_entry,
)
from chalicelib.adapters.dynamodb.tables import PromotionRow, Tables, read_time, translated
from chalicelib.adapters.ids import first_id, made_at
from chalicelib.domain.audit import StoredEntry
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.lease import Lease
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import SpentCode
from chalicelib.domain.promotion import Change, Promotion, State
from chalicelib.ports import Clash, Lost, Page, Query, UsedKey

_log = logging.getLogger("hoist.dynamodb")

_RETURN_ITEM = "ALL_OLD"
_CONTENTION_ATTEMPTS = 6
_FIRST_PAUSE_SECONDS = 0.01
#: Reasons that pass by themselves: another transaction on the same rows, or too many at once.
_PASSING_REASONS = frozenset(
    {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"},
)
_CONDITION_FAILED = "ConditionalCheckFailed"
#: A promotion is never older than Hoist: lists stop here.
_FIRST_MONTH = datetime(2026, 1, 1, tzinfo=UTC)
#: What one page may cost at most, in rows read and in months looked at.
_ROWS_A_PAGE, _MONTHS_A_PAGE = 500, 12
_ROWS_A_QUERY = 100


@dataclass(frozen=True, kw_only=True)
class _Stretch:
    """One partition of an index, newest first. All that follows it has ids below `floor`."""

    index: GlobalSecondaryIndex[Any]
    key: str
    floor: str | None

    def rows(self, before: str | None) -> Iterator[PromotionRow]:
        with translated():
            yield from self.index.query(
                self.key,
                PromotionRow.id < before if before else None,
                scan_index_forward=False,
                page_size=_ROWS_A_QUERY,
            )


class _Transaction:
    """The writes of one transition, and which condition each stands for.

    Reasons for a cancellation come in the order of the writes on the wire: checks, deletes,
    puts, updates.
    """

    def __init__(self) -> None:
        self.writes: dict[str, list[dict[str, Any]]] = {
            "condition_check_items": [],
            "delete_items": [],
            "put_items": [],
            "update_items": [],
        }
        self._clashes: dict[str, list[Clash]] = {kind: [] for kind in self.writes}

    def add(self, kind: str, clash: Clash, write: dict[str, Any]) -> None:
        self.writes[kind].append(write)
        self._clashes[kind].append(clash)

    @property
    def clashes(self) -> list[Clash]:
        """What each write stands for, in wire order."""
        return [clash for kind in self.writes for clash in self._clashes[kind]]


@dataclass(frozen=True)
class DynamoDBPromotionStore:
    """`PromotionStore` in DynamoDB."""

    tables: Tables

    def get(self, promotion_id: str) -> Promotion | None:
        """Read one promotion, consistently."""
        with translated():
            try:
                row = self.tables.promotions.get(promotion_id, consistent_read=True)
            except DoesNotExist:
                return None
        return promotion_of(row)

    def commit(
        self,
        change: Change,
        *,
        key: UsedKey | None = None,
        spend: SpentCode | None = None,
        fence: Lease | None = None,
    ) -> None:
        """Write one transition, or raise `Lost`."""
        transaction = _Transaction()
        self._promotion(transaction, change)
        if key:
            self._key(transaction, key, change.entry.at)
        if spend:
            self._spend(transaction, spend)
        if fence:
            self._fence(transaction, fence)
        without_flag_lock = copy.deepcopy(transaction)
        self._flag_lock(transaction, change)
        try:
            self._write(transaction)
        except Lost as lost:
            if not (change.settles and lost.clashes == {Clash.FLAG_LOCK}):
                raise
            # The lock was given away by hand, to another promotion: it stays with that one.
            self._write(without_flag_lock)

    def _write(self, transaction: _Transaction) -> None:
        for attempt in range(_CONTENTION_ATTEMPTS):
            if self._written(transaction):
                return
            time.sleep(random.uniform(0, _FIRST_PAUSE_SECONDS * 2**attempt))  # noqa: S311 - no secret
        detail = "DynamoDB: others are writing to the same rows right now."
        raise Unavailable(detail)

    def _written(self, transaction: _Transaction) -> bool:
        """Try once; `False` where only what passes stood in the way.

        botocore sends every try of one call with one `ClientRequestToken`: an answer lost on
        the way is not written twice.
        """
        with translated():
            try:
                self.tables.connection.transact_write_items(
                    transaction.writes["condition_check_items"],
                    transaction.writes["delete_items"],
                    transaction.writes["put_items"],
                    transaction.writes["update_items"],
                )
            except TransactWriteError as error:
                reasons = list(error.cancellation_reasons)
                if not reasons:
                    raise
                lost = _lost(transaction, reasons)
                if lost:
                    raise lost from error
                if any(reason and reason.code not in _PASSING_REASONS for reason in reasons):
                    raise
                return False
        return True

    def _promotion(self, transaction: _Transaction, change: Change) -> None:
        """The promotion is as it was read, and its next audit entry does not exist yet."""
        model, audit = self.tables.promotions, self.tables.audit
        unchanged: Condition = model.id.does_not_exist()
        if change.before:
            same_version = model.version == change.before.version
            same_state = model.state == change.before.state
            unchanged = same_version & same_state
        transaction.add(
            "put_items",
            Clash.PROMOTION,
            promotion_row(model, change.after).get_save_kwargs_from_instance(
                condition=unchanged,
                return_values_on_condition_failure=_RETURN_ITEM,
            ),
        )
        transaction.add(
            "put_items",
            Clash.PROMOTION,
            audit_row(audit, change.entry).get_save_kwargs_from_instance(
                condition=audit.promotion_id.does_not_exist(),
            ),
        )

    def _flag_lock(self, transaction: _Transaction, change: Change) -> None:
        """One open promotion a flag and target: taken when it opens, given back as it settles."""
        model, promotion = self.tables.locks, change.after
        name = f"flag:{promotion.target}:{promotion.flag}"
        if change.opens:
            transaction.add(
                "put_items",
                Clash.FLAG_LOCK,
                model(name, promotion_id=promotion.id).get_save_kwargs_from_instance(
                    condition=model.name.does_not_exist(),
                    return_values_on_condition_failure=_RETURN_ITEM,
                ),
            )
        elif change.settles:
            transaction.add(
                "delete_items",
                Clash.FLAG_LOCK,
                # Given back by hand is given back: only another promotion's lock stays.
                model(name).get_delete_kwargs_from_instance(
                    condition=model.name.does_not_exist() | (model.promotion_id == promotion.id),
                ),
            )

    def _key(self, transaction: _Transaction, key: UsedKey, now: datetime) -> None:
        """The key is new, or its last use is forgotten (DynamoDB removes those late)."""
        model = self.tables.locks
        row = model(
            _key_name(key.operator, key.key),
            promotion_id=key.promotion_id,
            fingerprint=key.fingerprint,
            until=spell(key.until),
            expires_at=int(key.until.timestamp()),
        )
        unused = model.name.does_not_exist()
        forgotten = model.until <= spell(now)
        transaction.add(
            "put_items",
            Clash.KEY,
            row.get_save_kwargs_from_instance(condition=unused | forgotten),
        )

    def _spend(self, transaction: _Transaction, spend: SpentCode) -> None:
        """The code is newer than the last one, and its operator's record is as it was read."""
        model, operator = self.tables.operators, spend.operator
        newer = model.last_timecode < spend.timecode
        same_failures = model.failures == operator.failures
        enabled = model.disabled == False  # noqa: E712 - PynamoDB builds the condition from ==
        same_token = model.token_sha256 == operator.token_sha256
        transaction.add(
            "update_items",
            Clash.SECOND_FACTOR,
            model(operator.name).get_update_kwargs_from_instance(
                actions=[
                    model.last_timecode.set(spend.timecode),
                    model.failures.set(0),
                    model.locked_until.remove(),
                ],
                condition=newer & same_failures & enabled & same_token,
            ),
        )

    def _fence(self, transaction: _Transaction, fence: Lease) -> None:
        """The lease is the target's newest: nobody has acquired it since."""
        model = self.tables.locks
        transaction.add(
            "condition_check_items",
            Clash.FENCE,
            model.get_operation_kwargs_from_class(
                f"target:{fence.target}",
                condition=(model.attempt == fence.attempt) & (model.holder == fence.holder),
            ),
        )

    def deploying(self, target: str) -> Sequence[Promotion]:
        """Query the sparse `deploying` index."""
        with translated():
            rows = list(self.tables.promotions.deploying_index.query(target))
        return _readable(rows)

    def open(self, state: State) -> Sequence[Promotion]:
        """Query the sparse `open` index."""
        with translated():
            rows = list(self.tables.promotions.open_index.query(state.value))
        return _readable(rows)

    def page(self, query: Query, *, before: str | None, limit: int, now: datetime) -> Page:
        """Read `by_target`, or `by_month` from this month backwards."""
        found: list[Promotion] = []
        position, rows_read = before, 0
        for stretch in self._stretches(query, before, now):
            for row in stretch.rows(position):
                promotion = promotion_of(row)
                if _fits(promotion, query):
                    if len(found) == limit:
                        return Page(promotions=tuple(found), next_before=found[-1].id)
                    found.append(promotion)
                position, rows_read = promotion.id, rows_read + 1
                if rows_read == _ROWS_A_PAGE:
                    return Page(promotions=tuple(found), next_before=position)
            position = stretch.floor
        return Page(promotions=tuple(found), next_before=position)

    def _stretches(self, query: Query, before: str | None, now: datetime) -> Iterator["_Stretch"]:
        model = self.tables.promotions
        if query.target:
            yield _Stretch(index=model.target_index, key=query.target, floor=None)
            return
        at = made_at(before) if before else now
        start = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        for _ in range(_MONTHS_A_PAGE):
            floor = first_id(start) if start > _FIRST_MONTH else None
            yield _Stretch(index=model.month_index, key=month(start), floor=floor)
            if floor is None:
                return
            start = (start - timedelta(days=1)).replace(day=1)

    def trail(self, promotion_id: str) -> Sequence[StoredEntry]:
        """Query the audit table, consistently."""
        with translated():
            rows = list(self.tables.audit.query(promotion_id, consistent_read=True))
        return [stored_entry(row) for row in rows]

    def used_key(self, operator: str, key: str) -> UsedKey | None:
        """Read the key's lock."""
        with translated():
            try:
                row = self.tables.locks.get(_key_name(operator, key), consistent_read=True)
            except DoesNotExist:
                return None
        return UsedKey(
            operator=operator,
            key=key,
            fingerprint=row.fingerprint,
            promotion_id=row.promotion_id,
            until=read_time(row.until) or datetime.min.replace(tzinfo=UTC),
        )


def _readable(rows: Iterable[PromotionRow]) -> list[Promotion]:
    """The promotions in the rows. One that was damaged by hand is left out, loudly."""
    promotions = []
    for row in rows:
        try:
            promotions.append(promotion_of(row))
        except (TypeError, ValueError):
            _log.exception("a promotion's row cannot be read: %s", row.id)
    return promotions


def _fits(promotion: Promotion, query: Query) -> bool:
    return (query.flag is None or promotion.flag == query.flag) and (
        query.state is None or promotion.state == query.state
    )


def _lost(transaction: _Transaction, reasons: Sequence[CancellationReason | None]) -> Lost | None:
    """Which conditions did not hold, and what is stored in their place."""
    failed = [
        (clash, reason)
        for clash, reason in zip(transaction.clashes, reasons, strict=True)
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


def _key_name(operator: str, key: str) -> str:
    return f"key:{operator}:{hashlib.sha256(key.encode()).hexdigest()}"
