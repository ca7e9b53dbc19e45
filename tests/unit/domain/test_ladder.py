"""The alert ladder: each rung once, and calm while our own release runs."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.ladder import Ladder, rung_to_raise
from chalicelib.domain.lease import TargetLock, Waiting, WaitingOn
from chalicelib.domain.promotion import Promotion, Rung, State, Step
from tests.factories import TARGET, a_promotion, deploying
from tests.fakes import START

IDLE = TargetLock(target=TARGET)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def raised(
    promotion: Promotion,
    after: timedelta,
    lock: TargetLock = IDLE,
    ladder: Ladder | None = None,
) -> Rung | None:
    return rung_to_raise(promotion, lock, ladder or Ladder(), now=START + after)


def own_release(looked_at: timedelta) -> TargetLock:
    """The lock of a target where our own release was seen to run."""
    word = WaitingOn(kind=Waiting.OWN_RELEASE, text="Release v2 runs.", since=START)
    return TargetLock(target=TARGET, waiting_on=word, looked_at=START + looked_at)


@pytest.mark.parametrize(
    ("after", "rung"),
    [
        (30 * MINUTE - timedelta(seconds=1), None),
        (30 * MINUTE, Rung.SEV3),
        (12 * HOUR - timedelta(seconds=1), Rung.SEV3),
        (12 * HOUR, Rung.WARNING),
        (24 * HOUR - timedelta(seconds=1), Rung.WARNING),
        (24 * HOUR, Rung.CRITICAL),
        (97 * HOUR, Rung.CRITICAL),
    ],
)
def test_a_rung_is_reached_by_time_in_deploying(after: timedelta, rung: Rung | None) -> None:
    assert raised(deploying(), after) is rung


@pytest.mark.parametrize("rung", Rung)
def test_a_rung_that_was_raised_is_not_raised_again(rung: Rung) -> None:
    after = {Rung.WARNING: 13 * HOUR, Rung.CRITICAL: 25 * HOUR}.get(rung, 31 * MINUTE)
    lock = own_release(30 * MINUTE) if rung is Rung.INFO else IDLE
    promotion = deploying(rung=rung, step=Step.RELEASED)

    assert raised(promotion, after, lock) is None


def test_after_an_outage_only_the_highest_missed_rung_is_raised() -> None:
    assert raised(deploying(), 30 * HOUR) is Rung.CRITICAL
    assert raised(deploying(rung=Rung.CRITICAL), 31 * HOUR) is None


def test_an_unknown_time_counts_as_infinitely_long() -> None:
    assert raised(deploying(state_entered_at=None), timedelta(0)) is Rung.CRITICAL


@pytest.mark.parametrize("state", [state for state in State if state is not State.DEPLOYING])
def test_only_deploying_promotions_climb(state: State) -> None:
    assert raised(a_promotion(state=state), 48 * HOUR) is None


def test_while_our_own_release_runs_the_first_rung_is_information() -> None:
    promotion = deploying(step=Step.RELEASED)

    assert raised(promotion, 31 * MINUTE, own_release(30 * MINUTE)) is Rung.INFO


def test_a_release_that_nobody_looks_at_any_more_is_not_verifiably_running() -> None:
    promotion = deploying(step=Step.RELEASED)

    assert raised(promotion, 31 * MINUTE, own_release(20 * MINUTE)) is Rung.SEV3


def test_a_release_that_outlasts_its_hour_raises_the_first_rung_in_earnest() -> None:
    promotion = deploying(step=Step.RELEASED, rung=Rung.INFO)

    assert raised(promotion, 59 * MINUTE, own_release(58 * MINUTE)) is None
    assert raised(promotion, 61 * MINUTE, own_release(60 * MINUTE)) is Rung.SEV3


@pytest.mark.parametrize("kind", [kind for kind in Waiting if kind is not Waiting.OWN_RELEASE])
def test_no_other_waiting_makes_it_mere_information(kind: Waiting) -> None:
    word = WaitingOn(kind=kind, text="", since=START)
    lock = replace(own_release(30 * MINUTE), waiting_on=word)

    assert raised(deploying(step=Step.RELEASED), 31 * MINUTE, lock) is Rung.SEV3


def test_a_promotion_that_is_not_released_yet_is_not_verifiably_running() -> None:
    promotion = deploying(step=Step.QUEUED)

    assert raised(promotion, 31 * MINUTE, own_release(30 * MINUTE)) is Rung.SEV3


def test_an_acknowledged_promotion_raises_nothing_until_that_ends() -> None:
    promotion = deploying(acknowledged_until=START + 13 * HOUR)

    assert raised(promotion, 13 * HOUR - MINUTE) is None
    assert raised(promotion, 13 * HOUR) is Rung.WARNING


def test_a_target_may_have_a_ladder_of_its_own() -> None:
    ladder = Ladder(
        after={Rung.SEV3: 5 * MINUTE, Rung.WARNING: 10 * MINUTE, Rung.CRITICAL: 20 * MINUTE},
    )

    assert raised(deploying(), 6 * MINUTE, ladder=ladder) is Rung.SEV3
    assert raised(deploying(), 20 * MINUTE, ladder=ladder) is Rung.CRITICAL
