"""Watching a promotion: what it says meanwhile, when it ends, and with which code."""

from datetime import timedelta

import pytest

from chalicelib.domain.promotion import State
from tests.factories import TARGET
from tests.unit.cli.conftest import Lost, Said, Terminal

THROTTLED = Said(
    429,
    '{"title": "Too many requests just now.", "detail": "x", "code": "throttled", '
    '"retryable": true, "safe_now": "wait"}',
    {"Content-Type": "application/problem+json"},
)


@pytest.fixture
def working(terminal: Terminal) -> Terminal:
    """With a worker that looks whenever time passes, and a code for the next request."""
    terminal.env["HOIST_TOTP"] = terminal.api.world.code
    terminal.meanwhile = terminal.api.world.work
    return terminal


def test_a_promotion_that_goes_live_ends_with_0(working: Terminal) -> None:
    marked = working.api.world.mark()

    ended = working("promote", marked.id)

    assert ended.exit_code == 0
    assert working.api.world.now(marked).state is State.DEPLOYED
    assert f"Accepted: console_heroku_log_drain_alerting = true at {TARGET}" in ended.stderr
    assert "deploying (queued)" in ended.stderr
    assert "deployed, effect live" in ended.stdout


def test_a_promotion_that_fails_ends_with_1_and_its_reason(working: Terminal) -> None:
    marked = working.api.world.mark()
    working.api.world.apps.unacceptable = frozenset({marked.config_var})

    ended = working("promote", marked.id)

    assert ended.exit_code == 1
    assert "failed" in ended.stdout
    assert "reason" in ended.stdout


def test_one_that_still_runs_when_the_wait_ends_is_3_and_no_failure(working: Terminal) -> None:
    marked = working.api.world.mark()
    working.api.world.apps.phase = None

    ended = working("promote", marked.id, "--wait", "60")

    assert ended.exit_code == 3
    assert "Still running after 1 min 0 s" in ended.stderr
    assert "This is not a failure" in ended.stderr
    assert f"hoist watch {marked.id}" in ended.stderr


def test_without_wait_it_looks_once(working: Terminal) -> None:
    marked = working.api.world.mark()

    ended = working("promote", marked.id, "--wait", "0")

    assert ended.exit_code == 3
    assert working.slept == []


def test_it_watches_for_five_minutes_unless_told_otherwise(working: Terminal) -> None:
    marked = working.api.world.mark()
    working.meanwhile = lambda: None

    working("promote", marked.id)

    assert sum(working.slept) == 300


def test_what_does_not_change_is_said_once(working: Terminal) -> None:
    marked = working.api.world.mark()
    working.meanwhile = lambda: None

    ended = working("promote", marked.id, "--wait", "60")

    assert ended.stderr.count("deploying (queued)") == 1


def test_behind_a_freeze_a_promote_does_not_wait_for_what_begins_by_itself(
    working: Terminal,
) -> None:
    marked = working.api.world.mark()
    working.api.world.freeze()

    ended = working("promote", marked.id)

    assert ended.exit_code == 3
    assert working.slept == []
    assert "Held back by the freeze year-end" in ended.stderr
    assert "It has not begun. This is not a failure. It goes on by itself" in ended.stderr


def test_whoever_asks_to_wait_through_a_freeze_does(working: Terminal) -> None:
    marked = working.api.world.mark()
    working.api.world.freeze(ends_at=working.api.world.clock.now() + timedelta(minutes=3))

    def goes_on() -> None:
        working.api.world.watchdog()
        working.api.world.work()

    working.meanwhile = goes_on
    ended = working("promote", marked.id, "--wait", "600")

    assert ended.exit_code == 0
    assert sum(working.slept) >= 180


def test_a_watch_waits_for_people_and_says_whose_turn_it_is(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()

    ended = terminal("watch", marked.id, "--wait", "30")

    assert ended.exit_code == 3
    assert sum(terminal.slept) == 30
    assert f"Promote it with: hoist promote {marked.id}" in ended.stderr


def test_a_watch_of_what_wants_approvals_names_the_command_for_it(terminal: Terminal) -> None:
    terminal.api.world.policy(min_approvals=1)
    marked = terminal.api.world.mark()

    ended = terminal("watch", marked.id, "--wait", "0")

    assert f"hoist approve {marked.id}" in ended.stderr


@pytest.mark.parametrize("state", [State.CANCELLED, State.EXPIRED])
def test_what_ends_without_being_deployed_is_1(state: State, terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    if state is State.CANCELLED:
        terminal("cancel", marked.id)
    else:
        terminal.api.world.clock.advance(timedelta(days=8))
        terminal.api.world.watchdog()

    ended = terminal("watch", marked.id)

    assert (ended.exit_code, terminal.api.world.now(marked).state) == (1, state)


@pytest.mark.parametrize("fault", [Lost(carried_out=False), Said(502), THROTTLED])
def test_an_answer_that_does_not_come_is_no_end(fault: Lost | Said, working: Terminal) -> None:
    deploying = working.api.world.promoted()
    working.faults = [fault, fault]

    ended = working("watch", deploying.id)

    assert ended.exit_code == 0
    assert ended.stderr.count("No answer from the API; asking again.") == 1


def test_where_no_answer_comes_until_the_wait_ends_it_is_5_and_calm(terminal: Terminal) -> None:
    deploying = terminal.api.world.promoted()
    terminal.faults = [Lost(carried_out=False)] * 100

    ended = terminal("watch", deploying.id, "--wait", "10")

    assert ended.exit_code == 5
    assert "The promotion goes on by itself" in ended.stderr
    assert sum(terminal.slept) == 10


def test_a_refusal_ends_the_watch(terminal: Terminal) -> None:
    ended = terminal("watch", "prm_01M812YT137VS8XSF168055NXP")

    assert ended.exit_code == 4
    assert terminal.slept == []


def test_ctrl_c_ends_the_watch_and_nothing_else(terminal: Terminal) -> None:
    deploying = terminal.api.world.promoted()

    def interrupted() -> None:
        raise KeyboardInterrupt

    terminal.meanwhile = interrupted
    ended = terminal("watch", deploying.id)

    assert ended.exit_code == 130
    assert "The promotion goes on by itself" in ended.stderr
    assert f"hoist watch {deploying.id}" in ended.stderr
    assert terminal.api.world.now(deploying).state is State.DEPLOYING


def test_ctrl_c_amid_a_request_says_that_it_may_have_been_carried_out(terminal: Terminal) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    marked = terminal.api.world.mark()
    terminal.faults, terminal.meanwhile = [Lost(carried_out=True)], interrupted

    ended = terminal("cancel", marked.id)

    assert ended.exit_code == 130
    assert "it may have been carried out" in ended.stderr


def test_a_retry_is_watched_as_the_new_promotion(working: Terminal) -> None:
    world = working.api.world
    failed = world.promoted()
    world.apps.unacceptable = frozenset({failed.config_var})
    world.work_until_settled(failed)
    world.apps.unacceptable = frozenset()
    working.env["HOIST_TOTP"] = world.code

    ended = working("retry", failed.id, "--reason", "it is mended", "--json")

    assert ended.exit_code == 0
    assert (ended.json["retries"], ended.json["state"]) == (failed.id, "deployed")


def test_a_rollback_is_watched_as_the_new_promotion(working: Terminal) -> None:
    world = working.api.world
    deployed = world.promoted()
    world.work_until_settled(deployed)
    working.env["HOIST_TOTP"] = world.code

    ended = working("rollback", deployed.id, "--reason", "checkout answers 500", "--json")

    assert ended.exit_code == 0
    assert (ended.json["reverts"], ended.json["value"]) == (deployed.id, None)


def test_a_rollback_with_force_goes_over_what_has_changed(working: Terminal) -> None:
    world = working.api.world
    deployed = world.promoted()
    world.work_until_settled(deployed)
    world.apps.foreign_write(**{deployed.config_var: "other"})
    working.env["HOIST_TOTP"] = world.code

    refused = working("rollback", deployed.id)
    forced = working("rollback", deployed.id, "--force")

    assert (refused.exit_code, forced.exit_code) == (4, 0)
    assert "--force" in refused.stderr


def test_breaking_the_glass_goes_through_a_freeze_with_its_reason(working: Terminal) -> None:
    marked = working.api.world.mark()
    working.api.world.freeze()

    ended = working("promote", marked.id, "--break-glass", "checkout is down")

    assert ended.exit_code == 0
    entry = working.api.world.store.trail(marked.id)[1].entry
    assert (entry.facts["break_glass"], entry.facts["reason"]) == (True, "checkout is down")


def test_progress_goes_to_stderr_and_the_promotion_to_stdout(working: Terminal) -> None:
    marked = working.api.world.mark()

    ended = working("promote", marked.id, "--json")

    assert ended.json["state"] == "deployed"
    assert "Accepted" in ended.stderr
