"""Whatever happens, no token and no code is printed."""

from collections.abc import Callable

import pytest
import requests

from tests.factories import TARGET
from tests.unit.cli.conftest import SECRET, Lost, Said, Terminal

CODE = "918273"


def quoting(request: requests.PreparedRequest) -> str:
    """What a talkative error quotes."""
    return f"{request.headers} {request.body!r}"


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize(
    "raised",
    [
        lambda request: ValueError(quoting(request)),
        lambda request: KeyError(quoting(request)),
        lambda request: requests.exceptions.InvalidHeader(quoting(request)),
        lambda request: requests.ConnectionError(quoting(request)),
        lambda request: requests.exceptions.SSLError(quoting(request)),
        lambda request: UnicodeEncodeError("latin-1", quoting(request), 0, 1, "no"),
    ],
    ids=["ValueError", "KeyError", "InvalidHeader", "ConnectionError", "SSLError", "Unicode"],
)
def test_errors_that_quote_requests_are_not_printed(
    raised: Callable[[requests.PreparedRequest], Exception],
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    *,
    as_json: bool,
) -> None:
    marked, send = terminal.api.world.mark(), terminal.api.__class__.__call__

    def quotes(api: object, *args: object, **kwargs: object) -> object:
        request = terminal.requests[-1]
        if "X-TOTP" in request.headers:
            raise raised(request)
        return send(api, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(terminal.api.__class__, "__call__", quotes)
    terminal.env["HOIST_TOTP"] = CODE

    ended = terminal("promote", marked.id, *(["--json"] if as_json else []))

    assert ended.exit_code in {5, 70}
    assert SECRET not in ended.all
    assert CODE not in ended.all
    assert "Traceback" not in ended.all
    assert ended.json["code"] if as_json else ended.stderr


def test_a_bug_of_the_program_is_a_sentence_and_a_place(terminal: Terminal) -> None:
    terminal.faults = [Said(200, "{}", {"Content-Type": "application/json"})]

    ended = terminal("targets")

    assert ended.exit_code == 70
    assert "KeyError at main.py:" in ended.stderr
    assert "hoist list" in ended.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["me"],
        ["list"],
        ["mark", TARGET, "dark_mode", "true"],
        ["promote", "{id}", "--wait", "0"],
        ["show", "{id}"],
        ["--help"],
        ["promote", "--help"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("fault", [None, Lost(carried_out=True), Said(418, "teapot")])
def test_neither_stands_in_what_is_printed(
    fault: Lost | Said | None, words: list[str], terminal: Terminal
) -> None:
    marked, code = terminal.api.world.mark(), terminal.api.world.code
    terminal.env["HOIST_TOTP"] = code
    terminal.faults = [fault] * 3 if fault else []

    plain = terminal(*(word.format(id=marked.id) for word in words))
    as_json = terminal("--json", *(word.format(id=marked.id) for word in words))

    for ended in (plain, as_json):
        assert SECRET not in ended.all
        assert code not in ended.all
