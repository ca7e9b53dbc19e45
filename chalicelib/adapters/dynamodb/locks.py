"""Targets' leases in DynamoDB. Each write is one conditional update of one row."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pynamodb.exceptions import DoesNotExist, UpdateError

from chalicelib.adapters.dynamodb.tables import (
    LockRow,
    Tables,
    code_of,
    condition_failed,
    read_time,
    translated,
)
from chalicelib.domain.errors import LeaseLost
from chalicelib.domain.lease import Denied, Lease, TargetLock, Waiting, WaitingOn
from chalicelib.domain.moment import spell

_IN_TRANSACTION = "TransactionConflictException"


@dataclass(frozen=True)
class DynamoDBTargetLocks:
    """`TargetLocks` in DynamoDB."""

    tables: Tables

    def acquire(
        self,
        target: str,
        *,
        holder: str,
        now: datetime,
        until: datetime,
    ) -> Lease | TargetLock:
        """Take the lease where none runs: one conditional update."""
        model = self.tables.locks
        never_leased = model.until.does_not_exist()
        ended = model.until <= spell(now)
        unreadable = ~(model.until.startswith("2"))
        row = self._updated(
            target,
            [
                model.holder.set(holder),
                model.since.set(spell(now)),
                model.until.set(spell(until)),
                model.attempt.set((model.attempt | 0) + 1),
            ],
            never_leased | ended | unreadable,
        )
        if row is None:
            return self._ours_or_not(target, holder)
        lease = Lease(
            target=target,
            holder=holder,
            attempt=int(row.attempt),
            since=now,
            until=until,
        )
        return _with_word(lease, _lock(target, row))

    def _ours_or_not(self, target: str, holder: str) -> Lease | TargetLock:
        """Tell a lost race from a won one whose answer was lost, and which botocore repeated."""
        lock = self.get(target)
        if lock.lease and lock.lease.holder == holder:
            return _with_word(lock.lease, lock)
        return lock

    def renew(self, lease: Lease, *, until: datetime) -> None:
        """Move the lease's end, where it is still the newest."""
        if self._updated_under(lease, [self.tables.locks.until.set(spell(until))]) is None:
            raise LeaseLost

    def leave_word(self, lease: Lease, waiting_on: WaitingOn) -> None:
        """Set what the target waits for, where the lease is still the newest."""
        self._updated_under(lease, self._word(waiting_on))

    def release(self, lease: Lease, left: TargetLock) -> None:
        """Remove the lease, where it is still the newest. The attempt stays: it only grows."""
        model = self.tables.locks
        self._updated_under(
            lease,
            [
                model.holder.remove(),
                model.since.remove(),
                model.until.remove(),
                _set(model.looked_at, left.looked_at and spell(left.looked_at)),
                _set(model.next_look_at, left.next_look_at and spell(left.next_look_at)),
                _set(model.denied, left.denied),
                _set(model.batch, left.batch),
                *self._word(left.waiting_on),
            ],
        )

    def get(self, target: str) -> TargetLock:
        """Read one lock, consistently."""
        with translated():
            try:
                row = self.tables.locks.get(_name(target), consistent_read=True)
            except DoesNotExist:
                return TargetLock(target=target)
        return _lock(target, row)

    def get_all(self, targets: Iterable[str]) -> Mapping[str, TargetLock]:
        """Read many locks, consistently: one `BatchGetItem` for each hundred."""
        locks = {target: TargetLock(target=target) for target in targets}
        names = {_name(target): target for target in locks}
        with translated():
            for row in self.tables.locks.batch_get(list(names), consistent_read=True):
                target = names[row.name]
                locks[target] = _lock(target, row)
        return locks

    def _word(self, waiting_on: WaitingOn | None) -> list[Any]:
        model, word = self.tables.locks, waiting_on
        return [
            _set(model.waiting_kind, word and word.kind),
            _set(model.waiting_text, word and word.text),
            _set(model.waiting_since, word and spell(word.since)),
        ]

    def _updated_under(self, lease: Lease, actions: list[Any]) -> LockRow | None:
        model = self.tables.locks
        newest = (model.attempt == lease.attempt) & (model.holder == lease.holder)
        return self._updated(lease.target, actions, newest)

    def _updated(self, target: str, actions: list[Any], condition: Any) -> LockRow | None:  # noqa: ANN401 - PynamoDB's expressions
        """The row as updated; `None`, and nothing written, where the condition does not hold."""
        row = self.tables.locks(_name(target))
        # A worker's own transactions name this row in their fence: they may be in flight.
        for last in (False, False, True):
            with translated():
                try:
                    row.update(actions, condition=condition)
                except UpdateError as error:
                    if condition_failed(error):
                        return None
                    if last or code_of(error) != _IN_TRANSACTION:
                        raise
                else:
                    break
        return row


def _name(target: str) -> str:
    return f"target:{target}"


def _set(attribute: Any, value: object) -> Any:  # noqa: ANN401 - PynamoDB's expressions
    return attribute.remove() if value is None else attribute.set(value)


def _with_word(lease: Lease, lock: TargetLock) -> Lease:
    """The lease, with what the last look left."""
    return replace(lease, waiting_on=lock.waiting_on, denied=lock.denied, batch=lock.batch)


def _lock(target: str, row: LockRow) -> TargetLock:
    return TargetLock(
        target=target,
        lease=_lease(target, row),
        looked_at=read_time(row.looked_at),
        next_look_at=read_time(row.next_look_at),
        waiting_on=_waiting_on(row),
        denied=_denied(row),
        batch=int(row.batch) if row.batch else None,
    )


def _lease(target: str, row: LockRow) -> Lease | None:
    since, until = read_time(row.since), read_time(row.until)
    if row.holder is None or since is None or until is None:
        return None
    return Lease(
        target=target,
        holder=row.holder,
        attempt=int(row.attempt),
        since=since,
        until=until,
    )


def _denied(row: LockRow) -> Denied | None:
    return Denied(row.denied) if row.denied in set(Denied) else None


def _waiting_on(row: LockRow) -> WaitingOn | None:
    since = read_time(row.waiting_since)
    if row.waiting_kind not in set(Waiting) or row.waiting_text is None or since is None:
        return None
    return WaitingOn(kind=Waiting(row.waiting_kind), text=row.waiting_text, since=since)
