"""Who works on a target, and what it waits for.

One worker at a time works on a target. Its lease is short and kept alive by a heartbeat::

    t=0s          acquire: attempt 7, until t=4s
    t=1s, 2s, 3s  renew: until t=5s, 6s, 7s       (worker lives)
    t=3.5s        the worker is killed            (no more renewals)
    t=7s          the lease has ended: anyone may acquire attempt 8
    t=8s          a late write of attempt 7 loses: its fence names 7, the lease says 8
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

#: How long a lease lasts without renewal: a killed worker's target is free again after this.
LEASE_LASTS = timedelta(seconds=4)
#: How often a living worker renews it. Two beats may be lost before it ends.
HEARTBEAT_EVERY = timedelta(seconds=1)
#: What waits is looked at each minute: an older look proves nothing of now.
LOOK_IS_FRESH_FOR = timedelta(minutes=5)


class Waiting(StrEnum):
    """What a promotion that does not move waits for."""

    #: Somebody has to promote it.
    OPERATOR = "operator"
    #: Somebody else has to approve it.
    APPROVAL = "approval"
    #: Its time has not come.
    TIME = "time"
    #: A freeze holds its target back.
    FREEZE = "freeze"
    #: A check of preflight did not let it begin.
    PREFLIGHT = "preflight"
    #: A worker is on it, or is about to be.
    WORKER = "worker"
    #: Promotions of the same target that were accepted before.
    QUEUE = "queue"
    #: The release that carries it, or carries another promotion of ours, runs.
    OWN_RELEASE = "own_release"
    #: A release that somebody else made runs.
    FOREIGN_RELEASE = "foreign_release"
    #: Heroku took the value; its release is not seen yet.
    PROOF = "proof"
    #: Heroku did not answer, or asked us to slow down.
    HEROKU = "heroku"
    #: Heroku refuses Hoist's own token: an operator has to act.
    HEROKU_ACCESS = "heroku_access"


class Denied(StrEnum):
    """What Heroku refuses Hoist itself at a target, as people were told."""

    #: Everything.
    READ = "read"
    #: The PATCH: what it shows may still be read.
    WRITE = "write"


@dataclass(frozen=True, kw_only=True)
class WaitingOn:
    """What a target waits for, in words a person can read at three in the morning."""

    kind: Waiting
    text: str
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to work on a target until `until`.

    `attempt` grows with every acquisition: a fence.
    """

    target: str
    holder: str
    attempt: int
    since: datetime
    until: datetime
    #: What the last look at the target left word of.
    waiting_on: WaitingOn | None = None
    #: People were told so, and not yet that it is over.
    denied: Denied | None = None
    #: So few promotions share the next PATCH, while one that Heroku refuses is looked for.
    batch: int | None = None


@dataclass(frozen=True, kw_only=True)
class TargetLock:
    """A target's lock as it stands: the lease on it, if any, and what the last look left behind."""

    target: str
    lease: Lease | None = None
    #: Not before this does another look promise anything new.
    next_look_at: datetime | None = None
    waiting_on: WaitingOn | None = None
    #: When the last look that left word, or ended, was.
    looked_at: datetime | None = None
    #: People were told so, and not yet that it is over.
    denied: Denied | None = None
    #: So few promotions share the next PATCH, while one that Heroku refuses is looked for.
    batch: int | None = None

    def held(self, now: datetime) -> bool:
        """Tell whether a worker is on it. A lease past its end counts as free."""
        return self.lease is not None and now < self.lease.until

    def fresh(self, now: datetime) -> bool:
        """Tell whether somebody has looked within the last minutes."""
        return self.looked_at is not None and now - self.looked_at < LOOK_IS_FRESH_FOR

    def word(self, now: datetime) -> WaitingOn | None:
        """What the target waits for, where that is of the last minutes, or of a first look."""
        return self.waiting_on if self.looked_at is None or self.fresh(now) else None

    def due(self, now: datetime) -> bool:
        """Tell whether to look: nobody is on it, and its next look is not in the future."""
        return not self.held(now) and (self.next_look_at is None or self.next_look_at <= now)
