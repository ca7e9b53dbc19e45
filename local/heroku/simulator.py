"""The simulator, started and stopped: the one place where its parts are put together."""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from local.heroku import control_routes
from local.heroku.client import SimulatorControls
from local.heroku.clock import Clock
from local.heroku.exchange import Exchange, Outcome
from local.heroku.server import Server
from local.heroku.state import StateFile
from local.heroku.tokens import DEFAULT_TOKEN
from local.heroku.wire import Request
from local.heroku.world import World


class Simulator:
    """A Heroku Platform API on a loopback port, from construction until `close`.

    As a context manager it closes itself. `close` leaves no thread and no open connection, and
    saves the state one last time.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        apps: Sequence[str] = (),
        token: str = DEFAULT_TOKEN,
        state: Path | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.token = token
        self._stopping = threading.Event()
        self._world = World(clock=clock or Clock(), token=token)
        if state is not None:
            file = StateFile(state)
            file.load(self._world)
            self._world.save = lambda: file.save(self._world)
        for name in apps:
            if name not in self._world.apps:
                self._world.create_app(name, {})
        self._exchange = Exchange(self._world, self._stopping)
        self._deadlines = _Deadlines(self._world)
        self._server = Server(port, self._answer)
        self._deadlines.start()

    @property
    def url(self) -> str:
        """The base URL for clients under test."""
        return self._server.url

    @property
    def controls(self) -> SimulatorControls:
        """A client of this simulator's controls."""
        return SimulatorControls(self.url)

    def close(self) -> None:
        """Stop answering, release every held answer, save. Is idempotent."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._server.close()
        self._deadlines.stop()
        with self._world.lock:
            self._world.save()

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()

    def _answer(self, request: Request) -> Outcome:
        if request.path.startswith(f"{control_routes.PREFIX}/"):
            return Outcome(response=control_routes.answer(self._world, request))
        return self._exchange.run(request)


class _Deadlines(threading.Thread):
    """Lets release phases and grace periods end on time even while nobody asks."""

    def __init__(self, world: World) -> None:
        super().__init__(name="heroku-simulator-deadlines", daemon=True)
        self._world = world
        self._moved = threading.Event()
        self._is_stopping = False
        world.wake = self._moved.set

    def run(self) -> None:
        """Sleep until the next deadline, or until one moves."""
        while not self._is_stopping:
            self._moved.clear()
            self._world.catch_up()
            deadline = self._world.next_deadline()
            if deadline is None:
                self._moved.wait()
            else:
                self._moved.wait((deadline - self._world.clock.now()).total_seconds())

    def stop(self) -> None:
        """Return when the thread has ended."""
        self._is_stopping = True
        self._moved.set()
        self.join()
