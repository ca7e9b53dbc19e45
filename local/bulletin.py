"""What Slack and whoever is on call have heard, as it comes."""

import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field

import requests

from local import on_call, slack

_ANSWER_SECONDS = 10


@dataclass(kw_only=True)
class Bulletin:
    """Tells each message once, from when it is made. Each call looks once."""

    ministack: str
    slack: str
    on_call_queue: str
    say: Callable[[str], None]
    _heard: int = 0
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """What the queue kept from an earlier run was told then."""
        self._told |= {page.id for page in on_call.pages(self.ministack, self.on_call_queue)}

    def __call__(self) -> None:
        """Tell what is new. Says nothing of a stand-in that does not answer: others watch that."""
        try:
            self._tell_slack()
            self._tell_on_call()
        except requests.RequestException:
            return

    def _tell_slack(self) -> None:
        fresh = messages(self.slack, after=self._heard)
        self._heard += len(fresh)
        for message in fresh:
            self.say(f"[Slack] {textwrap.indent(slack.text_of(message), '  ').strip()}")

    def _tell_on_call(self) -> None:
        heard = on_call.pages(self.ministack, self.on_call_queue)
        for page in on_call.worth_reading(heard):
            if page.id not in self._told:
                self._told.add(page.id)
                self.say(f"[on call] {page}")


def messages(slack_url: str, *, after: int = 0) -> list[dict[str, object]]:
    """Return the messages that the channel shows, from the (after + 1)th on."""
    answer = requests.get(f"{slack_url}/messages", params={"after": after}, timeout=_ANSWER_SECONDS)
    answer.raise_for_status()
    found: list[dict[str, object]] = answer.json()["messages"]
    return found
