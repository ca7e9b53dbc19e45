"""The HTTP doors on a loopback port, over a world of fakes: for what the page looks like.

Everything from `app.py` inwards to the use cases is the product's; API Gateway's part is played
here, under a stage's path as there.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import app
from tests.fakes import FakeClock
from tests.world import Wired, World

STAGE = "/some/stage"
_UNKNOWN = {
    "type": "https://runbook.example/#unauthenticated",
    "title": "The bearer token is missing or unknown.",
    "status": 401,
    "detail": "The bearer token is missing or unknown.",
    "code": "unauthenticated",
    "request_id": "req-0",
    "retryable": False,
    "safe_now": "act",
}


@dataclass
class WallClock(FakeClock):
    """The machine's own time, as far ahead of it as it was advanced."""

    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead  # noqa: TID251 - a browser has the machine's time

    def advance(self, duration: timedelta) -> None:
        self.ahead += duration


@contextmanager
def doorway(world: World) -> Iterator[str]:
    """Serve the world until the context ends; gives the API's address."""
    container = Wired(world)
    container.settings = replace(container.settings, hoist_stage="prod")
    real, app.hoist = app.hoist, container
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Door)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{STAGE}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)
        with _Door.one_at_a_time:
            app.hoist = real


class _Door(BaseHTTPRequestHandler):
    """One request at a time reaches the fakes, which know nothing of threads."""

    protocol_version = "HTTP/1.1"
    one_at_a_time = Lock()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.one_at_a_time:
            status, headers, text = _passed_on(self.command, self.path, self.headers, body)
        encoded = text.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(encoded)))
        # A page that was left does not wait for its answers.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.end_headers()
            self.wfile.write(encoded)


def _passed_on(
    method: str, url: str, headers: Message, body: bytes
) -> tuple[int, dict[str, str], str]:
    """What API Gateway does: find the route, ask who calls, hand over."""
    parts = urlsplit(url.removeprefix(STAGE))
    resource, parameters = _route(parts.path)
    context: dict[str, Any] = {
        "httpMethod": method,
        "resourcePath": resource,
        "requestId": "req-1",
    }
    if app.app.routes[resource][method].authorizer:
        caller = app.hoist.authorize(headers.get("Authorization", ""))
        if caller is None:
            return 401, {"Content-Type": "application/problem+json"}, json.dumps(_UNKNOWN)
        context["authorizer"] = {"name": caller.name, "role": str(caller.role)}
    event = {
        "resource": resource,
        "path": parts.path,
        "pathParameters": parameters or None,
        "httpMethod": method,
        "headers": dict(headers.items()),
        "multiValueQueryStringParameters": parse_qs(parts.query) or None,
        "requestContext": context,
        "body": body.decode(),
        "isBase64Encoded": False,
        "stageVariables": None,
    }
    raw = app.app(event, None)
    return raw["statusCode"], raw["headers"], raw["body"]


def _route(path: str) -> tuple[str, dict[str, str]]:
    for resource in app.app.routes:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", resource)
        if match := re.fullmatch(pattern, path):
            return resource, match.groupdict()
    message = f"the page asked for {path}, which is no route"
    raise LookupError(message)
