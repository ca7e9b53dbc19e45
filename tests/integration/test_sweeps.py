"""However often the watchdogs sweep, and however many of them: people are told once."""

import pytest

from chalicelib.domain.promotion import Rung
from tests.unit.usecases.test_watch import MINUTE, notices, stuck
from tests.world import World


@pytest.mark.parametrize("watchdogs", [1, 2])
def test_ten_thousand_sweeps_say_nothing_twice(world: World, watchdogs: int) -> None:
    promotion, watchdog = stuck(world), world.watchdog

    for _ in range(10_000 // watchdogs):
        world.clock.advance(MINUTE)
        # Side by side: both have read before either writes.
        seen = world.now(promotion)
        for _ in range(watchdogs):
            world.store.lagging[promotion.id] = seen
            watchdog()
        world.store.lagging.clear()

    assert [notice.rung for notice in notices(world, promotion)] == [
        Rung.SEV3,
        Rung.WARNING,
        Rung.CRITICAL,
    ]
    assert world.verified(promotion)
