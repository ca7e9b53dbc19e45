"""Hoist's API, as one caller uses it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import requests
from requests.auth import AuthBase
from urllib3.exceptions import NewConnectionError

from cli.config import Config

#: To connect, and for the answer: API Gateway gives up after 29.
_TIMEOUT_SECONDS = (5.0, 35.0)
_TRIES = 3
_PAUSE_SECONDS = 1.0
#: What asks for a longer pause is left to the caller.
_LONGEST_PAUSE_SECONDS = 10.0


class Trouble(Exception):
    """Why something was not done, as a problem of RFC 9457. It never holds a token or a code."""

    def __init__(
        self,
        problem: Mapping[str, Any],
        *,
        again_after: float | None = None,
    ) -> None:
        super().__init__(str(problem["detail"]))
        self.problem = problem
        #: Seconds after which the very same request is worth sending again; None: it is not.
        self.again_after = again_after


class Refused(Trouble):
    """The API says no: nothing was changed."""


class NoAnswer(Trouble):
    """No answer came that could be used."""

    def __init__(
        self,
        problem: Mapping[str, Any],
        *,
        again_after: float | None = None,
        perhaps_done: bool = True,
    ) -> None:
        super().__init__(problem, again_after=again_after)
        #: The request may have been carried out.
        self.perhaps_done = perhaps_done


@dataclass(frozen=True, kw_only=True)
class _Request:
    method: str
    path: str
    query: Mapping[str, str | int | None] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    code: str | None = field(default=None, repr=False)
    key: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        headers = {"Idempotency-Key": self.key, "X-TOTP": self.code}
        return {name: value for name, value in headers.items() if value is not None}


def path(*parts: str) -> str:
    """Spell a path, whatever its parts contain."""
    return "".join(f"/{quote(part, safe='')}" for part in parts)


@dataclass(frozen=True, kw_only=True)
class Client:
    """Sends requests, and sends them again where an answer is lost: none is carried out twice.

    For that, what must not be repeated carries an idempotency key; all else is idempotent.
    Raises `Refused` where the API says no, and `NoAnswer` where it cannot be known what it says.
    """

    config: Config
    sleep: Callable[[float], None] = time.sleep
    tries: int = _TRIES
    timeout_seconds: tuple[float, float] = _TIMEOUT_SECONDS
    session: requests.Session = field(default_factory=requests.Session)

    def get(self, path: str, **query: str | int | None) -> dict[str, Any]:
        """Read."""
        return _object(self._sent(_Request(method="GET", path=path, query=query)))

    def trail(self, promotion_id: str) -> dict[str, Any]:
        """Read a whole audit trail, however many answers that takes."""
        at = path("promotions", promotion_id, "audit")
        answer = self.get(at)
        entries = list(answer["entries"])
        # An answer without entries is the last, whatever it says.
        while answer["entries"] and answer.get("next_cursor"):
            answer = self.get(at, cursor=answer["next_cursor"])
            entries += answer["entries"]
        return answer | {"entries": entries}

    def markdown(self, path: str) -> str:
        """Read a text."""
        answer = self._sent(_Request(method="GET", path=path))
        if "markdown" not in answer.headers.get("Content-Type", ""):
            raise _not_hoist(answer)
        return answer.text

    def post(
        self,
        path: str,
        body: Mapping[str, Any],
        *,
        code: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Change something; once, however often, under one `key`."""
        return _object(
            self._sent(_Request(method="POST", path=path, body=body, code=code, key=key))
        )

    def put(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Set something."""
        return _object(self._sent(_Request(method="PUT", path=path, body=body)))

    def delete(self, path: str, **query: str | None) -> None:
        """Take something away."""
        self._sent(_Request(method="DELETE", path=path, query=query))

    def _sent(self, request: _Request) -> requests.Response:
        perhaps_done, tries_left = False, self.tries
        while True:
            tries_left -= 1
            try:
                answer = self._answer(request)
            except NoAnswer as away:
                perhaps_done |= away.perhaps_done
                if away.again_after is None or not tries_left:
                    raise _last(away, request, perhaps_done=perhaps_done) from None
                pause = away.again_after
            else:
                refused = _refusal(answer)
                if refused is None or (perhaps_done and _gone_already(request, answer)):
                    return answer
                if refused.again_after is None or not tries_left:
                    raise refused
                pause = refused.again_after
            self.sleep(pause)

    def _answer(self, request: _Request) -> requests.Response:
        try:
            answer = self.session.request(
                request.method,
                self.config.api + request.path,
                params={name: value for name, value in request.query.items() if value is not None},
                json=request.body,
                headers=request.headers,
                auth=_Bearer(self.config),
                timeout=self.timeout_seconds,
                # A redirect would carry the token to where it points.
                allow_redirects=False,
            )
        except requests.RequestException as error:
            # Not chained: the error may quote the request.
            raise self._lost(error) from None
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise _broken(answer)
        return answer

    def _lost(self, error: requests.RequestException) -> NoAnswer:
        host = urlsplit(self.config.api).netloc
        return NoAnswer(
            _no_answer(f"{_why(error, self.timeout_seconds)} ({host})."),
            again_after=_PAUSE_SECONDS,
            perhaps_done=not _never_left(error),
        )


class _Bearer(AuthBase):
    """Says who calls. Given as `auth`, for a header would give way to what ~/.netrc says."""

    def __init__(self, config: Config) -> None:
        self._config = config

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._config.token}"
        if self._config.on_behalf_of:
            request.headers["X-On-Behalf-Of"] = self._config.on_behalf_of
        return request


def _object(answer: requests.Response) -> dict[str, Any]:
    body = _json(answer)
    if not isinstance(body, dict):
        raise _not_hoist(answer)
    return body


def _json(answer: requests.Response) -> object:
    if "json" not in answer.headers.get("Content-Type", ""):
        return None
    try:
        return answer.json()
    except requests.JSONDecodeError:
        return None


def _problem(answer: requests.Response) -> dict[str, Any] | None:
    body = _json(answer)
    whole = isinstance(body, dict) and {"title", "detail", "code"} <= body.keys()
    return body if whole else None  # type: ignore[return-value] # whole: it is a dict


def _refusal(answer: requests.Response) -> Refused | None:
    if HTTPStatus.OK <= answer.status_code < HTTPStatus.MULTIPLE_CHOICES:
        return None
    problem = _problem(answer)
    if problem is None:
        return _not_hoist(answer)
    # Others that may succeed later wait for people, or for longer than anybody looks on.
    return Refused(problem, again_after=_pause(answer) if problem["code"] == "throttled" else None)


def _broken(answer: requests.Response) -> NoAnswer:
    """It is not known what came of the request: part of Hoist is away, or has a bug."""
    problem = _problem(answer)
    if problem is None:
        return NoAnswer(
            _no_answer(f"What answered {_status(answer)} is not Hoist itself."),
            again_after=_pause(answer),
        )
    return NoAnswer(problem, again_after=_pause(answer) if problem.get("retryable") else None)


def _not_hoist(answer: requests.Response) -> Refused:
    return Refused(
        {
            "title": "This does not look like Hoist's API",
            "detail": f"It answered {_status(answer)}, in a way that Hoist does not.",
            "status": answer.status_code,
            "code": "not_hoist",
            "retryable": False,
            "safe_now": "act",
        },
    )


def _no_answer(why: str) -> dict[str, Any]:
    return {
        "title": "No answer from the API",
        "detail": why,
        "code": "no_answer",
        "retryable": True,
        "safe_now": "wait",
    }


def _last(away: NoAnswer, request: _Request, *, perhaps_done: bool) -> NoAnswer:
    """What is known after the last try, and by which key it can be found out."""
    problem = dict(away.problem)
    if problem["code"] == "no_answer":
        problem["detail"] += f" {_known(request, perhaps_done=perhaps_done)}"
    if request.key and perhaps_done:
        problem["idempotency_key"] = request.key
    return NoAnswer(problem, perhaps_done=perhaps_done)


def _known(request: _Request, *, perhaps_done: bool) -> str:
    if request.method == "GET":
        return "Nothing was changed: it was only to be read."
    if not perhaps_done:
        return "Nothing was sent, and nothing was changed."
    return "It is not known whether the request was carried out."


def _gone_already(request: _Request, answer: requests.Response) -> bool:
    """Taken away by the try before, whose answer was lost."""
    return request.method == "DELETE" and answer.status_code == HTTPStatus.NOT_FOUND


def _never_left(error: requests.RequestException) -> bool:
    """No connection came about, so nothing can have been carried out."""
    reason = getattr(error.args[0], "reason", None) if error.args else None
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError)


def _why(error: requests.RequestException, timeout_seconds: tuple[float, float]) -> str:
    match error:
        case requests.exceptions.SSLError():
            return "Its certificate is not trusted here"
        case requests.exceptions.ProxyError():
            return "The proxy did not let the request through"
        case requests.ReadTimeout():
            return f"It did not answer within {timeout_seconds[1]:.0f} s"
        case _ if _never_left(error):
            return "It cannot be reached from here"
        case _:
            return "The connection broke"


def _status(answer: requests.Response) -> str:
    number = answer.status_code
    known = number in HTTPStatus.__members__.values()
    return f"{number} {HTTPStatus(number).phrase}" if known else str(number)


def _pause(answer: requests.Response) -> float:
    asked = answer.headers.get("Retry-After", "")
    return min(float(asked), _LONGEST_PAUSE_SECONDS) if asked.isdecimal() else _PAUSE_SECONDS
