"""Marking a flag begins one promotion for each request."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.catalogue import Catalogue, FlagEntry
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.promotion import State
from chalicelib.domain.target import Target
from tests.factories import FLAG, KIM, SAM, TARGET, VERA
from tests.world import World


def takes(world: World, *patterns: str, catalogue: str | None = None) -> None:
    """Have the target take only these flags."""
    world.targets.put(
        Target(app=TARGET, version=2, flag_patterns=patterns, catalogue=catalogue),
    )


def knows(world: World, *entries: FlagEntry) -> None:
    """Have the catalogue `backend` know these flags, and the target name it."""
    flags = {entry.name: entry for entry in entries}
    world.catalogues.catalogues["backend"] = Catalogue(id="backend", flags=flags, version=1)
    takes(world, catalogue="backend")


def refusal(world: World, flag: str) -> Rejected:
    """Why the flag cannot be marked; nothing was written."""
    with pytest.raises(Rejected) as rejected:
        world.mark(flag)
    assert world.store.promotions == {}
    assert world.store.keys == {}
    return rejected.value


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


# Flags that the target takes


@pytest.mark.parametrize("flag", ["billing_new", "dark_mode"])
def test_a_flag_that_matches_a_pattern_of_the_target_is_marked(world: World, flag: str) -> None:
    takes(world, "billing_*", "dark_mode")

    assert world.mark(flag).flag == flag


@pytest.mark.parametrize("flag", ["dark_modes", "old_billing_new"])
def test_a_flag_that_matches_no_pattern_of_the_target_is_refused(world: World, flag: str) -> None:
    takes(world, "billing_*", "dark_mode")

    rejected = refusal(world, flag)

    assert rejected.code is Code.FLAG_UNKNOWN
    assert rejected.errors == (
        FieldError(field="flag", detail="must match one of: billing_*, dark_mode"),
    )


def test_a_target_without_patterns_takes_every_flag(world: World) -> None:
    takes(world)

    assert world.mark("anything").state is State.PENDING


# Flags that the target's catalogue knows


def test_a_flag_that_the_catalogue_knows_is_marked_with_what_it_says(world: World) -> None:
    knows(world, FlagEntry(name=FLAG, description="Alerts on log drains."))

    assert world.mark().description == "Alerts on log drains."


def test_what_the_catalogue_said_at_the_mark_stays(world: World) -> None:
    knows(world, FlagEntry(name=FLAG, description="Alerts on log drains."))
    promotion = world.mark()

    knows(world, FlagEntry(name=FLAG, description="Something else."))

    assert world.now(promotion).description == "Alerts on log drains."


def test_a_flag_of_which_the_catalogue_says_nothing_more_is_marked_without(world: World) -> None:
    knows(world, FlagEntry(name=FLAG))

    assert world.mark().description is None


def test_a_target_without_a_catalogue_has_no_descriptions(world: World) -> None:
    knows(world, FlagEntry(name=FLAG, description="Alerts on log drains."))
    takes(world)

    assert world.mark().description is None


def test_a_flag_that_the_catalogue_does_not_know_is_refused_with_near_misses(world: World) -> None:
    knows(world, FlagEntry(name="dark_mode"), FlagEntry(name="billing"))

    rejected = refusal(world, "dark_modes")

    assert rejected.code is Code.FLAG_UNKNOWN
    assert rejected.conflict == {"near": ["dark_mode"]}
    assert rejected.detail == (
        "dark_modes does not stand in the catalogue backend. Did you mean dark_mode? "
        "Nothing was changed. A flag that is new has to be imported first."
    )
    assert [error.field for error in rejected.errors] == ["flag"]


def test_where_nothing_comes_near_nothing_is_suggested(world: World) -> None:
    knows(world, FlagEntry(name="dark_mode"))

    rejected = refusal(world, "billing")

    assert rejected.conflict == {"near": []}
    assert "Did you mean" not in rejected.detail


def test_a_catalogue_that_was_never_imported_knows_no_flag(world: World) -> None:
    takes(world, catalogue="backend")

    assert refusal(world, FLAG).code is Code.FLAG_UNKNOWN


def test_patterns_bind_also_what_the_catalogue_knows(world: World) -> None:
    knows(world, FlagEntry(name=FLAG))
    takes(world, "billing_*", catalogue="backend")

    assert refusal(world, FLAG).code is Code.FLAG_UNKNOWN


def test_a_replay_does_not_care_what_the_target_takes_by_now(world: World) -> None:
    first = world.mark(key="one")
    takes(world, "billing_*")

    assert world.mark(key="one") == first


def test_through_a_service_the_audit_shows_both(world: World) -> None:
    promotion = world.mark(caller=replace(KIM, via="console"))

    (stored,) = world.store.trail(promotion.id)
    assert (stored.entry.actor, stored.entry.facts["via"]) == ("kim", "console")
