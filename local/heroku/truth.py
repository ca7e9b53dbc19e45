"""The truth log: what really happened, for tests to hold a client's claims against."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from local.heroku.releases import Changes


@dataclass(frozen=True, kw_only=True)
class AcceptedPatch:
    """A config PATCH that was accepted. `release` is None where nothing changed."""

    at: datetime
    app: str
    user: str
    request_id: str
    changes: Changes = field(repr=False)
    release: int | None


@dataclass(frozen=True, kw_only=True)
class Restart:
    """A release took effect: every dyno of the app was replaced."""

    at: datetime
    app: str
    release: int
    pids: Sequence[int]


@dataclass(frozen=True, kw_only=True)
class SentSignal:
    """A registered process was signalled."""

    at: datetime
    app: str
    pid: int
    signal: str


class Counted(NamedTuple):
    """The kind of request that is counted; `app` is the app's name where it is known."""

    method: str
    route: str
    app: str | None


@dataclass(kw_only=True)
class Truth:
    """Everything that is remembered. Values are in here: never part of a client's answer."""

    patches: list[AcceptedPatch] = field(default_factory=list)
    restarts: list[Restart] = field(default_factory=list)
    signals: list[SentSignal] = field(default_factory=list)
    requests: Counter[Counted] = field(default_factory=Counter)
