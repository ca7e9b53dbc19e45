"""Everything the simulator knows, behind one lock; and what follows when time passes.

A change of an app goes through `changing`, which is where a release that took effect restarts
the dynos and where the state is saved: neither can be forgotten by a caller.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from local.heroku.apps import App
from local.heroku.clock import Clock
from local.heroku.dynos import Dynos, Signal
from local.heroku.errors import ApiError, app_not_found
from local.heroku.faults import Faults
from local.heroku.foreign import ForeignAction, ForeignVerb
from local.heroku.ratelimit import Bucket
from local.heroku.releases import Changes, Config, Release
from local.heroku.tokens import Tokens
from local.heroku.truth import AcceptedPatch, Restart, SentSignal, Truth

#: The simulator's one account: every token is its own.
ACCOUNT = "operator@example.com"


def fake_secrets(app: str) -> Config:
    """Make up what every new app holds besides its flags, for leak tests to find."""
    return {
        "DATABASE_URL": f"postgres://fake-user:fake-secret-database-{app}@db.invalid:5432/{app}",
        "SECRET_KEY_BASE": f"fake-secret-key-base-{app}",
        "STRIPE_API_KEY": f"fake-secret-stripe-{app}",
    }


class World:
    """Thread-safe: hold `lock` (re-entrant) for anything longer than one call.

    `save` is called, under the lock, after every change that must survive a restart.
    """

    def __init__(self, *, clock: Clock, token: str) -> None:
        self.lock = threading.RLock()
        self.clock = clock
        self.started_at = clock.now()
        self.save: Callable[[], None] = lambda: None
        #: Called when deadlines may have moved, so that whoever waits for them looks again.
        self.wake: Callable[[], None] = lambda: None
        self._token = token
        self._clear()

    def _clear(self) -> None:
        self.apps: dict[str, App] = {}
        self.truth = Truth()
        self.faults = Faults()
        self.dynos = Dynos()
        self.bucket = Bucket(self.clock.now)
        self.tokens = Tokens(self._token)

    def reset(self) -> None:
        """Forget everything but the time: a clock that went backwards would be no clock."""
        with self.lock:
            self._clear()
            self.save()

    def create_app(self, name: str, config: Config) -> App:
        """Make a new app, or replace one of the same name by a new one."""
        with self.lock:
            secrets_and_config = fake_secrets(name) | config
            app = App.create(name, config=secrets_and_config, user=ACCOUNT, now=self.clock.now())
            self.apps[name] = app
            self.save()
            return app

    def delete_app(self, name: str) -> None:
        """Remove an app."""
        with self.lock:
            del self.apps[self.app(name).name]
            self.save()

    def app(self, identity: str) -> App:
        """Find an app by name or uuid, as of now: phases that are over have ended."""
        with self.lock:
            self.catch_up()
            for app in self.apps.values():
                if identity in (app.name, app.id):
                    return app
        raise app_not_found()

    def patch(self, app: App, changes: Changes, *, user: str, request_id: str) -> Release | None:
        """Apply one accepted config PATCH and record it."""
        with self.changing(app) as now:
            release = app.patch(changes, user=user, now=now)
            patch = AcceptedPatch(
                at=now,
                app=app.name,
                user=user,
                request_id=request_id,
                changes=changes,
                release=release.version if release else None,
            )
            self.truth.patches.append(patch)
        return release

    def act(self, identity: str, action: ForeignAction) -> Release | None:
        """Let somebody else change an app."""
        app = self.app(identity)
        match action.verb:
            case ForeignVerb.PATCH:
                return self.patch(app, action.changes, user=action.user, request_id="")
            case ForeignVerb.DEPLOY:
                with self.changing(app) as now:
                    return app.deploy(action.commit, user=action.user, now=now)
            case ForeignVerb.ROLLBACK:
                with self.changing(app) as now:
                    target = action.rollback_target(app)
                    return app.roll_back(target, user=action.user, now=now)

    @contextmanager
    def changing(self, app: App) -> Iterator[datetime]:
        """Hold the lock, give the time, then restart what must restart and save."""
        with self.lock:
            now = self.clock.now()
            before = app.current.version
            yield now
            if app.current.version != before:
                self._restart(app, now=now)
            self.save()
            self.wake()

    def _restart(self, app: App, *, now: datetime) -> None:
        signals = self.dynos.restart(app.name, now=now)
        pids = [signal.pid for signal in signals]
        restart = Restart(at=now, app=app.name, release=app.current.version, pids=pids)
        self.truth.restarts.append(restart)
        self._record_signals(signals, now=now)

    def _record_signals(self, signals: Sequence[Signal], *, now: datetime) -> None:
        self.truth.signals += [
            SentSignal(at=now, app=signal.app, pid=signal.pid, signal=signal.name)
            for signal in signals
        ]

    def advance(self, by: timedelta) -> None:
        """Move the time forward and let happen what is due by then."""
        with self.lock:
            self.clock.advance(by)
            self.catch_up()
            self.save()
            self.wake()

    def catch_up(self) -> None:
        """End the phases that are over and kill the dynos whose grace is. Is idempotent."""
        with self.lock:
            now = self.clock.now()
            for app in self.apps.values():
                for release in app.due(now):
                    with self.changing(app):
                        app.finish(release.version, release.settles_as, now=now)
            killed = self.dynos.kill_overdue(now=now)
            if killed:
                self._record_signals(killed, now=now)
                self.save()

    def next_deadline(self) -> datetime | None:
        """When `catch_up` will have something to do."""
        with self.lock:
            ends = [r.settles_at for app in self.apps.values() for r in app.pending]
            ends.append(self.dynos.next_deadline())
            return min((end for end in ends if end is not None), default=None)

    def app_name(self, identity: str | None) -> str | None:
        """Translate an app's uuid to its name; an unknown identity stays as it is."""
        if identity is None:
            return None
        try:
            return self.app(identity).name
        except ApiError:
            return identity
