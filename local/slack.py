"""A stand-in for Slack's incoming webhooks: it prints and remembers what it is told, or refuses.

`python -m local.slack --port 4802`: POST a message to any path below /services/.
`GET /messages?after=N` gives those accepted, from the (N+1)th on.
`POST /fail` decides what the next messages get:
    {"status": 503, "times": 3}                        three messages, then all is well again
    {"status": 503, "rate": 0.3, "seed": 7}            three in ten, the same ones for one seed
    {"status": 404, "body": "no_active_hooks"}         all of them, until told otherwise
    {}                                                 none
`POST /pace` {"seconds": 1}: more than one message in that time gets 429 with Retry-After; 0: any.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

import argparse
import json
import math
import random
import signal
import threading
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from local.child import HOST

#: Where the local stack tells Hoist to post.
WEBHOOK_PATH = "/services/T0LOCAL/B0LOCAL/hoist"

#: A message a second, as https://docs.slack.dev/apis/web-api/rate-limits says.
PACE_SECONDS = 1.0
#: Slack measures no better than this either: a sender's second is not the receiver's.
_TOLERANCE_SECONDS = 0.1
_MAX_BODY_BYTES = 1_000_000
_IDLE_SECONDS = 30


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a message gets."""

    status: int = HTTPStatus.OK
    body: str = "ok"
    retry_after: int | None = None


@dataclass(kw_only=True)
class Trouble:
    """Which of the next messages are refused, and how."""

    status: int = HTTPStatus.SERVICE_UNAVAILABLE
    body: str = "service_unavailable"
    #: How many more; `None` for all.
    times: int | None = None
    #: The share of messages that it strikes.
    rate: float = 1.0
    seed: int = 0
    chance: random.Random = field(init=False)

    def __post_init__(self) -> None:
        """One seed strikes the same messages each time."""
        self.chance = random.Random(self.seed)  # noqa: S311 - no secret

    def strikes(self) -> bool:
        """Tell whether it refuses the message that has come now; it counts."""
        if self.times == 0 or self.chance.random() >= self.rate:
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass(kw_only=True)
class Sink:
    """What the channel shows, and how it behaves. Safe to share between threads."""

    messages: list[dict[str, Any]] = field(default_factory=list)
    trouble: Trouble | None = None
    pace_seconds: float = PACE_SECONDS
    refused: int = 0
    _accepted_at: float = -math.inf
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def post(self, payload: object) -> Answer:
        """Take a message, or refuse it."""
        with self._lock:
            answer = self._judge(payload)
            if answer.status == HTTPStatus.OK and isinstance(payload, dict):
                self._accepted_at = time.monotonic()
                self.messages.append(payload)
                print(text_of(payload), flush=True)
            else:
                self.refused += 1
            return answer

    def behave(self, path: str, order: dict[str, Any]) -> None:
        """Do as a control says from now on. Raises TypeError for an order that makes no sense."""
        with self._lock:
            if path == "/fail":
                self.trouble = Trouble(**order) if order else None
            else:
                self.pace_seconds = float(order["seconds"])

    def seen(self, after: int) -> dict[str, Any]:
        """Show the messages after the first `after`, and how many were refused so far."""
        with self._lock:
            return {"messages": self.messages[after:], "refused": self.refused}

    def _judge(self, payload: object) -> Answer:
        if not isinstance(payload, dict) or not isinstance(payload.get("text"), str):
            return Answer(status=HTTPStatus.BAD_REQUEST, body="invalid_payload")
        left = self._accepted_at + self.pace_seconds - _TOLERANCE_SECONDS - time.monotonic()
        if self.pace_seconds and left > 0:
            return Answer(
                status=HTTPStatus.TOO_MANY_REQUESTS,
                body="rate_limited",
                retry_after=math.ceil(left),
            )
        if self.trouble and self.trouble.strikes():
            return Answer(status=self.trouble.status, body=self.trouble.body)
        return Answer()


def text_of(payload: dict[str, Any]) -> str:
    """Return a message as a terminal shows it: all its texts, one a line."""
    blocks = payload.get("blocks", [])
    parts = [block["text"] for block in blocks if "text" in block]
    parts += [element for block in blocks for element in block.get("elements", [])]
    return "\n".join([part["text"] for part in parts] or [payload["text"]])


class Server(ThreadingHTTPServer):
    """One sink behind a loopback port."""

    daemon_threads = True

    def __init__(self, port: int, sink: Sink) -> None:
        self.sink = sink
        super().__init__((HOST, port), Handler)


class Handler(BaseHTTPRequestHandler):
    """Unwrap a request, ask the sink, wrap its answer."""

    server: Server
    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        """Show what was accepted."""
        url = urlsplit(self.path)
        if url.path != "/messages":
            self._send(Answer(status=HTTPStatus.NOT_FOUND, body="not_found"))
            return
        after = int(parse_qs(url.query).get("after", ["0"])[0])
        self._send(Answer(body=json.dumps(self.server.sink.seen(after))))

    def do_POST(self) -> None:
        """Take a message or an order."""
        length = min(int(self.headers.get("Content-Length", 0)), _MAX_BODY_BYTES)
        try:
            payload = json.loads(self.rfile.read(length) or b"{}")
            if self.path in {"/fail", "/pace"}:
                self.server.sink.behave(self.path, payload)
                answer = Answer()
            elif self.path.startswith("/services/"):
                answer = self.server.sink.post(payload)
            else:
                answer = Answer(status=HTTPStatus.NOT_FOUND, body="no_service")
        except (ValueError, TypeError, KeyError):
            answer = Answer(status=HTTPStatus.BAD_REQUEST, body="invalid_payload")
        self._send(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """The log is for messages."""

    def _send(self, answer: Answer) -> None:
        body = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if answer.retry_after is not None:
            self.send_header("Retry-After", str(answer.retry_after))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m local.slack")
    parser.add_argument("--port", type=int, required=True)
    server = Server(parser.parse_args().port, Sink())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    stop.wait()
    server.shutdown()
    server.server_close()


if __name__ == "__main__":
    main()
