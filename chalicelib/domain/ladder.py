"""The alert ladder: after how long in `deploying` somebody is told, and how loudly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from chalicelib.domain.lease import TargetLock, Waiting
from chalicelib.domain.promotion import Promotion, Rung, State, Step

#: A release phase is ended by Heroku after an hour.
#: https://devcenter.heroku.com/articles/release-phase
RELEASE_PHASE_LASTS = timedelta(hours=1)

DEFAULT_AFTER: Mapping[Rung, timedelta] = MappingProxyType(
    {
        Rung.SEV3: timedelta(minutes=30),
        Rung.WARNING: timedelta(hours=12),
        Rung.CRITICAL: timedelta(hours=24),
    },
)


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """After how long in `deploying` each rung is reached."""

    after: Mapping[Rung, timedelta] = field(default_factory=lambda: DEFAULT_AFTER)

    def reached(self, duration: timedelta) -> Rung | None:
        """The highest rung that this long a time reaches."""
        reached = [rung for rung, after in self.after.items() if duration >= after]
        return max(reached, key=list(Rung).index, default=None)


def rung_to_raise(
    promotion: Promotion,
    lock: TargetLock,
    ladder: Ladder,
    *,
    now: datetime,
) -> Rung | None:
    """The rung that has to be raised now, if any; `lock` is the target's.

    Each is raised once while the promotion is `deploying`; after an outage only the highest of
    those missed. An acknowledged promotion raises none until that ends. While our own release
    verifiably runs, the first is mere information; where it stops, or runs for longer than
    Heroku lets it, the first is raised in earnest.
    """
    if promotion.state is not State.DEPLOYING or promotion.acknowledged(now):
        return None
    reached = ladder.reached(promotion.time_in_state(now))
    if reached is Rung.SEV3 and verifiably_running(promotion, lock, now=now):
        reached = Rung.INFO
    ranks = list(Rung)
    raised = ranks.index(promotion.rung) if promotion.rung else -1
    return reached if reached and ranks.index(reached) > raised else None


def verifiably_running(promotion: Promotion, lock: TargetLock, *, now: datetime) -> bool:
    """Tell whether our own release was just seen to run, and may run for as long as it has."""
    waiting, began = lock.waiting_on, promotion.step_entered_at
    return (
        promotion.step is Step.RELEASED
        and began is not None
        and now - began < RELEASE_PHASE_LASTS
        and waiting is not None
        and waiting.kind is Waiting.OWN_RELEASE
        and lock.fresh(now)
    )
