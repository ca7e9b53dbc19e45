"""The chain of hashes, recomputed without Hoist's own code."""

from typing import Any

import pytest

from chalicelib.wire.represent import trail
from chalicelib.wire.requests import Stretch
from cli.chain import broken_because
from tests.factories import VERA
from tests.world import World


@pytest.fixture
def entries(world: World) -> list[dict[str, Any]]:
    """The trail of a promotion that went live, as the API tells it; one note is not ASCII."""
    promotion = world.accept(world.mark(value="früh am Morgen …")).promotion
    world.work_until_settled(promotion)
    read = world.audit_it(promotion.id, caller=VERA)
    told: list[dict[str, Any]] = trail(read, Stretch())["entries"]
    assert len(told) >= 4
    return told


def broken(entries: list[dict[str, Any]], version: int | None = None) -> str | None:
    """How the chain breaks."""
    wanted = len(entries) if version is None else version
    return broken_because(entries, subject=entries[0]["subject"], version=wanted)


def test_a_whole_chain_is_whole(entries: list[dict[str, Any]]) -> None:
    assert broken(entries) is None


@pytest.mark.parametrize(
    "member", ["at", "actor", "action", "from_state", "target", "flag", "step"]
)
def test_a_changed_member_shows(member: str, entries: list[dict[str, Any]]) -> None:
    entries[1] |= {member: "changed"}

    assert broken(entries) == "the content of entry 2 was changed"


def test_a_changed_fact_shows(entries: list[dict[str, Any]]) -> None:
    entries[0]["facts"]["value"] = "false"

    assert broken(entries) == "the content of entry 1 was changed"


def test_a_member_that_was_added_shows(entries: list[dict[str, Any]]) -> None:
    entries[0]["more"] = 1

    assert broken(entries) == "the content of entry 1 was changed"


def test_a_missing_entry_shows(entries: list[dict[str, Any]]) -> None:
    del entries[1]

    assert broken(entries) == "entry 2 is missing"


def test_an_entry_that_was_cut_off_the_end_shows(entries: list[dict[str, Any]]) -> None:
    version = len(entries)
    entries.pop()

    assert broken(entries, version) == (
        f"it is at version {version}, and its trail has {version - 1} entries"
    )


def test_an_entry_of_another_chain_shows(entries: list[dict[str, Any]]) -> None:
    entries[2] |= {"prev_hash": "0" * 64}

    assert broken(entries) == "entry 3 does not follow the one before it"


def test_another_promotions_trail_shows(entries: list[dict[str, Any]]) -> None:
    found = broken_because(entries, subject="prm_other", version=len(entries))

    assert found is not None
    assert found.startswith("entry 1 is of something else")


def test_no_entries_at_all_are_not_whole() -> None:
    assert broken_because([], subject="prm_other", version=1) is not None
