"""Work on one target until nothing is left to do, or until only time can help."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain, repeat

from chalicelib.domain.errors import (
    AccessDenied,
    LeaseLost,
    Refused,
    TryAgain,
    Unavailable,
)
from chalicelib.domain.lease import LEASE_LASTS, Denied, Lease, TargetLock, Waiting, WaitingOn
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.word import target_word
from chalicelib.ports import (
    Apps,
    Clock,
    Heartbeat,
    PromotionStore,
    TargetLocks,
    Targets,
    Usage,
)
from chalicelib.usecases.look import Look, Outlook, Visit
from chalicelib.usecases.preflight import Policies

#: How long one invocation goes on looking at a release that runs.
LOOKS_FOR = timedelta(seconds=20)
_PAUSES = (1, 1, 2, 3, 5)
#: Then it is looked at again after a quarter of the time that it has taken, between these two;
#: so it is while Heroku does not answer, or asks us to slow down.
SOONEST, LATEST = timedelta(seconds=5), timedelta(seconds=60)
#: Below this many calls left of the account's 4,500 an hour, looks come as rarely as they may.
CALLS_IN_RESERVE = 200


@dataclass(frozen=True, kw_only=True)
class Wake:
    """A hint to look at a target. It may be late, doubled or lost."""

    target: str
    #: The promotion that it is about, if any.
    promotion_id: str | None = None
    #: With what the queue is asked to keep the wake from others.
    receipt: str | None = None


@dataclass(frozen=True, kw_only=True)
class LookAgain:
    """Only time helps now: wake the target again after this. It is not an error."""

    after: timedelta
    because: str


@dataclass(frozen=True, kw_only=True)
class WorkReport:
    """What came of a wake."""

    target: str
    #: Those that were seen or moved, as they stand now.
    promotions: tuple[Promotion, ...] = ()
    settled: tuple[Promotion, ...] = ()
    patches: int = 0
    usage: Usage = field(default_factory=Usage)
    look_again: LookAgain | None = None
    #: Heroku refuses Hoist itself: somebody has to act.
    access_denied: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Ending:
    """How a visit ends: the word that it leaves, and when the next one is due."""

    look_again: LookAgain | None = None
    waiting_on: WaitingOn | None = None
    access_denied: str | None = None


@dataclass(frozen=True, kw_only=True)
class Work:
    """Close the difference between wanted and true for one target; safe to repeat at any time."""

    store: PromotionStore
    locks: TargetLocks
    targets: Targets
    policies: Policies
    apps: Apps
    heartbeat: Heartbeat
    clock: Clock
    #: A name for this worker that no other bears.
    holder: Callable[[], str]
    look: Look = field(init=False)

    def __post_init__(self) -> None:
        """A worker looks with the very permissions it was given."""
        look = Look(
            store=self.store,
            apps=self.apps,
            policies=self.policies,
            clock=self.clock,
        )
        object.__setattr__(self, "look", look)

    def __call__(self, wake: Wake) -> WorkReport:
        now = self.clock.now()
        try:
            lease = self.locks.acquire(
                wake.target,
                holder=self.holder(),
                now=now,
                until=now + LEASE_LASTS,
            )
        except Unavailable as away:
            # The wake is not held yet: without putting it back it would be long away.
            again = LookAgain(after=away.after, because=away.detail)
            return WorkReport(target=wake.target, look_again=again)
        if isinstance(lease, TargetLock):
            return WorkReport(target=wake.target, look_again=_when_free(lease, now))
        ending, visit = _Ending(), None
        try:
            with self.heartbeat(lease, wake.receipt) as alive:
                visit = Visit(
                    lease=lease,
                    alive=alive,
                    named=wake.promotion_id,
                    target_policy=self.targets.get(wake.target),
                )
                ending = self._stay(visit)
        finally:
            # Also where a bug ends the visit: the target is free, and due at once.
            self._leave(visit.lease if visit else lease, ending, visit)
        return WorkReport(
            target=wake.target,
            promotions=tuple(visit.known.values()),
            settled=tuple(visit.settled),
            patches=visit.patches,
            usage=self.apps.take_usage(),
            look_again=ending.look_again,
            access_denied=ending.access_denied,
        )

    def _stay(self, visit: Visit) -> _Ending:
        """Look until nothing is open or patience ends, whatever Heroku answers."""
        try:
            return self._look_or_tell(visit)
        except Unavailable:
            # Hoist itself cannot go on: the queue delivers the wake again.
            raise
        except LeaseLost as lost:
            return _Ending(look_again=LookAgain(after=LEASE_LASTS, because=lost.detail))
        except TryAgain as held_up:
            return self._held_up(visit, held_up, Waiting.HEROKU)

    def _look_or_tell(self, visit: Visit) -> _Ending:
        """Look; what Heroku says no to for good, or to us, is written down as such."""
        try:
            return self._look_until_done(visit)
        except Refused as refused:
            self.look.refuse_all(visit, refused)
            return _Ending()
        except AccessDenied as denied:
            self._tell_denied(visit, denied)
            return self._held_up(visit, denied, Waiting.HEROKU_ACCESS)

    def _tell_denied(self, visit: Visit, denied: AccessDenied) -> None:
        """Have it told, once an episode, that Heroku refuses Hoist; if it could not be, again."""
        told = visit.lease.denied
        if told is None and not self.look.tell_of_access(visit, denied=denied.detail):
            return
        # It is over when Heroku takes what it refuses: a read proves nothing of a PATCH.
        refuses = Denied.WRITE if told is Denied.WRITE else visit.refuses
        visit.lease = replace(visit.lease, denied=refuses)

    def _tell_taken(self, visit: Visit) -> None:
        """Have it told that Heroku refuses Hoist no more, once that is seen."""
        proven = {Denied.READ: visit.has_read, Denied.WRITE: visit.taken > 0}
        told = visit.lease.denied
        if told and proven[told] and self.look.tell_of_access(visit, denied=None):
            visit.lease = replace(visit.lease, denied=None)

    def _look_until_done(self, visit: Visit) -> _Ending:
        ends = self.clock.now() + LOOKS_FOR
        pauses = _pauses()
        while True:
            outlook = self.look(visit)
            self._tell_taken(visit)
            if not outlook.open:
                return _Ending()
            now = self.clock.now()
            if outlook.moved and now < ends and not self._calls_run_short():
                continue
            word = self._word(visit, outlook, now)
            pause = next(pauses)
            lasts_long = now - word.since > LOOKS_FOR
            if now + pause > ends or lasts_long or self._calls_run_short():
                return _Ending(look_again=self._again(word, now), waiting_on=word)
            self.clock.sleep(pause)
            visit.alive.check()

    def _word(self, visit: Visit, outlook: Outlook, now: datetime) -> WaitingOn:
        """What the target waits for; left at its lock as soon as it changes."""
        word = target_word(
            outlook.open, outlook.verdicts, now=now, calls_run_short=self._calls_run_short()
        )
        if word != visit.lease.waiting_on:
            self.locks.leave_word(visit.lease, word)
            visit.lease = replace(visit.lease, waiting_on=word)
        return word

    def _again(self, word: WaitingOn, now: datetime) -> LookAgain:
        after = max(SOONEST, min(LATEST, (now - word.since) / 4))
        if word.kind is Waiting.WORKER:
            # Nothing but another look is waited for, however old the promotions are.
            after = SOONEST
        if self._calls_run_short():
            after = LATEST
        return LookAgain(after=after, because=word.text)

    def _calls_run_short(self) -> bool:
        left = self.apps.calls_left()
        return left is not None and left < CALLS_IN_RESERVE

    def _held_up(self, visit: Visit, held_up: TryAgain, kind: Waiting) -> _Ending:
        told, now = visit.lease.waiting_on, self.clock.now()
        since = told.since if told and told.kind is kind else now
        # Many targets that ask on and on would use up each call that the account gets back.
        after = max(held_up.after, min(LATEST, (now - since) / 4))
        return _Ending(
            look_again=LookAgain(after=after, because=held_up.detail),
            waiting_on=WaitingOn(kind=kind, text=held_up.detail, since=since),
            access_denied=held_up.detail if kind is Waiting.HEROKU_ACCESS else None,
        )

    def _leave(self, lease: Lease, ending: _Ending, visit: Visit | None) -> None:
        now, again = self.clock.now(), ending.look_again
        left = TargetLock(
            target=lease.target,
            looked_at=now,
            next_look_at=now + again.after if again else None,
            waiting_on=ending.waiting_on,
            denied=lease.denied,
            batch=visit.narrowed if visit and again else None,
        )
        self.locks.release(lease, left)


def _pauses() -> Iterator[timedelta]:
    return (timedelta(seconds=s) for s in chain(_PAUSES, repeat(_PAUSES[-1])))


def _when_free(lock: TargetLock, now: datetime) -> LookAgain:
    until = lock.lease.until if lock.lease else now
    return LookAgain(
        after=max(until - now, timedelta(seconds=1)),
        because=f"Another worker is at {lock.target}.",
    )
