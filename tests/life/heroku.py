"""Heroku with several apps, in a mood of its own for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.domain.errors import AccessDenied, Ambiguous, Refused, TryAgain
from chalicelib.domain.release import AppConfig, Release, ReleaseStatus
from chalicelib.ports import Usage
from tests.fakes import FakeApps, FakeClock
from tests.life.faults import MINUTE, SECOND, Foreign, Mood
from tests.life.tally import Tally

if TYPE_CHECKING:
    from tests.fakes import _FakeRelease

#: How long Heroku takes over a PATCH whose answer nobody waits for any more.
LATE_BY = 30 * SECOND
#: How long the newest release is not shown yet, while Heroku is shy.
SHOWN_AFTER = 3 * SECOND
_BIG = "x" * 64 * 1024
#: What becomes of every call while Heroku is in this mood.
_NO_ANSWERS: Mapping[Mood, Callable[[], Exception]] = {
    Mood.DOWN: lambda: TryAgain("Heroku answered 503."),
    Mood.THROTTLING: lambda: TryAgain("Heroku answered 429.", after=MINUTE),
    Mood.DENYING: lambda: AccessDenied("Heroku answered 401."),
    Mood.GONE: lambda: Refused("Heroku answered 404."),
}


@dataclass
class Late:
    """A PATCH that is on its way."""

    lands_at: datetime
    changes: Mapping[str, str | None]


@dataclass
class HerokuApp(FakeApps):
    """One app, with the truth that only Heroku knows."""

    mood: Mood = Mood.WELL
    late: list[Late] = field(default_factory=list)
    #: Counts everything that changes.
    moves: int = 0
    #: Releases in the order in which they became current.
    currents: list[int] = field(default_factory=list)

    def settle_up(self) -> None:
        """Let what was due have happened."""
        now = self.clock.now()
        while self.late and self.late[0].lands_at <= now:
            # Nobody hears what it is answered.
            with suppress(Refused):
                self.apply(self.late.pop(0).changes)
        self._let_phases_end()

    def release(self, description: str, *, config_vars: dict[str, str] | None = None) -> int:
        self.moves += 1
        return super().release(description, config_vars=config_vars)

    def end_release(self, version: int, status: ReleaseStatus) -> None:
        self.moves += 1
        super().end_release(version, status)

    def _make_current(self, version: int) -> None:
        self.currents.append(version)
        super()._make_current(version)

    @property
    def current(self) -> _FakeRelease | None:
        return next((made for made in reversed(self.history) if made.release.current), None)

    @property
    def running(self) -> bool:
        return self.history[-1].release.status is ReleaseStatus.PENDING

    def is_done_to(self, what: Foreign, values: Mapping[str, str]) -> None:
        """Let others do this to it."""
        self.settle_up()
        match what:
            case Foreign.OTHER_VAR:
                self.foreign_write(OTHER=str(self.moves))
            case Foreign.SAME_VAR:
                self.foreign_write(**values)
            case Foreign.DEPLOY:
                self.release("Deploy 1a2b3c4")
            case Foreign.ROLLBACK:
                self.rollback(max(1, len(self.history) - 1))
            case Foreign.END_WELL | Foreign.END_BADLY if self.running:
                well = what is Foreign.END_WELL
                status = ReleaseStatus.SUCCEEDED if well else ReleaseStatus.FAILED
                self.end_release(len(self.history), status)
            case Foreign.OLDER_LAST if len(self.history) > 1 and not self.running:
                self.end_release(len(self.history) - 1, ReleaseStatus.SUCCEEDED)
            case Foreign.FILL:
                self.foreign_write(BIG=_BIG)

    def recover(self) -> None:
        """Be as well as an app can be; what runs succeeds."""
        self.mood, self.phase, self.unacceptable = Mood.WELL, MINUTE * 0, frozenset()
        if "BIG" in self.stored:
            del self.stored["BIG"]
            self.release("Remove BIG config vars")
        self.settle_up()
        for made in self.history:
            if made.release.status is ReleaseStatus.PENDING:
                self.end_release(made.release.version, ReleaseStatus.SUCCEEDED)


@dataclass
class Heroku:
    """The port `Apps` over all apps."""

    clock: FakeClock
    tally: Tally
    apps: dict[str, HerokuApp]
    #: Told what became of a PATCH that Heroku took.
    took: Callable[[str, Mapping[str, str | None]], None] = lambda *_: None

    def _at(self, app: str) -> HerokuApp:
        """The app, if Heroku answers for it at all."""
        at = self.apps[app]
        answer = _NO_ANSWERS.get(at.mood)
        if answer:
            self.meet(at)
            raise answer()
        if at.mood is Mood.SLOW:
            self.meet(at)
            self.clock.advance(2 * SECOND)
        at.settle_up()
        return at

    def meet(self, at: HerokuApp) -> None:
        self.tally.met(f"heroku {at.mood}")

    def config(self, app: str) -> AppConfig:
        return self._at(app).config(app)

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:
        at = self._at(app)
        found = at.releases(app, after=after)
        if at.mood is Mood.SHY:
            self.meet(at)
            newest = found[0].created_at
            shown = newest is not None and newest <= self.clock.now() - SHOWN_AFTER
            found = found if shown else found[1:]
        currents = [r.version for r in found if r.current]
        # As far as the real adapter reads: no further than asked for, and than the current one.
        lowest = min(after, *currents) if currents and after is not None else 0
        return tuple(r for r in found if r.version >= lowest)

    def release_config_vars(self, app: str, version: int) -> Mapping[str, str] | None:
        at = self._at(app)
        if at.mood is Mood.BLIND:
            self.meet(at)
            return None
        return at.release_config_vars(app, version)

    def set_config_vars(self, app: str, changes: Mapping[str, str | None]) -> None:
        at = self._at(app)
        match at.mood:
            case Mood.DEAF:
                self.meet(at)
                raise Ambiguous
            case Mood.LATE:
                self.meet(at)
                at.late.append(Late(self.clock.now() + LATE_BY, dict(changes)))
                raise Ambiguous
            case Mood.PICKY if at.unacceptable & changes.keys():
                self.meet(at)
        at.apply(changes)
        self.took(app, changes)
        if at.mood is Mood.MUTE:
            self.meet(at)
            raise Ambiguous

    def calls_left(self) -> int | None:
        moods = {at.mood for at in self.apps.values()}
        return 100 if Mood.THROTTLING in moods else None

    def scopes(self) -> frozenset[str] | None:
        return frozenset({"write-protected"})

    def require_writing(self) -> None:
        """Its token may."""

    def take_usage(self) -> Usage:
        return Usage()
