"""A promotion's life: which states follow which, and what every transition carries."""

import re
from datetime import timedelta
from itertools import product

import pytest

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.promotion import NEXT, State, Step, advance
from tests.factories import a_change, a_promotion, deploying
from tests.fakes import START

LATER = START + timedelta(minutes=5)
ALLOWED = {
    ("pending", "staged"),
    ("pending", "deploying"),
    ("pending", "cancelled"),
    ("pending", "expired"),
    ("staged", "deploying"),
    ("staged", "cancelled"),
    ("staged", "expired"),
    ("deploying", "deployed"),
    ("deploying", "failed"),
}


def act() -> Act:
    return Act(actor="kim", action=Action.PROMOTE, at=LATER)


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_a_state_follows_another_exactly_where_the_table_says(before: State, after: State) -> None:
    promotion = a_promotion(state=before)

    allowed = (before.value, after.value) in ALLOWED
    stays = before is after and before in {State.PENDING, State.STAGED, State.DEPLOYING}
    if allowed or stays:
        assert advance(promotion, act(), state=after).after.state is after
    else:
        with pytest.raises(ValueError, match=re.escape(f"{after} may not follow {before}")):
            advance(promotion, act(), state=after)


@pytest.mark.parametrize("state", State)
def test_a_terminal_state_is_one_that_nothing_follows(state: State) -> None:
    assert state.terminal == (state.value in {"deployed", "failed", "cancelled", "expired"})


def test_every_state_has_its_row() -> None:
    assert set(NEXT) == set(State)


def test_a_new_promotion_begins_its_trail() -> None:
    change = a_change()

    assert change.opens
    assert not change.settles
    assert change.after.version == change.entry.version == 1
    assert change.after.audit_hash == change.entry.hash
    assert change.after.expires_at == START + timedelta(days=7)


def test_a_transition_counts_up_and_links_its_entry_to_the_one_before() -> None:
    first = a_change()

    second = advance(first.after, act(), state=State.CANCELLED)

    assert second.after.version == 2
    assert second.entry.prev_hash == first.entry.hash
    assert second.settles


def test_a_change_of_state_restarts_the_time_in_state_but_not_the_age() -> None:
    promotion = a_promotion()

    after = advance(promotion, act(), state=State.DEPLOYING, step=Step.QUEUED).after

    assert after.time_in_state(LATER) == timedelta(0)
    assert after.age(LATER) == timedelta(minutes=5)


def test_a_change_of_step_leaves_the_time_in_state_running() -> None:
    after = advance(deploying(), act(), step=Step.INTENT).after

    assert after.time_in_state(LATER) == timedelta(minutes=5)
    assert after.step_entered_at == LATER


def test_a_missing_timestamp_counts_as_infinitely_old() -> None:
    assert a_promotion(state_entered_at=None).time_in_state(START) == timedelta.max


def test_a_flag_is_carried_by_its_upper_case_config_var() -> None:
    promotion = a_promotion(flag="dark_mode", value="on")

    assert promotion.config_var == "FLAG_DARK_MODE"
    assert promotion.carried_by({"FLAG_DARK_MODE": "on"})
    assert not promotion.carried_by({"FLAG_DARK_MODE": "off"})


def test_a_removal_is_carried_by_absence() -> None:
    promotion = a_promotion(flag="dark_mode", value=None)

    assert promotion.carried_by({})
    assert not promotion.carried_by({"FLAG_DARK_MODE": "on"})
