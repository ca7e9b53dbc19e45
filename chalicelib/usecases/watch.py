"""Find what does not move: wake it, tell somebody, let it expire, let it begin in time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.errors import TryAgain
from chalicelib.domain.freeze import FreezePlan
from chalicelib.domain.ladder import Ladder, rung_to_raise
from chalicelib.domain.lease import TargetLock
from chalicelib.domain.operator import Role
from chalicelib.domain.preflight import blocked_by, policy_checks
from chalicelib.domain.promotion import (
    Change,
    Effect,
    Promotion,
    Rung,
    SettledBy,
    State,
    Step,
    advance,
)
from chalicelib.domain.turns import in_turn
from chalicelib.domain.waiting import Gate, held_text, waiting_on
from chalicelib.ports import (
    Clock,
    Freezes,
    Lost,
    Operators,
    PromotionStore,
    TargetLocks,
    Targets,
    Wakes,
)
from chalicelib.usecases.preflight import Policies
from chalicelib.usecases.promote import outlasting

#: How long before a promotion expires somebody is told.
EXPIRY_WARNING = timedelta(days=1)
#: How often it is called, and how long it goes on to the next target: Lambda ends it after 50 s.
EVERY, LASTS = timedelta(minutes=1), timedelta(seconds=35)
#: Targets whose promotions begin in that time, at the least.
IN_TIME = 30
#: After so many wakes that could not be queued, the others are left to the next sweep: a queue that
#: hangs takes a quarter of a minute for each, and the alert ladder comes after it.
MOST_UNREACHED = 2
_ACTOR = "watchdog"
_Plan = Callable[[], FreezePlan]


@dataclass(kw_only=True)
class WatchReport:
    """What one sweep saw and did."""

    #: Promotions in `deploying`.
    deploying: int = 0
    #: How long the oldest of them has been: the age that the alarm watches.
    oldest: timedelta = timedelta(0)
    #: Of them, how many have had this rung raised, or a higher one.
    rungs: dict[Rung, int] = field(default_factory=lambda: dict.fromkeys(Rung, 0))
    woken: list[str] = field(default_factory=list)
    #: Targets whose wake could not be queued; the next sweep tries them again.
    unreached: list[str] = field(default_factory=list)
    #: Promotions whose rung was raised just now.
    alerted: dict[str, Rung] = field(default_factory=dict)
    warned: list[str] = field(default_factory=list)
    expired: list[str] = field(default_factory=list)
    begun: list[str] = field(default_factory=list)
    #: Promotions whose time came, and which preflight did not let begin.
    held: list[str] = field(default_factory=list)
    #: Targets with promotions that have not begun, for which there was no time: the next sweep's.
    later: list[str] = field(default_factory=list)
    #: Promotions that this sweep could not deal with, and why; the others were dealt with.
    broken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Sweep all open promotions; safe to repeat, and to run side by side.

    Every change is conditional, so of two sweeps that see the same, one writes. Costs what the
    open promotions cost, however many have settled. What goes wrong with one of them does not
    keep the others from their due; it is reported.
    """

    store: PromotionStore
    locks: TargetLocks
    targets: Targets
    freezes: Freezes
    policies: Policies
    operators: Operators
    wakes: Wakes
    clock: Clock

    def __call__(self) -> WatchReport:
        report, began = WatchReport(), self.clock.now()
        # Those first that may be stuck: much may begin at a freeze's end.
        self._sweep_deploying(report)
        self._sweep_waiting(report, began + LASTS)
        return report

    # `deploying`: wakes and the alert ladder

    def _sweep_deploying(self, report: WatchReport) -> None:
        deploying = self.store.open(State.DEPLOYING)
        locks = self.locks.get_all({promotion.target for promotion in deploying})
        self._wake(locks, report)
        now = self.clock.now()
        ladders: dict[str, Ladder] = {}
        for promotion in deploying:
            with _Guard(report, promotion):
                if promotion.target not in ladders:
                    ladders[promotion.target] = self._ladder(promotion.target)
                self._climb(
                    promotion,
                    locks[promotion.target],
                    ladders[promotion.target],
                    deploying,
                    now,
                    report,
                )
        _measure(deploying, now, report)

    def _wake(self, locks: Mapping[str, TargetLock], report: WatchReport) -> None:
        now = self.clock.now()
        for target in sorted(target for target, lock in locks.items() if lock.due(now)):
            self._send(target, report)

    def _send(self, target: str, report: WatchReport) -> None:
        if len(report.unreached) >= MOST_UNREACHED:
            report.unreached.append(target)
            return
        try:
            self.wakes.send(target)
        except TryAgain:
            report.unreached.append(target)
        else:
            report.woken.append(target)

    def _ladder(self, target: str) -> Ladder:
        listed = self.targets.get(target)
        return listed.ladder if listed else Ladder()

    def _climb(  # noqa: PLR0913, PLR0917 - what an alert has to tell
        self,
        promotion: Promotion,
        lock: TargetLock,
        ladder: Ladder,
        deploying: Iterable[Promotion],
        now: datetime,
        report: WatchReport,
    ) -> None:
        rung = rung_to_raise(promotion, lock, ladder, now=now)
        if rung is None:
            return
        of_target = [p for p in deploying if p.target == promotion.target]
        waiting = waiting_on(promotion, lock=lock, deploying=of_target, now=now)
        facts = {
            "alert": "stalled",
            "rung": rung,
            "step": promotion.step,
            "minutes": _minutes(promotion.time_in_state(now)),
            "promoted_by": promotion.promoted_by,
            "waiting_on": waiting.text if waiting else None,
        }
        change = advance(promotion, self._act(Action.ALERT, facts), rung=rung)
        if self._won(change):
            report.alerted[promotion.id] = rung

    # `pending` and `staged`: expiry and schedules

    def _sweep_waiting(self, report: WatchReport, until: datetime) -> None:
        # Read once, and only if needed; what is wrong with it concerns those whose time has come.
        plan = cache(self.freezes.get)
        waiting = [*self.store.open(State.PENDING), *self.store.open(State.STAGED)]
        of_targets = {
            target: list(of_target)
            for target, of_target in groupby(sorted(waiting, key=_target), key=_target)
        }
        turns = in_turn(list(of_targets), self.clock.now(), every=EVERY, in_time=IN_TIME)
        for n, target in enumerate(turns):
            # The first always gets its turn, or there might be none for anybody.
            if n and self.clock.now() > until:
                report.later.append(target)
            else:
                self._attend_all(target, of_targets[target], plan, report)

    def _attend_all(
        self, target: str, waiting: Iterable[Promotion], plan: _Plan, report: WatchReport
    ) -> None:
        """Wake the target once all of them have begun: so they share a release."""
        begun_before = len(report.begun)
        for promotion in waiting:
            with _Guard(report, promotion):
                self._attend(promotion, plan, report)
        if len(report.begun) > begun_before:
            self._send(target, report)

    def _attend(self, promotion: Promotion, plan: _Plan, report: WatchReport) -> None:
        now = self.clock.now()
        due = promotion.state is State.STAGED and _has_come(promotion.not_before, now)
        held = self._held(promotion, plan()) if due else None
        if now >= (held.expires_at if held else promotion.expires_at):
            if self._won(self._expiry(promotion)):
                report.expired.append(promotion.id)
        elif due and not (held and held.known_of(promotion)):
            self._begin(promotion, held, report)
        elif promotion.expiry_warned_at is None and now >= promotion.expires_at - EXPIRY_WARNING:
            facts = {
                "expires_at": promotion.expires_at.isoformat(),
                "held_by": promotion.held_by,
            }
            act = self._act(Action.WARN_OF_EXPIRY, facts)
            if self._won(advance(promotion, act, expiry_warned_at=now)):
                report.warned.append(promotion.id)

    def _begin(self, promotion: Promotion, held: "_Held | None", report: WatchReport) -> None:
        """Promote what was let go for a time that has come, if nothing holds it back by now."""
        if held is None:
            if self._won(self._beginning(promotion)):
                report.begun.append(promotion.id)
        else:
            act = self._act(Action.HOLD, {"check": held.by, "seen": held.seen})
            changes = {"held_by": held.by, "expires_at": held.expires_at}
            if self._won(advance(promotion, act, **changes)):
                report.held.append(promotion.id)

    def _held(self, promotion: Promotion, plan: FreezePlan) -> "_Held | None":
        """What keeps it from beginning: its operator, approvals, its policy, or a freeze.

        A freeze comes last: it alone puts its expiry off. What Heroku shows is the worker's to
        check, before its PATCH.
        """
        target, now = self.targets.get(promotion.target), self.clock.now()
        missing = Gate(target=target).approvals_missing(promotion)
        lasts = promotion.expires_at
        gone = self._gone(promotion)
        if gone:
            return _Held(by="operator", seen=gone, expires_at=lasts)
        if missing:
            seen = f"It lacks {missing} {'approvals' if missing > 1 else 'approval'}."
            return _Held(by="approvals", seen=seen, expires_at=lasts)
        block = blocked_by(policy_checks(promotion, self.policies(promotion, target)))
        if block:
            return _Held(by=block.name, seen=block.seen, expires_at=lasts)
        hold = plan.hold(promotion.target, now)
        if hold is None:
            return None
        return _Held(by="freeze", seen=held_text(hold), expires_at=outlasting(hold, lasts, now))

    def _gone(self, promotion: Promotion) -> str | None:
        """Why whoever let it go may not do so any more: what was taken from them counts at once."""
        name = promotion.promoted_by
        operator = self.operators.get(name) if name else None
        may = operator and not operator.disabled and operator.role.covers(Role.PROMOTER)
        if name is None or may:
            return None
        return f"{name}, who let it go, may not call any more: somebody else has to promote it."

    def _expiry(self, promotion: Promotion) -> Change:
        reason = (
            f"It was held back by {promotion.held_by} until it expired."
            if promotion.held_by
            else "Nobody promoted it in time."
        )
        facts = {"expires_at": promotion.expires_at.isoformat(), "reason": reason}
        act = self._act(Action.EXPIRE, facts)
        return advance(
            promotion,
            act,
            state=State.EXPIRED,
            settled_at=act.at,
            settled_by=SettledBy.WATCHDOG,
            effect=Effect.NONE,
            reason=reason,
        )

    def _beginning(self, promotion: Promotion) -> Change:
        not_before = promotion.not_before
        facts = {"value": promotion.value, "not_before": not_before and not_before.isoformat()}
        act = self._act(Action.PROMOTE, facts)
        return advance(
            promotion,
            act,
            state=State.DEPLOYING,
            step=Step.QUEUED,
            promoted_by=promotion.promoted_by or _ACTOR,
            promoted_at=act.at,
            held_by=None,
        )

    def _won(self, change: Change) -> bool:
        """Write the change; losing means that somebody else moved the promotion: all is well."""
        try:
            self.store.commit(change)
        except Lost:
            return False
        return True

    def _act(self, action: Action, facts: Mapping[str, object]) -> Act:
        return Act(actor=_ACTOR, action=action, at=self.clock.now(), facts=facts)


@dataclass(frozen=True, kw_only=True)
class _Held:
    """What keeps a promotion from beginning, and how long it may wait for that."""

    by: str
    seen: str
    expires_at: datetime

    def known_of(self, promotion: Promotion) -> bool:
        """Tell whether that was told."""
        return (self.by, self.expires_at) == (promotion.held_by, promotion.expires_at)


@dataclass(frozen=True)
class _Guard:
    """Keeps what goes wrong with one promotion from the others, and reports it."""

    report: WatchReport
    promotion: Promotion

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Exception):
            return False
        self.report.broken[self.promotion.id] = type(error).__name__
        return True


def _target(promotion: Promotion) -> str:
    return promotion.target


def _has_come(not_before: datetime | None, now: datetime) -> bool:
    return not_before is not None and not_before <= now


def _minutes(duration: timedelta) -> int | None:
    """Whole minutes; `None` for a time that is not known."""
    return None if duration == timedelta.max else int(duration.total_seconds() // 60)


def _measure(deploying: Sequence[Promotion], now: datetime, report: WatchReport) -> None:
    ages = [promotion.time_in_state(now) for promotion in deploying]
    report.deploying = len(deploying)
    report.oldest = max(ages, default=timedelta(0))
    ranks = list(Rung)
    for promotion in deploying:
        raised = report.alerted.get(promotion.id, promotion.rung)
        # A promotion that climbs on must not look as if it had come down from where it was.
        for rung in ranks[: ranks.index(raised) + 1] if raised else ():
            report.rungs[rung] += 1
