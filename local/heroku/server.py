"""HTTP/1.1 on 127.0.0.1: sockets, threads and bytes. What to answer is decided elsewhere."""

import contextlib
import re
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from local.heroku.errors import ApiError
from local.heroku.exchange import Delivery, Outcome
from local.heroku.wire import MAX_BODY_BYTES, Request, Response, error_response

HOST = "127.0.0.1"
_IDLE_CONNECTION_SECONDS = 120
_JOIN_SECONDS = 5


class Server(ThreadingHTTPServer):
    """One thread per connection; `close` ends every one of them."""

    daemon_threads = True
    request_queue_size = 128

    #: Threads by connection; only the listener's thread touches them while it runs.
    _connections: dict[threading.Thread, socket.socket]

    def __init__(self, port: int, answer: Callable[[Request], Outcome]) -> None:
        self.answer = answer
        self._connections = {}
        self._is_closing = False
        super().__init__((HOST, port), Handler)
        self._listener = threading.Thread(
            target=self._listen, name="heroku-simulator-listener", daemon=True
        )
        self._listener.start()

    def _listen(self) -> None:
        # Unlike serve_forever, this wakes up for connections only, and stops at once.
        while not self._is_closing:
            self.handle_request()

    def server_bind(self) -> None:
        """Bind without HTTPServer's reverse lookup of the host's name, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"http://{HOST}:{self.server_port}"

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        """Serve a connection on a thread that `close` can find."""
        thread = threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True
        )
        self._connections = {t: c for t, c in self._connections.items() if t.is_alive()}
        self._connections[thread] = request
        thread.start()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        """Report bugs; a client that went away is none."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def close(self) -> None:
        """Stop accepting, cut every connection (idle ones block in a read), join their threads."""
        self._is_closing = True
        # A last connection, to ourselves, makes the listener look at the flag.
        with contextlib.suppress(OSError):
            socket.create_connection((HOST, self.server_port)).close()
        self._listener.join()
        self.server_close()
        # The listener has ended, so nobody else touches the connections any more.
        for thread, connection in self._connections.items():
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(_JOIN_SECONDS)


class Handler(BaseHTTPRequestHandler):
    """Reads one request after another from a connection and writes what the server answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = _IDLE_CONNECTION_SECONDS
    # Buffered, so that head and body leave in one packet.
    wbufsize = -1
    server: Server

    def serve(self) -> None:
        """Serve one request of any verb."""
        length = self._content_length()
        if length is None:
            self.close_connection = True
            error = ApiError(400, "The body has no length, or is too large.")
            self._write(error_response(error), is_truncated=False)
            return
        # The body is read even where nobody looks at it: the next request starts behind it.
        self._deliver(self.server.answer(self._request(self.rfile.read(length))))

    def version_string(self) -> str:
        """Name the server without Python's version."""
        return "heroku-simulator"

    do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = serve  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the truth log is the log."""

    def _content_length(self) -> int | None:
        """Read how long the body is; None for what this server does not read (chunks, excess)."""
        text = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not re.fullmatch("[0-9]{1,9}", text):
            return None
        return int(text) if int(text) <= MAX_BODY_BYTES else None

    def _request(self, body: bytes) -> Request:
        target = urlsplit(self.path)
        return Request(
            method=self.command,
            path=unquote(target.path),
            query=dict(parse_qsl(target.query)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
        )

    def _deliver(self, outcome: Outcome) -> None:
        if outcome.response is None:
            self.close_connection = True
            if outcome.delivery is Delivery.RESET:
                self._reset()
            return
        is_truncated = outcome.delivery is Delivery.TRUNCATED
        self._write(outcome.response, is_truncated=is_truncated)

    def _write(self, response: Response, *, is_truncated: bool) -> None:
        sent = response.body[: len(response.body) // 2] if is_truncated else response.body
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", response.content_type)
        # A 304 has no body, hence no length.
        if response.status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = self.close_connection or is_truncated

    def _reset(self) -> None:
        # Lingering for zero seconds makes close() send RST where it would send FIN; see socket(7).
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
