"""Whoever acts on Hoist's behalf: every call that they make may be their last."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol, TypeVar, cast

from chalicelib.domain.errors import LeaseLost, Rejected
from chalicelib.domain.lease import LEASE_LASTS, Lease
from tests.fakes import FakeClock, FakeTargetLocks
from tests.life.faults import Mishap, When


class Killed(BaseException):
    """SIGKILL: no handler of the product catches it."""


@dataclass
class Beat:
    """A heartbeat as the real one is: it beats as time passes, and is asked before effects."""

    locks: FakeTargetLocks
    clock: FakeClock
    lease: Lease
    lost: bool = False

    def __post_init__(self) -> None:
        self.until = self.lease.until

    def beat(self) -> None:
        until = self.clock.now() + LEASE_LASTS
        try:
            self.locks.renew(self.lease, until=until)
        except LeaseLost:
            self.lost = True
        else:
            self.until = until

    def check(self) -> None:
        if self.lost or self.clock.now() >= self.until:
            raise LeaseLost


@dataclass
class Actor:
    """One invocation: a worker's visit, a sweep, a request."""

    name: str
    mishap: Mishap | None = None
    calls: int = 0
    befallen: bool = False
    dead: bool = False
    suspended: bool = False
    beat: Beat | None = None
    #: Transitions that it wrote.
    commits: int = 0
    #: The values that it has put on record as about to be sent, by config var.
    intents: dict[str, str | None] = field(default_factory=dict)
    #: What Heroku was like when it last read the releases, by target.
    read: dict[str, object] = field(default_factory=dict)
    result: Any = None
    rejected: Rejected | None = None
    #: A part of Hoist did not answer: whoever called does not know what came of it.
    unanswered: bool = False

    @property
    def done(self) -> bool:
        return not (self.dead or self.rejected or self.unanswered)


class Fate(Protocol):
    """What decides on mishaps."""

    @property
    def actors(self) -> list[Actor]:
        """Those who act now; the last one was called last."""
        ...

    def befall(self, actor: Actor, mishap: Mishap, call: str) -> None:
        """Let it happen; may raise."""
        ...


Port = TypeVar("Port")


class Turnstile:
    """A port that whoever acts calls through: the dead do not pass."""

    def __init__(self, port: object, fate: Fate) -> None:
        self.port, self.fate = port, fate

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the port has
        it = getattr(self.port, name)
        if not callable(it):
            return it
        passing = self._passing(name, it)
        setattr(self, name, passing)
        return passing

    def _passing(self, name: str, call: Callable[..., object]) -> Callable[..., object]:
        fate = self.fate

        def passing(*args: object, **kwargs: object) -> object:
            actor = fate.actors[-1] if fate.actors else None
            if actor is None:
                return call(*args, **kwargs)
            if actor.dead:
                raise Killed
            mishap = actor.mishap
            if mishap is None or actor.befallen:
                return call(*args, **kwargs)
            actor.calls += 1
            if mishap.befalls(When.BEFORE, name, actor.calls):
                fate.befall(actor, mishap, name)
            result = call(*args, **kwargs)
            if not actor.befallen and mishap.befalls(When.AFTER, name, actor.calls):
                fate.befall(actor, mishap, name)
            return result

        return passing


def turnstile(port: Port, fate: Fate) -> Port:
    return cast("Port", Turnstile(port, fate))


@dataclass
class LifeClock(FakeClock):
    """Time passes for all who live: their hearts beat meanwhile, unless they are suspended."""

    actors: list[Actor] = field(default_factory=list)

    def advance(self, duration: timedelta) -> None:
        self.time += duration
        for actor in self.actors:
            if actor.beat and not actor.suspended:
                actor.beat.beat()


@dataclass(frozen=True, kw_only=True)
class LifeHeartbeat:
    """Begins to beat in the actor that takes a lease."""

    locks: FakeTargetLocks
    clock: LifeClock

    @contextmanager
    def __call__(self, lease: Lease, receipt: str | None) -> Iterator[Beat]:  # noqa: ARG002 - the port's signature
        beat = Beat(self.locks, self.clock, lease)
        self.clock.actors[-1].beat = beat
        yield beat
