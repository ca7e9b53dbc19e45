"""The FIFO queue of wakes and the workers that Lambda starts for it."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from bench.scale.tables import Beat, Meter, VirtualLocks
from bench.scale.tally import MINUTE
from bench.scale.virtual import Hub, Killed, Process, seconds_of
from bench.scale.weather import Storm
from chalicelib.domain.errors import LeaseLost, TryAgain, Unavailable
from chalicelib.domain.lease import LEASE_LASTS, Lease
from chalicelib.ports import Alive
from chalicelib.usecases.work import LATEST, LookAgain, Wake, Work

#: As in infra/template/wakes.yaml, infra/template/functions.yaml and .chalice/config.json.
VISIBLE_AFTER, MAX_RECEIVES, WORKERS, WORKER_TIMEOUT = 90.0, 100, 20, 60.0
_REQUEST = 0.008
_POLLED, _STARTED, _COLD = 0.02, 0.015, 1.0
#: Odds of a wake that is doubled, and of a worker that is killed within seconds.
_DOUBLED, _KILLED, _KILLED_WITHIN = 0.001, 0.001, 4.0


@dataclass(eq=False)
class Message:
    """One wake in the queue."""

    target: str
    promotion_id: str | None
    sent_at: float
    visible_at: float = 0.0
    received: int = 0


@dataclass(kw_only=True)
class Slot:
    """One Lambda environment: what it keeps from visit to visit."""

    work: Work
    skew: float
    warm: bool = False


@dataclass(kw_only=True)
class VirtualWakes:
    """`Wakes`, delivered at least once, in order within a target, to so many workers at once."""

    hub: Hub
    meter: Meter
    chance: random.Random
    #: Whether a worker may begin: see `Plan.admit`.
    admits: Callable[[], bool]
    #: Odds that a wake is lost.
    lost: float
    slots: list[Slot] = field(default_factory=list)
    groups: dict[str, deque[Message]] = field(default_factory=dict)
    #: Targets whose first message is in hand, or invisible.
    taken: set[str] = field(default_factory=set)
    ready: deque[str] = field(default_factory=deque)
    held: dict[str, Message] = field(default_factory=dict)
    _receipts: int = 0
    _running: int = 0

    def send(self, target: str, *, promotion_id: str | None = None) -> None:
        self._request()
        chance = self.chance.random()
        if chance < self.lost:
            self._count("wakes lost")
            return
        for _ in range(2 if chance > 1 - _DOUBLED else 1):
            message = Message(target, promotion_id, self.hub.now)
            self.groups.setdefault(target, deque()).append(message)
            self._count("wakes")
        self._offer(target)

    def hold(self, receipt: str, *, lasts: timedelta) -> None:
        self._request()
        self.held[receipt].visible_at = self.hub.now + round(lasts.total_seconds())

    def _request(self) -> None:
        self._count("SQS requests")
        self.meter.tally.sqs[int(self.hub.now // MINUTE)] += 1
        self.hub.wait(_REQUEST)
        if self.meter.weather.during(Storm.SQS, self.hub.now):
            detail = "SQS does not answer right now (EndpointConnectionError)."
            raise Unavailable(detail)

    def _count(self, name: str, n: int = 1) -> None:
        self.meter.tally.counts[name] += n

    def _offer(self, target: str) -> None:
        if target not in self.taken and self.groups.get(target):
            self.taken.add(target)
            self.ready.append(target)
            self.pump()

    def pump(self) -> None:
        """Start as many workers as may run, as long as the queue is read at all."""
        weather, now = self.meter.weather, self.hub.now
        away = weather.during(Storm.LAMBDA, now) or weather.during(Storm.SQS, now)
        while self.ready and self.slots and not away:
            self._start(self.ready.popleft(), self.slots.pop())

    def _start(self, target: str, slot: Slot) -> None:
        self._running += 1
        minute = int(self.hub.now // MINUTE)
        workers = self.meter.tally.workers
        workers[minute] = max(workers[minute], self._running)
        begins = self.hub.now + _POLLED + (_STARTED if slot.warm else _COLD)
        slot.warm = True
        ends = begins + WORKER_TIMEOUT
        if self.chance.random() < _KILLED:
            ends = begins + self.chance.uniform(0, _KILLED_WITHIN)
            self._count("workers killed")
        process = Process(deadline=ends, skew=slot.skew)
        self.hub.start(
            process, lambda: self._visit(target, slot, process), after=begins - self.hub.now
        )

    def _visit(self, target: str, slot: Slot, process: Process) -> None:
        message = self.groups[target][0]
        self._receive(message)
        began, receipt = self.hub.now, self._receipt(message)
        done = False
        try:
            done = self._worked(slot, message, receipt)
        except Killed:
            self._fall_back(message, began, process.died)
        except TryAgain:
            self._count("worker errors")
            self._fall_back(message, began, self.hub.now)
        del self.held[receipt]
        self._count("SQS requests", 1 + int(self.hub.now - began))
        self._count("worker milliseconds", round(1000 * (self.hub.now - began)))
        self._running -= 1
        self.slots.append(slot)
        self._finish(message, done=done)

    def _receive(self, message: Message) -> None:
        now = self.hub.now
        if not message.received:
            self.meter.tally.queued.append(now - message.sent_at)
        message.received += 1
        message.visible_at = now + VISIBLE_AFTER
        self._count("visits")

    def _receipt(self, message: Message) -> str:
        self._receipts += 1
        receipt = str(self._receipts)
        self.held[receipt] = message
        return receipt

    def _worked(self, slot: Slot, message: Message, receipt: str) -> bool:
        """What the door of the queue does in app.py. Tells whether the wake is done with."""
        wake = Wake(target=message.target, promotion_id=message.promotion_id, receipt=receipt)
        if self.admits():
            again = slot.work(wake).look_again
        else:
            again = LookAgain(after=LATEST, because="Heroku's rate limit is nearly used up.")
        if again is None:
            return True
        try:
            self.hold(receipt, lasts=again.after)
        except TryAgain:
            message.visible_at = self.hub.now + LEASE_LASTS.total_seconds()
        return False

    def _fall_back(self, message: Message, began: float, ended: float) -> None:
        """The wake comes back when the heartbeat's last hold ends."""
        beats = (ended - began) // 1.0
        message.visible_at = began + beats + LEASE_LASTS.total_seconds()

    def _finish(self, message: Message, *, done: bool) -> None:
        group = self.groups[message.target]
        if not done and message.received >= MAX_RECEIVES:
            self._count("wakes given up")
            done = True
        if done:
            group.popleft()
            self.hub.at(self.hub.now, lambda: self._free(message.target))
        else:
            self.hub.at(message.visible_at, lambda: self._free(message.target))
        self.hub.at(self.hub.now, self.pump)

    def _free(self, target: str) -> None:
        self.taken.discard(target)
        self._offer(target)


@dataclass(frozen=True, kw_only=True)
class VirtualHeartbeat:
    """Beats every second while its process lives, without an event for each beat."""

    hub: Hub
    locks: VirtualLocks
    wakes: VirtualWakes

    @contextmanager
    def __call__(self, lease: Lease, receipt: str | None) -> Iterator[Alive]:
        process = self.hub.process
        try:
            self.wakes.hold(receipt or "", lasts=LEASE_LASTS)
        except TryAgain:
            self.wakes.meter.tally.counts["beats lost"] += 1
        self.locks.beating[lease.target] = beat = Beat(process=process)
        try:
            yield _Alive(self.locks, lease)
        finally:
            beat.ended = self.hub.now
            self.locks.meter.tally.counts["write units"] += int(
                self.hub.now + process.skew - seconds_of(lease.since)
            )


@dataclass(frozen=True)
class _Alive:
    locks: VirtualLocks
    lease: Lease

    def check(self) -> None:
        if not self.locks.newest(self.lease):
            raise LeaseLost
