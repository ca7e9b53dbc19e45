"""Freezes are judged and followed within bounds of time, whatever their rules ask for."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.errors import FieldError
from chalicelib.domain.freeze import MAX_FREEZES, freeze_problem
from tests.factories import TARGET
from tests.unit.domain.test_freeze import DAY, FRIDAY, HOUR, a_freeze, a_plan
from tests.unit.domain.test_recurrence import rules

#: How much of this process's time the worst of all rules may take; most take a hundredth.
BOUND_SECONDS = 0.25

NAMES = ["FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "DTSTART", "RRULE:FREQ", "BYEASTER"]
NAMES += [f"BY{part}" for part in ("DAY", "MONTH", "MONTHDAY", "YEARDAY", "WEEKNO", "HOUR")]
NAMES += ["BYMINUTE", "BYSECOND", "BYSETPOS"]
VALUES = ["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY", "MO", "1FR", "-53SU"]
VALUES += ["0", "1", "7", "24", "29", "30", "366", "-1", "999", "1,2,3", "٣", "é", ""]
VALUES += ["20261231", "20281231T235959Z", "00010101", "99991231T235959"]
PARTS = st.builds("{}={}".format, st.sampled_from(NAMES), st.sampled_from(VALUES) | st.integers())
FREQUENCIES = st.sampled_from(VALUES[:5]).map("FREQ={}".format)
HOSTILE = st.one_of(
    st.text(max_size=300),
    st.lists(PARTS, max_size=8).map(";".join),
    st.builds("{};{}".format, FREQUENCIES, st.lists(PARTS, max_size=3).map(";".join)),
    rules(),
)


@given(rule=HOSTILE, timezone=st.just("UTC") | st.text(max_size=50), reason=st.text(max_size=400))
@settings(max_examples=60)
def test_hostile_text_is_refused_or_followed_within_bounds(
    rule: str,
    timezone: str,
    reason: str,
) -> None:
    freeze = a_freeze(rrule=rule, timezone=timezone, reason=reason)
    began = time.process_time()

    problem = freeze_problem(freeze)

    assert isinstance(problem, FieldError | None)
    assert time.process_time() - began < BOUND_SECONDS


ALL_HOURS = ",".join(map(str, range(24)))
WORST = [
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=HOURLY;BYMONTH=2;BYMONTHDAY=30;COUNT=999",
    "FREQ=HOURLY",
    "FREQ=HOURLY;UNTIL=20991231",
    "FREQ=HOURLY;COUNT=999;INTERVAL=999",
    "FREQ=HOURLY;INTERVAL=999",
    "FREQ=HOURLY;BYYEARDAY=366;BYHOUR=3",
    "FREQ=HOURLY;INTERVAL=24;BYHOUR=3",
    "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
    "FREQ=YEARLY;BYYEARDAY=366;BYDAY=MO;INTERVAL=3",
    "FREQ=YEARLY;BYWEEKNO=53;BYDAY=1MO;BYSETPOS=-366",
    "FREQ=YEARLY;INTERVAL=999;COUNT=999",
    f"FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU;BYHOUR={ALL_HOURS};BYSETPOS=-1,-2,-3,-4,-5,1,2,3,4,5",
    f"FREQ=DAILY;BYHOUR={ALL_HOURS}",
    f"FREQ=HOURLY;BYHOUR={ALL_HOURS};BYDAY=MO,TU,WE,TH,FR;BYWEEKNO=-53",
]


@pytest.mark.parametrize("rule", WORST)
@pytest.mark.parametrize("lasts", [HOUR / 2, HOUR, DAY, 300 * DAY], ids=str)
def test_the_worst_rules_are_followed_within_bounds(rule: str, lasts: timedelta) -> None:
    starts_at = datetime(2022, 1, 1, tzinfo=UTC)
    freeze = a_freeze(starts_at=starts_at, ends_at=starts_at + lasts, rrule=rule)
    began = time.process_time()

    freeze_problem(freeze)
    a_plan(freeze).hold(TARGET, FRIDAY)
    freeze.next_window(FRIDAY)

    assert time.process_time() - began < BOUND_SECONDS


def test_a_full_plan_is_followed_within_bounds() -> None:
    halves = [timedelta(0), HOUR / 2]
    freezes = [
        a_freeze(
            id=f"freeze-{number}",
            starts_at=FRIDAY + halves[number % 2],
            ends_at=FRIDAY + halves[number % 2] + HOUR / 2,
            rrule=f"FREQ=HOURLY;COUNT={999 - number}",
        )
        for number in range(MAX_FREEZES)
    ]
    began = time.process_time()

    hold = a_plan(*freezes).hold(TARGET, FRIDAY)

    assert hold is not None
    assert hold.until is None
    assert time.process_time() - began < 4 * BOUND_SECONDS
