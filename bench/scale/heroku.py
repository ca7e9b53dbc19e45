"""Heroku, as much of it as `Apps` needs: releases, release phases, and one account's rate limit."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from bench.scale.tally import Tally
from bench.scale.virtual import Hub
from bench.scale.weather import Storm, Weather
from chalicelib.domain.errors import Ambiguous, TryAgain
from chalicelib.domain.release import AppConfig, Release, ReleaseStatus
from chalicelib.ports import Usage
from tests.fakes import START

#: A bucket that refills evenly; what is refused with 429 takes nothing out of it.
BUCKET = 4500
REFILL_A_SECOND = BUCKET / 3600
#: What others with the same account leave in a storm.
_LEFT_IN_STORM = 0.05
#: Seconds: median and spread (log-normal) of an answer.
_READ, _PATCH, _SPREAD = 0.15, 0.4, 0.4
_HANGS, _READ_TIMEOUT, _PATCH_TIMEOUT = 0.0005, 8.0, 15.0
#: Newest releases that are kept, besides all from the oldest pending one on.
_KEPT = 8
#: What an app's other config vars take.
_OTHER_BYTES = 2000


@dataclass(kw_only=True)
class App:
    """One app. A release phase lasts `phase` seconds (median); 0 is none."""

    phase: float
    config: dict[str, str] = field(default_factory=dict)
    releases: list[Release] = field(default_factory=list)
    carried: dict[int, dict[str, str]] = field(default_factory=dict)
    #: When somebody else last changed a flag.
    touched: float = -1e9
    #: When anything last changed: what `drift` would see changes then only.
    changed: float = 0.0

    @property
    def current(self) -> Release | None:
        """The release that runs."""
        return next((r for r in reversed(self.releases) if r.current), None)


@dataclass(kw_only=True)
class Account:
    """One Heroku account's calls: a bucket of 4,500, refilled at 75 a minute."""

    hub: Hub
    weather: Weather
    limited: bool = True
    tokens: float = BUCKET
    _since: float = 0.0

    def take(self, calls: float = 1.0) -> bool:
        """Use calls up, or none; `False` is 429."""
        self._refill()
        if not self.limited:
            return True
        if self.tokens < calls:
            return False
        self.tokens -= calls
        return True

    @property
    def left(self) -> float:
        """What `GET /account/rate-limits` says, which is free."""
        self._refill()
        return self.tokens

    def _refill(self) -> None:
        now = self.hub.now
        gained = (now - self._since) * REFILL_A_SECOND
        if self.weather.during(Storm.HEROKU_429, now):
            # Others take all of the bucket, and nearly all that comes.
            self.tokens, gained = min(self.tokens, 1.0), gained * _LEFT_IN_STORM
        self.tokens = min(BUCKET, self.tokens + gained)
        self._since = now


@dataclass(kw_only=True)
class Heroku:
    """All apps of one account, and the truth about them."""

    hub: Hub
    weather: Weather
    chance: random.Random
    account: Account
    tally: Tally
    #: Odds of a release phase that fails, and of one that never ends by itself.
    fails: float = 0.02
    hangs: float = 0.0003
    apps: dict[str, App] = field(default_factory=dict)

    def release(self, app: App, description: str) -> int:
        """Make a release of what is stored, under the app's release phase."""
        version = app.releases[-1].version + 1 if app.releases else 1
        immediate = not app.phase or version == 1
        app.releases.append(
            Release(
                id=f"{version:08d}-release",
                version=version,
                status=ReleaseStatus.PENDING,
                current=False,
                description=description,
                created_at=START + timedelta(seconds=self.hub.now),
            )
        )
        app.carried[version] = dict(app.config)
        app.changed = self.hub.now
        if immediate:
            self.end(app, version, ReleaseStatus.SUCCEEDED)
        elif self.chance.random() >= self.hangs:
            self._end_later(app, version)
        else:
            self.tally.counts["releases for ever"] += 1
        self._forget(app)
        return version

    def _end_later(self, app: App, version: int) -> None:
        failed = self.chance.random() < self.fails
        ends = ReleaseStatus.FAILED if failed else ReleaseStatus.SUCCEEDED
        lasts = min(app.phase * self.chance.lognormvariate(0, 0.8), 3600.0)
        self.hub.at(self.hub.now + lasts, lambda: self.end(app, version, ends))

    def end(self, app: App, version: int, status: ReleaseStatus) -> None:
        """End a release phase, unless it has ended."""
        index = next((i for i, r in enumerate(app.releases) if r.version == version), None)
        if index is None:
            return
        ended = app.releases[index]
        if ended.status is not ReleaseStatus.PENDING:
            return
        app.changed = self.hub.now
        succeeded = status is ReleaseStatus.SUCCEEDED
        app.releases[index] = replace(ended, status=status, current=succeeded)
        if succeeded:
            for i, other in enumerate(app.releases):
                if other.current and i != index:
                    app.releases[i] = replace(other, current=False)

    def _forget(self, app: App) -> None:
        pending = (i for i, r in enumerate(app.releases) if r.status is ReleaseStatus.PENDING)
        first = min(next(pending, len(app.releases)), len(app.releases) - _KEPT)
        for release in app.releases[: max(0, first)]:
            if not release.current:
                app.releases.remove(release)
                del app.carried[release.version]

    def foreign(self, name: str) -> None:
        """Somebody else deploys, sets a flag by hand, or rolls back."""
        app, what = self.apps[name], self.chance.random()
        if what < 0.1 and app.config:  # noqa: PLR2004 - one in ten changes a flag
            flag = self.chance.choice(sorted(app.config))
            app.config[flag] = "by-hand"
            app.touched = self.hub.now
        elif what < 0.15 and app.releases:  # noqa: PLR2004 - one in twenty is a rollback
            app.config = dict(app.carried[app.releases[0].version])
            app.touched = self.hub.now
        self.tally.counts["foreign releases"] += 1
        self.release(app, "Deploy")

    def patch(self, name: str, changes: Mapping[str, str | None]) -> None:
        """Do what a PATCH does: a value that is there already makes no release."""
        app = self.apps[name]
        before = dict(app.config)
        for var, value in changes.items():
            if value is None:
                app.config.pop(var, None)
            else:
                app.config[var] = value
        if app.config == before:
            self.tally.counts["PATCHes of what was there"] += 1
            return
        self.tally.counts["releases by Hoist"] += 1
        self.release(app, f"Set {', '.join(changes)} config vars")


@dataclass(kw_only=True)
class VirtualApps:
    """`Apps` of one process: Heroku with its latencies, its hangs and its refusals."""

    heroku: Heroku
    left: int | None = None
    calls: int = 0

    def config(self, app: str) -> AppConfig:
        self._call(_READ)
        flags = dict(self.heroku.apps[app].config)
        return AppConfig(flags=flags, size_bytes=_OTHER_BYTES + 60 * len(flags))

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:  # noqa: ARG002 - all that is kept
        self._call(_READ)
        return tuple(reversed(self.heroku.apps[app].releases))

    def release_config_vars(self, app: str, version: int) -> Mapping[str, str] | None:
        self._call(_READ)
        return self.heroku.apps[app].carried.get(version)

    def set_config_vars(self, app: str, changes: Mapping[str, str | None]) -> None:
        heroku = self.heroku
        self._call(_PATCH)
        lost = heroku.chance.random() < _HANGS
        if not lost or heroku.chance.random() < 0.5:  # noqa: PLR2004 - done or not, half and half
            heroku.patch(app, changes)
        if lost:
            heroku.hub.wait(_PATCH_TIMEOUT)
            detail = "Heroku's answer to the PATCH was lost."
            raise Ambiguous(detail)

    def read_again(self, calls: int) -> None:
        """So many reads in a row whose answers are known, for their time and their cost alone."""
        self._call(_READ, calls)

    def _call(self, median: float, calls: int = 1) -> None:
        """One request, or some in a row: their time, and what refuses them."""
        heroku = self.heroku
        self.calls += calls
        heroku.hub.wait(calls * median * heroku.chance.lognormvariate(0, _SPREAD))
        now = heroku.hub.now
        if not heroku.account.take(calls):
            heroku.tally.call(now, limited=True)
            self.left = 0
            detail = "Heroku answered 429 rate_limit: the account's rate limit is used up."
            raise TryAgain(detail, after=timedelta(seconds=30))
        heroku.tally.call(now, limited=False, calls=calls)
        self.left = int(heroku.account.tokens)
        if heroku.weather.during(Storm.HEROKU_503, now):
            self.left = None
            detail = "Heroku answered 503. Hoist asks again by itself."
            raise TryAgain(detail)
        if heroku.chance.random() < _HANGS:
            heroku.hub.wait(_READ_TIMEOUT)
            detail = "Heroku did not answer (ReadTimeout)."
            raise TryAgain(detail)

    def calls_left(self) -> int | None:
        return self.left

    def scopes(self) -> frozenset[str] | None:
        return frozenset({"write-protected"})

    def require_writing(self) -> None:
        """Its token may."""

    def take_usage(self) -> Usage:
        used, self.calls = Usage(calls=self.calls, left=self.left), 0
        return used
