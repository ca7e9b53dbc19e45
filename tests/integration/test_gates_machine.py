"""Whatever several callers and the watchdog do, in whatever order: the gates hold.

Whether a beginning was right is read from the audit trail alone, as somebody would who asks
afterwards.
"""

from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.audit import Action, AuditEntry
from chalicelib.domain.errors import Rejected
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import State
from tests.factories import KIM, PAT, SAM, TARGET
from tests.world import World

HOUR = timedelta(hours=1)
CALLERS, HOURS = (KIM, PAT, SAM), (None, 1, 5, 200)
KNOWN = frozenset({"freeze:year-end"})


@dataclass
class Told:
    """What a trail says of a promotion up to some entry."""

    author: str = ""
    #: Let go with a code, for this time.
    let_go: bool = False
    time: str | None = None
    approvers: set[str] = field(default_factory=set)

    def hear(self, entry: AuditEntry) -> None:
        facts = entry.facts
        match entry.action:
            case Action.MARK:
                self.author = entry.actor
            case Action.APPROVE:
                assert entry.actor not in self.approvers | {self.author}
                assert facts["not_before"] == self.time
                self.approvers.add(entry.actor)
            case Action.STAGE:
                if facts["not_before"] != self.time:
                    self.approvers.clear()
                self.time = facts["not_before"]
                self.let_go = "totp_timecode" in facts
                assert self.let_go == (self.time is not None)
            case Action.PROMOTE if entry.to_state == State.STAGED:
                self.time, self.let_go = spell(entry.at), "totp_timecode" in facts


class Life:
    """One flag and one freeze; three callers, a worker, and a watchdog whose index may lag."""

    def __init__(self, asked: int) -> None:
        self.world = World()
        self.world.policy(min_approvals=asked)
        self.asked = asked
        self.mark()

    def mark(self) -> None:
        self.promotion = self.world.mark()
        self.heard, self.told = 0, Told()

    # What callers do

    def stage(self, caller: Caller, hours: int | None) -> None:
        time = self.world.clock.now() + hours * HOUR if hours else None
        self.world.stage(self.promotion, caller, not_before=time, acknowledge=KNOWN)

    def approve(self, caller: Caller) -> None:
        self.world.approve(self.promotion, caller)

    def promote(self, caller: Caller, key: str | None = None) -> None:
        self.world.accept(self.promotion, caller, key=key)

    def break_glass(self, caller: Caller) -> None:
        self.world.accept(self.promotion, caller, break_glass="It burns.")

    def cancel(self, caller: Caller) -> None:
        self.world.cancel_it(self.promotion.id, caller=caller, if_version=None, reason=None)

    def freeze(self, hours: int | None) -> None:
        ends_at = self.world.clock.now() + hours * HOUR if hours else None
        self.world.freeze(ends_at=ends_at)

    def lift(self) -> None:
        self.world.lift()

    # What happens by itself

    def the_index_lags(self) -> None:
        self.world.store.lagging[self.promotion.id] = self.world.now(self.promotion)

    def time_passes_over_a_lagging_index(self, hours: int) -> None:
        self.world.clock.advance(hours * HOUR + timedelta(minutes=1))
        assert self.world.watchdog().broken == {}

    def time_passes(self, hours: int) -> None:
        self.world.store.lagging.clear()
        self.time_passes_over_a_lagging_index(hours)
        promotion, now = self.world.now(self.promotion), self.world.clock.now()
        time = promotion.not_before if promotion.scheduled else None
        if time and time <= now and len(promotion.approvers) >= self.asked:
            # What may begin has begun, within the minute.
            assert self.world.freezes.plan.hold(TARGET, now)

    def a_worker_looks(self) -> None:
        self.world.work()

    # What holds

    def judge(self, entry: AuditEntry) -> None:
        """By what the trail says before this entry."""
        told, hold = self.told, self.world.freezes.plan.hold(TARGET, entry.at)
        due = told.let_go and told.time is not None and told.time <= spell(entry.at)
        enough = len(told.approvers) >= self.asked
        if entry.action == Action.PROMOTE and entry.to_state == State.DEPLOYING:
            assert due if entry.actor == "watchdog" else "totp_timecode" in entry.facts
            assert entry.facts.get("break_glass") or (enough and not hold)
        if entry.action == Action.EXPIRE:
            assert not (due and enough and hold)

    def check(self) -> None:
        trail = self.world.store.trail(self.promotion.id)
        for stored in trail[self.heard :]:
            self.judge(stored.entry)
            self.told.hear(stored.entry)
        self.heard = len(trail)
        promotion = self.world.now(self.promotion)
        assert len(trail) == promotion.version
        assert sorted(each.by for each in promotion.approvals) == sorted(self.told.approvers)
        assert self.world.verified(promotion)

    def spent(self) -> list[tuple[str, int]]:
        """All codes that were spent, and whose."""
        return [
            (stored.entry.actor, stored.entry.facts["totp_timecode"])
            for promotion_id in self.world.store.promotions
            for stored in self.world.store.trail(promotion_id)
            if "totp_timecode" in stored.entry.facts
        ]


Step = tuple[str, tuple[object, ...]]
#: Everything that may happen next. What is worth more tries stands there more than once.
STEPS: list[Step] = [
    *(("stage", args) for args in product(CALLERS, HOURS)),
    *(("approve", (caller,)) for caller in CALLERS * 2),
    *(("promote", args) for args in product(CALLERS, (None, "key"))),
    *(("break_glass", (caller,)) for caller in CALLERS[:1]),
    *(("cancel", (caller,)) for caller in CALLERS[:1]),
    *(("freeze", (hours,)) for hours in HOURS),
    *(("lift", ()),) * 4,
    *(("time_passes", (hours,)) for hours in (0, 2, 2, 10, 10, 170)),
    ("the_index_lags", ()),
    ("time_passes_over_a_lagging_index", (2,)),
    *(("a_worker_looks", ()),) * 2,
]


@settings(max_examples=60, derandomize=True)
@given(asked=st.integers(0, 2), steps=st.lists(st.sampled_from(STEPS), min_size=30, max_size=60))
def test_nothing_begins_but_let_go_approved_in_time_and_out_of_a_freeze(
    asked: int,
    steps: list[Step],
) -> None:
    life = Life(asked)

    for name, args in steps:
        before = dict(life.world.store.promotions), dict(life.world.operators.operators)
        try:
            getattr(life, name)(*args)
        except Rejected:
            # What is refused changes nothing, and spends no code.
            assert before == (life.world.store.promotions, life.world.operators.operators)
        life.check()
        if life.world.now(life.promotion).state.terminal:
            life.mark()

    spent = life.spent()
    assert len(spent) == len(set(spent))
