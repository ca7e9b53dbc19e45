"""Registered processes that are restarted like dynos: SIGTERM, a grace period, SIGKILL.

Source: https://devcenter.heroku.com/articles/dyno-shutdown-behavior
Heroku starts new dynos at once; here, whoever registered a process starts and registers the next.
"""

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psutil

from local.heroku.errors import ApiError, invalid

GRACE_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A signal that was sent."""

    app: str
    pid: int
    name: str


@dataclass(kw_only=True)
class Dyno:
    """A registered process. `kill_at` is set once it has been asked to stop."""

    app: str
    process: psutil.Process
    grace: timedelta
    kill_at: datetime | None = None


class Dynos:
    """Signals registered processes, and nothing else.

    psutil compares a process's start time before it signals, so a pid that the system has given
    to another program in the meantime is safe.
    """

    def __init__(self) -> None:
        self._by_pid: dict[int, Dyno] = {}

    def register(self, app: str, pid: int, *, grace: timedelta) -> None:
        """Let releases of `app` restart this process. 422 for one that must not be signalled."""
        if pid <= 1 or pid == os.getpid():
            message = f"pid {pid} is not a dyno."
            raise invalid(message)
        self._forget_exited()
        if pid in self._by_pid:
            raise ApiError(409, f"pid {pid} is registered already.")
        try:
            process = psutil.Process(pid)
            process.send_signal(0)  # sends nothing, but asks for permission: kill(2)
        except psutil.Error as error:
            message = f"pid {pid} cannot be signalled."
            raise invalid(message) from error
        self._by_pid[pid] = Dyno(app=app, process=process, grace=grace)

    def unregister(self, pid: int) -> None:
        """Leave this process alone from now on. Is idempotent."""
        self._by_pid.pop(pid, None)

    def registered(self) -> Sequence[Dyno]:
        """List the dynos that still run."""
        self._forget_exited()
        return list(self._by_pid.values())

    def restart(self, app: str, *, now: datetime) -> Sequence[Signal]:
        """Ask every dyno of `app` to stop. One that is stopping already keeps its deadline."""
        sent: list[Signal] = []
        for dyno in self.registered():
            if dyno.app == app and dyno.kill_at is None:
                dyno.kill_at = now + dyno.grace
                sent += _send(dyno, signal.SIGTERM)
        return sent

    def kill_overdue(self, *, now: datetime) -> Sequence[Signal]:
        """Kill every dyno that outlived its grace period."""
        sent: list[Signal] = []
        for dyno in self.registered():
            if dyno.kill_at is not None and dyno.kill_at <= now:
                sent += _send(dyno, signal.SIGKILL)
                self.unregister(dyno.process.pid)
        return sent

    def next_deadline(self) -> datetime | None:
        """When the next grace period ends."""
        deadlines = [d.kill_at for d in self._by_pid.values() if d.kill_at is not None]
        return min(deadlines, default=None)

    def _forget_exited(self) -> None:
        for pid in [pid for pid, dyno in self._by_pid.items() if not _is_alive(dyno.process)]:
            self.unregister(pid)


def _is_alive(process: psutil.Process) -> bool:
    """Tell a running process from an exited one that its parent has not reaped yet."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _send(dyno: Dyno, number: signal.Signals) -> Sequence[Signal]:
    try:
        dyno.process.send_signal(number)
    except psutil.NoSuchProcess:
        return []
    return [Signal(app=dyno.app, pid=dyno.process.pid, name=number.name)]
