"""Freezes hold when they say, open when they say, and are refused where they never would."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from chalicelib.domain.audit import Act, Action, StoredEntry
from chalicelib.domain.freeze import (
    HORIZON,
    LONGEST_RUN,
    MAX_REASON_LENGTH,
    WINDOWS_FOLLOWED,
    Freeze,
    FreezePlan,
    Window,
    freeze_problem,
    lift_freeze,
    set_freeze,
)
from chalicelib.domain.record import verify_record
from tests.factories import SAM, TARGET
from tests.unit.domain.test_recurrence import STARTS, oracle, rules

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")
#: A Friday evening.
FRIDAY = datetime(2026, 5, 8, 22, 0, tzinfo=BERLIN)


def a_freeze(**kwargs: Any) -> Freeze:  # noqa: ANN401 - fields of `Freeze`
    """Two hours of a Friday evening."""
    wanted: dict[str, Any] = {
        "id": "evening",
        "reason": "Quarter's end",
        "starts_at": FRIDAY,
        "ends_at": FRIDAY + 2 * HOUR,
        "timezone": "Europe/Berlin",
        "set_by": SAM.name,
        "set_at": datetime(2026, 5, 1, tzinfo=UTC),
    }
    return Freeze(**(wanted | kwargs))


def weekly(**kwargs: Any) -> Freeze:  # noqa: ANN401 - fields of `Freeze`
    return a_freeze(**({"id": "weekly", "rrule": "FREQ=WEEKLY;BYDAY=FR"} | kwargs))


def a_plan(*freezes: Freeze) -> FreezePlan:
    return FreezePlan(freezes={freeze.id: freeze for freeze in freezes})


def clock(at: datetime | None) -> str:
    return f"{at:%m-%d %H:%M %Z}" if at else "never"


def berlin(window: Window | None) -> tuple[str, str] | None:
    """A window as a clock in Berlin shows it."""
    if window is None:
        return None
    ends = window.ends and window.ends.astimezone(BERLIN)
    return clock(window.begins.astimezone(BERLIN)), clock(ends)


# One window


@pytest.mark.parametrize(
    ("at", "held"),
    [
        (FRIDAY - timedelta(microseconds=1), False),
        (FRIDAY, True),
        (FRIDAY + 2 * HOUR - timedelta(microseconds=1), True),
        (FRIDAY + 2 * HOUR, False),
    ],
)
def test_a_freeze_holds_from_its_start_to_before_its_end(at: datetime, *, held: bool) -> None:
    window = a_freeze().window_at(at)

    assert (window is not None) is held


def test_a_freeze_without_an_end_holds_until_it_is_lifted() -> None:
    freeze = a_freeze(ends_at=None)

    window = freeze.window_at(FRIDAY + 4000 * DAY)

    assert window == Window(begins=FRIDAY, ends=None)


def test_a_window_that_lies_ahead_is_known_however_far_it_is() -> None:
    freeze = a_freeze(starts_at=FRIDAY + 1500 * DAY, ends_at=None)

    assert freeze.next_window(FRIDAY) == Window(begins=FRIDAY + 1500 * DAY, ends=None)
    assert freeze.next_window(FRIDAY + 1500 * DAY) is None


# Windows that recur


def test_a_rules_windows_keep_their_wall_clock_time_and_their_length() -> None:
    freeze = weekly()

    windows = [freeze.next_window(FRIDAY + timedelta(weeks=weeks)) for weeks in (22, 23, 24)]

    assert [berlin(window) for window in windows] == [
        ("10-16 22:00 CEST", "10-17 00:00 CEST"),
        ("10-23 22:00 CEST", "10-24 00:00 CEST"),
        ("10-30 22:00 CET", "10-31 00:00 CET"),
    ]


def test_a_window_across_a_dst_change_lasts_as_long_as_the_others() -> None:
    freeze = weekly(ends_at=FRIDAY + 34 * HOUR)

    window = freeze.window_at(datetime(2026, 10, 24, 12, tzinfo=BERLIN))

    # Saturday to Sunday, when Berlin's clocks go back at 3.
    assert berlin(window) == ("10-23 22:00 CEST", "10-25 07:00 CET")


def test_windows_of_a_rule_that_overlap_or_touch_are_one() -> None:
    freeze = weekly(rrule="FREQ=WEEKLY;BYDAY=FR,SA,SU", ends_at=FRIDAY + DAY)

    windows = [freeze.window_at(FRIDAY + days * DAY) for days in (0, 1, 2, 3)]

    weekend = ("05-08 22:00 CEST", "05-11 22:00 CEST")
    assert [berlin(window) for window in windows] == [weekend, weekend, weekend, None]


def test_a_window_of_many_that_touch_is_seen_from_its_last_day_as_a_whole() -> None:
    month = weekly(rrule="FREQ=DAILY;COUNT=30", ends_at=FRIDAY + DAY)

    window = month.window_at(FRIDAY + 30 * DAY - HOUR)

    assert window == Window(begins=FRIDAY, ends=FRIDAY + 30 * DAY)


def test_the_last_window_before_the_horizon_is_whole_too() -> None:
    freeze = weekly(rrule="FREQ=WEEKLY;BYDAY=FR,SA,SU", ends_at=FRIDAY + DAY)
    # Two leap years further on is a Friday.
    monday = FRIDAY + 3 * DAY

    *_, last = freeze.windows(monday)

    assert last == Window(begins=monday + HORIZON, ends=monday + HORIZON + 3 * DAY)


def test_a_start_that_the_rule_does_not_name_begins_no_window() -> None:
    freeze = weekly(starts_at=FRIDAY - DAY, ends_at=FRIDAY - DAY + 2 * HOUR)

    assert freeze.window_at(FRIDAY - DAY) is None
    assert freeze.window_at(FRIDAY) is not None


def test_a_rule_that_has_ended_holds_no_more() -> None:
    freeze = weekly(rrule="FREQ=WEEKLY;BYDAY=FR;COUNT=2")

    assert freeze.window_at(FRIDAY + timedelta(weeks=1)) is not None
    assert freeze.next_window(FRIDAY + timedelta(weeks=1)) is None


# The plan


def test_nothing_holds_where_no_freeze_does() -> None:
    plan = a_plan(a_freeze(), a_freeze(id="elsewhere", target="raxx-console-staging"))

    assert plan.hold(TARGET, FRIDAY - HOUR) is None
    assert a_plan(plan.freezes["elsewhere"]).hold(TARGET, FRIDAY) is None


@pytest.mark.parametrize("target", [TARGET, None])
def test_a_freeze_holds_its_target_or_all(target: str | None) -> None:
    freeze = a_freeze(target=target)

    hold = a_plan(freeze).hold(TARGET, FRIDAY)

    assert hold is not None
    assert (hold.freeze, hold.until) == (freeze, freeze.ends_at)


def test_the_next_opening_is_after_all_windows_that_run_into_each_other() -> None:
    plan = a_plan(
        weekly(),
        a_freeze(id="touches", starts_at=FRIDAY + 2 * HOUR, ends_at=FRIDAY + 4 * HOUR),
        a_freeze(id="overlaps", starts_at=FRIDAY + 3 * HOUR, ends_at=FRIDAY + 7 * DAY),
        a_freeze(id="later", starts_at=FRIDAY + 8 * DAY, ends_at=FRIDAY + 9 * DAY),
        a_freeze(
            id="elsewhere",
            target="raxx-console-staging",
            starts_at=FRIDAY + 7 * DAY + 2 * HOUR,
            ends_at=None,
        ),
    )

    hold = plan.hold(TARGET, FRIDAY)

    assert hold is not None
    # The weekly one's second window, which the overlapping one ran into, is followed too.
    assert hold.until == FRIDAY + 7 * DAY + 2 * HOUR


def test_of_several_freezes_the_one_that_lasts_longest_is_named() -> None:
    plan = a_plan(a_freeze(), a_freeze(id="also", ends_at=FRIDAY + 3 * HOUR))

    hold = plan.hold(TARGET, FRIDAY)

    assert hold is not None
    assert hold.freeze.id == "also"


def test_a_freeze_without_an_end_has_no_opening_in_sight() -> None:
    plan = a_plan(a_freeze(), a_freeze(id="open-end", ends_at=None))

    hold = plan.hold(TARGET, FRIDAY)

    assert hold is not None
    assert (hold.freeze.id, hold.until) == ("open-end", None)


def test_an_opening_beyond_the_horizon_is_not_in_sight() -> None:
    near = a_plan(a_freeze(ends_at=FRIDAY + HORIZON)).hold(TARGET, FRIDAY)
    far = a_plan(a_freeze(ends_at=FRIDAY + HORIZON + HOUR)).hold(TARGET, FRIDAY)

    assert near is not None
    assert near.until == FRIDAY + HORIZON
    assert far is not None
    assert far.until is None


def test_freezes_that_relieve_each_other_for_ever_have_no_opening_in_sight() -> None:
    day = weekly(id="day", rrule="FREQ=DAILY", ends_at=FRIDAY + 12 * HOUR, timezone="UTC")
    night = replace(day, id="night", starts_at=FRIDAY + 12 * HOUR, ends_at=FRIDAY + 24 * HOUR)

    hold = a_plan(day, night).hold(TARGET, FRIDAY)

    assert hold is not None
    assert hold.until is None


def test_every_change_of_the_plan_is_sealed_to_the_one_before() -> None:
    act = Act(actor="sam", action=Action.SET_FREEZE, at=FRIDAY)
    first = set_freeze(FreezePlan(), a_freeze(), act)
    second = set_freeze(first.after, weekly(), act)
    third = lift_freeze(second.after, "evening", act)

    trail = [StoredEntry(entry=each.entry, hash=each.entry.hash) for each in (first, second, third)]

    assert verify_record(third.after, trail).verified
    assert third.entry.subject == "freezes"
    assert {each.id: each.version for each in third.after.freezes.values()} == {"weekly": 2}


# What is refused


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"id": "Friday evening"}, "id", "must be 1 to 63 lower case letters"),
        ({"id": ""}, "id", "such as friday-evenings"),
        ({"id": "a" * 64}, "id", "must be 1 to 63"),
        ({"id": "a\n"}, "id", "must be 1 to 63"),
        ({"reason": "x" * (MAX_REASON_LENGTH + 1)}, "reason", "at most 200 characters"),
        ({"reason": "Quarter's end\n"}, "reason", "must be one line of text"),
        ({"reason": "Quarter's end\ud800"}, "reason", "must be one line of text"),
        ({"timezone": "Mars/Olympus"}, "timezone", "which is no time zone here"),
        ({"starts_at": FRIDAY - 6 * 366 * DAY}, "starts_at", "check the year"),
        ({"starts_at": datetime.max.replace(tzinfo=UTC)}, "starts_at", "check the year"),
        ({"starts_at": datetime.min.replace(tzinfo=UTC)}, "starts_at", "check the year"),
        ({"ends_at": FRIDAY}, "ends_at", "must be later than starts_at"),
        ({"ends_at": datetime.max.replace(tzinfo=UTC)}, "ends_at", "check the year, or leave"),
        ({"rrule": "FREQ=DAILY", "ends_at": None}, "ends_at", "is needed with rrule"),
        ({"rrule": "FREQ=NEVER"}, "rrule", "has FREQ=NEVER: FREQ must be one of"),
        (
            {"rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"},
            "rrule",
            "does not occur within two years of starts_at",
        ),
        ({"rrule": "FREQ=DAILY;UNTIL=20260507"}, "rrule", "does not occur within two years"),
        (
            {"rrule": "FREQ=WEEKLY", "ends_at": FRIDAY + 7 * DAY, "timezone": "UTC"},
            "rrule",
            "would hold for more than 100 days on end",
        ),
        # The clock that goes back in autumn makes an hour's gap.
        ({"rrule": "FREQ=DAILY", "ends_at": FRIDAY + DAY}, "rrule", "for more than 100 days"),
        (
            {
                "rrule": "FREQ=DAILY",
                "starts_at": datetime(2026, 10, 24, 22, tzinfo=BERLIN),
                "ends_at": datetime(2026, 10, 25, 21, tzinfo=BERLIN),
            },
            "rrule",
            "for more than 100 days",
        ),
    ],
)
def test_a_freeze_that_cannot_be_meant_is_refused_in_words(
    wrong: dict[str, Any],
    field: str,
    words: str,
) -> None:
    problem = freeze_problem(a_freeze(**wrong))

    assert problem is not None
    assert problem.field == field
    assert words in problem.detail


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"ends_at": None},
        {"reason": "Jahresabschluß 👩‍💻"},
        {"starts_at": FRIDAY - 4 * 366 * DAY},
        {"rrule": "FREQ=WEEKLY;BYDAY=FR,SA,SU", "ends_at": FRIDAY + DAY},
        {"rrule": "FREQ=WEEKLY", "ends_at": FRIDAY + 7 * DAY - HOUR},
        {"rrule": "FREQ=DAILY;COUNT=30", "ends_at": FRIDAY + DAY},
        {"rrule": "FREQ=YEARLY", "ends_at": FRIDAY + 200 * DAY},
        {
            "rrule": "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
            "starts_at": FRIDAY + 300 * DAY,
            "ends_at": FRIDAY + 301 * DAY,
        },
        {"rrule": "FREQ=HOURLY", "ends_at": FRIDAY + HOUR / 2},
    ],
)
def test_a_freeze_that_can_be_meant_passes(right: dict[str, Any]) -> None:
    assert freeze_problem(a_freeze(**right)) is None


# Against naive enumeration

LENGTHS = st.sampled_from([HOUR / 2, HOUR, 2 * HOUR, 10 * HOUR, DAY, 3 * DAY, 40 * DAY])


@st.composite
def recurring(draw: st.DrawFn, freeze_id: str = "recurring") -> Freeze:
    starts_at = draw(STARTS)
    assert isinstance(starts_at.tzinfo, ZoneInfo)
    return a_freeze(
        id=freeze_id,
        starts_at=starts_at.astimezone(UTC),
        ends_at=starts_at.astimezone(UTC) + draw(LENGTHS),
        rrule=draw(rules()),
        timezone=starts_at.tzinfo.key,
        set_at=starts_at,
    )


def naive_windows(freeze: Freeze) -> list[Window]:
    """Every window there is, each by itself."""
    assert freeze.ends_at is not None
    lasts, begins = freeze.ends_at - freeze.starts_at, iter([freeze.starts_at])
    if freeze.rrule:
        zone = ZoneInfo(freeze.timezone)
        begins = oracle(freeze.rrule, freeze.starts_at.astimezone(zone))
    return [Window(begins=each, ends=each + lasts) for each in begins]


def united(windows: Sequence[Window]) -> list[Window]:
    """The same windows, those that overlap or touch as one."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda each: each.begins):
        last = found[-1] if found else None
        if last and last.ends and window.ends and window.begins <= last.ends:
            found[-1] = replace(last, ends=max(last.ends, window.ends))
        else:
            found.append(window)
    return found


def ends_in_time(windows: Sequence[Window]) -> bool:
    """Windows that run for longer count as one that does not end, and are refused."""
    return all(each.ends and each.ends - each.begins <= LONGEST_RUN for each in windows)


def moments(windows: Sequence[Window], since: datetime) -> st.SearchStrategy[datetime]:
    """Any moment of some years, or one right at the beginning or the end of a window."""
    within = timedelta(days=1200)
    anywhere = st.timedeltas(timedelta(0), within).map(lambda after: since + after)
    near = [window for window in windows if window.begins < since + within]
    edges = [each for window in near[:999] for each in (window.begins, window.ends) if each]
    if not edges:
        return anywhere
    beside = st.sampled_from([timedelta(0), timedelta(microseconds=1), -timedelta(microseconds=1)])
    return anywhere | st.builds(lambda edge, by: edge + by, st.sampled_from(edges), beside)


@given(freeze=recurring(), data=st.data())
@settings(max_examples=20)
def test_windows_are_those_that_naive_enumeration_finds(
    freeze: Freeze,
    data: st.DataObject,
) -> None:
    windows = united(naive_windows(freeze))
    assume(ends_in_time(windows))
    at = data.draw(moments(windows, freeze.starts_at))

    found = (freeze.window_at(at), freeze.next_window(at))

    coming = next((each for each in windows if at < each.begins <= at + HORIZON), None)
    assert found == (next((each for each in windows if each.holds(at)), None), coming)


@st.composite
def plans(draw: st.DrawFn) -> FreezePlan:
    freezes = []
    for number in range(draw(st.integers(1, 3))):
        freeze = draw(recurring(freeze_id=f"freeze-{number}"))
        target = draw(st.sampled_from([None, TARGET, TARGET, "raxx-console-staging"]))
        rule = draw(st.sampled_from([freeze.rrule, None]))
        freezes.append(replace(freeze, target=target, rrule=rule))
    return a_plan(*freezes)


@given(plan=plans(), data=st.data())
@settings(max_examples=20)
def test_a_target_opens_when_its_hold_says_and_at_no_time_before(
    plan: FreezePlan,
    data: st.DataObject,
) -> None:
    concerning = [each for each in plan.freezes.values() if each.target in {None, TARGET}]
    each_alone = [united(naive_windows(each)) for each in concerning]
    assume(all(map(ends_in_time, each_alone)))
    windows = united([window for its in each_alone for window in its])
    first = min(freeze.starts_at for freeze in plan.freezes.values())
    at = data.draw(moments(windows, first))

    held = next((window for window in windows if window.holds(at)), None)

    hold = plan.hold(TARGET, at)

    assert (hold is None) is (held is None)
    if held and hold and hold.until:
        assert hold.until == held.ends
    if held and hold and held.ends and hold.until is None:
        # Not in sight: a run of very many windows.
        assert held.ends - held.begins > min(LONGEST_RUN, WINDOWS_FOLLOWED * HOUR / 2)
