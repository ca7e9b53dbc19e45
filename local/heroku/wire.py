"""Requests and responses as values; nothing here knows sockets."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.heroku.errors import ApiError

#: Far above the largest valid body: 64 kB of config, every character escaped.
MAX_BODY_BYTES = 1024 * 1024

JSON = "application/json"


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request as it arrived. Header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def json(self) -> object:
        """Parse the body; 400 when it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise ApiError(400, "Unable to parse the JSON body.") from error


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer. `body` holds secrets as often as not: it is never logged."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON

    @property
    def etag(self) -> str:
        """A fingerprint of the body."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


def json_response(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON."""
    return Response(status=status, body=json.dumps(body, indent=2).encode(), headers=headers or {})


def error_response(error: ApiError) -> Response:
    """Answer with Heroku's error body."""
    return json_response(error.body(), status=error.status)
