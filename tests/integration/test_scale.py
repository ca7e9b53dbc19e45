"""A small stack lives through two days with every kind of outage: see bench/scale."""

import pytest

from bench.scale.cell import Cell, Plan
from bench.scale.tally import Tally

PLAN = Plan(
    seed=7,
    cell=0,
    targets=50,
    promotions=2_000,
    days=2,
    train=False,
    train_flags=10,
)


@pytest.fixture(scope="module")
def lived() -> Tally:
    return Cell(PLAN).run()


def test_nothing_is_stuck_after_two_days_with_every_kind_of_outage(lived: Tally) -> None:
    assert lived.stuck == []


def test_the_outages_were_felt(lived: Tally) -> None:
    felt = ("workers killed", "wakes given up", "calls throttled in a storm", "requests sent again")

    assert all(lived.counts[name] for name in felt)
    assert lived.limited.total() > 0


def test_every_promotion_has_ended_or_waits_for_somebody(lived: Tally) -> None:
    ended = sum(n for name, n in lived.counts.items() if name.startswith("settled "))
    by = sum(n for name, n in lived.counts.items() if name.startswith("settled by "))
    waiting = lived.counts["open at the end: pending, waits for operator"]

    assert ended - by == by == lived.counts["promotions"] - waiting
    assert lived.counts["promotions"] > 1_900
    assert lived.counts["settled deployed"] > 0.95 * lived.counts["promotions"]


def test_what_is_deployed_is_live_and_its_trail_is_whole(lived: Tally) -> None:
    assert lived.counts["deployed, and not live"] == 0
    assert lived.counts["broken audit trails"] == 0


def test_a_release_is_made_for_a_promotion_at_most(lived: Tally) -> None:
    assert lived.counts["releases by Hoist"] < lived.counts["settled deployed"]
    assert lived.counts["PATCHes of what was there"] < 0.01 * lived.counts["promotions"]


def test_the_same_seed_ends_the_same() -> None:
    short = Plan(seed=3, cell=1, targets=20, promotions=300, days=1, train=True, train_flags=5)
    digests = {Cell(short).run().digest for _ in range(2)}

    other = Cell(Plan(seed=4, cell=1, targets=20, promotions=300, days=1)).run().digest
    assert len(digests) == 1
    assert other not in digests
