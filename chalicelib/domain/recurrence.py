"""When something recurs: RFC 5545 recurrence rules, read strictly and followed within bounds.

Which days of one year a rule names is python-dateutil's to say; the way from one period to the
next is made here. Left alone, dateutil looks for a rule's next occurrence until the year 9999,
whatever UNTIL says: the 30th of February would keep it busy for many seconds.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cached_property, lru_cache
from itertools import chain, dropwhile, groupby, islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import YEARLY, rrule, weekday, weekdays

MAX_RULE_LENGTH = 200
_HOURS = 24

# Every name of IANA's begins so; a system's own `posix/…`, `right/…` and `localtime` do not.
_ZONE = re.compile(r"[A-Z][A-Za-z0-9_+-]{0,31}(/[A-Z][A-Za-z0-9_+-]{0,31}){0,2}", re.ASCII)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_WEEKDAY = "|".join(_WEEKDAYS)
_EVERY_WEEKDAY = tuple(weekdays)


class Frequency(StrEnum):
    """What a rule counts its periods in."""

    YEARLY = "YEARLY"
    MONTHLY = "MONTHLY"
    WEEKLY = "WEEKLY"
    DAILY = "DAILY"
    HOURLY = "HOURLY"


#: What a rule may say: one value of each part, and what it is in words.
#: https://www.rfc-editor.org/rfc/rfc5545#section-3.3.10
_PARTS: Mapping[str, tuple[str, str]] = {
    "FREQ": (
        "|".join(Frequency),
        "one of YEARLY, MONTHLY, WEEKLY, DAILY and HOURLY: nothing recurs more often here",
    ),
    "INTERVAL": ("[1-9][0-9]{0,2}", "a whole number from 1 to 999"),
    "COUNT": ("[1-9][0-9]{0,2}", "a whole number from 1 to 999"),
    "UNTIL": (
        "[0-9]{8}(T[0-9]{6}Z?)?",
        "a day such as 20261231, a time such as 20261231T180000, or one in UTC with a Z behind it",
    ),
    "WKST": (_WEEKDAY, "a weekday, MO to SU"),
    "BYMONTH": ("0?[1-9]|1[0-2]", "months, 1 to 12"),
    "BYMONTHDAY": ("[+-]?(0?[1-9]|[12][0-9]|3[01])", "days of the month, 1 to 31 or -31 to -1"),
    "BYYEARDAY": ("[+-]?[1-9][0-9]{0,2}", "days of the year, 1 to 366 or -366 to -1"),
    "BYWEEKNO": ("[+-]?(0?[1-9]|[1-4][0-9]|5[0-3])", "weeks of the year, 1 to 53 or -53 to -1"),
    "BYDAY": (f"([+-]?[1-9][0-9]?)?({_WEEKDAY})", "weekdays, such as FR or -1FR"),
    "BYHOUR": ("[01]?[0-9]|2[0-3]", "hours, 0 to 23"),
    "BYMINUTE": ("[0-5]?[0-9]", "one minute, 0 to 59"),
    "BYSECOND": ("[0-5]?[0-9]", "one second, 0 to 59"),
    "BYSETPOS": ("[+-]?[1-9][0-9]{0,2}", "positions, 1 to 366 or -366 to -1"),
}
#: Of these a rule names one value; of the others with BY a list.
_SINGLE = frozenset({"BYMINUTE", "BYSECOND"})
_SAID_ELSEWHERE = frozenset({"DTSTART", "DTEND", "DURATION", "TZID"})


@dataclass(frozen=True, kw_only=True)
class DayRule:
    """Which days of a year a rule names, whatever its interval."""

    months: tuple[int, ...] | None
    month_days: tuple[int, ...] | None
    year_days: tuple[int, ...] | None
    week_numbers: tuple[int, ...] | None
    weekdays: tuple[weekday, ...] | None
    week_starts: int


@lru_cache(maxsize=512)
def _days(rule: DayRule, year: int) -> tuple[date, ...]:
    """The days of this year that the rule names."""
    found = rrule(
        YEARLY,
        dtstart=datetime(year, 1, 1),  # noqa: DTZ001 - a day, in no zone
        # The year after this one is beyond all years: dateutil looks at this one and is done.
        interval=MAXYEAR,
        wkst=rule.week_starts,
        bymonth=rule.months,
        bymonthday=rule.month_days,
        byyearday=rule.year_days,
        byweekno=rule.week_numbers,
        byweekday=rule.weekdays,
    )
    return tuple(each.date() for each in found)


@dataclass(frozen=True, kw_only=True)
class Recurrence:
    """The times at which a rule occurs, by the wall clock of its time zone."""

    #: Where it counts from: nothing occurs before. It occurs itself only if the rule says so.
    starts_at: datetime
    zone: ZoneInfo
    frequency: Frequency
    interval: int
    days: DayRule
    times: tuple[time, ...]
    #: BYSETPOS: which occurrences of each period count; none at all: every one.
    positions: tuple[int, ...]
    count: int | None
    until: datetime | None

    def between(self, first: datetime, last: datetime) -> Iterator[datetime]:
        """Occurrences from `first` to `last`, in order, in UTC.

        A wall clock time that a DST change leaves out is taken by the offset before the change,
        one that comes twice is taken once, the first time (RFC 5545 section 3.3.5).
        """
        last = min(last, self.until or last)
        if last < first:
            return iter(())
        walls = self._walls(_wall(first, self.zone), _wall(last, self.zone).year)
        begins = chain.from_iterable(
            sorted(self._instant(wall) for wall in group)
            for _, group in groupby(walls, key=datetime.toordinal)
        )
        return takewhile(
            lambda at: at <= last,
            dropwhile(lambda at: at < first, begins),
        )

    def _instant(self, wall: datetime) -> datetime:
        # A start in the second of two equal hours is not thrown back into the first.
        return max(wall.replace(tzinfo=self.zone).astimezone(UTC), self.starts_at)

    def _walls(self, first: datetime, last_year: int) -> Iterator[datetime]:
        since = self._start if self.count else max(self._start, first)
        begun = dropwhile(lambda at: at < self._start, self._unbounded(since, last_year))
        return islice(begun, self.count)

    def _unbounded(self, first: datetime, last_year: int) -> Iterator[datetime]:
        """Occurrences from the day of `first`, or before, to the year's end, uncounted."""
        # BYSETPOS needs the period of `first` as a whole.
        since = (first - timedelta(days=366) if self.positions else first).date()
        days = chain.from_iterable(
            _days(self.days, year) for year in range(since.year, last_year + 1)
        )
        walls = chain.from_iterable(self._on(day) for day in days if day >= since)
        if not self.positions:
            return walls
        return chain.from_iterable(
            _at_positions(list(group), self.positions)
            for _, group in groupby(walls, key=self._period)
        )

    def _on(self, day: date) -> Sequence[datetime]:
        """The occurrences of a day that the rule names, none where its interval passes over it."""
        since_start = self._period(day) - self._period(self._start)
        if self.frequency is not Frequency.HOURLY:
            times = () if since_start % self.interval else self.times
            return [datetime.combine(day, each) for each in times]
        hours_off = (self._start.hour - since_start * _HOURS) % self.interval
        met = (each for each in self.times if (each.hour - hours_off) % self.interval == 0)
        return [datetime.combine(day, each) for each in met]

    @cached_property
    def _start(self) -> datetime:
        return _wall(self.starts_at, self.zone)

    def _period(self, day: date) -> int:
        """Number the periods that the rule counts: hours are counted in days."""
        match self.frequency:
            case Frequency.YEARLY:
                return day.year
            case Frequency.MONTHLY:
                return day.year * 12 + day.month
            case Frequency.WEEKLY:
                # Day 1 of all days was a Monday.
                return (day.toordinal() - 1 - self.days.week_starts) // 7
            case Frequency.DAILY | Frequency.HOURLY:
                return day.toordinal()


def _at_positions(walls: Sequence[datetime], positions: Iterable[int]) -> Sequence[datetime]:
    """The occurrences of one period at these positions, counted from 1, or from its end."""
    found = {position - 1 if position > 0 else len(walls) + position for position in positions}
    return [wall for index, wall in enumerate(walls) if index in found]


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    """What a wall clock of the zone shows, to the second."""
    return at.astimezone(zone).replace(tzinfo=None, microsecond=0)


def time_zone(name: str) -> ZoneInfo:
    """The time zone of IANA's that has this name. Raises `ValueError` where there is none."""
    try:
        if _ZONE.fullmatch(name):
            return ZoneInfo(name)
    # The first part of a name is a directory, and not every file beside it is a time zone.
    except (ZoneInfoNotFoundError, OSError, ValueError):
        pass
    detail = (
        f'is "{_shown(name)}", which is no time zone here: write a name of IANA\'s, such as '
        "Europe/Berlin or UTC"
    )
    raise ValueError(detail)


def read_rule(rule: str, starts_at: datetime, zone: ZoneInfo) -> Recurrence:
    """Understand a rule. Raises `ValueError`, in words for its author, where it cannot be."""
    parts = _parts(rule)
    _check_together(parts)
    frequency = Frequency(parts["FREQ"][0])
    start = _wall(starts_at, zone)
    return Recurrence(
        starts_at=starts_at.astimezone(UTC),
        zone=zone,
        frequency=frequency,
        interval=int(_only(parts, "INTERVAL") or 1),
        days=_day_rule(parts, frequency, start),
        times=_times(parts, frequency, start),
        positions=_numbers(parts, "BYSETPOS") or (),
        count=int(_only(parts, "COUNT") or 0) or None,
        until=_until(_only(parts, "UNTIL"), zone),
    )


def _parts(rule: str) -> Mapping[str, Sequence[str]]:
    if len(rule) > MAX_RULE_LENGTH:
        detail = f"must have at most {MAX_RULE_LENGTH} characters"
        raise ValueError(detail)
    parts: dict[str, Sequence[str]] = {}
    for said in rule.split(";"):
        name, _, value = said.partition("=")
        if name in parts:
            detail = f"says {name} twice"
            raise ValueError(detail)
        parts[name] = _values(name, value)
    if "FREQ" not in parts:
        detail = "must say how often: write it like FREQ=WEEKLY;BYDAY=FR"
        raise ValueError(detail)
    return parts


def _values(name: str, value: str) -> Sequence[str]:
    if name in _SAID_ELSEWHERE:
        detail = f"must not say {name}: starts_at, ends_at and timezone say it"
        raise ValueError(detail)
    if name not in _PARTS:
        detail = (
            f'has "{_shown(name)}", which is none of {", ".join(_PARTS)}: '
            "write it in capitals, like FREQ=WEEKLY;BYDAY=FR"
        )
        raise ValueError(detail)
    pattern, words = _PARTS[name]
    listed = name.startswith("BY") and name not in _SINGLE
    values = value.split(",") if listed else [value]
    if not all(re.fullmatch(pattern, each, re.ASCII) for each in values):
        detail = f"has {name}={_shown(value)}: {name} must be {words}"
        raise ValueError(detail)
    return values


def _check_together(parts: Mapping[str, Sequence[str]]) -> None:
    """Raise `ValueError` for parts that contradict each other."""
    if "COUNT" in parts and "UNTIL" in parts:
        detail = "says both COUNT and UNTIL: only one of them can end it"
        raise ValueError(detail)
    if "BYSETPOS" in parts and parts["FREQ"][0] == Frequency.HOURLY:
        detail = "says BYSETPOS with FREQ=HOURLY: an hour holds one occurrence; leave it out"
        raise ValueError(detail)
    named = parts.get("BYDAY", ())
    numbered = [each for each in named if each not in _WEEKDAYS]
    if numbered and parts["FREQ"][0] not in {Frequency.YEARLY, Frequency.MONTHLY}:
        detail = f"has BYDAY={numbered[0]}: weekdays have numbers with FREQ=MONTHLY or YEARLY only"
        raise ValueError(detail)
    # dateutil would take only the days that are both.
    if numbered and len(numbered) < len(named):
        detail = "has BYDAY with and without numbers: write all weekdays in one of the two ways"
        raise ValueError(detail)


def _day_rule(
    parts: Mapping[str, Sequence[str]],
    frequency: Frequency,
    start: datetime,
) -> DayRule:
    """Which days are named; where none are, the start's own (RFC 5545 section 3.3.10)."""
    months, month_days = _numbers(parts, "BYMONTH"), _numbers(parts, "BYMONTHDAY")
    named = _weekdays(parts)
    if not parts.keys() & {"BYWEEKNO", "BYYEARDAY", "BYMONTHDAY", "BYDAY"}:
        match frequency:
            case Frequency.YEARLY:
                months, month_days = months or (start.month,), (start.day,)
            case Frequency.MONTHLY:
                month_days = (start.day,)
            case Frequency.WEEKLY:
                named = (weekdays[start.weekday()],)
            case Frequency.DAILY | Frequency.HOURLY:
                named = _EVERY_WEEKDAY
    if frequency is Frequency.MONTHLY:
        # In a year the first Friday is the year's, unless months are named.
        months = months or tuple(range(1, 13))
    return DayRule(
        months=months,
        month_days=month_days,
        year_days=_numbers(parts, "BYYEARDAY"),
        week_numbers=_numbers(parts, "BYWEEKNO"),
        weekdays=named,
        week_starts=_WEEKDAYS.index(_only(parts, "WKST") or "MO"),
    )


def _times(
    parts: Mapping[str, Sequence[str]],
    frequency: Frequency,
    start: datetime,
) -> tuple[time, ...]:
    every = range(_HOURS) if frequency is Frequency.HOURLY else (start.hour,)
    minute = int(_only(parts, "BYMINUTE") or start.minute)
    second = int(_only(parts, "BYSECOND") or start.second)
    hours = sorted(set(_numbers(parts, "BYHOUR") or every))
    return tuple(time(hour, minute, second) for hour in hours)


def _weekdays(parts: Mapping[str, Sequence[str]]) -> tuple[weekday, ...] | None:
    if "BYDAY" not in parts:
        return None
    return tuple(
        weekday(_WEEKDAYS.index(each[-2:]), int(each[:-2]) if each[:-2] else None)
        for each in parts["BYDAY"]
    )


def _numbers(parts: Mapping[str, Sequence[str]], name: str) -> tuple[int, ...] | None:
    return tuple(int(each) for each in parts[name]) if name in parts else None


def _only(parts: Mapping[str, Sequence[str]], name: str) -> str | None:
    return parts[name][0] if name in parts else None


def _until(text: str | None, zone: ZoneInfo) -> datetime | None:
    """The last moment at which it may occur: a day counts as a whole."""
    if text is None:
        return None
    try:
        until = datetime.fromisoformat(text.removesuffix("Z"))
        if text.endswith("Z"):
            return until.replace(tzinfo=UTC)
        if "T" not in text:
            until += timedelta(days=1, microseconds=-1)
        return until.replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        detail = f"has UNTIL={text}: there is no such day or time"
        raise ValueError(detail) from None


def _shown(text: str) -> str:
    """What was sent, as it may be repeated: short, for it comes from outside."""
    at_most = 40
    return text if len(text) <= at_most else text[:at_most] + "…"
