"""The command line as people and scripts run it: a process of its own, over the deployed routes."""

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chalicelib.domain.operator import Role
from tests.e2e.conftest import ANSWER_SECONDS, Person, Town, wait_for_step

#: As `make setup` installs it.
HOIST = Path(sys.executable).with_name("hoist")
#: For a run that watches a promotion to its end.
RUN_SECONDS = 120
WHY = "Seen by eye at Heroku, and decided."


def told(person: Person, *, code: str | None = None) -> dict[str, str]:
    """The environment of somebody's terminal, and nothing of the one that runs the tests."""
    return {
        "PATH": os.environ["PATH"],  # noqa: TID251 - of the process that runs the tests
        "HOIST_CONFIG": os.devnull,
        "HOIST_API": person.api,
        "HOIST_TOKEN": person.token,
        "TZ": "UTC",
    } | ({"HOIST_TOTP": code} if code else {})


def run(env: Mapping[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """Run `hoist`; what it prints never holds what it is told in secret."""
    done = subprocess.run(
        [HOIST, *words],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=RUN_SECONDS,
    )
    for secret in ("HOIST_TOKEN", "HOIST_TOTP"):
        assert env.get(secret, "\0") not in done.stdout + done.stderr
    return done


def hoist(person: Person, *words: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `hoist` as somebody."""
    return run(told(person, code=code), *words)


def document(done: subprocess.CompletedProcess[str]) -> Any:  # noqa: ANN401 - JSON
    """All of stdout, as one document."""
    return json.loads(done.stdout)


def test_from_mark_to_a_recomputed_audit(town: Town) -> None:
    app, person = town.app("cli-whole"), town.hire()

    marked = hoist(person, "mark", app, "dark_mode", "true", "--json")
    promotion_id = document(marked)["id"]
    promoted = hoist(person, "promote", promotion_id, code=person.code())
    verified = hoist(person, "audit", promotion_id, "--verify")

    assert [each.returncode for each in (marked, promoted, verified)] == [0, 0, 0]
    assert "deployed, effect live" in promoted.stdout
    assert "whole (recomputed on this machine): 5 entries" in verified.stderr
    assert [patch["changes"] for patch in town.patches(app)] == [{"FLAG_DARK_MODE": "true"}]


def test_a_code_is_typed_unseen(town: Town) -> None:
    app, person = town.app("cli-typed"), town.hire()
    marked = person.mark(app, "dark_mode")
    code = person.code()

    exit_code, seen, stdout = at_terminal(person, code, "promote", marked["id"], "--json")

    assert exit_code == 0
    assert "Promote dark_mode = true at cli-typed" in seen
    assert code not in seen + stdout
    assert json.loads(stdout)["state"] == "deployed"


def at_terminal(person: Person, typed: str, *words: str) -> tuple[int, str, str]:
    """Run `hoist` at a terminal, and type once it asks; what was seen there, and stdout."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [HOIST, *words],
        env=told(person),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        try:
            seen = read_until(ours, "not shown")
            # getpass throws away what is typed before it has switched the echo off.
            time.sleep(1)
            os.write(ours, f"{typed}\n".encode())
            seen += read_until(ours, "deployed")
            stdout, _ = process.communicate(timeout=RUN_SECONDS)
        finally:
            process.kill()
            os.close(ours)
    return process.returncode, seen, stdout


def read_until(terminal: int, words: str) -> str:
    """What the terminal shows up to these words."""
    seen, ends = "", time.monotonic() + RUN_SECONDS
    while words not in seen:
        ready, _, _ = select.select([terminal], [], [], max(0.0, ends - time.monotonic()))
        assert ready, f"{words!r} is not in {seen!r}"
        seen += os.read(terminal, 4096).decode()
    return seen


def test_a_long_release_is_3_until_it_ends_and_then_0(town: Town) -> None:
    app, person = town.app("cli-long"), town.hire()
    town.heroku.behave(app, release_phase=True, phase_result="pending")
    marked = person.mark(app, "dark_mode")

    still = hoist(person, "promote", marked["id"], "--wait", "0", "--json", code=person.code())
    release = wait_for_step(person, marked["id"], "released")["evidence"]["release"]
    town.heroku.finish_release(app, release, "succeeded")
    watched = hoist(person, "watch", marked["id"], "--json")

    assert (still.returncode, document(still)["state"]) == (3, "deploying")
    assert "This is not a failure" in still.stderr
    assert (watched.returncode, document(watched)["state"]) == (0, "deployed")


def test_a_release_that_fails_is_1_and_is_retried(town: Town) -> None:
    app, person = town.app("cli-fails"), town.hire()
    town.heroku.behave(
        app, release_phase=True, phase_result="failed", phase_seconds=0.1, failed_value="dropped"
    )
    marked = person.mark(app, "dark_mode")

    failed = hoist(person, "promote", marked["id"], "--json", code=person.code())
    town.heroku.behave(app, release_phase=False)
    retried = hoist(person, "retry", marked["id"], "--json", code=person.code())

    assert (failed.returncode, document(failed)["state"]) == (1, "failed")
    assert retried.returncode == 0
    assert document(retried)["retries"] == marked["id"]


def test_a_rollback_takes_the_flag_back(town: Town) -> None:
    app, person = town.app("cli-back"), town.hire()
    marked = person.mark(app, "dark_mode")
    assert person.promote(marked["id"]).status_code == 202
    assert person.settled(marked["id"])["state"] == "deployed"

    back = hoist(person, "rollback", marked["id"], "--json", code=person.code())

    assert back.returncode == 0
    assert town.patches(app)[-1]["changes"] == {"FLAG_DARK_MODE": None}


def test_what_is_stuck_is_resolved_by_hand(town: Town) -> None:
    app, person, superadmin = town.app("cli-stuck"), town.hire(), town.hire(Role.SUPERADMIN)
    town.heroku.behave(app, release_phase=True, phase_result="pending")
    marked = person.mark(app, "dark_mode")
    assert person.promote(marked["id"]).status_code == 202
    wait_for_step(person, marked["id"], "released")

    refused = hoist(superadmin, "complete", marked["id"], "--reason", WHY, code=superadmin.code())
    done = hoist(
        superadmin, "fail", marked["id"], "--reason", WHY, "--force", code=superadmin.code()
    )

    assert (refused.returncode, done.returncode) == (4, 0)
    assert "--force" in refused.stderr
    assert "failed" in done.stdout


def test_what_a_freeze_holds_is_3_at_once_and_goes_on_when_it_is_lifted(town: Town) -> None:
    app, person, superadmin = town.app("cli-frozen"), town.hire(), town.hire(Role.SUPERADMIN)
    marked = person.mark(app, "dark_mode")
    terms = ["--target", app, "--from", "2026-01-01T00:00:00Z", "--reason", WHY]

    set_it = hoist(superadmin, "freeze", "set", "cli-year-end", *terms)
    held = hoist(person, "promote", marked["id"], "--json", code=person.code())
    lifted = hoist(superadmin, "freeze", "lift", "cli-year-end", "--json")
    town.invoke("WatchFunction")
    watched = hoist(person, "watch", marked["id"])

    assert [each.returncode for each in (set_it, held, lifted, watched)] == [0, 3, 0, 0]
    assert document(held)["waiting_on"]["kind"] == "freeze"
    assert document(lifted) == {"id": "cli-year-end", "lifted": True}


def test_somebody_else_approves_and_a_catalogue_is_imported(town: Town, tmp_path: Path) -> None:
    app, person, other = town.app("cli-policy"), town.hire(), town.hire()
    file = tmp_path / "feature_flags.yaml"
    file.write_text("flags:\n  dark_mode: {default: false}\n")
    superadmin = town.person("superadmin")
    imported = hoist(superadmin, "catalogue", "import", "cli-flags", str(file))
    superadmin("PUT", f"/targets/{app}", json={"min_approvals": 1, "catalogue": "cli-flags"})
    unknown = hoist(person, "mark", app, "dark_mod", "true")
    promotion_id = person.mark(app, "dark_mode")["id"]

    too_soon = hoist(person, "promote", promotion_id, code=person.code())
    approved = hoist(other, "approve", promotion_id, code=other.code())

    assert imported.stdout == "cli-flags has 1 flags.\n"
    assert "Did you mean dark_mode?" in unknown.stderr
    assert (too_soon.returncode, approved.returncode) == (4, 0)
    assert f"hoist approve {promotion_id}" in too_soon.stderr


@pytest.fixture
def heeding_ctrl_c() -> Iterator[None]:
    """What a shell starts in the background ignores SIGINT, and so does all that it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_ctrl_c_ends_the_watch_alone(town: Town) -> None:
    app, person = town.app("cli-ctrl-c"), town.hire()
    marked = person.mark(app, "dark_mode")
    with subprocess.Popen(
        [HOIST, "watch", marked["id"]],
        env=told(person),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert "pending" in process.stderr.readline()

        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=ANSWER_SECONDS)

    assert process.returncode == 130
    assert "The promotion goes on by itself" in said
    assert person.read(marked["id"])["state"] == "pending"


@pytest.mark.parametrize("command", ["me", "list", "targets", "freezes"])
def test_a_viewer_looks(command: str, town: Town) -> None:
    for_people = hoist(town.person("viewer"), command)
    for_scripts = hoist(town.person("viewer"), command, "--json")

    assert (for_people.returncode, for_scripts.returncode) == (0, 0)
    assert for_people.stdout.strip()
    assert isinstance(document(for_scripts), dict)


def test_where_nothing_answers_it_is_5(town: Town) -> None:
    env = {**told(town.person("viewer")), "HOIST_API": "http://127.0.0.1:9"}

    done = run(env, "me")

    assert done.returncode == 5
    assert "cannot be reached" in done.stderr


@pytest.mark.parametrize(("mode", "exit_code"), [(0o600, 0), (0o644, 2)])
def test_a_token_of_a_file_is_used_if_nobody_else_can_read_it(
    mode: int, exit_code: int, town: Town, tmp_path: Path
) -> None:
    viewer = town.person("viewer")
    file = tmp_path / "config.toml"
    file.write_text(f'api = "{viewer.api}"\ntoken = "{viewer.token}"\n')
    file.chmod(mode)

    done = run({"HOIST_CONFIG": str(file)}, "me")

    assert done.returncode == exit_code
    assert viewer.token not in done.stdout + done.stderr


def test_the_shell_completes_promotions(town: Town) -> None:
    app, person = town.app("cli-tab"), town.hire()
    marked = person.mark(app, "dark_mode")
    asked = {
        "_HOIST_COMPLETE": "zsh_complete",
        "COMP_WORDS": "hoist promote prm_",
        "COMP_CWORD": "2",
    }

    done = run(told(person) | asked)

    assert marked["id"] in done.stdout
    assert "dark_mode at cli-tab, pending" in done.stdout
    assert done.stderr == ""


def test_the_version_is_that_of_the_project() -> None:
    done = run({}, "--version")

    assert done.stdout.startswith("hoist, version ")
