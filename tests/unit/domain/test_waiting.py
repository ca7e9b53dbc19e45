"""What an open promotion waits for is said in words, and never as a failure."""

import re
from datetime import timedelta

import pytest

from chalicelib.domain.lease import Lease, TargetLock, Waiting, WaitingOn
from chalicelib.domain.promotion import State, Step
from chalicelib.domain.waiting import waiting_on
from tests.factories import TARGET, a_promotion, deploying
from tests.fakes import START

ALARMING = re.compile(r"error|fail|timeout|timed out|expired|stuck", re.IGNORECASE)
LEASE = Lease(
    target=TARGET,
    holder="w",
    attempt=1,
    since=START,
    until=START + timedelta(seconds=6),
)


def test_a_marked_promotion_waits_for_somebody_to_promote_it() -> None:
    found = waiting_on(a_promotion(), lock=None, deploying=(), now=START)

    assert found is not None
    assert found.kind is Waiting.OPERATOR
    assert "expires at 2026-05-16 04:28Z" in found.text


@pytest.mark.parametrize("state", [state for state in State if state.terminal])
def test_a_settled_promotion_waits_for_nothing(state: State) -> None:
    assert waiting_on(a_promotion(state=state), lock=None, deploying=(), now=START) is None


def test_a_queued_promotion_names_the_one_ahead_of_it() -> None:
    ahead = deploying(id="prm_123", step=Step.PENDING_COMMIT)
    queued = deploying()

    found = waiting_on(queued, lock=None, deploying=(ahead, queued), now=START)

    assert found is not None
    assert found.text == "Queued behind prm_123 (kim, since 2026-05-09 04:28Z). Nothing is wrong."


def test_what_the_last_look_found_is_passed_on() -> None:
    word = WaitingOn(kind=Waiting.FOREIGN_RELEASE, text="Release v3 runs.", since=START)
    lock = TargetLock(target=TARGET, waiting_on=word)

    assert waiting_on(deploying(), lock=lock, deploying=(), now=START) == word


def test_a_worker_at_the_target_is_mentioned() -> None:
    lock = TargetLock(target=TARGET, lease=LEASE)

    found = waiting_on(deploying(), lock=lock, deploying=(), now=START)

    assert found is not None
    assert found.text == "A worker is on it since 2026-05-09 04:28Z. Nothing is wrong."


@pytest.mark.parametrize("step", Step)
def test_an_open_promotion_always_waits_for_something_in_calm_words(step: Step) -> None:
    found = waiting_on(deploying(step=step), lock=None, deploying=(), now=START)

    assert found is not None
    assert not ALARMING.search(found.text)
