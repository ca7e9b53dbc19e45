"""Hoist, whose every call to a port passes a turnstile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from chalicelib.domain.release import Release
from chalicelib.ports import Apps
from chalicelib.usecases.work import Work
from tests.fakes import FakeBaselines
from tests.life.actors import LifeHeartbeat, turnstile
from tests.life.doubles import Codes, Ids
from tests.life.faults import Mood
from tests.world import World

if TYPE_CHECKING:
    from tests.life.town import Town


class WatchedHeroku:
    """Heroku through a turnstile, with every PATCH and every reading seen."""

    def __init__(self, town: Town) -> None:
        self.town, self.inner = town, turnstile(cast("Apps", self._Taking(town)), town)

    class _Taking:
        """What Heroku shows, and takes, before anything befalls whoever asked."""

        def __init__(self, town: Town) -> None:
            self.town, self.heroku = town, town.heroku

        def __getattr__(self, name: str) -> object:
            return getattr(self.heroku, name)

        def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:
            found = self.heroku.releases(app, after=after)
            at = self.heroku.apps[app]
            self.town.actors[-1].read[app] = None if at.mood is Mood.SHY else at.moves
            return found

        def set_config_vars(self, app: str, changes: Mapping[str, str | None]) -> None:
            try:
                self.heroku.set_config_vars(app, changes)
            finally:
                self.town.witness.patches.ends(app)

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def set_config_vars(self, app: str, changes: Mapping[str, str | None]) -> None:
        self.town.witness.patches.begins(self.town.actors[-1], app, changes)
        try:
            self.inner.set_config_vars(app, changes)
        finally:
            self.town.witness.patches.ends(app)


class Turnstiled(World):
    """The same use cases; each port behind a turnstile."""

    def __init__(self, town: Town) -> None:
        self.town, self.clock, self.ids = town, town.clock, Ids()  # type: ignore[assignment]
        for name in ("store", "operators", "locks", "targets", "catalogues", "freezes"):
            setattr(self, name, turnstile(getattr(town, name), town))
        self.baselines = turnstile(FakeBaselines(town.store), town)
        self.wakes = turnstile(town.queue, town)  # type: ignore[assignment]
        self.apps = WatchedHeroku(town)  # type: ignore[assignment]
        self.second_factor = Codes()

    @property
    def heartbeat(self) -> LifeHeartbeat:  # type: ignore[override]
        return LifeHeartbeat(locks=self.town.locks, clock=self.town.clock)

    def worker_named(self, name: str) -> Work:
        return replace(self.worker, holder=lambda: name)
