"""Superadmins set and lift freezes; everybody sees them, and the audit says who did what."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.freeze import MAX_FREEZES, Freeze, FreezePlan
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.record import Revision, verify_record
from chalicelib.domain.target import Target
from chalicelib.ports import Clash, Lost
from chalicelib.usecases.freezes import (
    FreezeTerms,
    LiftFreeze,
    ListFreezes,
    PutFreeze,
    ShowFreeze,
)
from tests.factories import KIM, SAM, TARGET, VERA
from tests.fakes import START, FakeClock, FakeFreezes, FakeTargets

HOUR = timedelta(hours=1)
TERMS = FreezeTerms(
    reason="Quarter's end",
    target=TARGET,
    starts_at=START,
    ends_at=START + HOUR,
    rrule="FREQ=WEEKLY",
    timezone="Europe/Berlin",
)


@dataclass
class Contended(FakeFreezes):
    """Somebody else writes right before each of the next writes."""

    others: int = 0

    def write(self, revision: Revision[FreezePlan]) -> None:
        if self.others:
            self.others -= 1
            raise Lost({Clash.RECORD})
        super().write(revision)


@dataclass
class Desk:
    """Where freezes are set."""

    freezes: Contended = field(default_factory=Contended)
    clock: FakeClock = field(default_factory=FakeClock)
    targets: FakeTargets = field(
        default_factory=lambda: FakeTargets({TARGET: Target(app=TARGET, version=1)}),
    )

    def put(
        self,
        freeze_id: str = "evening",
        terms: FreezeTerms = TERMS,
        *,
        if_version: int | None = None,
        caller: Caller = SAM,
        **changes: Any,  # noqa: ANN401 - fields of `FreezeTerms`
    ) -> Freeze:
        put = PutFreeze(freezes=self.freezes, targets=self.targets, clock=self.clock)
        wanted = replace(terms, **changes)
        return put(freeze_id, wanted, if_version=if_version, caller=caller)

    def lift(
        self,
        freeze_id: str = "evening",
        *,
        if_version: int | None = None,
        caller: Caller = SAM,
    ) -> Freeze:
        lift = LiftFreeze(freezes=self.freezes, clock=self.clock)
        return lift(freeze_id, reason="It is over", if_version=if_version, caller=caller)

    @property
    def trail(self) -> list[tuple[str, str, dict[str, Any]]]:
        """Who did what, with which facts."""
        entries = [stored.entry for stored in self.freezes.entries.get("freezes", [])]
        return [(entry.actor, entry.action, dict(entry.facts)) for entry in entries]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_freeze_that_is_set_is_shown_and_listed(desk: Desk) -> None:
    freeze = desk.put()

    shown = ShowFreeze(freezes=desk.freezes)("evening", caller=VERA)
    listed = ListFreezes(freezes=desk.freezes)(caller=VERA)

    assert shown == freeze
    assert listed.freezes == {"evening": freeze}
    assert (freeze.set_by, freeze.set_at, freeze.version) == ("sam", START, 1)
    assert (freeze.reason, freeze.rrule) == ("Quarter's end", "FREQ=WEEKLY")


def test_what_was_set_and_lifted_is_audited_as_one_chain(desk: Desk) -> None:
    desk.put()
    desk.lift()

    assert desk.trail == [
        (
            "sam",
            Action.SET_FREEZE,
            {
                "id": "evening",
                "reason": "Quarter's end",
                "target": TARGET,
                "starts_at": "2026-05-09T04:28:00.000000Z",
                "ends_at": "2026-05-09T05:28:00.000000Z",
                "rrule": "FREQ=WEEKLY",
                "timezone": "Europe/Berlin",
            },
        ),
        ("sam", Action.LIFT_FREEZE, {"id": "evening", "reason": "It is over"}),
    ]
    assert verify_record(desk.freezes.plan, desk.freezes.entries["freezes"]).verified


def test_a_service_that_a_superadmin_acts_through_is_audited(desk: Desk) -> None:
    through = replace(SAM, via="console")

    desk.put(caller=through)
    desk.lift(caller=through)

    assert [facts["via"] for _, _, facts in desk.trail] == ["console", "console"]


def test_the_same_again_writes_nothing(desk: Desk) -> None:
    first = desk.put()
    desk.clock.advance(HOUR)

    again = desk.put(caller=replace(SAM, name="pat"))

    assert again == first
    assert len(desk.trail) == 1


def test_the_same_again_writes_nothing_though_it_would_be_refused_by_now(desk: Desk) -> None:
    first = desk.put()
    desk.clock.advance(timedelta(days=9 * 366))
    desk.targets.targets.clear()

    assert desk.put() == first


def test_other_terms_replace_a_freeze_and_leave_the_others(desk: Desk) -> None:
    other = desk.put("other")
    desk.put()
    desk.clock.advance(HOUR)

    freeze = desk.put(reason="Year's end")

    assert desk.freezes.plan.freezes == {"other": other, "evening": freeze}
    assert (freeze.version, freeze.set_at) == (3, START + HOUR)


@pytest.mark.parametrize("if_version", [None, 2])
def test_a_freeze_that_is_as_the_caller_read_it_may_change(
    desk: Desk,
    if_version: int | None,
) -> None:
    desk.put("other")
    desk.put()
    desk.put("third")

    assert desk.put(reason="Year's end", if_version=if_version).version == 4
    assert desk.lift(if_version=if_version and 4).reason == "Year's end"


def test_a_freeze_that_has_changed_since_is_left_as_it_is(desk: Desk) -> None:
    desk.put()
    now = desk.put(reason="Year's end")

    with pytest.raises(Rejected) as put:
        desk.put(if_version=1)
    with pytest.raises(Rejected) as lifted:
        desk.lift(if_version=1)

    assert {put.value.code, lifted.value.code} == {Code.VERSION_STALE}
    assert put.value.conflict == {"version": 2}
    assert desk.freezes.plan.freezes == {"evening": now}


def test_a_freeze_that_was_lifted_is_not_replaced_by_who_read_it_before(desk: Desk) -> None:
    version = desk.put().version
    desk.lift()

    with pytest.raises(Rejected) as rejected:
        desk.put(if_version=version)

    assert rejected.value.code is Code.VERSION_STALE
    assert desk.freezes.plan.freezes == {}


def test_what_is_not_there_is_neither_shown_nor_lifted(desk: Desk) -> None:
    with pytest.raises(Rejected) as shown:
        ShowFreeze(freezes=desk.freezes)("evening", caller=VERA)
    with pytest.raises(Rejected) as lifted:
        desk.lift()

    assert (shown.value.code, lifted.value.code) == (Code.NOT_FOUND, Code.NOT_FOUND)
    assert desk.trail == []


@pytest.mark.parametrize("caller", [VERA, KIM, Caller(name="console", role=Role.SERVICE)])
def test_only_a_superadmin_sets_and_lifts(desk: Desk, caller: Caller) -> None:
    desk.put()

    with pytest.raises(Rejected) as put:
        desk.put(reason="Mine", caller=caller)
    with pytest.raises(Rejected) as lifted:
        desk.lift(caller=caller)

    assert (put.value.code, lifted.value.code) == (Code.ROLE_INSUFFICIENT, Code.ROLE_INSUFFICIENT)
    assert len(desk.trail) == 1


def test_terms_that_cannot_be_meant_are_refused_with_the_field(desk: Desk) -> None:
    with pytest.raises(Rejected) as rejected:
        desk.put(rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30")

    assert rejected.value.code is Code.INVALID_REQUEST
    assert [error.field for error in rejected.value.errors] == ["rrule"]
    assert "rrule does not occur within two years" in rejected.value.detail
    assert desk.trail == []


def test_a_target_that_is_not_listed_is_refused(desk: Desk) -> None:
    with pytest.raises(Rejected) as rejected:
        desk.put(target="raxx-console-prd")

    assert rejected.value.code is Code.TARGET_UNLISTED
    assert desk.trail == []


def test_a_freeze_of_all_targets_names_none(desk: Desk) -> None:
    freeze = desk.put(target=None)

    assert desk.freezes.plan.hold("any-app", START + HOUR / 2) is not None
    assert freeze.target is None


def test_there_is_an_end_to_how_many_there_can_be(desk: Desk) -> None:
    for number in range(MAX_FREEZES):
        desk.put(f"freeze-{number}")

    with pytest.raises(Rejected) as rejected:
        desk.put("one-more")

    assert "Lift those that are over" in rejected.value.detail
    assert desk.put("freeze-0", reason="Year's end").reason == "Year's end"
    assert len(desk.freezes.plan.freezes) == MAX_FREEZES


@pytest.mark.parametrize("others", [1, 2])
def test_a_write_that_lost_is_tried_again(desk: Desk, others: int) -> None:
    desk.freezes.others = others
    desk.put()
    desk.freezes.others = others

    lifted = desk.lift()

    assert lifted.id == "evening"
    assert [action for _, action, _ in desk.trail] == [Action.SET_FREEZE, Action.LIFT_FREEZE]


def test_a_write_that_keeps_losing_says_so(desk: Desk) -> None:
    desk.freezes.others = 3

    with pytest.raises(Rejected) as rejected:
        desk.put()

    assert rejected.value.code is Code.CONTENTION
    assert desk.trail == []
