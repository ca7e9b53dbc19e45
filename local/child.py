"""One process of the local stack: started, watched, stopped, with its log."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests

HOST = "127.0.0.1"
START_TIMEOUT_SECONDS = 30
PROBE_TIMEOUT_SECONDS = 5
#: Long enough for MiniStack to write its state.
STOP_TIMEOUT_SECONDS = 30
LOG_TAIL_LINES = 15

NEEDED_BY_ALL = ("PATH", "HOME", "LANG")


class LocalStackError(Exception):
    """The local stack cannot run. The message says why, and what to do."""


def require_free(port: int) -> None:
    """Raise LocalStackError where something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            message = (
                f"Port {port} is in use{_listener(port)}. Stop what uses it, or choose others: "
                f"HOIST_PORT={port + 100} HOIST_STATE=.hoist/{port + 100} make run"
            )
            raise LocalStackError(message) from error


def _listener(port: int) -> str:
    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            if (
                connection.laddr
                and connection.laddr.port == port
                and connection.status == psutil.CONN_LISTEN
            ):
                return f" by process {connection.pid}" if connection.pid else ""
    return ""


@dataclass(frozen=True, kw_only=True)
class Child:
    """A running child process. It has a session of its own, so Ctrl-C reaches only its parent."""

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path

    @classmethod
    def start(
        cls,
        name: str,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        log: Path,
    ) -> "Child":
        """Start the process in `directory`, its output appended to `log`."""
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603 - the stack's own programs
                command,
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return cls(name=name, process=process, log=log)

    def require_alive(self) -> None:
        """Raise LocalStackError, with the end of the log, where the process has ended."""
        if (status := self.process.poll()) is not None:
            tail = self.log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
            message = f"{self.name} ended by itself (status {status}). Its log, {self.log}, ends:"
            raise LocalStackError("\n".join((message, *tail)))

    def wait_until_answering(self, url: str) -> None:
        """Return once `url` answers, whatever it is; raise LocalStackError if it never does."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            self.require_alive()
            try:
                requests.get(url, timeout=PROBE_TIMEOUT_SECONDS)
            except requests.RequestException:
                time.sleep(0.05)
            else:
                return
        message = (
            f"{self.name} does not answer at {url} after {START_TIMEOUT_SECONDS} s. See {self.log}."
        )
        raise LocalStackError(message)

    def descendants(self) -> list[psutil.Process]:
        """Return the processes it started, and theirs."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def stop(self) -> None:
        """Ask it to end (SIGTERM), wait, insist; then end what it left behind. Is idempotent."""
        orphans = self.descendants()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(STOP_TIMEOUT_SECONDS)
        for orphan in orphans:
            with suppress(psutil.NoSuchProcess):
                orphan.send_signal(signal.SIGKILL)


def clean_environment(**variables: str) -> dict[str, str]:
    """Return `variables` and what any process needs: no AWS profile or proxy of the user's."""
    surroundings = os.environ  # noqa: TID251 - a program's, not Hoist's settings
    inherited = {name: surroundings[name] for name in NEEDED_BY_ALL if name in surroundings}
    return {**inherited, **variables}
