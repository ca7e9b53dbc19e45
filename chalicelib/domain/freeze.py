"""Freezes: windows in which no promotion begins. What is under way finishes."""

import heapq
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import chain, islice, takewhile

from chalicelib.domain.audit import GENESIS, Act
from chalicelib.domain.errors import FieldError
from chalicelib.domain.record import Revision, revise
from chalicelib.domain.recurrence import Recurrence, read_rule, time_zone

#: What comes later than this is not looked for.
HORIZON = timedelta(days=2 * 366)
#: Windows of a rule that run into each other for longer count as one that does not end. Less than
#: lies between two DST changes, for in autumn even a window of 24 hours a day leaves an hour out.
LONGEST_RUN = timedelta(days=100)
#: Times further from now than this are taken for slips of the pen.
FARTHEST = timedelta(days=5 * 366)
#: Windows that are followed, one into the next, for the moment at which a target opens.
WINDOWS_FOLLOWED = 2000
#: All freezes are one row, and DynamoDB takes 400 kB: the fullest plan takes three quarters of it.
MAX_FREEZES = 200
MAX_REASON_LENGTH = 200

#: Windows of a new rule that are looked at: enough to come past a DST change.
_WINDOWS_CHECKED = 3
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Window:
    """A time in which a freeze holds: from `begins`, and until before `ends`."""

    begins: datetime
    #: None: until it is lifted, or further off than is looked for.
    ends: datetime | None

    def holds(self, at: datetime) -> bool:
        """Tell whether this moment is in it."""
        return self.begins <= at < (self.ends or _FOREVER)


@dataclass(frozen=True, kw_only=True)
class Freeze:
    """A window, or one that recurs, in which promotions of a target, or of all, do not begin."""

    #: Chosen by who sets it.
    id: str
    reason: str
    #: None: all targets.
    target: str | None = None
    starts_at: datetime
    #: The end of the first window. None: until it is lifted.
    ends_at: datetime | None
    #: An RFC 5545 recurrence rule, counted from `starts_at` by the wall clock of `timezone`.
    #: A window begins at each occurrence and lasts exactly as long as the first, as section
    #: 3.8.5.3 has it for DTEND. `starts_at` begins one only where the rule says so.
    rrule: str | None = None
    timezone: str = "UTC"
    set_by: str
    set_at: datetime
    #: The plan's version that wrote it.
    version: int = 0

    def window_at(self, at: datetime) -> Window | None:
        """The window that holds at this moment, overlapping ones as one."""
        first = next(self.windows(at), None)
        return first if first and first.holds(at) else None

    def next_window(self, after: datetime) -> Window | None:
        """The first window that begins after this moment; of a rule, within `HORIZON` of it."""
        later = (window for window in self.windows(after) if window.begins > after)
        return next(later, None)

    def windows(self, since: datetime) -> Iterator[Window]:
        """The windows that end after this moment, in order, overlapping ones as one.

        Of a rule those that begin within `HORIZON` of it. Raises `ValueError` for a rule or a
        time zone that `freeze_problem` does not let pass.
        """
        if self._recurrence and self.ends_at:
            # Times of one zone are subtracted as its wall clock shows them: here it shall be time.
            lasts = self.ends_at.astimezone(UTC) - self.starts_at.astimezone(UTC)
            return self._recurring(self._recurrence, lasts, since)
        only = Window(begins=self.starts_at, ends=self.ends_at)
        return iter([only] if since < (only.ends or _FOREVER) else [])

    @cached_property
    def _recurrence(self) -> Recurrence | None:
        if self.rrule is None:
            return None
        return read_rule(self.rrule, self.starts_at, time_zone(self.timezone))

    def _recurring(
        self,
        recurrence: Recurrence,
        lasts: timedelta,
        since: datetime,
    ) -> Iterator[Window]:
        """Look back far enough to see where the first of them begins, however many it unites."""
        back = 2 * lasts
        while True:
            begins = recurrence.between(since - back, since + HORIZON + LONGEST_RUN)
            windows = (each for each in _united(begins, lasts) if since < (each.ends or _FOREVER))
            first = next(windows, None)
            # One that began still earlier would have ended before this one begins; and one that
            # does not end does not end later for having begun earlier.
            endless = first is not None and first.ends is None
            seen_whole = first is None or endless or first.begins - lasts > since - back
            if seen_whole or back > LONGEST_RUN:
                break
            back *= 4
        found = chain([first] if first else [], windows)
        return takewhile(lambda window: window.begins <= since + HORIZON, found)


def _united(begins: Iterator[datetime], lasts: timedelta) -> Iterator[Window]:
    """Windows that begin at these moments; those that overlap or touch as one."""
    begin = next(begins, None)
    if begin is None:
        return
    end = begin + lasts
    for each in begins:
        if each > end:
            yield Window(begins=begin, ends=end)
            begin = each
        elif each + lasts - begin > LONGEST_RUN:
            yield Window(begins=begin, ends=None)
            return
        end = each + lasts
    yield Window(begins=begin, ends=end)


@dataclass(frozen=True, kw_only=True)
class Hold:
    """What holds a target back now."""

    #: Of several, the one whose window ends last.
    freeze: Freeze
    #: The first moment at which no freeze holds the target. None: none is in sight.
    until: datetime | None


@dataclass(frozen=True, kw_only=True)
class FreezePlan:
    """All freezes there are. A `Record`: one, so that whoever asks reads one row."""

    freezes: Mapping[str, Freeze] = field(default_factory=dict)
    version: int = 0
    audit_hash: str = GENESIS

    @property
    def subject(self) -> str:
        """What its audit entries are found under."""
        return "freezes"

    def hold(self, target: str, at: datetime) -> Hold | None:
        """What holds the target back at this moment; `None`: it is open.

        `until` follows windows of all freezes into one another, for `HORIZON` and for
        `WINDOWS_FOLLOWED` of them at the most.
        """
        concerning = self._concerning(target)
        ends = {each.id: window.ends for each in concerning if (window := each.window_at(at))}
        if not ends:
            return None
        last = max(ends, key=lambda freeze_id: (ends[freeze_id] or _FOREVER, freeze_id))
        return Hold(freeze=self.freezes[last], until=_opening(concerning, at))

    def _concerning(self, target: str) -> list[Freeze]:
        return [each for each in self.freezes.values() if each.target in {None, target}]


def _opening(freezes: list[Freeze], at: datetime) -> datetime | None:
    """The first moment from `at` on at which none of them holds."""
    opens = at
    windows = heapq.merge(*(each.windows(at) for each in freezes), key=lambda each: each.begins)
    for window in islice(windows, WINDOWS_FOLLOWED):
        if window.begins > opens:
            return opens
        opens = max(opens, window.ends or _FOREVER)
        if opens - at > HORIZON:
            return None
    return opens if next(windows, None) is None else None


def set_freeze(plan: FreezePlan, freeze: Freeze, act: Act) -> Revision[FreezePlan]:
    """Add the freeze to the plan, or put it in the place of the one that has its id."""
    written = replace(freeze, version=plan.version + 1)
    return revise(plan, replace(plan, freezes={**plan.freezes, freeze.id: written}), act)


def lift_freeze(plan: FreezePlan, freeze_id: str, act: Act) -> Revision[FreezePlan]:
    """Take the freeze of this id out of the plan."""
    left = {each.id: each for each in plan.freezes.values() if each.id != freeze_id}
    return revise(plan, replace(plan, freezes=left), act)


def freeze_problem(freeze: Freeze) -> FieldError | None:
    """The first thing that is wrong with a freeze, in words for who sets it; `None`: nothing is.

    Answers within milliseconds, whatever it is given.
    """
    return next(_problems(freeze), None)


def _problems(freeze: Freeze) -> Iterator[FieldError]:
    """Each only where those before it are not."""
    if not _ID.fullmatch(freeze.id):
        detail = (
            "must be 1 to 63 lower case letters, digits and dashes, and begin with a letter or a "
            "digit, such as friday-evenings"
        )
        yield FieldError(field="id", detail=detail)
    if len(freeze.reason) > MAX_REASON_LENGTH:
        detail = f"must have at most {MAX_REASON_LENGTH} characters"
        yield FieldError(field="reason", detail=detail)
    # Control characters, and halves of characters that UTF-8 cannot spell.
    if any(unicodedata.category(each) in {"Cc", "Cs"} for each in freeze.reason):
        yield FieldError(field="reason", detail="must be one line of text")
    yield from _time_problems(freeze)
    try:
        time_zone(freeze.timezone)
    except ValueError as error:
        yield FieldError(field="timezone", detail=str(error))
    if freeze.rrule is not None:
        yield from _rule_problems(freeze)


def _time_problems(freeze: Freeze) -> Iterator[FieldError]:
    if abs(freeze.starts_at - freeze.set_at) > FARTHEST:
        yield FieldError(field="starts_at", detail="is more than five years off: check the year")
    if freeze.ends_at is None:
        return
    if freeze.ends_at <= freeze.starts_at:
        yield FieldError(field="ends_at", detail="must be later than starts_at")
    if freeze.ends_at - freeze.starts_at > FARTHEST:
        detail = "is more than five years after starts_at: check the year, or leave it out"
        yield FieldError(field="ends_at", detail=detail)


def _rule_problems(freeze: Freeze) -> Iterator[FieldError]:
    if freeze.ends_at is None:
        detail = "is needed with rrule: when the first window ends, and so how long each lasts"
        yield FieldError(field="ends_at", detail=detail)
    try:
        first = list(islice(freeze.windows(freeze.starts_at), _WINDOWS_CHECKED))
    except ValueError as error:
        yield FieldError(field="rrule", detail=str(error))
        return
    if not first:
        detail = "does not occur within two years of starts_at: check its days against each other"
        yield FieldError(field="rrule", detail=detail)
    if any(window.ends is None for window in first):
        detail = (
            f"would hold for more than {LONGEST_RUN.days} days on end, for each window lasts until "
            "the next begins: let the first one end sooner, or leave rrule out"
        )
        yield FieldError(field="rrule", detail=detail)
