"""Heroku apps through the Platform API v3.

https://devcenter.heroku.com/articles/platform-api-reference

Every reply of the config var calls holds all secrets of the app: it is cut down to flags where
it is parsed, and no reply's body is ever part of a message.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import urlsplit

import requests

from chalicelib.domain.errors import AccessDenied, Ambiguous, Refused, TryAgain
from chalicelib.domain.flag import only_flags
from chalicelib.domain.preflight import lacks_writing
from chalicelib.domain.release import AppConfig, Release, ReleaseStatus
from chalicelib.ports import Usage

#: Heroku's own Go client waits this long after a 429, for which no Retry-After is documented.
_RATE_LIMITED_FOR = timedelta(seconds=30)
_DENIED_FOR = timedelta(minutes=1)
#: Releases in the first page, which most often is enough, and in each of the next.
_FIRST_PAGE, _NEXT_PAGES = 20, 200
_PAGES = 4
_MAX = re.compile(r"max=\d+")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_ERROR_ID = re.compile(r"[a-z_]{1,40}")
_SCOPE = re.compile(r"[^\s,]+")
_DENIED = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN},
)
#: What Heroku answers where nothing is wrong with Heroku, or with how we ask.
_ANSWERS = frozenset(
    {
        HTTPStatus.OK,
        HTTPStatus.CREATED,
        HTTPStatus.PARTIAL_CONTENT,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    },
)
#: The account has to be verified first: said with 422, and about no config var.
_UNVERIFIED = "verification_needed"
#: Answers that will be the same for the same request: to any …
_GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
#: … and to a PATCH. A read that is refused like this is a bug of ours, and no promotion's fault.
_UNACCEPTABLE = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long Heroku is waited for."""

    #: For each address that Heroku's name resolves to.
    connect_seconds: float
    #: Without a byte of an answer.
    read_seconds: float
    #: The same for a PATCH: setting config vars has been seen to take longer than reading them.
    write_seconds: float
    #: Whether a read whose connection broke is tried once more. Where not, every read connects
    #: anew: a connection that was kept may have died since.
    second_try: bool


#: A worker has time, and asks often enough for its connection to be worth keeping.
FOR_WORKER = Patience(connect_seconds=3.05, read_seconds=8, write_seconds=15, second_try=True)
#: Somebody waits for the answer, and API Gateway gives it up after 29 seconds: three reads in a
#: row that hang end after 12.
FOR_REQUEST = Patience(connect_seconds=2, read_seconds=4, write_seconds=10, second_try=False)


class Token(Protocol):
    """Where the token comes from."""

    def __call__(self) -> str:
        """The token."""
        ...

    def forget(self) -> None:
        """Heroku refused it."""
        ...


@dataclass(kw_only=True)
class HerokuApps:
    """`Apps` at Heroku.

    Reads may be tried twice where the connection broke; a PATCH is sent once, and what is not
    known of it is said to be not known. Raises `ValueError` for a base URL that is neither
    Heroku's nor a loopback address: the token goes nowhere else.
    """

    base_url: str
    token: Token
    session: Callable[[], requests.Session]
    patience: Patience = FOR_WORKER
    _calls_left: int | None = field(default=None, init=False)
    _scopes: frozenset[str] | None = field(default=None, init=False)
    _calls: int = field(default=0, init=False)
    _errors: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Check where the token would go."""
        url = urlsplit(self.base_url)
        if self.base_url != "https://api.heroku.com" and url.hostname not in _LOOPBACK:
            message = f"not Heroku's API, nor a loopback address: {url.hostname}"
            raise ValueError(message)

    def config(self, app: str) -> AppConfig:
        """`GET /apps/{app}/config-vars`, cut down to flags and the size of it all."""
        return AppConfig.of(self._read(f"/apps/{app}/config-vars"))

    def set_config_vars(self, app: str, changes: Mapping[str, str | None]) -> None:
        """`PATCH /apps/{app}/config-vars` with only these keys. The reply proves nothing."""
        path = f"/apps/{app}/config-vars"
        try:
            answer = self._send("PATCH", path, json=dict(changes))
        except requests.ConnectTimeout:
            detail = "Heroku could not be reached; nothing was sent."
            raise TryAgain(detail) from None
        except requests.RequestException as error:
            why = type(error).__name__
            raise _ambiguous(why) from None
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _ambiguous(str(answer.status_code))
        self._check(answer, path)

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:
        """`GET /apps/{app}/releases`, newest first, page by page as far as needed: 620 at most.

        Without `Range` Heroku orders by id, which says nothing of time.
        """
        releases: list[Release] = []
        for page in self._release_pages(app):
            releases += page
            lowest = releases[-1].version if releases else 0
            has_current = any(release.current for release in releases)
            if has_current and (after is None or lowest <= after):
                break
        return tuple(releases)

    def release_config_vars(self, app: str, version: int) -> Mapping[str, str] | None:
        """`GET /apps/{app}/releases/{version}/config-vars`, cut down to flags."""
        try:
            return only_flags(self._read(f"/apps/{app}/releases/{version}/config-vars"))
        except Refused:
            return None

    def calls_left(self) -> int | None:
        """`RateLimit-Remaining` of the last reply."""
        return self._calls_left

    def scopes(self) -> frozenset[str] | None:
        """`Oauth-Scope` of the last reply: words with spaces between, or commas."""
        return self._scopes

    def require_writing(self) -> None:
        """Judge by `Oauth-Scope` of the last reply; no call is made."""
        lacking = lacks_writing(self._scopes)
        if lacking:
            self.token.forget()
            detail = f"{lacking} No promotion is at fault."
            raise AccessDenied(detail, after=_DENIED_FOR)

    def take_usage(self) -> Usage:
        """Count anew from here."""
        used = Usage(calls=self._calls, errors=self._errors, left=self._calls_left)
        self._calls = self._errors = 0
        return used

    def _release_pages(self, app: str) -> Iterator[list[Release]]:
        wanted = f"version ..; order=desc,max={_FIRST_PAGE}"
        for _ in range(_PAGES):
            answer = self._get(f"/apps/{app}/releases", {"Range": wanted})
            listed = _json(answer, list)
            yield [_release(fields) for fields in listed if type(fields.get("version")) is int]
            wanted = _MAX.sub(f"max={_NEXT_PAGES}", answer.headers.get("Next-Range", ""))
            if answer.status_code != HTTPStatus.PARTIAL_CONTENT or not wanted:
                return

    def _read(self, path: str) -> dict[str, Any]:
        config_vars: dict[str, Any] = _json(self._get(path, {}), dict)
        return config_vars

    def _get(self, path: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            answer = self._send_get(path, headers)
        except requests.RequestException as error:
            detail = (
                f"Heroku did not answer ({type(error).__name__}). Nothing is known to be wrong "
                "with the promotion; Hoist asks again by itself."
            )
            # Not chained: the error may quote the request.
            raise TryAgain(detail) from None
        return self._check(answer, path)

    def _send_get(self, path: str, headers: Mapping[str, str]) -> requests.Response:
        if not self.patience.second_try:
            self.session().close()
        try:
            return self._send("GET", path, headers=headers)
        except requests.ConnectTimeout:
            raise
        except requests.ConnectionError:
            if not self.patience.second_try:
                raise
            # Most often a connection kept open for too long: worth one more try at once.
            return self._send("GET", path, headers=headers)

    def _send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: Mapping[str, str | None] | None = None,
    ) -> requests.Response:
        patience = self.patience
        seconds = patience.read_seconds if method == "GET" else patience.write_seconds
        self._calls += 1
        # Until it is known to have gone well; see the end.
        self._errors += 1
        answer = self.session().request(
            method,
            self.base_url + path,
            json=json,
            headers={
                "Accept": "application/vnd.heroku+json; version=3",
                "Authorization": f"Bearer {self.token()}",
                "User-Agent": "hoist",
                **(headers or {}),
            },
            timeout=(patience.connect_seconds, seconds),
            # A redirect would carry the token to where it points.
            allow_redirects=False,
        )
        self._heed(answer.headers)
        if answer.status_code in _ANSWERS:
            self._errors -= 1
        return answer

    def _heed(self, headers: Mapping[str, str]) -> None:
        """Keep what a reply, be it a refusal, says of the account."""
        left = headers.get("RateLimit-Remaining", "")
        self._calls_left = int(left) if left.isdecimal() else None
        self._scopes = frozenset(_SCOPE.findall(headers.get("Oauth-Scope", ""))) or None

    def _check(self, answer: requests.Response, path: str) -> requests.Response:
        """Pass a success on; raise what anything else means."""
        status = answer.status_code
        if status in {HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.PARTIAL_CONTENT}:
            return answer
        said = f"Heroku answered {status} {_error_id(answer)} to {path}"
        if status in _DENIED or _error_id(answer) == _UNVERIFIED:
            self.token.forget()
            detail = f"{said}: it refuses Hoist's token or account. No promotion is at fault."
            raise AccessDenied(detail, after=_DENIED_FOR)
        if status in _GONE:
            detail = (
                f"{said}: it has no such app, or does not show it to Hoist's account, and would "
                "answer the same again."
            )
            raise Refused(detail)
        if status in _UNACCEPTABLE and answer.request.method == "PATCH":
            detail = f"{said}, and would answer the same again."
            raise Refused(detail)
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            detail = f"{said}: the account's rate limit is used up. Hoist waits."
            raise TryAgain(detail, after=_RATE_LIMITED_FOR)
        detail = f"{said}. Hoist asks again by itself."
        raise TryAgain(detail)


def _json(answer: requests.Response, kind: type[Any]) -> Any:  # noqa: ANN401 - as `kind` says
    """The reply's JSON, checked for its kind. Never says what it held."""
    try:
        parsed = answer.json()
    except requests.JSONDecodeError:
        parsed = None
    if not isinstance(parsed, kind):
        detail = "Heroku's answer cannot be read. Hoist asks again by itself."
        # Not chained: the decoder's error holds the document.
        raise TryAgain(detail) from None
    return parsed


def _ambiguous(why: str) -> Ambiguous:
    return Ambiguous(
        f"Heroku's answer to the PATCH was lost ({why}): it may have set the value or not. "
        "Hoist reads before it sends anything again. Nothing needs to be done.",
    )


def _error_id(answer: requests.Response) -> str:
    """Heroku's word for the error. Its message is left out: it may quote a value."""
    try:
        parsed = answer.json()
    except requests.JSONDecodeError:
        return ""
    said = parsed.get("id") if isinstance(parsed, dict) else None
    return said if isinstance(said, str) and _ERROR_ID.fullmatch(said) else ""


def _release(fields: Mapping[str, Any]) -> Release:
    """Parse tolerantly: the schema requires no field."""
    status = fields.get("status")
    return Release(
        id=str(fields.get("id", "")),
        version=fields["version"],
        status=ReleaseStatus(status) if status in set(ReleaseStatus) else ReleaseStatus.UNKNOWN,
        current=fields.get("current") is True,
        description=str(fields.get("description", "")),
        created_at=_time(fields.get("created_at")),
    )


def _time(text: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
