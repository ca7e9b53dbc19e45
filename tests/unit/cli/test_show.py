"""What people see on whatever terminal they have."""

from datetime import timedelta
from io import StringIO

import pytest
from rich.console import Console

from cli import show
from tests.factories import FLAG, SAM
from tests.unit.cli.conftest import Terminal

WIDTHS = [200, 100, 80, 60, 40, 20]


def printed(shown: show.Shown, width: int) -> str:
    """As a terminal of that width gets it."""
    console = Console(width=width, file=StringIO(), highlight=False, emoji=False)
    console.print(shown, crop=False)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def whole(text: str) -> str:
    """All that is written, however it is folded."""
    return "".join(text.split())


@pytest.mark.parametrize("width", WIDTHS)
def test_ids_stay_in_one_piece_and_nothing_is_cut(width: int, terminal: Terminal) -> None:
    world = terminal.api.world
    ids = [world.mark(f"{FLAG}_{number}").id for number in range(3)]
    listed = terminal("list", "--json").json["promotions"]
    seen = terminal("show", ids[0], "--json").json

    table, facts = printed(show.promotions(listed), width), printed(show.promotion(seen), width)

    assert all(each in table for each in ids)
    assert ids[0] in facts
    assert facts.count(FLAG) or whole(FLAG) in whole(facts)
    assert "…" not in table + facts
    assert "Waitsforsomebodytopromoteit" in whole(facts)


def test_where_there_is_room_a_list_is_a_table_at_80_columns_too(terminal: Terminal) -> None:
    terminal.api.world.mark()
    listed = terminal("list", "--json").json["promotions"]

    assert "promotion" in printed(show.promotions(listed), 80).splitlines()[0]
    assert "promotion" not in printed(show.promotions(listed), 60)


@pytest.mark.parametrize("width", WIDTHS)
def test_no_line_of_a_table_is_longer_than_the_terminal(width: int, terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    checks = terminal("preflight", marked.id, "--json").json["checks"]

    text = printed(show.checks(checks), width)

    if width >= 60:
        assert max(map(len, text.splitlines())) <= width
    assert whole("Heroku shows raxx-console-prod to Hoist.") in whole(text)


def test_through_a_pipe_nothing_is_folded(terminal: Terminal) -> None:
    marked = terminal.api.world.mark("a" * 100, value="b" * 300)

    ended = terminal("show", marked.id)

    assert "b" * 300 in ended.stdout


def test_a_long_value_is_shortened_in_a_list_only(terminal: Terminal) -> None:
    terminal.api.world.mark(value="b" * 300)

    ended = terminal("list")

    assert f"{'b' * 40}…" in ended.stdout
    assert "b" * 41 not in ended.stdout


@pytest.mark.parametrize("value", ["[red]x[/]", ":warning:", "\\[x]", "[/]", "x\\"])
def test_a_value_is_shown_as_it_is(value: str, terminal: Terminal) -> None:
    marked = terminal.api.world.mark(value=value)

    shown, listed = terminal("show", marked.id), terminal("list")

    assert f"value       {value} " in shown.stdout
    assert f"{FLAG} = {value} " in listed.stdout


@pytest.mark.parametrize("command", ["show", "timeline", "audit"])
def test_what_somebody_wrote_gives_the_terminal_no_orders(command: str, terminal: Terminal) -> None:
    marked = terminal.api.world.mark(value="\x1b]0;owned\x07\x9b2J\u202e", note="\x1b[2J\r")

    ended = terminal(command, marked.id)

    assert not set("\x1b\x07\x9b\u202e\r") & set(ended.all)


def test_a_refusal_gives_the_terminal_no_orders() -> None:
    problem = {"title": "T\x1b", "detail": "D\x1b[2J", "code": "c", "safe_now": "wait"}

    assert "\x1b" not in show.problem(problem, advice="\x1b")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "unknown"),
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (86_400, "1 d 0 h"),
    ],
)
def test_a_duration_is_said_as_people_say_it(seconds: int | None, said: str) -> None:
    assert show.lasted(seconds) == said


def test_a_stalled_promotion_stands_out_by_more_than_colour(terminal: Terminal) -> None:
    world = terminal.api.world
    stalled = world.promoted()
    world.clock.advance(timedelta(minutes=31))
    world.watchdog()

    assert "! stalled" in terminal("list").stdout
    assert "! stalled" in terminal("show", stalled.id).stdout


def test_a_removed_flag_is_absent_and_a_rollback_says_what_it_takes_back(
    terminal: Terminal,
) -> None:
    world = terminal.api.world
    deployed = world.promoted()
    world.work_until_settled(deployed)
    terminal.env["HOIST_TOTP"] = world.code

    ended = terminal("rollback", deployed.id, "--wait", "0")

    assert "(absent)" in ended.stdout
    assert f"takes back   {deployed.id}" in ended.stdout


def test_drift_is_shown(terminal: Terminal) -> None:
    world = terminal.api.world
    deployed = world.promoted()
    world.work_until_settled(deployed)
    world.apps.foreign_write(**{deployed.config_var: "other"})
    world.drift_watch()

    assert "drift        changed since" in terminal("show", deployed.id).stdout


def test_what_heroku_showed_is_shown(terminal: Terminal) -> None:
    stuck = terminal.api.world.promoted()
    terminal.caller, terminal.env["HOIST_TOTP"] = SAM.name, terminal.api.world.code

    ended = terminal("fail", stuck.id, "--reason", "It will not come any more.")

    assert "Heroku showed" in ended.stdout


def test_a_time_that_has_passed_does_not_begin_anything(terminal: Terminal) -> None:
    world = terminal.api.world
    world.freeze()
    held = world.promoted()

    ended = terminal("show", held.id)

    assert "begins " not in ended.stdout.partition("waiting on")[0]
    assert "\nbegins" not in ended.stdout


@pytest.mark.parametrize("told", [{"NO_COLOR": "1"}, {}])
def test_without_a_terminal_or_with_no_color_there_are_no_colours(
    told: dict[str, str], terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv("FORCE_COLOR", "1")

    ended = terminal("show", terminal.api.world.mark().id)

    assert "\x1b" not in ended.all


def test_a_terminal_gets_colours(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")

    ended = terminal("show", terminal.api.world.mark().id)

    assert "\x1b[36mpending" in ended.stdout
