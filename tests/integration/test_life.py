"""Whatever people, workers, Heroku and time do, in any order: nothing is stuck, lost or untrue.

What is done is in `tests/life`; `python -m bench.life` does it a million times.
"""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.life.faults import AT_WORK, PHASES, Mishap, Phase
from tests.life.machine import LifeMachine
from tests.life.tally import Tally, faults

#: As many as take some fifteen seconds of a core.
LIVES, STEPS_EACH = 250, 80


class ShortLives(LifeMachine):
    """Lives with a tally of their own."""

    tally = Tally()


def test_no_promotion_is_stuck_lost_or_untrue_whatever_happens() -> None:
    run_state_machine_as_test(
        ShortLives,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS_EACH,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )

    tally = ShortLives.tally
    assert tally.steps > LIVES * STEPS_EACH / 2
    assert tally.never(name for name in faults() if name.startswith("mishap")) == []


@pytest.mark.parametrize("phase", [PHASES[0], PHASES[3]], ids=str)
def test_whatever_befalls_a_worker_at_any_of_its_calls_its_promotion_ends_well(
    phase: Phase,
) -> None:
    for mishap in dict.fromkeys(AT_WORK):
        live_through(mishap, phase)


def live_through(mishap: Mishap | None, phase: Phase) -> None:
    """One promotion, whose first worker this befalls; the machine itself says what is wrong."""
    life = ShortLives()
    life.the_app_has(app="shop", phase=phase, makes=False, keeps=True)
    life.go_all_the_way(place=("shop", "alpha"), value="on", mishap=mishap)
    life.minutes_pass(minutes=2)
    life.what_always_holds()
    life.teardown()
