import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest
from dateutil.rrule import rrulestr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chalicelib.domain.recurrence import read_rule, time_zone

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
#: A Friday.
FRIDAY = datetime(2026, 5, 8, 22, 0, tzinfo=BERLIN)

# Weekdays repeat every 400 years; dateutil ends with the year 9999, and so does its search for
# a rule's next occurrence: moved to there it is an oracle that always answers.
TO_THE_END = 8000


def occurrences(
    rule: str,
    starts_at: datetime = FRIDAY,
    *,
    since: datetime | None = None,
    lasting: timedelta = timedelta(days=366),
) -> list[datetime]:
    zone = starts_at.tzinfo
    assert isinstance(zone, ZoneInfo)
    first = since or starts_at
    found = read_rule(rule, starts_at, zone).between(first, first + lasting)
    return [at.astimezone(zone) for at in found]


def spelled(times: Sequence[datetime]) -> list[str]:
    return [f"{at:%Y-%m-%d %H:%M %Z}" for at in times]


def oracle(rule: str, starts_at: datetime) -> Iterator[datetime]:
    """Every occurrence before the year 2000, by dateutil alone, in the wall clock's order."""
    wall = starts_at.replace(tzinfo=None, fold=0)
    begin = starts_at.astimezone(UTC)
    try:
        for moved in rrulestr(rule, dtstart=wall.replace(year=wall.year + TO_THE_END)):
            at = moved.replace(year=moved.year - TO_THE_END, tzinfo=starts_at.tzinfo)
            yield max(at.astimezone(UTC), begin)
    except ValueError as error:
        # So dateutil says of hours that are never met, and of weeks that go beyond all years.
        assert re.search("empty set|year 10000", str(error))  # noqa: PT017 - either will do


def lists(part: str, values: st.SearchStrategy[object]) -> st.SearchStrategy[str]:
    some = st.lists(values, min_size=1, max_size=3, unique=True)
    return st.one_of(
        st.just(""),
        some.map(lambda chosen: f";{part}=" + ",".join(map(str, chosen))),
    )


FREQUENCIES = st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY"])
INTERVALS = st.sampled_from(["", ";INTERVAL=2", ";INTERVAL=3", ";INTERVAL=7", ";INTERVAL=50"])
WEEKDAYS = st.sampled_from(["MO", "TU", "WE", "TH", "FR", "SA", "SU"])
NUMBERED = st.builds("{}{}".format, st.sampled_from([1, 2, 5, -1, -2]), WEEKDAYS)
BY_WEEKDAY, BY_NUMBERED = lists("BYDAY", WEEKDAYS), lists("BYDAY", NUMBERED)
BY_ANY = (
    lists("BYMONTH", st.integers(1, 12)),
    lists("BYMONTHDAY", st.integers(1, 31) | st.integers(-31, -1)),
    lists("BYHOUR", st.integers(0, 23)),
    st.sampled_from(["", ";BYMINUTE=30", ";BYMINUTE=0;BYSECOND=15"]),
    st.sampled_from(["", ";WKST=SU", ";WKST=WE"]),
)
BY_YEAR = (
    lists("BYYEARDAY", st.sampled_from([1, 60, 366, -1, -100])),
    lists("BYWEEKNO", st.sampled_from([1, 2, 20, 53, -1])),
)
BY_POSITION = lists("BYSETPOS", st.sampled_from([1, 2, 4, -1, -3]))
ENDS = st.sampled_from(["", "", ";COUNT=1", ";COUNT=7", ";COUNT=300"])


@st.composite
def rules(draw: st.DrawFn) -> str:
    """Rules that dateutil understands as RFC 5545 does."""
    frequency = draw(FREQUENCIES)
    long = frequency in {"YEARLY", "MONTHLY"}
    parts = [
        INTERVALS,
        BY_NUMBERED if long and draw(st.booleans()) else BY_WEEKDAY,
        *BY_ANY,
        *(BY_YEAR if frequency == "YEARLY" else ()),
        *([BY_POSITION] if long else ()),
        ENDS,
    ]
    return f"FREQ={frequency}" + "".join(map(draw, parts))


STARTS = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - the zone comes beside it
    datetime(1993, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from(ZONES).map(ZoneInfo),
    allow_imaginary=False,
).map(lambda at: at.replace(microsecond=0))


@example(
    rule="FREQ=YEARLY;BYWEEKNO=1,20;WKST=SU",
    starts_at=datetime(1990, 1, 1, tzinfo=BERLIN),
    after=timedelta(0),
)
@example(
    rule="FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=2",
    starts_at=datetime(1990, 1, 1, tzinfo=BERLIN),
    after=timedelta(days=10),
)
@given(rule=rules(), starts_at=STARTS, after=st.timedeltas(timedelta(0), timedelta(days=1500)))
@settings(max_examples=30)
def test_occurrences_are_those_that_dateutil_finds(
    rule: str,
    starts_at: datetime,
    after: timedelta,
) -> None:
    since = starts_at + after
    last = since + timedelta(days=400)

    found = occurrences(rule, starts_at, since=since, lasting=last - since)

    in_utc = [at.astimezone(UTC) for at in found]
    # The wall clock's order is that of time to within some hours.
    named = takewhile(lambda at: at <= last + timedelta(days=1), oracle(rule, starts_at))
    assert in_utc == sorted(at for at in named if since <= at <= last)


def test_a_wall_clock_time_stays_what_it_is_as_summer_begins_and_ends() -> None:
    found = occurrences("FREQ=MONTHLY;BYDAY=-1FR")

    assert spelled(found)[5:7] == ["2026-10-30 22:00 CET", "2026-11-27 22:00 CET"]
    assert spelled(found)[0] == "2026-05-29 22:00 CEST"


def test_a_time_that_summer_leaves_out_comes_an_hour_later() -> None:
    starts_at = datetime(2027, 3, 27, 2, 30, tzinfo=BERLIN)

    found = occurrences("FREQ=DAILY;COUNT=3", starts_at)

    assert spelled(found) == [
        "2027-03-27 02:30 CET",
        "2027-03-28 03:30 CEST",
        "2027-03-29 02:30 CEST",
    ]


def test_a_time_that_summer_leaves_out_is_found_from_within_the_hour() -> None:
    starts_at = datetime(2027, 3, 27, 2, 30, tzinfo=BERLIN)
    since = datetime(2027, 3, 28, 3, 10, tzinfo=BERLIN)

    found = occurrences("FREQ=DAILY", starts_at, since=since, lasting=timedelta(hours=1))

    assert spelled(found) == ["2027-03-28 03:30 CEST"]


def test_occurrences_are_in_order_even_where_summer_leaves_out_two_hours() -> None:
    starts_at = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("Antarctica/Troll"))

    found = occurrences("FREQ=HOURLY;COUNT=5", starts_at)

    # 1:30 and 2:30 do not exist: they are what the clock then shows as 3:30 and 4:30.
    assert [f"{at:%H:%M}" for at in found] == ["00:30", "03:30", "03:30", "04:30", "04:30"]


def test_a_time_that_comes_twice_is_taken_the_first_time() -> None:
    starts_at = datetime(2026, 10, 24, 2, 30, tzinfo=BERLIN)

    found = occurrences("FREQ=DAILY;COUNT=3", starts_at)

    assert spelled(found) == [
        "2026-10-24 02:30 CEST",
        "2026-10-25 02:30 CEST",
        "2026-10-26 02:30 CET",
    ]


def test_a_start_in_the_second_of_two_equal_hours_is_not_thrown_back() -> None:
    starts_at = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)

    found = occurrences("FREQ=DAILY;COUNT=2", starts_at)

    assert spelled(found) == ["2026-10-25 02:30 CET", "2026-10-26 02:30 CET"]


def test_nothing_occurs_before_the_start() -> None:
    found = occurrences("FREQ=DAILY", since=FRIDAY - timedelta(days=3), lasting=timedelta(days=3))

    assert found == [FRIDAY]


@pytest.mark.parametrize(
    ("until", "number"),
    [
        # 22:00 in Berlin is 20:00 in UTC.
        ("20260515T200000Z", 8),
        ("20260515T195959Z", 7),
        ("20260515T220000", 8),
        ("20260515T215959", 7),
        ("20260515", 8),
        ("20260514", 7),
        ("20260101", 0),
        ("00010101T000000Z", 0),
        ("99991231T235959Z", 367),
    ],
)
def test_until_is_the_last_moment_in_utc_by_the_wall_clock_or_as_a_whole_day(
    until: str,
    number: int,
) -> None:
    assert len(occurrences(f"FREQ=DAILY;UNTIL={until}")) == number


def test_a_rule_that_ended_in_the_year_1_never_occurs_wherever_that_is() -> None:
    starts_at = FRIDAY.astimezone(ZoneInfo("America/New_York"))

    assert occurrences("FREQ=DAILY;UNTIL=00010101T000000Z", starts_at) == []


def test_the_first_week_is_whole_to_positions() -> None:
    found = occurrences("FREQ=WEEKLY;BYDAY=TU,TH,SA;BYSETPOS=-1;COUNT=2")

    assert spelled(found) == ["2026-05-09 22:00 CEST", "2026-05-16 22:00 CEST"]


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("", 'has "", which is none of FREQ'),
        ("every friday", 'has "every friday", which is none of FREQ'),
        ("RRULE:FREQ=DAILY", "write it in capitals, like FREQ=WEEKLY;BYDAY=FR"),
        ("freq=daily", "write it in capitals"),
        ("FREQ", "FREQ must be one of YEARLY"),
        ("BYDAY=FR", "must say how often"),
        ("FREQ=MINUTELY", "nothing recurs more often here"),
        ("FREQ=SECONDLY", "nothing recurs more often here"),
        ("FREQ=DAILY;FREQ=WEEKLY", "says FREQ twice"),
        ("DTSTART=20260508T220000;FREQ=DAILY", "must not say DTSTART: starts_at"),
        ("FREQ=DAILY;INTERVAL=0", "has INTERVAL=0: INTERVAL must be a whole number"),
        ("FREQ=DAILY;INTERVAL=-1", "INTERVAL must be"),
        ("FREQ=DAILY;INTERVAL=٣", "INTERVAL must be"),
        ("FREQ=DAILY;COUNT=0", "COUNT must be"),
        ("FREQ=DAILY;COUNT=1000", "COUNT must be a whole number from 1 to 999"),
        ("FREQ=DAILY;COUNT=3;UNTIL=20261231", "says both COUNT and UNTIL"),
        ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL must be a day such as"),
        ("FREQ=DAILY;UNTIL=20261301", "there is no such day"),
        ("FREQ=DAILY;UNTIL=00010101T000000", "there is no such day"),
        ("FREQ=DAILY;UNTIL=20260508T250000Z", "there is no such day or time"),
        ("FREQ=DAILY;BYHOUR=24", "BYHOUR must be hours, 0 to 23"),
        ("FREQ=DAILY;BYHOUR=", "BYHOUR must be hours"),
        ("FREQ=DAILY;BYMINUTE=0,30", "BYMINUTE must be one minute"),
        ("FREQ=DAILY;BYDAY=XX", "BYDAY must be weekdays"),
        ("FREQ=MONTHLY;BYDAY=0FR", "BYDAY must be weekdays"),
        ("FREQ=WEEKLY;BYDAY=1FR", "weekdays have numbers with FREQ=MONTHLY or YEARLY only"),
        ("FREQ=MONTHLY;BYDAY=1FR,MO", "with and without numbers"),
        ("FREQ=HOURLY;BYSETPOS=2", "says BYSETPOS with FREQ=HOURLY"),
        ("FREQ=YEARLY;BYEASTER=0", 'has "BYEASTER", which is none of'),
        ("FREQ=DAILY;" + "X" * 300, "must have at most 200 characters"),
        ("X" * 100, 'has "' + "X" * 40 + '…"'),
    ],
)
def test_a_rule_that_cannot_be_followed_is_refused_in_words(rule: str, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        read_rule(rule, FRIDAY, BERLIN)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "berlin",
        "Europe",
        "Europe/Atlantis",
        "/etc/localtime",
        "../../etc/passwd",
        "Europe/../Europe/Berlin",
        "localtime",
        "posixrules",
        "right/UTC",
        "Europe/Berlin\n",
        "Europe/Berlin\0",
        "É",
        "A" * 5000,
    ],
)
def test_what_is_no_time_zone_of_ianas_is_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match="which is no time zone here"):
        time_zone(name)


def test_every_time_zone_of_ianas_is_known() -> None:
    names = files("tzdata").joinpath("zones").read_text().split()

    assert len(names) > 400
    assert [name for name in names if time_zone(name).key != name] == []
