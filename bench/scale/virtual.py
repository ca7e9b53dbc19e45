"""Virtual time: use cases wait in greenlets, and the earliest event comes next."""

import heapq
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from greenlet import getcurrent, greenlet  # type: ignore[import-untyped]

from tests.fakes import START


class Killed(BaseException):
    """The process is gone: a kill, or Lambda's timeout. Nothing of it runs on."""


@dataclass(kw_only=True)
class Process:
    """One invocation. Seconds; it dies at `deadline`."""

    deadline: float = float("inf")
    #: How far its clock is ahead.
    skew: float = 0.0
    died: float = float("inf")

    @property
    def dead(self) -> bool:
        """Tell whether it was killed."""
        return self.died != float("inf")


_Event = tuple[float, int, Callable[[], None]]


@dataclass
class Hub:
    """The event queue. Seconds since `START`; of two events at one time the older comes first."""

    now: float = 0.0
    events: list[_Event] = field(default_factory=list)
    _serial: int = 0
    _process: Process = field(default_factory=Process)

    def at(self, time: float, event: Callable[[], None]) -> None:
        """Have something happen."""
        self._serial += 1
        heapq.heappush(self.events, (max(time, self.now), self._serial, event))

    def start(self, process: Process, body: Callable[[], None], *, after: float = 0.0) -> None:
        """Run an invocation some seconds from now; it may wait."""

        def run() -> None:
            with suppress(Killed):
                body()

        self.at(self.now + after, lambda: self._enter(process, greenlet(run)))

    def _enter(self, process: Process, thread: Any) -> None:  # noqa: ANN401 - greenlet has no types
        before, self._process = self._process, process
        thread.switch()
        self._process = before

    def wait(self, seconds: float) -> None:
        """Let time pass for the invocation that calls. Raises `Killed` where it ends meanwhile."""
        process = self._process
        if process.dead:
            raise Killed
        ends = min(self.now + seconds, process.deadline)
        if self.events and self.events[0][0] <= ends:
            thread = getcurrent()
            self.at(ends, lambda: self._enter(process, thread))
            thread.parent.switch()
        else:
            self.now = ends
        if process.dead or ends >= process.deadline:
            process.died = min(process.died, self.now)
            raise Killed

    def run(self, until: float) -> None:
        """Let everything happen that is due by then."""
        while self.events and self.events[0][0] <= until:
            self.now, _, event = heapq.heappop(self.events)
            event()
        self.now = until

    @property
    def process(self) -> Process:
        """The invocation that runs now."""
        return self._process

    def clock(self) -> datetime:
        """The time, as nobody's clock is wrong."""
        return START + timedelta(seconds=self.now)


@dataclass(frozen=True)
class VirtualClock:
    """`Clock` of whichever invocation asks: some run ahead or behind by seconds."""

    hub: Hub

    def now(self) -> datetime:
        return START + timedelta(seconds=self.hub.now + self.hub.process.skew)

    def sleep(self, duration: timedelta) -> None:
        self.hub.wait(duration.total_seconds())


def seconds_of(at: datetime) -> float:
    """A time as the hub counts it."""
    return (at - START).total_seconds()
