"""Hoist with its real adapters, and a way to kill it between any two calls to the outside."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import requests
from botocore.session import Session, get_session

from chalicelib.adapters.aws import AwsClients
from chalicelib.bootstrap import Container
from chalicelib.domain.lease import Lease
from chalicelib.ports import Heartbeat
from chalicelib.settings import Settings
from tests.fakes import FakeClock


class Killed(BaseException):
    """SIGKILL: no handler of the product catches it."""


@dataclass
class Doom:
    """Counts calls to AWS and Heroku; after the `kills_after`-th has had its effect, all is over.

    From then on no call goes out: what a dead process's `finally` would do is not done.
    """

    kills_after: int | None = None
    calls: list[str] = field(default_factory=list)

    @property
    def dead(self) -> bool:
        return self.kills_after is not None and len(self.calls) >= self.kills_after

    def before(self, **_: Any) -> None:  # noqa: ANN401 - botocore's signature
        if self.dead:
            raise Killed

    def after(self, name: str) -> None:
        self.calls.append(name)
        if self.dead:
            raise Killed

    def watch(self, events: Any) -> None:  # noqa: ANN401 - botocore's event emitter
        events.register_first("before-call.*.*", self.before)
        events.register_last(
            "after-call.*.*",
            lambda model, **_: self.after(f"{model.service_model.service_name}.{model.name}"),
        )


class DoomedSession(requests.Session):
    """Connections to Heroku that are counted."""

    def __init__(self, doom: Doom) -> None:
        super().__init__()
        self.trust_env = False
        self._doom = doom

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - requests' signature
        self._doom.before()
        answer = super().request(method, url, *args, **kwargs)
        self._doom.after(f"heroku.{method} {urlsplit(url).path}")
        return answer


class DoomedClients(AwsClients):
    """AWS clients whose calls are counted."""

    def __init__(self, doom: Doom) -> None:
        object.__setattr__(self, "_doom", doom)

    @cached_property
    def session(self) -> Session:
        session = get_session()
        self._doom.watch(session.get_component("event_emitter"))  # type: ignore[attr-defined]
        return session


@dataclass(frozen=True)
class NoHeartbeat:
    """A visit that ends before its first beat. By these tests' clock a visit takes no time.

    Real beats would come by the machine's clock, and one of them might be what is killed.
    """

    @contextmanager
    def __call__(self, lease: Lease, receipt: str | None) -> Iterator["NoHeartbeat"]:  # noqa: ARG002 - the port's signature
        yield self

    def check(self) -> None:
        """The lease lasts."""


class TestContainer(Container):
    """The real adapters, with a clock that tests move and calls that are counted."""

    __test__ = False

    def __init__(self, settings: Settings, clock: FakeClock, doom: Doom | None = None) -> None:
        self.settings = settings
        self.clock = clock
        self.doom = doom or Doom()

    @cached_property
    def aws(self) -> AwsClients:
        return DoomedClients(self.doom)

    @cached_property
    def heartbeat(self) -> Heartbeat:
        return NoHeartbeat()

    @cached_property
    def http(self) -> requests.Session:
        return DoomedSession(self.doom)


LEASE_ENDED = timedelta(seconds=7)
