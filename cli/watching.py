"""Watch a promotion until it has settled, or until watching is pointless."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import click

from cli import show
from cli.client import Client, Trouble, path
from cli.program import DONE, FAILED, INTERRUPTED, STILL_RUNNING, Program

DEFAULT_WAIT_SECONDS = 300.0
_LOOK_EVERY_SECONDS = 2.0
#: What ends by somebody's hand or by the calendar, not within minutes.
_LONG_WAITS = frozenset({"operator", "approval", "time", "freeze", "preflight"})
_BY_ITSELF = "It goes on by itself; hoist watch {id} looks again."
_NEXT = {
    "operator": "Promote it with: hoist promote {id}",
    "approval": "Somebody else than its author approves it with: hoist approve {id}",
    "preflight": "hoist preflight {id} shows what has to be mended; then it begins by itself.",
}


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Says on stderr what changes, until the promotion has settled or the wait ends.

    `through_holds`: also while it waits for people, or for a freeze to open. An answer that does
    not come is no end: it is asked for again while the wait lasts.
    """

    program: Program
    client: Client
    wait_seconds: float = DEFAULT_WAIT_SECONDS
    through_holds: bool = True

    def __call__(self, promotion_id: str) -> None:
        """Watch, print it, and exit by what it came to."""
        with self._interruptible(promotion_id):
            seen = self._last_seen(promotion_id)
        self.program.answer(seen, show.promotion)
        raise click.exceptions.Exit(_exit_code(seen))

    def _last_seen(self, promotion_id: str) -> dict[str, Any]:
        once = replace(self.client, tries=1)
        began = self.program.now()
        ends, told, away = began + self.wait_seconds, "", None
        with show.busy("watching") as tell:
            while True:
                try:
                    seen, away = once.get(path("promotions", promotion_id)), None
                    news = _news(seen)
                except Trouble as trouble:
                    if not trouble.problem.get("retryable"):
                        raise
                    away, news = trouble, "No answer from the API; asking again."
                now = self.program.now()
                if news != told:
                    tell(f"[dim]{show.lasted(int(now - began)):>12}[/]  {news}")
                    told = news
                if now >= ends or not (away or self._worth_watching(seen)):
                    break
                self.program.sleep(min(_LOOK_EVERY_SECONDS, ends - now))
        if away:
            show.err("The promotion goes on by itself, watched or not.")
            raise away
        self._say_how_it_stands(seen, int(now - began))
        return seen

    def _worth_watching(self, seen: Mapping[str, Any]) -> bool:
        if seen["settled_at"]:
            return False
        return self.through_holds or _waits_for(seen) not in _LONG_WAITS

    def _say_how_it_stands(self, seen: Mapping[str, Any], watched_seconds: int) -> None:
        if seen["settled_at"]:
            return
        if seen["state"] == "deploying":
            stands = f"[bold]Still running[/] after {show.lasted(watched_seconds)} of watching."
        else:
            stands = "[bold]It has not begun.[/]"
        following = _NEXT.get(_waits_for(seen), _BY_ITSELF).format(id=seen["id"])
        show.err(f"{stands} This is not a failure. {following}")

    @contextmanager
    def _interruptible(self, promotion_id: str) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            show.err(
                "\nNot watching any more. The promotion goes on by itself.\n"
                f"Watch it with: hoist watch {promotion_id}"
            )
            raise click.exceptions.Exit(INTERRUPTED) from None


def _waits_for(seen: Mapping[str, Any]) -> str:
    return str(seen["waiting_on"]["kind"]) if seen["waiting_on"] else ""


def _news(seen: Mapping[str, Any]) -> str:
    waits = f": {show.said(seen['waiting_on']['text'])}" if seen["waiting_on"] else ""
    return f"{show.state(seen)}{waits}"


def _exit_code(seen: Mapping[str, Any]) -> int:
    if seen["state"] == "deployed":
        return DONE
    return FAILED if seen["settled_at"] else STILL_RUNNING
