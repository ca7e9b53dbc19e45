"""An app: its releases, and the config that follows from them. No I/O; time and users come in.

The list of releases is the only state. What Heroku holds and what it shows are computed from it,
so the two cannot drift apart:

- *current*: the newest release that succeeded. It is what the dynos run.
- *stored*: what Heroku holds. The current config, then the changes of every later release that is
  pending, or failed with its values kept. The next release starts from it.
- *visible*: what `GET config-vars` answers. Stored, but without pending changes unless the app
  shows them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import uuid4

from local.heroku.errors import invalid, release_not_found
from local.heroku.releases import (
    Behaviour,
    Changes,
    Config,
    FailedValue,
    PendingShows,
    PhaseResult,
    Release,
    Status,
    describe,
    difference,
    merged,
)

#: https://devcenter.heroku.com/articles/config-vars#config-var-policies
MAX_CONFIG_BYTES = 64 * 1024


@dataclass(kw_only=True)
class App:
    """One app. Not thread-safe: its owner holds a lock around every call."""

    id: str
    name: str
    created_at: datetime
    releases: list[Release] = field(default_factory=list)
    behaviour: Behaviour = field(default_factory=Behaviour)

    @classmethod
    def create(cls, name: str, *, config: Config, user: str, now: datetime) -> "App":
        """Give a new app the history of a real one: created, configured, and deployed once."""
        app = cls(id=str(uuid4()), name=name, created_at=now)
        app._release("Initial release", {}, slug=None, user=user, now=now)
        if config:
            app.patch(config, user=user, now=now)
        app.deploy("0a1b2c3", user=user, now=now)
        return app

    @property
    def current(self) -> Release:
        """The newest release that succeeded."""
        return next(r for r in reversed(self.releases) if r.status is Status.SUCCEEDED)

    @property
    def pending(self) -> Sequence[Release]:
        """Releases whose phase has not ended, oldest first; there may be several."""
        return [r for r in self.releases if r.status is Status.PENDING]

    @property
    def stored(self) -> Config:
        """What Heroku holds."""
        return self._config_with(pending=True)

    @property
    def visible(self) -> Config:
        """What `GET config-vars` shows."""
        return self._config_with(pending=self.behaviour.pending_shows is PendingShows.NEW)

    def release(self, identity: str) -> Release:
        """Find a release by uuid or by version."""
        for release in self.releases:
            if identity in (release.id, str(release.version)):
                return release
        raise release_not_found()

    def patch(self, changes: Changes, *, user: str, now: datetime) -> Release | None:
        """Merge `changes` per key into one release; None where nothing changes and none is made.

        Whether Heroku makes a release for a value it already holds is unknown: the app's
        `same_value_releases` decides.
        """
        before = self.stored
        after = merged(before, changes)
        if _size(after) > MAX_CONFIG_BYTES:
            message = "Config vars may not take up more than 64 kB."
            raise invalid(message)
        named = difference(before, after)
        if not named and self.behaviour.same_value_releases:
            named = changes
        if not named:
            return None
        return self._release(describe(named), after, slug=self._slug, user=user, now=now)

    def deploy(self, commit: str, *, user: str, now: datetime) -> Release:
        """Release new code on the stored config."""
        return self._release(f"Deploy {commit}", self.stored, slug=str(uuid4()), user=user, now=now)

    def release_slug(self, slug: str, description: str, *, user: str, now: datetime) -> Release:
        """Release an existing slug on the stored config; `heroku releases:retry` works this way."""
        return self._release(description, self.stored, slug=slug, user=user, now=now)

    def retry(self, version: int, *, user: str, now: datetime) -> Release:
        """Run the release phase again under a new version."""
        old = self.release(str(version))
        description = f"Retry of v{old.version}: {old.description}"
        return self._release(description, self.stored, slug=old.slug, user=user, now=now)

    def roll_back(self, release_id: str, *, user: str, now: datetime) -> Release:
        """Copy code *and config vars* of an earlier release into a new one."""
        target = next((r for r in self.releases if r.id == release_id), None)
        if target is None:
            raise release_not_found()
        if not self.is_eligible_for_rollback(target):
            message = f"Cannot roll back to v{target.version}: it is {target.status}."
            raise invalid(message)
        return self._release(
            f"Rollback to v{target.version}", target.config, slug=target.slug, user=user, now=now
        )

    def is_eligible_for_rollback(self, release: Release) -> bool:
        """Only a release that ran and whose artifacts still exist."""
        return release.status is Status.SUCCEEDED

    def finish(self, version: int, status: Status, *, now: datetime) -> None:
        """End a pending release's phase. Another status cannot be finished: 422."""
        release = self.release(str(version))
        if release.status is not Status.PENDING:
            message = f"v{version} is {release.status}, not pending."
            raise invalid(message)
        kept = status is Status.FAILED and self.behaviour.failed_value is FailedValue.KEPT
        self._replace(release, status=status, value_kept=kept, settles_at=None, updated_at=now)

    def expire(self, versions: Sequence[int], *, now: datetime) -> None:
        """Destroy the artifacts of old releases; the current one and later ones are not old."""
        old = [self.release(str(version)) for version in versions]
        if any(r.version >= self.current.version or r.status is Status.PENDING for r in old):
            message = "Only settled releases older than the current one can expire."
            raise invalid(message)
        for release in old:
            self._replace(release, status=Status.EXPIRED, updated_at=now)

    def due(self, now: datetime) -> Sequence[Release]:
        """Pending releases whose phase is over, in the order it ended."""
        over = [r for r in self.pending if r.settles_at is not None and r.settles_at <= now]
        return sorted(over, key=lambda r: (r.settles_at, r.version))

    @property
    def _slug(self) -> str | None:
        # A release that failed was not deployed: its code is not what the next change carries.
        return next(r.slug for r in reversed(self.releases) if r.status is not Status.FAILED)

    def _config_with(self, *, pending: bool) -> Config:
        current = self.current
        config = dict(current.config)
        for later in self.releases[current.version :]:
            counts = later.value_kept or (pending and later.status is Status.PENDING)
            config = merged(config, later.changes) if counts else config
        return config

    def _release(
        self, description: str, config: Config, *, slug: str | None, user: str, now: datetime
    ) -> Release:
        mode = self.behaviour
        ends = mode.release_phase and mode.phase_result is not PhaseResult.PENDING
        release = Release(
            id=str(uuid4()),
            version=len(self.releases) + 1,
            status=Status.PENDING if mode.release_phase else Status.SUCCEEDED,
            description=description,
            user=user,
            slug=slug,
            created_at=now,
            updated_at=now,
            config=dict(config),
            changes=difference(self.stored if self.releases else {}, config),
            settles_at=now + timedelta(seconds=mode.phase_seconds) if ends else None,
            settles_as=Status(mode.phase_result) if ends else Status.SUCCEEDED,
            had_phase=mode.release_phase,
        )
        self.releases.append(release)
        return release

    def _replace(self, release: Release, **changes: object) -> None:
        # Versions are gapless and start at 1, so a version is also a position.
        self.releases[release.version - 1] = replace(release, **changes)  # type: ignore[arg-type]


def _size(config: Config) -> int:
    # JSON can spell half of a surrogate pair, which plain UTF-8 cannot.
    return sum(len((k + v).encode("utf-8", "surrogatepass")) for k, v in config.items())
