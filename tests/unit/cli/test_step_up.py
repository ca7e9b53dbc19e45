"""Codes: asked for where they are wanted, never shown, and sent nowhere else."""

from chalicelib.domain.promotion import State
from tests.factories import TARGET
from tests.unit.cli.conftest import Terminal


def test_a_code_is_asked_for_after_what_it_is_for_and_not_shown(terminal: Terminal) -> None:
    world, terminal.somebody_there = terminal.api.world, True
    marked, code = world.mark(value="now"), world.code

    ended = terminal("promote", marked.id, "--wait", "0", typed=f"{code[:3]} {code[3:]}\n")

    assert world.now(marked).state is State.DEPLOYING
    told, _, asked = ended.stderr.partition("Code of your authenticator app")
    assert f"Promote {marked.flag} = now at {TARGET}, now pending" in told
    assert asked
    assert code not in ended.all
    assert code[:3] not in asked.partition("\n")[0]


def test_what_is_no_code_is_asked_for_again_and_not_sent(terminal: Terminal) -> None:
    world, terminal.somebody_there = terminal.api.world, True
    marked = world.mark()

    ended = terminal("promote", marked.id, "--wait", "0", typed=f"12345x\n{world.code}\n")

    assert "A code is six digits" in ended.stderr
    assert "12345x" not in ended.all
    assert world.now(marked).state is State.DEPLOYING


def test_nobody_takes_out_a_phone_for_what_is_refused_anyway(terminal: Terminal) -> None:
    terminal.somebody_there, terminal.caller = True, "vera"

    ended = terminal("promote", terminal.api.world.mark().id, typed="")

    assert ended.exit_code == 4
    assert "role_insufficient" in ended.stderr
    assert "authenticator" not in ended.stderr


def test_whoever_gives_up_at_the_question_has_sent_nothing(terminal: Terminal) -> None:
    terminal.somebody_there = True
    marked = terminal.api.world.mark()

    ended = terminal("promote", marked.id, typed="")

    assert ended.exit_code == 130
    assert "Stopped before anything was sent" in ended.stderr
    assert terminal.api.world.now(marked).state is State.PENDING


def test_where_nobody_can_be_asked_the_setting_is_named(terminal: Terminal) -> None:
    ended = terminal("promote", terminal.api.world.mark().id)

    assert ended.exit_code == 2
    assert "HOIST_TOTP" in ended.stderr


def test_a_script_that_sets_no_code_is_told_without_quoting_it(terminal: Terminal) -> None:
    terminal.env["HOIST_TOTP"] = "JBSWY3DPEHPK3PXP"

    ended = terminal("promote", terminal.api.world.mark().id)

    assert ended.exit_code == 2
    assert "six digits" in ended.stderr
    assert "JBSWY3DPEHPK3PXP" not in ended.all


def test_a_code_goes_nowhere_where_none_is_wanted(terminal: Terminal) -> None:
    terminal.env["HOIST_TOTP"] = terminal.api.world.code

    terminal("cancel", terminal.api.world.mark().id)

    assert terminal.requests
    assert not [each for each in terminal.requests if "X-TOTP" in each.headers]


def test_a_wrong_code_is_refused_in_words(terminal: Terminal) -> None:
    terminal.env["HOIST_TOTP"] = "999999"

    ended = terminal("promote", terminal.api.world.mark().id)

    assert ended.exit_code == 4
    assert "The code is wrong" in ended.stderr
    assert "999999" not in ended.all
