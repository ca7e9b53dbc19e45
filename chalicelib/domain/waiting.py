"""What an open promotion waits for, in words. Waiting is never worded as failing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from chalicelib.domain.freeze import Hold
from chalicelib.domain.lease import LOOK_IS_FRESH_FOR, TargetLock, Waiting, WaitingOn
from chalicelib.domain.promotion import Promotion, Rung, State, Step
from chalicelib.domain.target import Target


@dataclass(frozen=True, kw_only=True)
class Gate:
    """What stands between a promotion that has not begun and its beginning."""

    target: Target | None = None
    hold: Hold | None = None
    #: The time that it is asked for: most often now.
    at: datetime | None = None

    def approvals_missing(self, promotion: Promotion) -> int:
        """How many more have to approve it. Taking a promotion back needs nobody."""
        if self.target is None or promotion.reverts:
            return 0
        return max(0, self.target.min_approvals - len(promotion.approvers))

    def approvals_missing_now(self, promotion: Promotion) -> int:
        """How many more have to approve it for it to begin now.

        Approvals are of a value at a time: those for a later time are none for now.
        """
        early = self.at and promotion.not_before and self.at < promotion.not_before
        return self.approvals_missing(replace(promotion, approvals=()) if early else promotion)


def waiting_on(
    promotion: Promotion,
    *,
    lock: TargetLock | None = None,
    deploying: Sequence[Promotion] = (),
    gate: Gate | None = None,
    now: datetime,
) -> WaitingOn | None:
    """Say what an open promotion waits for; a settled one waits for nothing.

    `lock` and `deploying` are its target's; they matter while it is `deploying`. `gate` matters
    before that.
    """
    if promotion.state.terminal:
        return None
    since = promotion.state_entered_at or promotion.created_at
    if promotion.state is not State.DEPLOYING:
        kind, text = _before_it_begins(promotion, gate or Gate(), now)
        return WaitingOn(kind=kind, text=text, since=since)
    unattended = _unattended(promotion, lock, since, now)
    if unattended:
        return unattended
    word = lock.word(now) if lock else None
    if promotion.step is Step.QUEUED and not (word and word.kind in _NOTHING_MOVES):
        queue = _queue(deploying, word, since)
        if queue:
            return queue
    return word or _at_target(promotion, lock, since, now)


def clock_time(at: datetime) -> str:
    """A time as these texts spell it."""
    return f"{at:%Y-%m-%d %H:%MZ}"


def held_text(hold: Hold) -> str:
    """Say that a freeze holds a target back, and when it opens."""
    opens = f"until {clock_time(hold.until)}" if hold.until else "until somebody lifts it"
    return f'Held back by the freeze {hold.freeze.id} ("{hold.freeze.reason}") {opens}.'


def _before_it_begins(promotion: Promotion, gate: Gate, now: datetime) -> tuple[Waiting, str]:
    ends = f"expires at {clock_time(promotion.expires_at)}"
    missing = gate.approvals_missing(promotion)
    if missing:
        needed = f"Waits for {missing} more {'approvals' if missing > 1 else 'approval'}; {ends}."
        return Waiting.APPROVAL, needed
    if gate.hold and not _opens_by(gate.hold, promotion.not_before):
        begins = (
            "It begins by itself then" if promotion.scheduled else "Promoting it waits for that"
        )
        return Waiting.FREEZE, f"{held_text(gate.hold)} {begins}. Nothing is wrong."
    if not promotion.scheduled:
        return Waiting.OPERATOR, f"Waits for somebody to promote it; {ends}."
    return _begins_by_itself(promotion, now, ends)


def _opens_by(hold: Hold, time: datetime | None) -> bool:
    """Tell whether a freeze that holds now is over when the time comes."""
    return time is not None and hold.until is not None and hold.until <= time


def _begins_by_itself(promotion: Promotion, now: datetime, ends: str) -> tuple[Waiting, str]:
    if promotion.not_before and now < promotion.not_before:
        at = clock_time(promotion.not_before)
        return Waiting.TIME, f"Begins by itself at {at}; it can be cancelled until then."
    if promotion.held_by == "operator":
        gone = f"{promotion.promoted_by}, who let it go, may not call any more"
        return Waiting.OPERATOR, f"Waits for somebody else to promote it: {gone}; {ends}."
    # What held it back a minute ago may be over: then it is the watchdog that it waits for.
    if promotion.held_by not in {None, "approvals", "freeze"}:
        held = f"The check {promotion.held_by} does not let it begin."
        return Waiting.PREFLIGHT, f"{held} It begins by itself when that is mended; {ends}."
    return Waiting.WORKER, "Begins by itself within a minute. Nothing needs to be done."


def _queue(
    deploying: Sequence[Promotion],
    word: WaitingOn | None,
    since: datetime,
) -> WaitingOn | None:
    """Say who is ahead, and what they wait for: it keeps those behind them, too."""
    ahead = [other for other in deploying if other.step is not Step.QUEUED]
    if not ahead:
        return None
    first = min(ahead, key=lambda other: other.promoted_at or other.created_at)
    began = clock_time(first.promoted_at) if first.promoted_at else "an unknown time"
    behind = f"Queued behind {first.id} ({first.promoted_by}, since {began})."
    text = f"{behind} {word.text if word else 'Nothing is wrong.'}"
    return WaitingOn(kind=Waiting.QUEUE, text=text, since=since)


#: What keeps a target's queue from moving, and so is worth more than who is first in it.
_NOTHING_MOVES = frozenset({Waiting.HEROKU, Waiting.HEROKU_ACCESS})

#: How far a worker had come when it looked last.
_DONE = {
    Step.QUEUED: "Accepted",
    Step.INTENT: "A worker was about to ask Heroku for it",
    Step.PENDING_COMMIT: "Heroku took the value",
    Step.RELEASED: "Its release is known",
}


def _unattended(
    promotion: Promotion,
    lock: TargetLock | None,
    since: datetime,
    now: datetime,
) -> WaitingOn | None:
    """Say so where no worker has come for minutes: what the last one saw may not be so any more."""
    if lock is None or lock.held(now):
        return None
    looked_at = max(since, lock.looked_at or since)
    if now - looked_at < LOOK_IS_FRESH_FOR:
        return None
    text = (
        f"{_DONE[promotion.step or Step.QUEUED]}. No worker has looked at the target since "
        f"{clock_time(looked_at)}, though one should each minute: what became of it meanwhile is "
        "not known. Look at it; it is safe to wait."
    )
    return WaitingOn(kind=Waiting.WORKER, text=text, since=looked_at)


def _at_target(
    promotion: Promotion,
    lock: TargetLock | None,
    since: datetime,
    now: datetime,
) -> WaitingOn:
    if lock and lock.lease and lock.held(now):
        text = f"A worker is on it since {clock_time(lock.lease.since)}. Nothing is wrong."
        return WaitingOn(kind=Waiting.WORKER, text=text, since=lock.lease.since)
    # Told to somebody, so none of that has come true.
    stalled = promotion.rung not in {None, Rung.INFO}
    text = (
        f"{_DONE[promotion.step or Step.QUEUED]}; the next worker takes it up within seconds, "
        "the watchdog within a minute. "
        + ("It waits for longer than that: look at it." if stalled else "Nothing needs to be done.")
    )
    return WaitingOn(kind=Waiting.WORKER, text=text, since=since)
