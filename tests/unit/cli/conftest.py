"""The program at a terminal, over the real doors of a world of fakes: no socket, no server."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from io import StringIO
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import responses
from click.testing import CliRunner, Result
from requests import ConnectionError as Broken
from requests import PreparedRequest, ReadTimeout

from chalicelib.domain.operator import Caller
from cli.main import hoist
from cli.program import Program
from tests.doors import Answer, Api
from tests.factories import KIM, PAT, SAM, VERA

URL = "https://hoist.example/api"
#: What nobody but its owner may ever read.
SECRET = "s3cr3t-of-the-t0ken"
UNKNOWN = {
    "type": "docs/runbook.md#unauthenticated",
    "title": "The bearer token is missing or unknown.",
    "status": 401,
    "detail": "The bearer token is missing or unknown.",
    "code": "unauthenticated",
    "retryable": False,
    "safe_now": "act",
}
CALLERS: dict[str, Caller] = {each.name: each for each in (KIM, PAT, VERA, SAM)}


@dataclass(frozen=True)
class Lost:
    """The connection breaks: before the request was carried out, or after."""

    carried_out: bool


@dataclass(frozen=True)
class Said:
    """Something on the way answers in place of Hoist."""

    status: int
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Ended:
    """How a run of the program ended."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.stdout)

    @property
    def all(self) -> str:
        return self.stdout + self.stderr


@dataclass
class Terminal:
    """Somebody at a terminal."""

    api: Api
    caller: str = "kim"
    env: dict[str, str] = field(default_factory=dict)
    #: What happens to the next requests, in order; then all goes well.
    faults: list[Lost | Said] = field(default_factory=list)
    #: The answer to the next request that changes something gets lost.
    loses_a_change: bool = False
    requests: list[PreparedRequest] = field(default_factory=list)
    #: What goes on while the program sleeps.
    meanwhile: Callable[[], object] = lambda: None
    slept: list[float] = field(default_factory=list)
    somebody_there: bool = False
    #: What somebody on the way makes of an answer.
    forged: Callable[[str], str] = str

    def __call__(self, *words: str, typed: str | None = None) -> Ended:
        """Run `hoist` with these words."""
        ended = self._run(words, typed)
        return Ended(ended.exit_code, ended.stdout, ended.stderr)

    def _run(self, words: tuple[str, ...], typed: str | None) -> Result:
        told = {
            "HOIST_CONFIG": "/dev/null",
            "HOIST_API": URL,
            "HOIST_TOKEN": f"{self.caller}.{SECRET}",
            **self.env,
        }
        world = self.api.world
        program = Program(
            env=told,
            at_terminal=lambda: self.somebody_there,
            now=lambda: world.clock.now().timestamp(),
            sleep=self._sleep,
        )
        return CliRunner().invoke(hoist, words, input=typed, obj=program, prog_name="hoist")

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.api.world.clock.advance(timedelta(seconds=seconds))
        self.meanwhile()

    def answer(self, request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        """API Gateway's part."""
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Said):
            return fault.status, fault.headers, fault.body
        if fault and not fault.carried_out:
            raise Broken
        answered = self._asked(request)
        lost = (
            self.loses_a_change and request.method != "GET" and answered[0] < HTTPStatus.BAD_REQUEST
        )
        if fault or lost:
            self.loses_a_change = False
            raise ReadTimeout
        return answered

    def _asked(self, request: PreparedRequest) -> tuple[int, dict[str, str], str]:
        name, _, secret = request.headers["Authorization"].removeprefix("Bearer ").partition(".")
        if name not in CALLERS or secret != SECRET:
            problem = {"Content-Type": "application/problem+json"}
            return HTTPStatus.UNAUTHORIZED, problem, json.dumps(UNKNOWN)
        parts = urlsplit(str(request.url))
        # Metrics, which Lambdas print, are not what the program prints.
        with redirect_stdout(StringIO()):
            answer: Answer = self.api(
                str(request.method),
                unquote(parts.path.removeprefix("/api")),
                request.body.decode() if isinstance(request.body, bytes) else request.body,
                caller=CALLERS[name],
                headers={name.lower(): value for name, value in request.headers.items()},
                query=parse_qs(parts.query),
            )
        body = answer.body if isinstance(answer.body, str) else json.dumps(answer.body)
        return answer.status, dict(answer.headers), self.forged(body)

    @property
    def entries(self) -> int:
        """How many changes were audited."""
        return sum(map(len, self.api.world.store.entries.values()))


@pytest.fixture(autouse=True)
def no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Width and proxy are those of the test, not of whoever runs it (pytest-xdist sets a width)."""
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setenv("no_proxy", str(urlsplit(URL).hostname))


@pytest.fixture
def terminal(api: Api) -> Iterator[Terminal]:
    there = Terminal(api)
    with responses.RequestsMock(assert_all_requests_are_fired=False) as wire:
        for method in ("GET", "POST", "PUT", "DELETE"):
            wire.add_callback(
                method, re.compile(f"{URL}/.*"), callback=there.answer, content_type=None
            )
        yield there
