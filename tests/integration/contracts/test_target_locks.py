"""`TargetLocks`: one worker a target."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import LeaseLost
from chalicelib.domain.lease import Denied, Lease, TargetLock, Waiting, WaitingOn
from tests.factories import TARGET
from tests.fakes import START
from tests.integration.contracts.conftest import Stores

SIX = timedelta(seconds=6)
WORD = WaitingOn(kind=Waiting.FOREIGN_RELEASE, text="Release v3 runs.", since=START)


def acquired(stores: Stores, at: datetime = START, holder: str = "one") -> Lease:
    lease = stores.locks.acquire(TARGET, holder=holder, now=at, until=at + SIX)
    assert isinstance(lease, Lease)
    return lease


def test_a_target_that_nobody_ever_held_is_free_and_due(stores: Stores) -> None:
    lock = stores.locks.get(TARGET)

    assert lock == TargetLock(target=TARGET)
    assert lock.due(START)


def test_a_running_lease_keeps_others_away_and_says_whose_it_is(stores: Stores) -> None:
    lease = acquired(stores)

    busy = stores.locks.acquire(TARGET, holder="two", now=START, until=START + SIX)

    assert isinstance(busy, TargetLock)
    assert busy.lease == lease


def test_a_lease_that_ended_is_taken_over_under_a_greater_attempt(stores: Stores) -> None:
    first = acquired(stores)

    second = acquired(stores, at=first.until, holder="two")

    assert second.attempt > first.attempt


def left(**word: Any) -> TargetLock:  # noqa: ANN401 - fields of `TargetLock`
    """A lock that a look has left."""
    return TargetLock(target=TARGET, looked_at=START, **word)


def test_a_renewed_lease_lasts_longer(stores: Stores) -> None:
    lease = acquired(stores)

    stores.locks.renew(lease, until=START + 2 * SIX)

    busy = stores.locks.acquire(TARGET, holder="two", now=START + SIX, until=START + 2 * SIX)
    assert isinstance(busy, TargetLock)


def test_a_lease_that_was_taken_over_cannot_be_renewed(stores: Stores) -> None:
    lease = acquired(stores)
    acquired(stores, at=lease.until, holder="two")

    with pytest.raises(LeaseLost):
        stores.locks.renew(lease, until=START + 3 * SIX)


def test_a_released_target_is_free_at_once_and_keeps_the_word(stores: Stores) -> None:
    lease = acquired(stores)
    due = START + timedelta(minutes=1)

    stores.locks.release(lease, left(next_look_at=due, waiting_on=WORD))

    lock = stores.locks.get(TARGET)
    assert lock == TargetLock(target=TARGET, looked_at=START, next_look_at=due, waiting_on=WORD)
    assert not lock.due(START)
    assert lock.due(due)


def test_attempts_grow_over_releases(stores: Stores) -> None:
    first = acquired(stores)
    stores.locks.release(first, left())

    second = acquired(stores)

    assert second.attempt > first.attempt


def test_a_late_release_does_not_free_the_successors_target(stores: Stores) -> None:
    late = acquired(stores)
    successor = acquired(stores, at=late.until, holder="two")

    stores.locks.release(late, left(waiting_on=WORD))

    lock = stores.locks.get(TARGET)
    assert lock.lease == successor
    assert lock.waiting_on is None


def test_word_is_seen_while_the_lease_runs_and_by_the_next_holder(stores: Stores) -> None:
    lease = acquired(stores)

    stores.locks.leave_word(lease, WORD)

    assert stores.locks.get(TARGET).waiting_on == WORD
    assert acquired(stores, at=lease.until, holder="two").waiting_on == WORD


def test_a_release_without_word_takes_the_old_one_away(stores: Stores) -> None:
    lease = acquired(stores)
    stores.locks.leave_word(lease, WORD)

    stores.locks.release(lease, left())

    assert stores.locks.get(TARGET).waiting_on is None


def test_what_was_told_of_a_refusal_is_known_to_the_next_holder(stores: Stores) -> None:
    lease = acquired(stores)

    stores.locks.release(lease, left(denied=Denied.WRITE))

    assert stores.locks.get(TARGET).denied is Denied.WRITE
    second = acquired(stores, holder="two")
    assert second.denied is Denied.WRITE
    stores.locks.release(second, left())
    assert stores.locks.get(TARGET).denied is None


def test_how_far_batches_were_narrowed_is_known_to_the_next_holder(stores: Stores) -> None:
    lease = acquired(stores)

    stores.locks.release(lease, left(batch=6))

    assert stores.locks.get(TARGET).batch == 6
    second = acquired(stores, holder="two")
    assert second.batch == 6
    stores.locks.release(second, left())
    assert stores.locks.get(TARGET).batch is None


def test_many_locks_are_read_at_once(stores: Stores) -> None:
    lease = acquired(stores)
    targets = [TARGET, *(f"app-{n}" for n in range(150))]

    locks = stores.locks.get_all(targets)

    assert set(locks) == set(targets)
    assert locks[TARGET].lease == lease
    assert locks["app-7"].lease is None
