"""Fakes that are seen at what they do, and that lag."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from chalicelib.domain.errors import Unavailable
from chalicelib.domain.lease import Lease, TargetLock, WaitingOn
from chalicelib.domain.operator import Operator
from chalicelib.domain.promotion import Change, Promotion
from chalicelib.usecases.work import Wake
from tests.fakes import FakeClock, FakePromotionStore, FakeTargetLocks
from tests.life.faults import SECOND
from tests.life.tally import Tally

if TYPE_CHECKING:
    from tests.life.town import Town

#: How long an index may lag behind.
INDEX_LAGS = 5 * SECOND


@dataclass
class Message:
    """A wake in the queue."""

    wake: Wake
    visible_at: datetime


@dataclass
class Queue:
    """The queue of wakes."""

    clock: FakeClock
    away: bool = False
    messages: list[Message] = field(default_factory=list)

    def send(self, target: str, *, promotion_id: str | None = None) -> None:
        if self.away:
            raise Unavailable
        wake = Wake(target=target, promotion_id=promotion_id, receipt="receipt")
        self.messages.append(Message(wake, self.clock.now()))

    def hold(self, receipt: str, *, lasts: timedelta) -> None:
        """The town itself puts wakes back."""


class Ids:
    """Names in the order in which they are given."""

    def __init__(self) -> None:
        self.given = 0

    def new(self, at: datetime) -> str:  # noqa: ARG002 - the port's signature
        self.given += 1
        return f"prm_{self.given:03d}"


class Codes:
    """Every code is a number of its own; greater ones are newer."""

    def timecode(self, operator: Operator, code: str, *, at: datetime) -> int | None:  # noqa: ARG002 - the port's signature
        return int(code)


@dataclass
class WitnessedStore(FakePromotionStore):
    """Promotions in a dict, whose indexes may lag, and whose every write is seen."""

    town: Town = field(kw_only=True)
    lags_until: datetime | None = None

    def commit(self, change: Change, **kwargs: Any) -> None:  # noqa: ANN401 - the port's own
        was = self.promotions.get(change.after.id)
        super().commit(change, **kwargs)
        if was is None and self.lags():
            self.lagging[change.after.id] = None
        self.town.witness.saw(change, was)

    def lag(self) -> None:
        """From now on, and for some seconds, the indexes show what they show now."""
        self.lags_until = self.town.clock.now() + INDEX_LAGS
        self.lagging = dict(self.promotions)

    def lags(self) -> bool:
        if self.lags_until is None:
            return False
        if self.town.clock.now() < self.lags_until:
            return True
        self.lags_until = None
        self.lagging.clear()
        return False

    def _indexed(self) -> Iterator[Promotion]:
        self.lags()
        return super()._indexed()


@dataclass
class WitnessedLocks(FakeTargetLocks):
    """Leases in a dict; the words that are left are counted."""

    tally: Tally = field(default_factory=Tally)

    def leave_word(self, lease: Lease, waiting_on: WaitingOn) -> None:
        self.tally.met(f"waits for {waiting_on.kind}")
        super().leave_word(lease, waiting_on)

    def release(self, lease: Lease, left: TargetLock) -> None:
        if left.waiting_on:
            self.tally.met(f"waits for {left.waiting_on.kind}")
        super().release(lease, left)
