"""Notices in a Slack channel, by an incoming webhook.

https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

import requests

from chalicelib.domain.errors import TryAgain
from chalicelib.domain.notice import Notice
from chalicelib.domain.promotion import Rung
from chalicelib.ports import Clock, Undeliverable

#: Slack takes one message a second for each webhook.
APART = timedelta(seconds=1)
_TIMEOUT_SECONDS = (3.05, 5)
#: A section's text has at most 3,000 characters.
_SECTION_LENGTH = 3000
_MARKS = {
    Rung.INFO: "INFO",
    Rung.SEV3: "SEV-3",
    Rung.WARNING: "WARNING",
    Rung.CRITICAL: "CRITICAL",
}


@dataclass(kw_only=True)
class SlackChannel:
    """`Channel` by an incoming webhook, at most one message a second."""

    webhook_url: Callable[[], str]
    session: Callable[[], requests.Session]
    clock: Clock
    #: Where a promotion and the runbook can be read.
    promotions_url: str
    runbook_url: str
    _next_at: datetime | None = field(default=None, init=False)

    def deliver(self, notice: Notice) -> None:
        """Post one message with blocks."""
        self._keep_apart()
        try:
            answer = self.session().post(
                self.webhook_url(),
                json=self.message(notice),
                timeout=_TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            detail = f"Slack did not answer ({type(error).__name__})."
            # Not chained: the error holds the webhook's URL, which is a secret.
            raise TryAgain(detail) from None
        self._check(answer)

    def message(self, notice: Notice) -> dict[str, Any]:
        """The message, as Slack takes it: `text` is what notifications and screen readers show."""
        mark = "RESOLVED" if notice.resolves else _MARKS[notice.rung]
        headline = f"[{mark}] {notice.title}"
        links = f"<{self.runbook_url}#{notice.runbook}|What is safe now>"
        if notice.promotion_id:
            where = f"{self.promotions_url}/{notice.promotion_id}"
            links = f"<{where}|{notice.promotion_id}> · {links}"
        return {
            "text": headline,
            "blocks": [
                _section(f"*{_escaped(headline)}*"),
                _section(_escaped(notice.text)),
                {"type": "context", "elements": [{"type": "mrkdwn", "text": links}]},
            ],
        }

    def _keep_apart(self) -> None:
        now = self.clock.now()
        if self._next_at and now < self._next_at:
            self.clock.sleep(self._next_at - now)
        self._next_at = self.clock.now() + APART

    @staticmethod
    def _check(answer: requests.Response) -> None:
        status = answer.status_code
        if status == HTTPStatus.OK:
            return
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait = answer.headers.get("Retry-After", "")
            seconds = int(wait) if wait.isdecimal() else 5
            detail = f"Slack answered {status}."
            raise TryAgain(detail, after=timedelta(seconds=seconds))
        # Slack's word is plain text, such as `no_active_hooks`: permanent, all of them.
        word = answer.text.strip()[:60]
        detail = f"Slack refuses ({status} {word if word.isidentifier() else ''})"
        raise Undeliverable(detail)


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:_SECTION_LENGTH]}}


def _escaped(text: str) -> str:
    """Slack's three control characters: a flag's name must not become a link or a mention."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
