"""A thread that keeps a worker's claims alive, as long as its process lives."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from chalicelib.domain.errors import LeaseLost, TryAgain
from chalicelib.domain.lease import HEARTBEAT_EVERY, LEASE_LASTS, Lease
from chalicelib.ports import Alive, Clock, TargetLocks, Wakes


@dataclass(frozen=True, kw_only=True)
class ThreadHeartbeat:
    """`Heartbeat` by a thread.

    The first beat is at once and in the caller's thread: the wake, which came with the queue's
    long visibility timeout, is held for seconds from then on, so that it comes back soon after
    this process dies.
    """

    locks: TargetLocks
    wakes: Wakes
    clock: Clock

    @contextmanager
    def __call__(self, lease: Lease, receipt: str | None) -> Iterator[Alive]:
        """Beat until the block is left."""
        beat = _Beat(heartbeat=self, lease=lease, receipt=receipt)
        beat.hold_wake()
        thread = Thread(target=beat.run, name=f"heartbeat-{lease.target}", daemon=True)
        thread.start()
        try:
            yield beat
        finally:
            beat.ended.set()
            thread.join()


@dataclass(kw_only=True)
class _Beat:
    heartbeat: ThreadHeartbeat
    lease: Lease
    receipt: str | None
    ended: Event = field(default_factory=Event)
    lost: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        self.until = self.lease.until

    def check(self) -> None:
        """Raise `LeaseLost` where another worker may have the lease by now."""
        if self.lost.is_set() or self.heartbeat.clock.now() >= self.until:
            raise LeaseLost

    def run(self) -> None:
        while not self.ended.wait(HEARTBEAT_EVERY.total_seconds()) and not self.lost.is_set():
            self.renew_lease()
            self.hold_wake()

    def renew_lease(self) -> None:
        until = self.heartbeat.clock.now() + LEASE_LASTS
        try:
            self.heartbeat.locks.renew(self.lease, until=until)
        except LeaseLost:
            self.lost.set()
        except TryAgain:
            # A beat that did not get through: `check` knows how long the last one lasts.
            return
        else:
            self.until = until

    def hold_wake(self) -> None:
        if self.receipt is None:
            return
        try:
            self.heartbeat.wakes.hold(self.receipt, lasts=LEASE_LASTS)
        except TryAgain:
            # The wake may be delivered twice: harmless, the lease keeps the target ours.
            return
