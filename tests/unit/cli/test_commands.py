"""Every command, from the words of its caller to the doors of Hoist and back."""

import json
from datetime import timedelta
from pathlib import Path

import click
import pytest

from chalicelib.domain.moment import spell
from chalicelib.domain.promotion import State
from chalicelib.wire.contract import openapi
from cli.arguments import STATES
from cli.main import hoist
from tests.factories import FLAG, TARGET
from tests.unit.cli.conftest import Terminal

WHY = "Seen by eye at Heroku."
NOBODYS = "prm_01M812YT137VS8XSF168055NXP"


def names(group: click.Group, before: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """All commands there are."""
    found: list[tuple[str, ...]] = []
    for name, command in group.commands.items():
        here = (*before, name)
        found += names(command, here) if isinstance(command, click.Group) else [here]
    return found


COMMANDS = names(hoist)


def words_after(command: tuple[str, ...], promotion_id: str, catalogue: Path) -> list[str]:
    """What makes a whole request of a command."""
    arguments = {
        "list": [],
        "me": [],
        "targets": [],
        "freezes": [],
        "mark": [TARGET, "another", "true"],
        "freeze set": ["year-end", "--reason", WHY, "--from", "2026-12-23T18:00:00Z"],
        "freeze lift": ["quarter-end"],
        "catalogue import": ["console", str(catalogue)],
        "complete": [promotion_id, "--reason", WHY],
        "fail": [promotion_id, "--reason", WHY],
        "promote": [promotion_id, "--wait", "0"],
        "watch": [promotion_id, "--wait", "0"],
    }
    return arguments.get(" ".join(command), [promotion_id])


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("catalogue") / "feature_flags.yaml"
    file.write_text("- name: dark_mode\n")
    return file


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_with_json_stdout_is_one_document_wherever_it_is_said(
    command: tuple[str, ...], catalogue: Path, terminal: Terminal, *, before: bool
) -> None:
    terminal.caller = "sam" if command[0] in {"freeze", "catalogue", "complete"} else "kim"
    terminal.env["HOIST_TOTP"] = terminal.api.world.code
    terminal.api.world.freeze("quarter-end")
    given = words_after(command, terminal.api.world.mark().id, catalogue)

    ended = terminal(*(["--json"] * before), *command, *given, *(["--json"] * (not before)))

    assert isinstance(ended.json, dict)
    assert ended.exit_code in {0, 3, 4}, ended.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_for_people_every_command_has_words(
    command: tuple[str, ...], catalogue: Path, terminal: Terminal
) -> None:
    terminal.caller = "sam" if command[0] in {"freeze", "catalogue", "complete"} else "kim"
    terminal.env["HOIST_TOTP"] = terminal.api.world.code
    terminal.api.world.freeze("quarter-end")

    ended = terminal(*command, *words_after(command, terminal.api.world.mark().id, catalogue))

    assert ended.all.strip()
    assert ended.exit_code in {0, 3, 4}, ended.stderr


def test_me_is_a_name_and_a_role(terminal: Terminal) -> None:
    assert terminal("me").stdout == "kim, promoter\n"


def test_a_mark_is_printed_with_what_to_do_next(terminal: Terminal) -> None:
    ended = terminal("mark", TARGET, "dark_mode", "true", "--note", "as agreed")

    (made,) = terminal.api.world.store.promotions.values()
    assert (made.flag, made.value, made.note, ended.exit_code) == (
        "dark_mode",
        "true",
        "as agreed",
        0,
    )
    assert made.id in ended.stdout
    assert f"hoist promote {made.id}" in ended.stderr


def test_where_it_cannot_be_promoted_yet_nobody_is_told_to(terminal: Terminal) -> None:
    terminal.api.world.policy(min_approvals=1)

    ended = terminal("mark", TARGET, "dark_mode", "true")

    assert "hoist promote" not in ended.stderr
    assert "approval" in ended.stdout


def test_a_mark_sent_twice_under_one_key_is_one(terminal: Terminal) -> None:
    first = terminal("mark", TARGET, "dark_mode", "true", "--key", "k", "--json")

    second = terminal("mark", TARGET, "dark_mode", "true", "--key", "k", "--json")

    assert first.json["id"] == second.json["id"]
    assert len(terminal.api.world.store.promotions) == 1


def test_a_list_shows_ids_flags_and_how_long(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    terminal.api.world.clock.advance(timedelta(hours=57, minutes=49))

    ended = terminal("list")

    assert marked.id in ended.stdout
    assert f"{FLAG} = true" in ended.stdout
    assert "pending 2 d  2 d 9 h" in " ".join(ended.stdout.split("\n")[1:])


@pytest.mark.parametrize(
    ("words", "listed"),
    [
        (["--state", "pending"], 1),
        (["--state", "deployed"], 0),
        (["--target", TARGET], 1),
        (["--target", "elsewhere"], 0),
        (["--flag", FLAG], 1),
        (["--flag", "another"], 0),
    ],
)
def test_a_list_may_be_narrowed(words: list[str], listed: int, terminal: Terminal) -> None:
    terminal.api.world.mark()

    ended = terminal("list", "--json", *words)

    assert len(ended.json["promotions"]) == listed


def test_a_list_goes_through_pages_to_its_limit(terminal: Terminal) -> None:
    for number in range(130):
        terminal.api.world.mark(f"flag_{number}")

    ended = terminal("list", "--json", "--limit", "120")

    assert len({each["id"] for each in ended.json["promotions"]}) == 120
    assert ended.json["next_cursor"]
    assert "--limit" in ended.stderr


def test_a_list_that_ends_before_its_limit_says_nothing_of_more(terminal: Terminal) -> None:
    terminal.api.world.mark()

    ended = terminal("list")

    assert "--limit" not in ended.stderr


def test_an_empty_list_says_so(terminal: Terminal) -> None:
    assert terminal("list").stdout == "There are none.\n"


def test_one_promotion_is_shown_with_what_it_waits_for(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()

    ended = terminal("show", marked.id)

    assert "Waits for somebody to promote it" in ended.stdout
    assert "stage, promote, cancel" in ended.stdout


def test_what_is_no_id_is_never_asked_for(terminal: Terminal) -> None:
    ended = terminal("show", "../freezes")

    assert ended.exit_code == 2
    assert "hoist list" in ended.stderr
    assert not terminal.requests


def test_what_is_refused_is_4_and_says_why_and_what_to_do(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()

    ended = terminal("mark", TARGET, FLAG, "true")

    assert ended.exit_code == 4
    assert "flag_busy" in ended.stderr
    assert f"hoist show {marked.id}" in ended.stderr
    assert ended.stdout == ""


def test_a_refusal_as_json_is_the_problem(terminal: Terminal) -> None:
    ended = terminal("show", NOBODYS, "--json")

    assert (ended.exit_code, ended.json["code"]) == (4, "not_found")
    assert ended.stderr == ""


def test_warnings_are_told_with_the_words_that_acknowledge_them(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    terminal.api.world.freeze()

    ended = terminal("stage", marked.id)

    assert ended.exit_code == 4
    assert "WARN freeze:year-end" in ended.stderr
    assert "--acknowledge freeze:year-end" in ended.stderr


def test_warnings_that_are_acknowledged_let_it_be_staged(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    terminal.api.world.freeze()

    ended = terminal("stage", marked.id, "--acknowledge", "freeze:year-end")

    assert ended.exit_code == 0
    assert terminal.api.world.now(marked).state is State.STAGED


def test_a_promotion_is_staged_for_a_time_with_a_code(terminal: Terminal) -> None:
    world = terminal.api.world
    marked, later = world.mark(), world.clock.now() + timedelta(days=1)
    terminal.env["HOIST_TOTP"] = world.code

    ended = terminal("stage", marked.id, "--at", spell(later))

    assert ended.exit_code == 0
    assert world.now(marked).not_before == later
    assert "begins " in ended.stdout


def test_preflight_shows_every_check(terminal: Terminal) -> None:
    ended = terminal("preflight", terminal.api.world.mark().id)

    assert ended.stdout.count("pass") >= 10


def test_somebody_else_approves(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    terminal.caller, terminal.env["HOIST_TOTP"] = "pat", terminal.api.world.code

    ended = terminal("approve", marked.id, "--note", "as agreed")

    assert ended.exit_code == 0
    assert terminal.api.world.now(marked).approvers == {"pat"}


def test_what_has_not_begun_is_cancelled(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()

    ended = terminal("cancel", marked.id, "--reason", "not now")

    assert ended.exit_code == 0
    assert terminal.api.world.now(marked).state is State.CANCELLED
    assert terminal.api.world.now(marked).reason == "not now"


def test_a_long_wait_is_acknowledged(terminal: Terminal) -> None:
    deploying = terminal.api.world.promoted()
    now = terminal.api.world.clock.now()

    ended = terminal("ack", deploying.id, "--minutes", "90", "--note", "on it")

    assert ended.exit_code == 0
    until = terminal.api.world.now(deploying).acknowledged_until
    assert until == now + timedelta(minutes=90)
    assert "by kim, until" in ended.stdout


@pytest.mark.parametrize(("command", "state"), [("complete", "deployed"), ("fail", "failed")])
def test_the_escape_hatch_settles_what_is_stuck(
    command: str, state: str, terminal: Terminal
) -> None:
    stuck = terminal.api.world.promoted()
    terminal.caller, terminal.env["HOIST_TOTP"] = "sam", terminal.api.world.code

    words = ["--reason", WHY, "--rca-url", "https://wiki.example/7", "--force"]
    ended = terminal(command, stuck.id, *words)

    settled = terminal.api.world.now(stuck)
    assert ended.exit_code == 0
    assert (settled.state, settled.reason, settled.rca_url) == (
        state,
        WHY,
        "https://wiki.example/7",
    )


def test_against_what_heroku_shows_the_escape_hatch_names_force(terminal: Terminal) -> None:
    stuck = terminal.api.world.promoted()
    terminal.caller, terminal.env["HOIST_TOTP"] = "sam", terminal.api.world.code

    ended = terminal("complete", stuck.id, "--reason", WHY)

    assert ended.exit_code == 4
    assert "--force" in ended.stderr


def test_an_audit_trail_is_recomputed_here(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()

    ended = terminal("audit", marked.id, "--verify")

    assert ended.exit_code == 0
    assert "whole (recomputed on this machine): 1 entries" in ended.stderr


@pytest.mark.parametrize("length", [1, 2, 4, 5])
def test_a_trail_that_takes_several_answers_is_shown_as_one(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr("chalicelib.wire.requests.MAX_ENTRIES", length)
    done = terminal.api.world.promoted()
    terminal.api.world.work(done)

    ended = terminal("audit", done.id, "--verify", "--json")

    assert [entry["version"] for entry in ended.json["entries"]] == [1, 2, 3, 4, 5]
    assert (ended.exit_code, ended.json["next_cursor"]) == (0, None)
    assert "whole (recomputed on this machine): 5 entries" in ended.stderr


def test_a_trail_of_an_older_api_is_read_too(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    terminal.forged = lambda body: body.replace('"next_cursor": null', '"older": null')

    ended = terminal("audit", marked.id, "--verify")

    assert ended.exit_code == 0


def test_a_trail_that_the_api_calls_whole_and_is_not_ends_with_1(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    terminal.forged = lambda body: body.replace('"value": "true"', '"value": "false"')

    trusting = terminal("audit", marked.id)
    ended = terminal("audit", marked.id, "--verify", "--json")

    assert trusting.exit_code == 0
    assert ended.exit_code == 1
    assert ended.json["verified"] is True
    assert ended.json["recomputed"] == {
        "verified": False,
        "broken_because": "the content of entry 1 was changed",
    }


def test_a_trail_that_the_api_calls_broken_ends_with_1(terminal: Terminal) -> None:
    world = terminal.api.world
    marked = world.mark()
    world.store.entries.clear()

    ended = terminal("audit", marked.id)

    assert ended.exit_code == 1
    assert "The trail is broken (says the API)" in ended.stderr


def test_a_timeline_is_markdown(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()

    ended = terminal("timeline", marked.id)

    assert ended.stdout.startswith(f"# {FLAG} at {TARGET}\n")


def test_targets_are_listed_with_their_policies(terminal: Terminal) -> None:
    terminal.api.world.policy(flag_patterns=("console_*",), min_approvals=2)

    ended = terminal("targets")

    assert TARGET in ended.stdout
    assert "console_*" in ended.stdout


def test_a_freeze_is_set_listed_and_lifted(terminal: Terminal) -> None:
    terminal.caller = "sam"
    terms = ["--from", "2026-11-01T00:00:00Z", "--until", "2030-01-01T00:00:00Z"]

    set_it = terminal("freeze", "set", "year-end", "--reason", WHY, "--target", TARGET, *terms)
    listed = terminal("freezes")
    lifted = terminal("freeze", "lift", "year-end", "--reason", "over")

    assert [each.exit_code for each in (set_it, listed, lifted)] == [0, 0, 0]
    assert "year-end" in listed.stdout
    assert "year-end is lifted" in lifted.stdout
    assert not terminal.api.world.freezes.get().freezes


def test_a_catalogue_is_imported_from_its_file(catalogue: Path, terminal: Terminal) -> None:
    terminal.caller = "sam"

    ended = terminal("catalogue", "import", "console", str(catalogue))

    assert ended.stdout == "console has 1 flags.\n"


def test_an_unknown_token_leads_to_its_setting(terminal: Terminal) -> None:
    terminal.env["HOIST_TOKEN"] = "kim.of-another-place"

    ended = terminal("me")

    assert ended.exit_code == 4
    assert "HOIST_TOKEN" in ended.stderr


def test_a_service_says_whom_it_acts_for(terminal: Terminal) -> None:
    terminal.env["HOIST_ON_BEHALF_OF"] = "pat"

    terminal("me")

    assert terminal.requests[0].headers["X-On-Behalf-Of"] == "pat"


def test_the_states_are_those_of_the_contract() -> None:
    assert list(STATES) == json.loads(openapi())["components"]["schemas"]["State"]["enum"]
