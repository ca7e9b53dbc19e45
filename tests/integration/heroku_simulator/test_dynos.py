"""Dynos: real processes that a release restarts, and a restart replayed for real."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
import requests

from local.heroku import SimulatorControls

from .platform_api import APP, PlatformApi

OBEDIENT = "import signal"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
READY_THEN_WAIT = "; print('ready', flush=True); signal.pause()"

Spawn = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def spawn() -> Iterator[Spawn]:
    """Start processes that have set up their signals; whatever is left at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(program: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", program + READY_THEN_WAIT]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def _signals(controls: SimulatorControls) -> list[tuple[int, str]]:
    return [(each["pid"], each["signal"]) for each in controls.truth(APP)["signals"]]


def test_a_config_change_terminates_a_registered_process(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    dyno = spawn(OBEDIENT)
    controls.register_dyno(APP, dyno.pid)

    api.patch({"FLAG_A": "true"})

    assert dyno.wait(5) == -signal.SIGTERM
    assert _signals(controls) == [(dyno.pid, "SIGTERM")]
    assert controls.dynos() == []


def test_a_process_that_ignores_sigterm_is_killed_when_its_grace_is_over(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    dyno = spawn(STUBBORN)
    controls.register_dyno(APP, dyno.pid)
    api.patch({"FLAG_A": "true"})

    controls.advance_clock(29)
    survived = dyno.poll() is None
    controls.advance_clock(1)

    assert survived
    assert dyno.wait(5) == -signal.SIGKILL
    assert _signals(controls) == [(dyno.pid, "SIGTERM"), (dyno.pid, "SIGKILL")]


def test_a_process_that_stops_in_time_is_not_killed(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    dyno = spawn(OBEDIENT)
    controls.register_dyno(APP, dyno.pid)
    api.patch({"FLAG_A": "true"})
    dyno.wait(5)

    controls.advance_clock(30)

    assert _signals(controls) == [(dyno.pid, "SIGTERM")]


def test_a_second_release_does_not_extend_the_grace(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    dyno = spawn(STUBBORN)
    controls.register_dyno(APP, dyno.pid)
    api.patch({"FLAG_A": "true"})
    controls.advance_clock(20)

    api.patch({"FLAG_A": "false"})
    controls.advance_clock(10)

    assert dyno.wait(5) == -signal.SIGKILL


def test_a_pending_release_restarts_nothing_until_it_succeeds(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    dyno = spawn(OBEDIENT)
    controls.register_dyno(APP, dyno.pid)
    controls.behave(APP, release_phase=True, phase_seconds=60)
    api.patch({"FLAG_A": "true"})
    while_pending = _signals(controls)

    controls.advance_clock(60)

    assert while_pending == []
    assert dyno.wait(5) == -signal.SIGTERM


def test_a_failed_release_and_another_app_restart_nothing(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    dyno = spawn(OBEDIENT)
    controls.register_dyno(APP, dyno.pid)
    controls.behave(APP, release_phase=True, phase_seconds=60, phase_result="failed")
    controls.create_app("another-app")

    api.patch({"FLAG_A": "true"})
    controls.advance_clock(60)
    controls.foreign_deploy("another-app")

    assert _signals(controls) == []
    assert dyno.poll() is None


@pytest.mark.parametrize("act", ["foreign_deploy", "foreign_rollback"])
def test_every_release_that_takes_effect_restarts(
    controls: SimulatorControls, spawn: Spawn, act: str
) -> None:
    dyno = spawn(OBEDIENT)
    controls.register_dyno(APP, dyno.pid)

    getattr(controls, act)(APP)

    assert dyno.wait(5) == -signal.SIGTERM
    (restart,) = controls.truth(APP)["restarts"]
    assert restart["pids"] == [dyno.pid]


def test_an_unregistered_process_is_left_alone(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    dyno = spawn(OBEDIENT)
    controls.register_dyno(APP, dyno.pid)
    controls.unregister_dyno(dyno.pid)

    api.patch({"FLAG_A": "true"})

    assert _signals(controls) == []
    assert dyno.poll() is None


def test_no_grace_means_killed_at_once(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    dyno = spawn(STUBBORN)
    controls.register_dyno(APP, dyno.pid, grace_seconds=0)

    api.patch({"FLAG_A": "true"})

    assert dyno.wait(5) == -signal.SIGKILL


@pytest.mark.parametrize("pid", [0, 1, os.getpid(), 99_999_999], ids=["0", "1", "own", "none"])
def test_a_pid_that_must_not_be_signalled_is_refused(controls: SimulatorControls, pid: int) -> None:
    with pytest.raises(requests.HTTPError, match="422"):
        controls.register_dyno(APP, pid)

    assert controls.dynos() == []


def test_a_process_is_one_dyno_only(controls: SimulatorControls, spawn: Spawn) -> None:
    dyno = spawn(OBEDIENT)
    controls.register_dyno(APP, dyno.pid)

    with pytest.raises(requests.HTTPError, match="409"):
        controls.register_dyno(APP, dyno.pid)

    assert [each["pid"] for each in controls.dynos()] == [dyno.pid]


def test_a_client_that_is_its_own_target_dies_before_it_reads_the_answer(
    api: PlatformApi, controls: SimulatorControls, spawn: Spawn
) -> None:
    """Replay the incident: the process that waits for Heroku's answer is the one restarted."""
    dyno = spawn(OBEDIENT)
    controls.register_dyno(APP, dyno.pid)
    controls.arm("hang_after_apply", method="PATCH", seconds=10)

    with pytest.raises(requests.ReadTimeout):
        api.patch({"FLAG_A": "true"}, timeout=0.1)

    assert dyno.wait(5) == -signal.SIGTERM
    assert api.config()["FLAG_A"] == "true"
