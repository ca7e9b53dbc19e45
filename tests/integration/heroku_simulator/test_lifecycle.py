"""Starting and stopping: in this process, as a process of its own, and again on the same state."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from local.heroku import Simulator, SimulatorControls
from local.heroku.tokens import DEFAULT_TOKEN

from .platform_api import ACCEPT, APP, PlatformApi

ROOT = Path(__file__).parents[3]


def _simulator_threads() -> Sequence[threading.Thread]:
    return [t for t in threading.enumerate() if t is not threading.main_thread() and t.is_alive()]


def test_closing_leaves_no_thread_and_no_connection_behind() -> None:
    before = set(_simulator_threads())
    simulator = Simulator(apps=[APP])
    idle = PlatformApi(simulator)
    idle.config()
    held = threading.Thread(target=_ignore_the_end, args=(idle,))
    simulator.controls.arm("hang", seconds=60, method="PATCH")
    held.start()

    while simulator.controls.request_count("PATCH", "config-vars") == 0:
        pass
    started = time.monotonic()
    simulator.close()
    simulator.close()
    held.join(5)
    idle.close()

    assert time.monotonic() - started < 2
    assert set(_simulator_threads()) <= before
    with pytest.raises(requests.ConnectionError):
        simulator.controls.clock()


def _ignore_the_end(api: PlatformApi) -> None:
    try:
        api.patch({"FLAG_A": "true"})
    except requests.ConnectionError:
        return


def test_it_listens_on_loopback_only(simulator: Simulator) -> None:
    port = urlsplit(simulator.url).port

    listening = psutil.Process().net_connections("tcp")

    assert {each.laddr.ip for each in listening if each.laddr.port == port} == {"127.0.0.1"}


def test_a_release_phase_ends_on_time_while_nobody_asks(tmp_path: Path) -> None:
    state = tmp_path / "heroku.json"
    with Simulator(apps=[APP], state=state) as simulator:
        simulator.controls.behave(APP, release_phase=True, phase_seconds=0.1)
        simulator.controls.foreign_deploy(APP)

        time.sleep(0.3)
        (app,) = json.loads(state.read_text())["apps"]

        assert app["releases"][-1]["status"] == "succeeded"


def test_a_second_start_finds_the_data_of_the_first(tmp_path: Path) -> None:
    state = tmp_path / "nested" / "heroku.json"
    with Simulator(apps=[APP], state=state) as first:
        first.controls.behave(APP, release_phase=True, phase_result="pending", failed_value="kept")
        api = PlatformApi(first)
        api.patch({"FLAG_A": "true"})
        api.close()
        first.controls.advance_clock(3600)
        app, truth = first.controls.app(APP), first.controls.truth()

    with Simulator(apps=[APP], state=state) as second:
        found = (second.controls.app(APP), second.controls.truth())
        offset = second.controls.clock()["offset_seconds"]

    assert found == (app, truth)
    assert offset == 3600


def test_an_accepted_patch_survives_a_death_without_goodbye(tmp_path: Path) -> None:
    state = tmp_path / "heroku.json"
    with _process(state) as (process, url):
        _patch(url, {"FLAG_A": "true"})
        process.kill()
        process.wait(5)

    with Simulator(state=state) as again:
        assert again.controls.app(APP)["live"]["FLAG_A"] == "true"


def test_the_state_file_is_for_its_owner_only_and_leaves_no_debris(tmp_path: Path) -> None:
    state = tmp_path / "heroku.json"

    with Simulator(apps=[APP], state=state):
        pass

    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [state]


def test_a_state_file_of_another_format_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "heroku.json"
    state.write_text('{"format": 0}')

    with pytest.raises(ValueError, match="remove it"):
        Simulator(state=state)


@contextmanager
def _process(state: Path, token: str = "") -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Run `python -m local.heroku` until the block ends."""
    command = [sys.executable, "-m", "local.heroku", "--port", "0", "--state", str(state)]
    command += ["--app", APP]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}  # noqa: TID251 - the child's
    if token:
        environment["HEROKU_SIMULATOR_TOKEN"] = token
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        line = re.fullmatch(
            r"heroku simulator on (http://127\.0\.0\.1:\d+)\n", process.stdout.readline()
        )
        assert line is not None
        try:
            yield process, line[1]
        finally:
            process.kill()


def _patch(url: str, changes: dict[str, str], token: str = DEFAULT_TOKEN) -> int:
    return requests.patch(
        f"{url}/apps/{APP}/config-vars",
        json=changes,
        headers={"Accept": ACCEPT, "Authorization": f"Bearer {token}"},
        timeout=5,
    ).status_code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_the_process_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with _process(tmp_path / "heroku.json") as (process, url):
        SimulatorControls(url).clock()

        process.send_signal(number)

        assert process.wait(5) == 0


def test_the_process_takes_its_token_from_the_environment(tmp_path: Path) -> None:
    chosen = "HRKU-from-environment"

    with _process(tmp_path / "heroku.json", chosen) as (_, url):
        with_it = _patch(url, {"FLAG_A": "true"}, chosen)
        without = _patch(url, {"FLAG_A": "true"})

    assert (with_it, without) == (200, 401)
