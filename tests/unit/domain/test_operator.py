"""Who may do what, for whom, and how many wrong codes are judged."""

import math
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.guesses import (
    ACCEPTABLE,
    YEAR,
    Strategy,
    at_both_ends,
    at_once,
    besiege,
    odds,
    unnoticed,
)
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import (
    FAILURES_BEFORE_LOCK,
    PERIOD,
    WRONG_CODES_A_PERIOD,
    Caller,
    Operator,
    Role,
    act_of,
    acting_for,
    counted,
    proved,
    unlocked,
    wrong_codes_left,
)
from tests.factories import KIM, SAM, VERA, an_operator
from tests.fakes import START

MINUTE = timedelta(minutes=1)
CONSOLE = Caller(name="console", role=Role.SERVICE)
VIA_CONSOLE = replace(KIM, via="console")


def after_wrong_codes(count: int, operator: Operator, *, at: datetime = START) -> Operator:
    for _ in range(count):
        operator = counted(operator, at, braked=False)
    return operator


# Who may do what


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.SERVICE, {Role.VIEWER, Role.SERVICE}),
        (Role.VIEWER, {Role.VIEWER, Role.SERVICE}),
        (Role.PROMOTER, {Role.VIEWER, Role.PROMOTER, Role.SERVICE}),
        (Role.SUPERADMIN, set(Role)),
    ],
)
def test_a_role_covers_itself_and_those_below(role: Role, covered: set[Role]) -> None:
    assert {needed for needed in Role if role.covers(needed)} == covered


@pytest.mark.parametrize("caller", [KIM, SAM, VIA_CONSOLE])
def test_a_role_that_suffices_is_let_through(caller: Caller) -> None:
    caller.require(Role.PROMOTER)


@pytest.mark.parametrize(
    ("caller", "sentence"),
    [
        (VERA, "vera is a viewer; this needs a promoter. Ask one, or a superadmin."),
        (
            replace(VERA, via="console"),
            "vera is a viewer through console; this needs a promoter. Ask one, or a superadmin.",
        ),
        (
            CONSOLE,
            (
                "console is a service: alone it may only look. Name the promoter that it acts for "
                "in the header X-On-Behalf-Of."
            ),
        ),
    ],
)
def test_a_role_that_does_not_suffice_is_named_with_what_would(
    caller: Caller,
    sentence: str,
) -> None:
    with pytest.raises(Rejected) as rejected:
        caller.require(Role.PROMOTER)

    assert rejected.value.code is Code.ROLE_INSUFFICIENT
    assert rejected.value.detail == sentence


@pytest.mark.parametrize(
    ("caller", "up_to", "role"),
    [
        (KIM, Role.PROMOTER, Role.PROMOTER),
        (KIM, Role.VIEWER, Role.VIEWER),
        (KIM, Role.SUPERADMIN, Role.PROMOTER),
        (VERA, Role.PROMOTER, Role.VIEWER),
        (SAM, Role.PROMOTER, Role.PROMOTER),
        (SAM, Role.SUPERADMIN, Role.SUPERADMIN),
    ],
)
def test_through_a_service_an_operator_may_do_what_both_may(
    caller: Caller,
    up_to: Role,
    role: Role,
) -> None:
    acting = acting_for(an_operator(CONSOLE, up_to=up_to), an_operator(caller))

    assert acting == Caller(name=caller.name, role=role, via="console")


def test_an_act_through_a_service_shows_both() -> None:
    act = act_of(VIA_CONSOLE, Action.PROMOTE, START, {"value": "true"})

    assert act == Act(
        actor="kim",
        action=Action.PROMOTE,
        at=START,
        facts={"value": "true", "via": "console"},
    )


def test_an_act_of_ones_own_names_no_service() -> None:
    assert act_of(KIM, Action.PROMOTE, START).facts == {}


def test_a_token_is_owned_by_its_secret_alone() -> None:
    operator = an_operator(KIM)

    assert operator.owns("secret")
    assert not operator.owns("Secret")
    assert not operator.owns("")


def test_an_operators_audit_entries_are_found_under_their_name() -> None:
    assert an_operator(KIM).subject == "operator:kim"


# Wrong codes


@pytest.mark.parametrize("count", range(1, FAILURES_BEFORE_LOCK))
def test_wrong_codes_in_a_row_are_counted(count: int) -> None:
    operator = after_wrong_codes(count, an_operator(KIM))

    assert (operator.failures, operator.wrong_codes, operator.wrong_since) == (count, count, START)
    assert wrong_codes_left(operator) == FAILURES_BEFORE_LOCK - count
    assert not operator.locked(START)


@pytest.mark.parametrize(
    ("locks", "minutes"),
    [(0, 15), (1, 30), (2, 60), (3, 120), (11, 15 * 2**11)],
)
def test_the_fifth_locks_twice_as_long_as_the_lock_before(locks: int, minutes: int) -> None:
    operator = after_wrong_codes(5, an_operator(KIM, locks=locks))

    assert operator.locked_until == START + minutes * MINUTE
    assert (operator.failures, operator.locks) == (0, locks + 1)


@pytest.mark.parametrize("locks", [12, 13, 5_000_000])
def test_no_lock_lasts_longer_than_a_period(locks: int) -> None:
    operator = after_wrong_codes(5, an_operator(KIM, locks=locks))

    assert operator.locked_until == START + PERIOD


def test_a_lock_ends() -> None:
    operator = an_operator(KIM, locked_until=START)

    assert operator.locked(START - timedelta(microseconds=1))
    assert not operator.locked(START)


def test_while_many_codes_are_wrong_a_single_one_locks() -> None:
    operator = counted(an_operator(KIM), START, braked=True)

    assert operator.locked_until == START + 15 * MINUTE
    assert (operator.failures, operator.locks, operator.wrong_codes) == (0, 1, 1)


def test_the_last_one_of_a_period_locks_until_it_is_over() -> None:
    since = START - timedelta(days=11)
    operator = an_operator(KIM, wrong_codes=19, wrong_since=since)

    operator = counted(operator, START, braked=False)

    assert operator.locked_until == since + PERIOD


def test_the_last_one_of_a_period_that_is_about_to_end_locks_as_long_as_a_fifth() -> None:
    since = START - PERIOD + MINUTE
    operator = an_operator(KIM, wrong_codes=19, wrong_since=since, locks=2)

    operator = counted(operator, START, braked=False)

    assert operator.locked_until == START + 60 * MINUTE


@pytest.mark.parametrize(
    ("ago", "wrong_codes"),
    [(PERIOD, 1), (PERIOD - timedelta(microseconds=1), 8)],
)
def test_a_period_begins_with_the_first_wrong_code_after_the_last_one(
    ago: timedelta,
    wrong_codes: int,
) -> None:
    operator = an_operator(KIM, wrong_codes=7, wrong_since=START - ago)

    after = counted(operator, START, braked=False)

    assert after.wrong_codes == wrong_codes
    assert after.wrong_since == (START if wrong_codes == 1 else START - ago)
    assert operator.wrong_codes_at(START) == wrong_codes - 1


def test_who_is_near_the_end_of_a_period_hears_of_that_lock() -> None:
    operator = an_operator(KIM, failures=1, wrong_codes=18, wrong_since=START)

    assert wrong_codes_left(operator) == 2


def test_a_right_code_forgives_the_row_but_not_the_period() -> None:
    operator = after_wrong_codes(7, an_operator(KIM))

    operator = proved(operator, timecode=42)

    assert operator == an_operator(KIM, last_timecode=42, wrong_codes=7, wrong_since=START)


def test_unlocking_forgives_all() -> None:
    operator = after_wrong_codes(8, an_operator(KIM, last_timecode=41))

    assert (operator.failures, operator.locks) == (3, 1)
    assert unlocked(operator) == an_operator(KIM, last_timecode=41)


# What guessing is worth

CODES = ("wrong", "wrong", "wrong", "wrong and braked", "right")


def by_dice(seed: int) -> list[tuple[timedelta, str]]:
    """As many tries as it takes to be locked out for a period, each after a pause.

    Drawn one by one by Hypothesis they are some ten, and no lock is ever met.
    """
    dice = Random(seed)  # noqa: S311 - nothing is kept secret by it
    longest = dice.choice([MINUTE, 20 * MINUTE, timedelta(hours=8), PERIOD])
    return [(longest * dice.random(), dice.choice(CODES)) for _ in range(200)]


TRIES = st.integers(0, 2**32).map(by_dice)


def judged(tries: list[tuple[timedelta, str]]) -> list[datetime]:
    """When wrong codes were judged, of all that were tried."""
    operator, now, wrong = an_operator(KIM), START, []
    for pause, code in tries:
        now += pause
        if operator.locked(now):
            continue
        if code == "right":
            operator = proved(operator, timecode=0)
        else:
            wrong.append(now)
            operator = counted(operator, now, braked=code == "wrong and braked")
    return wrong


@given(TRIES)
@settings(max_examples=50)
def test_no_more_wrong_codes_are_judged_in_a_period_than_it_has(
    tries: list[tuple[timedelta, str]],
) -> None:
    times = judged(tries)

    since, within = START, 0
    for at in times:
        since, within = (at, 1) if within == 0 or at - since >= PERIOD else (since, within + 1)
        assert within <= WRONG_CODES_A_PERIOD


@given(TRIES)
@settings(max_examples=50)
def test_no_more_than_five_wrong_codes_are_judged_in_a_row_before_a_lock(
    tries: list[tuple[timedelta, str]],
) -> None:
    times = judged([(pause, code) for pause, code in tries if code != "right"])

    for first, sixth in zip(times, times[FAILURES_BEFORE_LOCK:], strict=False):
        assert sixth - first >= timedelta(minutes=15)


def test_a_year_of_guessing_is_worth_less_than_a_thousandth_whatever_the_strategy() -> None:
    # A year meets one more period than it has room for whole ones at each end.
    most = WRONG_CODES_A_PERIOD * (math.ceil(YEAR / PERIOD) + 1)

    assert odds(most) < ACCEPTABLE


@pytest.mark.parametrize("strategy", [at_once, unnoticed, at_both_ends])
def test_guessing_beside_an_operator_at_work_is_held_to_that(strategy: Strategy) -> None:
    siege = besiege(strategy, at_work=True, guesses=2_000)

    assert 0 < odds(siege.worst_year) < ACCEPTABLE
    assert siege.lasted > 8 * YEAR
