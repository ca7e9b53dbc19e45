"""What the shell offers, and its silence where it has nothing to offer."""

import pytest
from click.shell_completion import ShellComplete

from cli.main import hoist
from cli.program import Program
from tests.factories import TARGET
from tests.unit.cli.conftest import SECRET, URL, Lost, Terminal

TOLD = {"HOIST_CONFIG": "/dev/null", "HOIST_API": URL, "HOIST_TOKEN": f"kim.{SECRET}"}


def offered(*words: str, begun: str = "", env: dict[str, str] | None = None) -> list[str]:
    """What is offered after these words."""
    program = Program(env=TOLD if env is None else env)
    shell = ShellComplete(hoist, {"obj": program}, "hoist", "_HOIST_COMPLETE")
    return [item.value for item in shell.get_completions(list(words), begun)]


def test_promotions_are_offered_that_the_command_can_do_something_with(terminal: Terminal) -> None:
    world = terminal.api.world
    pending, deploying = world.mark("one"), world.promoted("two")

    assert offered("promote", begun="prm_") == [pending.id]
    assert offered("ack") == [deploying.id]
    assert offered("watch") == [deploying.id, pending.id]
    assert offered("rollback") == []
    assert set(offered("show")) == {pending.id, deploying.id}


def test_only_what_begins_so_is_offered(terminal: Terminal) -> None:
    terminal.api.world.mark()

    assert offered("show", begun="prm_X") == []


@pytest.mark.parametrize("words", [["mark"], ["list", "--target"], ["freeze", "set", "--target"]])
def test_targets_are_offered(words: list[str], terminal: Terminal) -> None:
    assert terminal.requests == []
    assert offered(*words) == [TARGET]


def test_freezes_are_offered(terminal: Terminal) -> None:
    terminal.api.world.freeze("year-end")

    assert offered("freeze", "lift") == ["year-end"]


def test_a_freezes_reason_is_told_and_gives_the_terminal_no_orders(terminal: Terminal) -> None:
    terminal.api.world.freeze("year-end")
    terminal.forged = lambda body: body.replace("closed", "closed\\u001b[2J\\n")

    shell = ShellComplete(hoist, {"obj": Program(env=TOLD)}, "hoist", "_HOIST_COMPLETE")
    (item,) = shell.get_completions(["freeze", "lift"], "")

    assert str(item.help).startswith("The books are closed")
    assert str(item.help).isprintable()


def test_states_are_offered_without_asking(terminal: Terminal) -> None:
    assert offered("list", "--state", begun="de") == ["deploying", "deployed"]
    assert terminal.requests == []


def test_commands_are_offered(terminal: Terminal) -> None:
    assert offered(begun="pr") == ["preflight", "promote"]
    assert terminal.requests == []


def test_after_a_promotion_and_json_there_is_still_something_to_offer(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()

    assert offered("--json", "rollback", marked.id, begun="--re") == ["--reason"]


@pytest.mark.parametrize(
    "env",
    [
        {"HOIST_CONFIG": "/dev/null"},
        {**TOLD, "HOIST_TOKEN": "kim.wrong"},
        {**TOLD, "HOIST_API": "nonsense"},
    ],
)
def test_whoever_is_not_known_is_offered_nothing(
    env: dict[str, str], terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.api.world.mark()

    assert offered("show", env=env) == []
    assert capsys.readouterr() == ("", "")


def test_where_no_answer_comes_nobody_waits_for_another(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.faults = [Lost(carried_out=False)]

    assert offered("show") == []
    assert len(terminal.requests) == 1
    assert capsys.readouterr() == ("", "")
