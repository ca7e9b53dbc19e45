"""A caller who takes no answer for no answer, and repeats the same request under the same key."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import pyotp
import requests

from chalicelib.domain.operator import Operator, Role
from infra.office import Office
from local.directions import DemoOperator

_ANSWER_SECONDS = 30
GIVES_UP_AFTER_SECONDS = 300
_LEAST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS = 0.2, 2.0


class UnansweredError(Exception):
    """The API did not answer in time, or not with what a caller may expect."""


@dataclass(kw_only=True)
class Client:
    """One operator. Repeats what was not answered, in bounded time."""

    api: str
    operator: DemoOperator
    #: Requests that were sent again.
    repeats: int = 0
    _session: requests.Session = field(default_factory=requests.Session)

    def mark(self, target: str, flag: str) -> str:
        """Mark a flag; return the promotion's id."""
        body = {"target": target, "flag": flag, "value": "true"}
        marked = self._answer("POST", "/promotions", json=body, key=f"mark-{flag}")
        return str(marked["id"])

    def promote(self, promotion_id: str, **body: object) -> None:
        """Promote, with the code of the moment."""
        path = f"/promotions/{promotion_id}/promote"
        self._answer("POST", path, json=body or None, key=promotion_id, with_code=True)

    def get(self, path: str) -> dict[str, Any]:
        """Read something."""
        return self._answer("GET", path)

    def put(self, path: str, body: object) -> None:
        """Write a record."""
        self._answer("PUT", path, json=body)

    def _answer(
        self,
        method: str,
        path: str,
        *,
        json: object = None,
        key: str | None = None,
        with_code: bool = False,
    ) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.operator.token}"}
        if key:
            headers["Idempotency-Key"] = key

        def send() -> requests.Response:
            # A code is good for a minute or so: a repeat takes the one that is shown by then.
            code = {"X-TOTP": pyotp.TOTP(self.operator.totp_secret).now()} if with_code else {}
            return self._session.request(
                method,
                self.api + path,
                json=json,
                headers={**headers, **code},
                timeout=_ANSWER_SECONDS,
            )

        return self._first_answer(f"{method} {path}", send)

    def _first_answer(self, what: str, send: Callable[[], requests.Response]) -> dict[str, Any]:
        ends, pause = time.monotonic() + GIVES_UP_AFTER_SECONDS, _LEAST_PAUSE_SECONDS
        while True:
            said = "no connection"
            try:
                answer = send()
            except requests.RequestException as error:
                said = type(error).__name__
            else:
                if answer.ok:
                    found: dict[str, Any] = answer.json()
                    return found
                said = f"{answer.status_code} {_word(answer).get('code')}"
                if not _may_pass(answer):
                    message = f"{what}: {said}"
                    raise UnansweredError(message)
            if time.monotonic() > ends:
                message = f"{what}: {said}, for {GIVES_UP_AFTER_SECONDS} s"
                raise UnansweredError(message)
            self.repeats += 1
            time.sleep(pause)
            pause = min(2 * pause, _MOST_PAUSE_SECONDS)


def _may_pass(answer: requests.Response) -> bool:
    """The same request may be answered well later."""
    away = answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
    return away or _word(answer).get("retryable") is True


def _word(answer: requests.Response) -> Mapping[str, Any]:
    try:
        said = answer.json()
    except requests.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}


def hired(office: Office, api: str, name: str) -> Client:
    """A new promoter, whose codes nobody has used."""
    made = DemoOperator.invent(name)
    secret = made.token.partition(".")[2]
    office.operators.put(
        Operator(
            name=name,
            role=Role.PROMOTER,
            token_sha256=hashlib.sha256(secret.encode()).hexdigest(),
            totp_reference=office.totp_secrets.put(name, made.totp_secret),
        )
    )
    return Client(api=api, operator=made)
