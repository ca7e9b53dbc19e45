"""Broken connections, overloaded servers and what is no Hoist: nothing is carried out twice."""

import json
from datetime import timedelta

import pytest
import requests
import responses
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError

from cli.client import Client, NoAnswer, Refused
from cli.config import Config
from tests.factories import TARGET
from tests.unit.cli.conftest import SECRET, URL, Lost, Said, Terminal

PROBLEM = {"Content-Type": "application/problem+json"}
WHY = "Seen by eye at Heroku."


def problem(code: str, status: int, *, retryable: bool, **headers: str) -> Said:
    """A problem that somebody on the way, or Hoist, answers with."""
    body = {"title": "T", "detail": "D", "code": code, "retryable": retryable, "safe_now": "wait"}
    return Said(status, json.dumps(body), {**PROBLEM, **headers})


UNAVAILABLE = problem("unavailable", 503, retryable=True)
THROTTLED = problem("throttled", 429, retryable=True)


@pytest.mark.parametrize(
    "fault", [Lost(carried_out=True), Lost(carried_out=False), UNAVAILABLE, THROTTLED, Said(502)]
)
def test_what_got_no_answer_is_sent_again_and_carried_out_once(
    fault: Lost | Said, terminal: Terminal
) -> None:
    terminal.faults = [fault, fault]

    ended = terminal("mark", TARGET, "dark_mode", "true")

    assert ended.exit_code == 0
    assert len(terminal.api.world.store.promotions) == 1
    assert len({each.headers["Idempotency-Key"] for each in terminal.requests}) == 1
    assert len(terminal.requests) == 3


def test_each_run_has_a_key_of_its_own(terminal: Terminal) -> None:
    terminal("mark", TARGET, "one", "true")

    terminal("mark", TARGET, "two", "true")

    first, second = (each.headers["Idempotency-Key"] for each in terminal.requests)
    assert first != second


def a_full_house(terminal: Terminal) -> dict[str, str]:
    """A promotion in each state that something can be done with."""
    world = terminal.api.world
    deployed = world.promoted("deployed")
    world.work_until_settled(deployed)
    world.apps.unacceptable = frozenset({"FLAG_FAILED"})
    failed = world.promoted("failed")
    world.work_until_settled(failed)
    pending, stuck = world.mark("pending"), world.promoted("stuck")
    world.freeze("quarter-end", ends_at=world.clock.now() + timedelta(minutes=1))
    world.clock.advance(timedelta(minutes=2))
    return {
        "pending": pending.id,
        "stuck": stuck.id,
        "deployed": deployed.id,
        "failed": failed.id,
    }


@pytest.mark.parametrize(
    ("caller", "words"),
    [
        ("kim", ["promote", "{pending}", "--wait", "0"]),
        ("kim", ["rollback", "{deployed}", "--wait", "0"]),
        ("kim", ["retry", "{failed}", "--wait", "0"]),
        ("sam", ["complete", "{stuck}", "--reason", WHY, "--force"]),
        ("sam", ["fail", "{stuck}", "--reason", WHY, "--force"]),
        ("kim", ["cancel", "{pending}"]),
        ("kim", ["stage", "{pending}", "--acknowledge", "foreign_release"]),
        ("pat", ["approve", "{pending}"]),
        ("sam", ["freeze", "set", "year-end", "--reason", WHY, "--from", "2030-01-01T00:00:00Z"]),
        ("sam", ["freeze", "lift", "quarter-end"]),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value[:2]),
)
def test_what_is_sent_again_because_its_answer_got_lost_is_carried_out_once(
    caller: str, words: list[str], terminal: Terminal
) -> None:
    ids = a_full_house(terminal)
    terminal.caller, terminal.loses_a_change = caller, True
    terminal.env["HOIST_TOTP"] = terminal.api.world.code
    before = terminal.entries

    ended = terminal(*(word.format(**ids) for word in words))

    assert ended.exit_code in {0, 3}, ended.stderr
    assert terminal.loses_a_change is False
    assert terminal.entries == before + 1


def test_a_freeze_that_was_never_there_cannot_be_lifted(terminal: Terminal) -> None:
    terminal.caller = "sam"
    terminal.faults = [Lost(carried_out=False)]

    first = terminal("freeze", "lift", "year-end")
    second = terminal("freeze", "lift", "year-end")

    assert first.exit_code == 0  # Lifted by the try whose answer was lost: it may well be.
    assert second.exit_code == 4


def test_without_any_answer_it_is_5_and_the_key_finds_out(terminal: Terminal) -> None:
    terminal.faults = [Lost(carried_out=True)] * 3

    lost = terminal("mark", TARGET, "dark_mode", "true", "--json")
    key = lost.json["idempotency_key"]
    found = terminal("mark", TARGET, "dark_mode", "true", "--key", key)

    assert (lost.exit_code, lost.json["code"]) == (5, "no_answer")
    assert "not known whether" in lost.json["detail"]
    assert found.exit_code == 0
    assert len(terminal.api.world.store.promotions) == 1


def test_without_any_answer_people_read_the_key_in_words(terminal: Terminal) -> None:
    terminal.faults = [UNAVAILABLE] * 3

    ended = terminal("mark", TARGET, "dark_mode", "true", "--key", "k")

    assert ended.exit_code == 5
    assert "again with --key k" in ended.stderr


def test_where_nothing_was_to_be_changed_nothing_was(terminal: Terminal) -> None:
    terminal.faults = [Lost(carried_out=True)] * 3

    ended = terminal("list")

    assert ended.exit_code == 5
    assert "Nothing was changed" in ended.stderr


def test_a_bug_of_hoist_is_not_asked_for_again_and_leads_to_the_log(terminal: Terminal) -> None:
    bug = {"title": "T", "detail": "D", "code": "internal", "retryable": False, "safe_now": "act"}
    terminal.faults = [Said(500, json.dumps({**bug, "request_id": "req-7"}), PROBLEM)]

    ended = terminal("list")

    assert ended.exit_code == 5
    assert "req-7" in ended.stderr
    assert len(terminal.requests) == 1


def test_it_waits_as_long_as_it_is_asked_to_but_not_for_ever(terminal: Terminal) -> None:
    terminal.faults = [
        problem("unavailable", 503, retryable=True, **{"Retry-After": "5"}),
        problem("unavailable", 503, retryable=True, **{"Retry-After": "3600"}),
    ]

    terminal("list")

    assert terminal.slept == [5, 10]


@pytest.mark.parametrize("code", ["totp_locked", "flag_busy"])
def test_what_will_be_possible_some_day_is_not_asked_for_again_now(
    code: str, terminal: Terminal
) -> None:
    terminal.faults = [problem(code, 429, retryable=True)]

    ended = terminal("list")

    assert (ended.exit_code, len(terminal.requests)) == (4, 1)


@pytest.mark.parametrize(
    "answer",
    [
        Said(200, "<html>", {"Content-Type": "text/html"}),
        Said(200, "[]", {"Content-Type": "application/json"}),
        Said(200, "{", {"Content-Type": "application/json"}),
        Said(302, "", {"Location": "https://elsewhere.example"}),
        Said(403, '{"message": "Forbidden"}', {"Content-Type": "application/json"}),
    ],
)
def test_what_is_no_hoist_leads_to_the_address(answer: Said, terminal: Terminal) -> None:
    terminal.faults = [answer]

    ended = terminal("targets")

    assert ended.exit_code == 4
    assert "does not look like Hoist" in ended.stderr
    assert "HOIST_API" in ended.stderr
    assert len(terminal.requests) == 1


def test_a_page_is_no_timeline(terminal: Terminal) -> None:
    marked = terminal.api.world.mark()
    terminal.faults = [Said(200, "<html>", {"Content-Type": "text/html"})]

    assert terminal("timeline", marked.id).exit_code == 4


def never_connected() -> requests.ConnectionError:
    pool = HTTPSConnectionPool("hoist.example")
    refused = NewConnectionError(HTTPSConnection("hoist.example"), "refused")
    return requests.ConnectionError(MaxRetryError(pool, "/", refused))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (never_connected(), "cannot be reached"),
        (requests.ConnectTimeout(), "cannot be reached"),
        (requests.ReadTimeout(), "did not answer within 35 s"),
        (requests.exceptions.SSLError(), "certificate"),
        (requests.exceptions.ProxyError(), "proxy"),
        (requests.ConnectionError(), "connection broke"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_why_there_is_no_answer_is_said_in_words(
    error: requests.RequestException, words: str
) -> None:
    with responses.RequestsMock() as wire:
        wire.get(f"{URL}/me", body=error)

        with pytest.raises(NoAnswer, match=words):
            a_client(tries=1).get("/me")


def a_client(**kwargs: int) -> Client:
    config = Config(api=URL, token=f"kim.{SECRET}")
    return Client(config=config, sleep=lambda _: None, **kwargs)  # type: ignore[arg-type]


def test_where_no_connection_came_about_nothing_was_sent() -> None:
    with responses.RequestsMock() as wire:
        wire.post(f"{URL}/promotions", body=never_connected())

        with pytest.raises(NoAnswer, match="Nothing was sent") as lost:
            a_client().post("/promotions", {}, key="k")

    assert "idempotency_key" not in lost.value.problem


def test_one_try_that_may_have_arrived_is_enough_not_to_know() -> None:
    with responses.RequestsMock() as wire:
        wire.post(f"{URL}/promotions", body=requests.ReadTimeout())
        wire.post(f"{URL}/promotions", body=never_connected())
        wire.post(f"{URL}/promotions", body=never_connected())

        with pytest.raises(NoAnswer, match="not known") as lost:
            a_client().post("/promotions", {}, key="k")

    assert lost.value.problem["idempotency_key"] == "k"


def test_the_token_is_sent_whatever_netrc_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    netrc = tmp_path_factory.mktemp("home") / ".netrc"
    netrc.write_text("machine hoist.example login somebody password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))

    with responses.RequestsMock() as wire:
        wire.get(f"{URL}/me", json={})
        a_client().get("/me")

        assert wire.calls[0].request.headers["Authorization"] == f"Bearer kim.{SECRET}"


def test_a_redirect_is_not_followed_with_the_token() -> None:
    with responses.RequestsMock() as wire:
        wire.get(f"{URL}/me", status=307, headers={"Location": "https://elsewhere.example/me"})

        with pytest.raises(Refused):
            a_client().get("/me")
