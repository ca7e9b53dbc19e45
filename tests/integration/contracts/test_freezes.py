"""`Freezes`: one plan, written by compare-and-set together with its audit entry."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from chalicelib.adapters.dynamodb import DynamoDBFreezes, DynamoDBPromotionStore, Tables
from chalicelib.domain.audit import Act, Action, StoredEntry
from chalicelib.domain.freeze import (
    MAX_FREEZES,
    MAX_REASON_LENGTH,
    Freeze,
    FreezePlan,
    lift_freeze,
    set_freeze,
)
from chalicelib.domain.record import Revision, verify_record
from chalicelib.domain.recurrence import MAX_RULE_LENGTH
from chalicelib.ports import Clash, Freezes, Lost
from tests.factories import TARGET
from tests.fakes import START, FakeFreezes

ACT = Act(actor="sam", action=Action.SET_FREEZE, at=START, facts={"id": "evening"})
ONCE = Freeze(
    id="evening",
    reason="Quarter's end: “nothing moves”",
    target=TARGET,
    starts_at=START,
    ends_at=START + timedelta(hours=1, microseconds=1),
    set_by="sam",
    set_at=START,
)
FOR_GOOD = replace(ONCE, id="for-good", target=None, ends_at=None)
WEEKLY = replace(ONCE, id="weekly", rrule="FREQ=WEEKLY;BYDAY=FR", timezone="Europe/Berlin")


@dataclass
class Kept:
    """One implementation, and the audit entries that it has written."""

    freezes: Freezes
    trail: Callable[[], Sequence[StoredEntry]]

    def put(self, *freezes: Freeze) -> FreezePlan:
        """Set these one after the other."""
        for freeze in freezes:
            self.freezes.write(set_freeze(self.freezes.get(), freeze, ACT))
        return self.freezes.get()


@pytest.fixture(params=["fake", "dynamodb"])
def kept(request: pytest.FixtureRequest) -> Kept:
    """Each implementation in turn, empty."""
    if request.param == "fake":
        fake = FakeFreezes()
        return Kept(freezes=fake, trail=lambda: fake.entries.get("freezes", []))
    tables: Tables = request.getfixturevalue("tables")
    store = DynamoDBPromotionStore(tables)
    return Kept(freezes=DynamoDBFreezes(tables), trail=lambda: store.trail("freezes"))


def test_before_the_first_freeze_the_plan_is_empty(kept: Kept) -> None:
    assert kept.freezes.get() == FreezePlan()
    assert list(kept.trail()) == []


def test_freezes_read_as_they_were_written(kept: Kept) -> None:
    plan = kept.put(ONCE, FOR_GOOD, WEEKLY)

    assert plan.freezes == {
        "evening": replace(ONCE, version=1),
        "for-good": replace(FOR_GOOD, version=2),
        "weekly": replace(WEEKLY, version=3),
    }


def test_a_lifted_freeze_is_gone_and_the_others_stay(kept: Kept) -> None:
    plan = kept.put(ONCE, WEEKLY)

    kept.freezes.write(lift_freeze(plan, "evening", ACT))

    assert set(kept.freezes.get().freezes) == {"weekly"}


def test_the_chain_of_the_plan_verifies_as_read_back(kept: Kept) -> None:
    plan = kept.put(ONCE, FOR_GOOD)
    kept.freezes.write(lift_freeze(plan, "evening", ACT))

    trail = kept.trail()

    assert verify_record(kept.freezes.get(), trail).verified
    assert [(stored.entry.version, stored.entry.actor) for stored in trail] == [
        (1, "sam"),
        (2, "sam"),
        (3, "sam"),
    ]
    assert trail[0].entry.facts == {"id": "evening"}


@pytest.mark.parametrize("first", [True, False], ids=["the first write", "a later write"])
def test_of_two_who_read_the_same_plan_one_writes(kept: Kept, *, first: bool) -> None:
    before = FreezePlan() if first else kept.put(FOR_GOOD)
    winner, loser = set_freeze(before, ONCE, ACT), set_freeze(before, WEEKLY, ACT)
    kept.freezes.write(winner)

    with pytest.raises(Lost) as lost:
        kept.freezes.write(loser)

    assert lost.value.clashes == {Clash.RECORD}
    assert kept.freezes.get() == winner.after
    assert verify_record(kept.freezes.get(), kept.trail()).verified


def test_the_fullest_plan_fits_where_it_is_stored(kept: Kept) -> None:
    # Four bytes a character, the most that UTF-8 takes; and the longest that else can be said.
    fullest = replace(
        WEEKLY,
        reason="\N{ICE HOCKEY STICK AND PUCK}" * MAX_REASON_LENGTH,
        target="a" * 30,
        rrule="X" * MAX_RULE_LENGTH,
        timezone="America/Argentina/ComodRivadavia",
        set_by="p" * 60,
        set_at=START + timedelta(microseconds=1),
    )
    names = [f"{number:063}" for number in range(MAX_FREEZES)]
    plan = FreezePlan(freezes={name: replace(fullest, id=name) for name in names[1:]})

    revision: Revision[FreezePlan] = set_freeze(plan, replace(fullest, id=names[0]), ACT)
    kept.freezes.write(revision)

    assert kept.freezes.get() == revision.after
