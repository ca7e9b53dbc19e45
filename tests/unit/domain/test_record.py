"""Operators, targets, freezes and catalogues change as promotions do: audited, in a chain."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.audit import GENESIS, Act, Action, StoredEntry, Verification
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.freeze import FreezePlan
from chalicelib.domain.record import Record, Revision, revise, verify_record
from chalicelib.domain.target import Target
from tests.factories import an_operator
from tests.fakes import START


def revised(before: Target, minute: int = 0, **changes: Any) -> Revision[Target]:  # noqa: ANN401 - fields of `Target`
    act = Act(actor="sam", action=Action.SET_POLICY, at=START + timedelta(minutes=minute))
    return revise(before, replace(before, **changes), act)


def stored(*revisions: Revision[Target]) -> list[StoredEntry]:
    return [StoredEntry(entry=each.entry, hash=each.entry.hash) for each in revisions]


@pytest.mark.parametrize(
    "record",
    [an_operator(), Target(app="raxx"), Catalogue(id="backend"), FreezePlan()],
)
def test_a_record_that_was_never_written_has_no_history(record: Record) -> None:
    assert (record.version, record.audit_hash) == (0, GENESIS)
    assert verify_record(record, []).verified


@pytest.mark.parametrize(
    ("record", "subject"),
    [
        (an_operator(), "operator:kim"),
        (Target(app="raxx"), "target:raxx"),
        (Catalogue(id="backend"), "catalogue:backend"),
        (FreezePlan(), "freezes"),
    ],
)
def test_a_record_says_under_what_its_entries_are_found(record: Record, subject: str) -> None:
    assert record.subject == subject


def test_a_revision_is_the_next_version_with_the_entry_that_says_so() -> None:
    before = Target(app="raxx")
    act = Act(actor="sam", action=Action.SET_POLICY, at=START, facts={"min_approvals": 2})

    revision = revise(before, replace(before, min_approvals=2), act)

    entry, after = revision.entry, revision.after
    assert (revision.before, after.version, after.min_approvals) == (before, 1, 2)
    assert (entry.subject, entry.version, entry.prev_hash) == ("target:raxx", 1, GENESIS)
    assert (entry.actor, entry.action, entry.at) == ("sam", "set_policy", START)
    assert entry.facts == {"min_approvals": 2}
    assert after.audit_hash == entry.hash


def test_an_entry_of_a_record_says_nothing_of_a_promotions_states() -> None:
    entry = revised(Target(app="raxx")).entry

    words = (entry.target, entry.flag, entry.from_state, entry.to_state, entry.step)
    assert words == (None, None, None, None, None)


def test_the_version_of_a_draft_is_not_taken_for_the_next_one() -> None:
    before = Target(app="raxx", version=7, audit_hash="f" * 64)
    act = Act(actor="sam", action=Action.SET_POLICY, at=START)

    revision = revise(before, replace(before, version=99, audit_hash=GENESIS), act)

    assert (revision.after.version, revision.entry.prev_hash) == (8, "f" * 64)


def test_every_revision_follows_from_the_one_before() -> None:
    first = revised(Target(app="raxx"), min_approvals=1)
    second = revised(first.after, 1, min_approvals=2)

    assert second.entry.prev_hash == first.entry.hash
    assert verify_record(second.after, stored(first, second)).verified


def test_a_revision_that_is_missing_shows() -> None:
    first = revised(Target(app="raxx"), min_approvals=1)
    second = revised(first.after, 1, min_approvals=2)

    verification = verify_record(second.after, stored(second))

    assert verification == Verification(
        verified=False,
        broken_at=1,
        reason="entry 1 is missing",
    )


def test_a_revision_that_was_cut_off_the_end_shows() -> None:
    first = revised(Target(app="raxx"), min_approvals=1)
    second = revised(first.after, 1, min_approvals=2)

    assert not verify_record(second.after, stored(first)).verified


def test_a_revision_that_was_made_up_in_place_of_another_shows() -> None:
    first = revised(Target(app="raxx"), min_approvals=1)
    other = revised(Target(app="raxx"), 5, min_approvals=0)

    assert not verify_record(first.after, stored(other)).verified


def test_a_record_that_claims_another_version_than_its_trail_shows() -> None:
    first = revised(Target(app="raxx"), min_approvals=1)

    assert not verify_record(replace(first.after, version=5), stored(first)).verified
