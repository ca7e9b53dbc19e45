"""What an open promotion waits for, in words. Waiting is never worded as failing."""

from collections.abc import Sequence
from datetime import datetime

from chalicelib.domain.lease import TargetLock, Waiting, WaitingOn
from chalicelib.domain.promotion import Promotion, State, Step


def waiting_on(
    promotion: Promotion,
    *,
    lock: TargetLock | None,
    deploying: Sequence[Promotion],
    now: datetime,
) -> WaitingOn | None:
    """Say what an open promotion waits for; a settled one waits for nothing.

    `lock` and `deploying` are its target's; they matter while it is `deploying`.
    """
    if promotion.state.terminal:
        return None
    since = promotion.state_entered_at or promotion.created_at
    if promotion.state is not State.DEPLOYING:
        return WaitingOn(
            kind=Waiting.OPERATOR,
            text="Waits for somebody to promote it; "
            f"expires at {clock_time(promotion.expires_at)}.",
            since=since,
        )
    if promotion.step is Step.QUEUED:
        return _queue(deploying, since) or _at_target(promotion, lock, since, now)
    return _at_target(promotion, lock, since, now)


def clock_time(at: datetime) -> str:
    """A time as these texts spell it."""
    return f"{at:%Y-%m-%d %H:%MZ}"


def _queue(
    deploying: Sequence[Promotion],
    since: datetime,
) -> WaitingOn | None:
    ahead = [other for other in deploying if other.step is not Step.QUEUED]
    if not ahead:
        return None
    first = min(ahead, key=lambda other: other.promoted_at or other.created_at)
    began = clock_time(first.promoted_at) if first.promoted_at else "an unknown time"
    return WaitingOn(
        kind=Waiting.QUEUE,
        text=f"Queued behind {first.id} ({first.promoted_by}, since {began}). Nothing is wrong.",
        since=since,
    )


def _at_target(
    promotion: Promotion,
    lock: TargetLock | None,
    since: datetime,
    now: datetime,
) -> WaitingOn:
    if lock and lock.waiting_on:
        return lock.waiting_on
    if lock and lock.lease and lock.held(now):
        text = f"A worker is on it since {clock_time(lock.lease.since)}. Nothing is wrong."
        return WaitingOn(kind=Waiting.WORKER, text=text, since=lock.lease.since)
    done = {
        Step.QUEUED: "Accepted",
        Step.INTENT: "A worker was about to ask Heroku for it",
        Step.PENDING_COMMIT: "Heroku took the value",
        Step.RELEASED: "Its release is known",
    }
    text = (
        f"{done[promotion.step or Step.QUEUED]}; the next worker takes it up within seconds, "
        "the watchdog within a minute. Nothing needs to be done."
    )
    return WaitingOn(kind=Waiting.WORKER, text=text, since=since)
