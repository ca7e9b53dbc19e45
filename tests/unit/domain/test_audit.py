"""A trail proves itself whole: whatever was done to it shows."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.audit import Act, Action, StoredEntry, Verification, verify
from chalicelib.domain.promotion import Promotion, State, Step, advance
from tests.factories import a_change
from tests.fakes import START


def a_trail() -> tuple[list[StoredEntry], Promotion]:
    change = a_change()
    changes = [change]
    for minutes, step in enumerate((Step.QUEUED, Step.INTENT, Step.PENDING_COMMIT), start=1):
        at = START + timedelta(minutes=minutes)
        act = Act(actor="worker", action=Action.RECORD_INTENT, at=at, facts={"n": minutes})
        change = advance(change.after, act, state=State.DEPLOYING, step=step)
        changes.append(change)
    return [StoredEntry(entry=c.entry, hash=c.entry.hash) for c in changes], change.after


def check(trail: list[StoredEntry], promotion: Promotion) -> Verification:
    return verify(trail, version=promotion.version, head=promotion.audit_hash)


def test_an_untouched_trail_verifies() -> None:
    trail, promotion = a_trail()

    assert check(trail, promotion) == Verification(verified=True)


@given(
    index=st.integers(0, 3),
    change=st.sampled_from(
        [
            {"actor": "mallory"},
            {"action": "cancel"},
            {"at": START + timedelta(microseconds=1)},
            {"from_state": "failed"},
            {"to_state": "deployed"},
            {"step": "released"},
            {"facts": {"n": 99}},
            {"subject": "prm_other"},
        ],
    ),
)
def test_a_changed_entry_breaks_the_trail_where_it_stands(
    index: int,
    change: dict[str, object],
) -> None:
    trail, promotion = a_trail()
    trail[index] = replace(trail[index], entry=replace(trail[index].entry, **change))  # type: ignore[arg-type]

    verification = check(trail, promotion)

    assert not verification.verified
    assert verification.broken_at == index + 1
    assert verification.reason == "its content was changed"


@pytest.mark.parametrize("index", range(4))
def test_an_entry_changed_together_with_its_hash_breaks_the_trail(index: int) -> None:
    trail, promotion = a_trail()
    forged = replace(trail[index].entry, actor="mallory")
    trail[index] = StoredEntry(entry=forged, hash=forged.hash)

    assert not check(trail, promotion).verified


@pytest.mark.parametrize("index", range(4))
def test_a_missing_entry_breaks_the_trail(index: int) -> None:
    trail, promotion = a_trail()
    del trail[index]

    verification = check(trail, promotion)

    assert not verification.verified
    assert verification.broken_at == index + 1


def test_a_reordered_trail_does_not_verify() -> None:
    trail, promotion = a_trail()

    assert not check([trail[0], trail[2], trail[1], trail[3]], promotion).verified


def test_a_trail_that_was_rewritten_whole_does_not_fit_its_promotion() -> None:
    trail, promotion = a_trail()
    other, _ = a_trail()

    verification = check(other, promotion)

    assert trail != other
    assert not verification.verified
    assert verification.reason == "the newest entry is not the one that its subject names"


def test_the_hash_is_the_same_after_a_round_trip_through_json() -> None:
    entry = a_change().entry
    copy = replace(entry, facts={"value": str(entry.facts["value"])}, to_state="pending")

    assert copy.hash == entry.hash
