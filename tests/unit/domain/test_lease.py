"""When a target's lock is held and when it is due, and what is said of it while one waits."""

from datetime import datetime, timedelta

import pytest

from chalicelib.domain.lease import (
    HEARTBEAT_EVERY,
    LEASE_LASTS,
    Lease,
    TargetLock,
    Waiting,
    WaitingOn,
)
from chalicelib.domain.promotion import Promotion, Rung, Step
from chalicelib.domain.waiting import waiting_on
from tests.factories import TARGET, deploying
from tests.fakes import START

ENDS = START + LEASE_LASTS
TICK = timedelta(microseconds=1)
WORD = WaitingOn(kind=Waiting.PROOF, text="Heroku was asked.", since=START)


def a_lock(*, next_look_at: datetime | None = None, word: WaitingOn | None = None) -> TargetLock:
    """A lock whose lease runs until `ENDS`."""
    lease = Lease(target=TARGET, holder="w", attempt=1, since=START, until=ENDS)
    return TargetLock(target=TARGET, lease=lease, next_look_at=next_look_at, waiting_on=word)


def free(next_look_at: datetime | None = None) -> TargetLock:
    return TargetLock(target=TARGET, next_look_at=next_look_at)


def told(
    promotion: Promotion,
    *,
    lock: TargetLock | None = None,
    deploying: tuple[Promotion, ...] = (),
    now: datetime = START,
) -> WaitingOn:
    found = waiting_on(promotion, lock=lock, deploying=deploying, now=now)
    assert found is not None
    return found


def test_two_heartbeats_may_be_lost_before_a_lease_ends() -> None:
    assert 3 * HEARTBEAT_EVERY < LEASE_LASTS


@pytest.mark.parametrize("now", [START, ENDS - TICK])
def test_a_lock_is_held_until_its_lease_ends(now: datetime) -> None:
    assert a_lock().held(now)


@pytest.mark.parametrize("now", [ENDS, ENDS + TICK])
def test_a_lock_is_free_from_the_moment_its_lease_ends(now: datetime) -> None:
    assert not a_lock().held(now)


def test_a_lock_without_a_lease_is_free() -> None:
    assert not free().held(START)


def test_a_free_target_that_was_never_looked_at_is_due() -> None:
    assert free().due(START)


def test_a_free_target_is_due_from_the_moment_of_its_next_look() -> None:
    assert free(next_look_at=START).due(START)


def test_a_free_target_is_not_due_before_its_next_look() -> None:
    assert not free(next_look_at=START).due(START - TICK)


@pytest.mark.parametrize("next_look_at", [None, START - timedelta(hours=1), START])
def test_a_held_target_is_not_due(next_look_at: datetime | None) -> None:
    assert not a_lock(next_look_at=next_look_at).due(START)


def test_a_target_whose_worker_was_killed_is_due_when_its_lease_has_ended() -> None:
    assert a_lock().due(ENDS)


def test_a_lease_that_has_ended_does_not_bring_the_next_look_forward() -> None:
    assert not a_lock(next_look_at=ENDS + timedelta(minutes=1)).due(ENDS)


# What is said of it


def test_others_that_are_queued_too_are_not_ahead() -> None:
    other, queued = deploying(id="prm_1"), deploying(id="prm_2")

    found = told(queued, deploying=(other, queued))

    assert found.kind is Waiting.WORKER
    assert found.text == (
        "Accepted; the next worker takes it up within seconds, "
        "the watchdog within a minute. Nothing needs to be done."
    )


@pytest.mark.parametrize(
    ("rung", "advice"),
    [
        (Rung.INFO, "Nothing needs to be done."),
        (Rung.SEV3, "It waits for longer than that: look at it."),
        (Rung.CRITICAL, "It waits for longer than that: look at it."),
    ],
)
def test_what_somebody_was_told_of_is_not_said_to_need_nobody(rung: Rung, advice: str) -> None:
    stalled = deploying(rung=rung)

    assert told(stalled, deploying=(stalled,)).text.endswith(f"within a minute. {advice}")


def test_of_those_ahead_the_one_that_was_promoted_first_is_named() -> None:
    later = deploying(
        id="prm_1", step=Step.INTENT, promoted_at=START + timedelta(minutes=2), promoted_by="sam"
    )
    first = deploying(id="prm_2", step=Step.RELEASED, promoted_at=START + timedelta(minutes=1))

    found = told(deploying(), deploying=(later, first))

    assert found.text == "Queued behind prm_2 (kim, since 2026-05-09 04:29Z). Nothing is wrong."


def test_one_ahead_without_a_promotion_time_is_ranked_by_its_mark() -> None:
    marked_first = deploying(id="prm_1", step=Step.INTENT, promoted_at=None, created_at=START)
    second = deploying(id="prm_2", step=Step.INTENT, promoted_at=START + timedelta(minutes=1))

    found = told(deploying(), deploying=(second, marked_first))

    assert found.text == "Queued behind prm_1 (kim, since an unknown time). Nothing is wrong."


def test_a_queued_promotion_waits_for_those_ahead_before_it_waits_for_the_target() -> None:
    ahead = deploying(id="prm_1", step=Step.INTENT)

    found = told(deploying(), lock=a_lock(word=WORD), deploying=(ahead,))

    assert found.kind is Waiting.QUEUE


def test_a_promotion_that_is_on_its_way_is_behind_nobody() -> None:
    ahead = deploying(id="prm_1", step=Step.RELEASED)

    found = told(deploying(step=Step.INTENT), deploying=(ahead,))

    assert found.kind is Waiting.WORKER


def test_the_word_that_was_left_is_passed_on_while_a_worker_looks_again() -> None:
    assert told(deploying(), lock=a_lock(word=WORD)) == WORD


def test_a_worker_that_holds_the_lease_is_mentioned_with_its_beginning() -> None:
    found = told(deploying(), lock=a_lock(), now=ENDS - TICK)

    assert found.text == "A worker is on it since 2026-05-09 04:28Z. Nothing is wrong."


def test_a_worker_whose_lease_has_ended_is_not_said_to_be_on_it() -> None:
    found = told(deploying(), lock=a_lock(), now=ENDS)

    assert found.text.startswith("Accepted; the next worker takes it up within seconds")


@pytest.mark.parametrize(
    ("step", "done"),
    [
        (None, "Accepted"),
        (Step.QUEUED, "Accepted"),
        (Step.INTENT, "A worker was about to ask Heroku for it"),
        (Step.PENDING_COMMIT, "Heroku took the value"),
        (Step.RELEASED, "Its release is known"),
    ],
)
def test_while_no_worker_is_on_it_what_is_done_so_far_is_said(
    step: Step | None,
    done: str,
) -> None:
    assert told(deploying(step=step)).text.startswith(f"{done}; the next worker")


def test_it_waits_since_it_entered_its_state() -> None:
    entered = START + timedelta(hours=3)

    assert told(deploying(state_entered_at=entered), now=entered).since == entered


def test_where_it_is_not_known_when_it_entered_its_state_it_waits_since_its_mark() -> None:
    assert told(deploying(state_entered_at=None, created_at=START)).since == START
