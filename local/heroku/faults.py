"""Faults: what may go wrong between a client and Heroku, armed per route and call.

A fault watches the requests it matches and fires on the `nth` of them, `times` times in a row.
A foreign writer *in between* is a fault too: it changes the app just before or just after the
matching request is applied, which no amount of well-timed threads in a test could guarantee.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from local.heroku.foreign import ForeignAction

#: A held answer ends after this long at the latest, so that a forgotten fault frees its thread.
MAX_HOLD_SECONDS = 600.0


class FaultKind(StrEnum):
    """What happens to a request. "Applied" means: Heroku did what was asked."""

    #: An error status with its JSON body. Not applied.
    STATUS = "status"
    #: 503 with an HTML body, from the router in front of the API. Not applied.
    HTML_503 = "html_503"
    #: Applied and answered, after `seconds`.
    SLOW = "slow"
    #: Silence for `seconds`, then the connection is closed. Not applied.
    HANG = "hang"
    #: The connection is reset. Not applied.
    RESET_BEFORE_APPLY = "reset_before_apply"
    #: Applied; the connection is reset in place of an answer.
    RESET_AFTER_APPLY = "reset_after_apply"
    #: Applied at once, answered after `seconds`: time to kill a client between effect and answer.
    HANG_AFTER_APPLY = "hang_after_apply"
    #: Applied; the answer breaks off in the middle of its body.
    TRUNCATED_BODY = "truncated_body"
    #: A foreign writer changes the app first. Applied and answered.
    FOREIGN_BEFORE = "foreign_before"
    #: Applied; a foreign writer changes the app before the answer leaves.
    FOREIGN_AFTER = "foreign_after"


@dataclass(kw_only=True)
class Fault:
    """One armed fault. A field of the match that is None matches every request."""

    id: int
    kind: FaultKind
    method: str | None = None
    route: str | None = None
    app: str | None = None
    nth: int = 1
    #: None: for ever.
    times: int | None = 1
    seconds: float = 0.0
    status: int = 500
    error_id: str = ""
    #: Set for the two foreign kinds; the app acted on is the request's unless named.
    foreign: ForeignAction | None = None
    foreign_app: str | None = None
    seen: int = field(default=0, init=False)

    @property
    def is_spent(self) -> bool:
        """Whether it will never fire again."""
        return self.times is not None and self.seen >= self.nth + self.times - 1

    def fires_on(self, *, method: str, route: str, app: str | None) -> bool:
        """Count a request if it matches, and say whether this is one to fire on."""
        wanted = ((self.method, method), (self.route, route), (self.app, app))
        if any(mine is not None and mine != theirs for mine, theirs in wanted):
            return False
        self.seen += 1
        return self.seen >= self.nth and (self.times is None or self.seen < self.nth + self.times)


class Faults:
    """The armed faults, in the order they were armed."""

    def __init__(self) -> None:
        self._armed: list[Fault] = []
        self._last_id = 0

    def next_id(self) -> int:
        """Give the number of a new fault; no number is used twice."""
        self._last_id += 1
        return self._last_id

    def arm(self, fault: Fault) -> None:
        """Watch requests from now on."""
        self._armed.append(fault)

    def armed(self) -> Sequence[Fault]:
        """Faults that may still fire."""
        return [fault for fault in self._armed if not fault.is_spent]

    def clear(self) -> None:
        """Disarm everything."""
        self._armed.clear()

    def fire(self, *, method: str, route: str, app: str | None) -> Sequence[Fault]:
        """Count this request against every fault; the ones that fire on it."""
        fired = [f for f in self._armed if f.fires_on(method=method, route=route, app=app)]
        self._armed = [fault for fault in self._armed if not fault.is_spent]
        return fired
