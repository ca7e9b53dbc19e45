"""Marking a flag begins one promotion for each request."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.promotion import State
from tests.factories import FLAG, SAM, TARGET, VERA
from tests.world import World


def test_a_marked_flag_is_pending_and_says_by_whom(world: World) -> None:
    promotion = world.mark()

    assert (promotion.state, promotion.created_by) == (State.PENDING, "kim")
    assert world.now(promotion) == promotion


def test_the_same_request_again_answers_the_same_promotion(world: World) -> None:
    order = world.order()
    first = world.mark_flag(order)

    again = world.mark_flag(order)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.promotion.id == first.promotion.id
    assert len(world.store.promotions) == 1


def test_a_replay_shows_how_far_the_promotion_has_come(world: World) -> None:
    order = world.order()
    promotion = world.mark_flag(order).promotion
    world.accept(promotion)

    again = world.mark_flag(order)

    assert again.promotion.state is State.DEPLOYING


@pytest.mark.parametrize(
    "changed",
    [{"flag": "another"}, {"value": "false"}, {"note": "new"}, {"target": "raxx-console-staging"}],
)
def test_a_key_that_stands_for_another_request_is_refused(
    world: World,
    changed: dict[str, str],
) -> None:
    world.mark_flag(world.order(key="one"))

    with pytest.raises(Rejected) as rejected:
        world.mark_flag(world.order(**{"flag": FLAG, "key": "one"} | changed))

    assert rejected.value.code is Code.KEY_REUSED
    assert len(world.store.promotions) == 1


def test_another_operators_key_means_another_request(world: World) -> None:
    world.mark_flag(world.order(key="one"))

    marked = world.mark_flag(world.order("another", key="one", caller=SAM))

    assert not marked.replayed


def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    world.mark_flag(world.order(key="one"))
    world.clock.advance(timedelta(hours=24))

    marked = world.mark_flag(world.order("another", key="one"))

    assert not marked.replayed


def test_a_request_sent_twice_at_once_makes_one_promotion(world: World) -> None:
    order = world.order(key="one")
    used_key = world.store.used_key
    twin: list[str | None] = []

    def used_key_before_the_twin_wins(operator: str, key: str) -> object:
        if not twin:
            twin.append(None)
            twin[0] = world.mark_flag(order).promotion.id
            return None
        return used_key(operator, key)

    world.store.used_key = used_key_before_the_twin_wins  # type: ignore[method-assign, assignment]

    marked = world.mark_flag(order)

    assert marked.replayed
    assert marked.promotion.id == twin[0]
    assert len(world.store.promotions) == 1


def test_an_unlisted_target_is_refused(world: World) -> None:
    with pytest.raises(Rejected) as rejected:
        world.mark(target="somebody-elses-app")

    assert rejected.value.code is Code.TARGET_UNLISTED


def test_a_flag_with_an_open_promotion_is_refused_and_names_it(world: World) -> None:
    first = world.mark()

    with pytest.raises(Rejected) as rejected:
        world.mark()

    assert rejected.value.code is Code.FLAG_BUSY
    assert rejected.value.conflict == {"promotion_id": first.id}
    assert f"{FLAG} already has an open promotion at {TARGET}" in rejected.value.detail


def test_a_viewer_may_not_mark(world: World) -> None:
    with pytest.raises(Rejected) as rejected:
        world.mark(caller=VERA)

    assert rejected.value.code is Code.ROLE_INSUFFICIENT
    assert world.store.promotions == {}
