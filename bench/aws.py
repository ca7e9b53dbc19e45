"""AWS on a loopback port: what a process of its own spends on a call is then its own time."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.awsrequest import AWSPreparedRequest
from botocore.compat import HTTPHeaders
from moto.core.models import botocore_stubber

REGION = "eu-west-1"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request of an AWS client."""

    service: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def operation(self) -> str:
        """What is called, as in `dynamodb.GetItem`."""
        target = self.headers.get("X-Amz-Target", "")
        named = target.rpartition(".")[2] or _form(self.body).get("Action", "?")
        return f"{self.service}.{named}"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What it is answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Answer = Callable[[Call], Reply]


class AwsServer(ThreadingHTTPServer):
    """Answers as `answer` says, one call at a time."""

    daemon_threads = True

    def __init__(self, answer: Answer) -> None:
        self.answer, self.one_at_a_time = answer, threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    @property
    def url(self) -> str:
        """For `AWS_ENDPOINT_URL`."""
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: AwsServer
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: the other side would wait for the second.
    wbufsize = -1
    timeout = 60

    def do_POST(self) -> None:
        """Unwrap, ask, wrap."""
        scope = self.headers["Authorization"].partition("Credential=")[2].split("/")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        call = Call(service=scope[3], path=self.path, headers=dict(self.headers), body=body)
        with self.server.one_at_a_time:
            reply = self.server.answer(call)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            if name.lower() not in {"content-length", "date", "server"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Nobody reads it."""


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """Answer calls for as long as the context lasts; gives the URL."""
    server = AwsServer(answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.url
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def by_moto(call: Call) -> Reply:
    """What moto answers, within `mock_aws`."""
    request = AWSPreparedRequest(
        method="POST",
        url=f"https://{call.service}.{REGION}.amazonaws.com{call.path}",
        headers=_headers(call),
        body=call.body,
        stream_output=False,
    )
    answered = botocore_stubber.process_request(request)
    if answered is None:
        message = f"moto does not know {call.operation}"
        raise LookupError(message)
    status, headers, body = answered
    return Reply(
        status=status,
        headers={name: str(value) for name, value in headers.items()},
        body=body.encode() if isinstance(body, str) else body,
    )


@dataclass
class Tape:
    """AWS: records what is said, then repeats its half, from the beginning when it ends."""

    said: list[tuple[Call, Reply]] = field(default_factory=list)
    records: bool = True
    heard: list[Call] = field(default_factory=list)

    def __call__(self, call: Call) -> Reply:
        """Answer one call."""
        if self.records:
            self.said.append((call, by_moto(call)))
            return self.said[-1][1]
        self.heard.append(call)
        return self.said[(len(self.heard) - 1) % len(self.said)][1]

    def require_the_same(self, times: int) -> None:
        """Raise SystemExit unless it heard so often what was said, in the same size; forget it."""
        said, heard = ([_shape(call) for call in calls] for calls in (self._calls(), self.heard))
        if heard != said * times:
            message = f"{heard[: len(said)]} is not {said}"
            raise SystemExit(message)
        self.heard.clear()

    def _calls(self) -> Iterator[Call]:
        return (call for call, _ in self.said)


def _shape(call: Call) -> tuple[str, int]:
    return call.operation, len(json.dumps(json.loads(call.body)))


def cpu_of(subject: Callable[[], object], times: int) -> float:
    """Milliseconds of CPU of this thread, for each of so many times."""
    started = time.thread_time()
    for _ in range(times):
        subject()
    return 1000 * (time.thread_time() - started) / times


def _headers(call: Call) -> HTTPHeaders:
    """As botocore keeps them."""
    headers = HTTPHeaders()
    for name, value in call.headers.items():
        headers[name] = value
    return headers


def _form(body: bytes) -> dict[str, str]:
    pairs = (pair.partition("=") for pair in body.decode(errors="replace").split("&"))
    return {name: value for name, _, value in pairs}
