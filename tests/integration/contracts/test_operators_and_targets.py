"""`Operators`."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.operator import Caller, Operator, Role, SpentCode, counted, unlocked
from chalicelib.domain.record import Revision, revise, verify_record
from chalicelib.ports import Clash, Lost
from tests.factories import KIM, SAM, an_operator
from tests.fakes import START
from tests.integration.contracts.conftest import Stores

CONSOLE = Caller(name="console", role=Role.SERVICE)
#: Every way in which a record moves.
MOVES: list[dict[str, Any]] = [
    {"failures": 1},
    {"locks": 1},
    {"wrong_codes": 1},
    {"version": 1},
    {"token_sha256": "rotated"},
]


def kim(stores: Stores) -> Operator:
    operator = stores.operators.get("kim")
    assert operator is not None
    return operator


def locked_out(operator: Operator, **facts: object) -> Revision[Operator]:
    act = Act(actor="kim", action=Action.LOCK_OUT, at=START, facts=facts)
    return revise(operator, counted(operator, START, braked=True), act)


def sams_code(stores: Stores, timecode: int) -> SpentCode:
    operator = stores.operators.get("sam")
    assert operator is not None
    return SpentCode(operator=operator, timecode=timecode)


@pytest.fixture
def with_sam(stores: Stores) -> Stores:
    stores.operators.put(an_operator(SAM, last_timecode=41))
    return stores


@pytest.mark.parametrize(
    "operator",
    [
        an_operator(KIM),
        an_operator(CONSOLE, totp_reference="", up_to=Role.VIEWER),
        an_operator(
            SAM,
            disabled=True,
            last_timecode=42,
            failures=3,
            locks=2,
            locked_until=START,
            wrong_codes=17,
            wrong_since=START - timedelta(days=1),
            version=9,
            audit_hash="f" * 64,
        ),
    ],
)
def test_an_operator_is_read_back_whole(stores: Stores, operator: Operator) -> None:
    stores.operators.put(operator)

    assert stores.operators.get(operator.name) == operator


def test_an_unknown_operator_reads_as_none(stores: Stores) -> None:
    assert stores.operators.get("nobody") is None


def test_all_operators_are_read_by_name(stores: Stores) -> None:
    for caller in (SAM, CONSOLE):
        stores.operators.put(an_operator(caller))

    assert stores.operators.all() == [an_operator(caller) for caller in (CONSOLE, KIM, SAM)]


# Wrong codes


def test_a_wrong_code_is_counted(stores: Stores) -> None:
    before = kim(stores)
    after = counted(before, START, braked=False)

    assert stores.operators.count_failure(before, after)
    assert kim(stores) == after


def test_a_counted_wrong_code_leaves_no_audit_entry(stores: Stores) -> None:
    before = kim(stores)

    stores.operators.count_failure(before, counted(before, START, braked=False))

    assert stores.promotions.trail("operator:kim") == []


@pytest.mark.parametrize("moved", [*MOVES, {"last_timecode": 1}])
def test_a_wrong_code_judged_by_a_record_that_moved_is_not_counted(
    stores: Stores,
    moved: dict[str, Any],
) -> None:
    before = kim(stores)
    stores.operators.put(replace(before, **moved))

    written = stores.operators.count_failure(before, counted(before, START, braked=False))

    assert not written
    assert kim(stores) == replace(before, **moved)


def test_wrong_codes_of_all_are_counted_by_the_hour(stores: Stores) -> None:
    at = START.replace(minute=0)
    times = [at, at + timedelta(minutes=59, seconds=59), at + timedelta(hours=1)]

    counts = [stores.operators.count_wrong_code(each) for each in times]

    assert counts == [1, 2, 1]


# New versions


def test_a_new_version_is_written_with_its_audit_entry(stores: Stores) -> None:
    revision = locked_out(kim(stores), braked=True)

    stores.operators.write(revision)

    trail = stores.promotions.trail("operator:kim")
    assert kim(stores) == revision.after
    assert [each.entry for each in trail] == [revision.entry]


def test_versions_follow_one_another_in_one_trail(stores: Stores) -> None:
    stores.operators.write(locked_out(kim(stores)))
    act = Act(actor="sam", action=Action.UNLOCK, at=START)
    stores.operators.write(revise(kim(stores), unlocked(kim(stores)), act))

    trail = stores.promotions.trail("operator:kim")

    assert [each.entry.action for each in trail] == ["lock_out", "unlock"]
    assert verify_record(kim(stores), trail).verified


@pytest.mark.parametrize("moved", [*MOVES, {"last_timecode": 1}])
def test_a_record_that_moved_gets_no_new_version(stores: Stores, moved: dict[str, Any]) -> None:
    revision = locked_out(kim(stores))
    stores.operators.put(replace(revision.before, **moved))

    with pytest.raises(Lost) as lost:
        stores.operators.write(revision)

    assert lost.value.clashes == {Clash.RECORD}
    assert kim(stores) == replace(revision.before, **moved)
    assert stores.promotions.trail("operator:kim") == []


def added(operator: Operator) -> Revision[Operator]:
    nobody = replace(operator, token_sha256="", totp_reference="")
    return revise(nobody, operator, Act(actor="aws:sam", action=Action.ADD_OPERATOR, at=START))


def test_an_operator_is_entered(stores: Stores) -> None:
    revision = added(an_operator(CONSOLE, totp_reference=""))

    stores.operators.write(revision)

    assert stores.operators.get("console") == revision.after


def test_nobody_is_entered_over_somebody(stores: Stores) -> None:
    with pytest.raises(Lost) as lost:
        stores.operators.write(added(an_operator(KIM, token_sha256="another")))

    assert lost.value.clashes == {Clash.RECORD}
    assert kim(stores) == an_operator(KIM)


# Codes that are spent with a new version


def test_a_code_is_spent_with_the_new_version(with_sam: Stores) -> None:
    revision = locked_out(kim(with_sam))

    with_sam.operators.write(revision, spend=sams_code(with_sam, 42))

    assert kim(with_sam) == revision.after
    assert with_sam.operators.get("sam") == an_operator(SAM, last_timecode=42)


def test_a_right_code_forgives_the_row_but_not_the_period(with_sam: Stores) -> None:
    stores, since = with_sam, START - timedelta(days=1)
    counts: dict[str, Any] = {"wrong_codes": 8, "wrong_since": since}
    stores.operators.put(an_operator(SAM, failures=3, locks=1, locked_until=START, **counts))

    stores.operators.write(locked_out(kim(stores)), spend=sams_code(stores, 42))

    assert stores.operators.get("sam") == an_operator(SAM, last_timecode=42, **counts)


@pytest.mark.parametrize("timecode", [40, 41])
def test_a_code_that_is_not_newer_than_the_last_writes_nothing(
    with_sam: Stores,
    timecode: int,
) -> None:
    with pytest.raises(Lost) as lost:
        with_sam.operators.write(locked_out(kim(with_sam)), spend=sams_code(with_sam, timecode))

    assert lost.value.clashes == {Clash.SECOND_FACTOR}
    assert kim(with_sam) == an_operator(KIM)
    assert with_sam.promotions.trail("operator:kim") == []


@pytest.mark.parametrize("moved", [*MOVES, {"disabled": True}])
def test_a_code_judged_by_a_record_that_moved_writes_nothing(
    with_sam: Stores,
    moved: dict[str, Any],
) -> None:
    judged = sams_code(with_sam, 42)
    with_sam.operators.put(replace(judged.operator, **moved))

    with pytest.raises(Lost) as lost:
        with_sam.operators.write(locked_out(kim(with_sam)), spend=judged)

    assert lost.value.clashes == {Clash.SECOND_FACTOR}
    assert kim(with_sam) == an_operator(KIM)
    assert with_sam.operators.get("sam") == replace(judged.operator, **moved)


def test_a_record_and_a_code_that_both_moved_are_both_named(with_sam: Stores) -> None:
    revision = locked_out(kim(with_sam))
    with_sam.operators.put(an_operator(KIM, failures=1))

    with pytest.raises(Lost) as lost:
        with_sam.operators.write(revision, spend=sams_code(with_sam, 41))

    assert lost.value.clashes == {Clash.RECORD, Clash.SECOND_FACTOR}
