"""Promotions in DynamoDB: each transition is one transaction."""

import hashlib
import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pynamodb.exceptions import DoesNotExist
from pynamodb.indexes import GlobalSecondaryIndex

from chalicelib.adapters.dynamodb.baselines import declaring
from chalicelib.adapters.dynamodb.operators import spending
from chalicelib.adapters.dynamodb.rows import month, promotion_of, stored_entry
from chalicelib.adapters.dynamodb.tables import PromotionRow, Tables, read_time, translated
from chalicelib.adapters.dynamodb.transaction import RETURN_ITEM, Transaction
from chalicelib.adapters.ids import first_id, made_at
from chalicelib.domain.audit import StoredEntry
from chalicelib.domain.lease import Lease
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import SpentCode
from chalicelib.domain.promotion import Change, Promotion, State
from chalicelib.ports import Clash, Lost, Page, Query, UsedKey

_log = logging.getLogger("hoist.dynamodb")

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
        transaction = Transaction(self.tables)
        transaction.transition(change)
        if key:
            self._key(transaction, key, change.entry.at)
        if spend:
            transaction.add("update", Clash.SECOND_FACTOR, spending(self.tables, spend))
        if fence:
            self._fence(transaction, fence)
        if change.settles and change.after.state is State.DEPLOYED:
            transaction.add(
                "update",
                Clash.BASELINE,
                declaring(self.tables, change.after),
            )
        without_flag_lock = transaction.copy()
        self._flag_lock(transaction, change)
        try:
            transaction.write()
        except Lost as lost:
            if not (change.settles and lost.clashes == {Clash.FLAG_LOCK}):
                raise
            # The lock was given away by hand, to another promotion: it stays with that one.
            without_flag_lock.write()

    def _flag_lock(self, transaction: Transaction, change: Change) -> None:
        """One open promotion a flag and target: taken when it opens, given back as it settles."""
        model, promotion = self.tables.locks, change.after
        name = f"flag:{promotion.target}:{promotion.flag}"
        if change.opens:
            transaction.add(
                "put",
                Clash.FLAG_LOCK,
                model(name, promotion_id=promotion.id).get_save_kwargs_from_instance(
                    condition=model.name.does_not_exist(),
                    return_values_on_condition_failure=RETURN_ITEM,
                ),
            )
        elif change.settles:
            transaction.add(
                "delete",
                Clash.FLAG_LOCK,
                # Given back by hand is given back: only another promotion's lock stays.
                model(name).get_delete_kwargs_from_instance(
                    condition=model.name.does_not_exist() | (model.promotion_id == promotion.id),
                ),
            )

    def _key(self, transaction: Transaction, key: UsedKey, now: datetime) -> None:
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
            "put",
            Clash.KEY,
            row.get_save_kwargs_from_instance(condition=unused | forgotten),
        )

    def _fence(self, transaction: Transaction, fence: Lease) -> None:
        """The lease is the target's newest: nobody has acquired it since."""
        model = self.tables.locks
        transaction.add(
            "check",
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
        """Read `by_target`, or `by_month` from this month backwards; for an open state, `open`."""
        if query.state and not State(query.state).terminal:
            return self._open_page(State(query.state), query, before, limit)
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

    def _open_page(self, state: State, query: Query, before: str | None, limit: int) -> Page:
        """What is open is few: its cost does not grow with the past."""
        fits = [each for each in self.open(state) if _fits(each, query) and _before(each, before)]
        found = sorted(fits, key=lambda promotion: promotion.id, reverse=True)[:limit]
        more = len(fits) > limit
        return Page(promotions=tuple(found), next_before=found[-1].id if more else None)

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

    def open_promotion(self, target: str, flag: str) -> str | None:
        """Read the flag's lock."""
        with translated():
            try:
                row = self.tables.locks.get(f"flag:{target}:{flag}", consistent_read=True)
            except DoesNotExist:
                return None
        return str(row.promotion_id)

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
    return (
        query.target in {None, promotion.target}
        and query.flag in {None, promotion.flag}
        and query.state in {None, promotion.state}
    )


def _before(promotion: Promotion, before: str | None) -> bool:
    return before is None or promotion.id < before


def _key_name(operator: str, key: str) -> str:
    return f"key:{operator}:{hashlib.sha256(key.encode()).hexdigest()}"
