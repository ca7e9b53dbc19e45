"""Heroku refuses Hoist itself: told once an episode, and taken back when it is seen to be over."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from chalicelib.domain.audit import Action
from chalicelib.domain.errors import AccessDenied, TryAgain
from chalicelib.domain.lease import LEASE_LASTS, Waiting, WaitingOn
from chalicelib.domain.promotion import Promotion, State
from chalicelib.domain.release import ReleaseStatus
from chalicelib.usecases.edit import Edit
from tests.factories import CONFIG_VAR, KIM
from tests.unit.usecases.test_conclude import fail
from tests.unit.usecases.test_visits import entries, just_promoted, waits
from tests.world import World


def alerts(world: World, promotion: Promotion) -> list[Mapping[str, object]]:
    return [entry.facts for entry in entries(world, promotion, Action.ALERT)]


def denied(world: World, *details: str) -> None:
    world.apps.failures["releases"] = [AccessDenied(detail) for detail in details]


REFUSED = {"alert": "heroku_access", "said": "401", "resolved": False}
RESOLVED = {"alert": "heroku_access", "said": None, "resolved": True}


def test_that_heroku_refuses_hoist_is_said_at_the_oldest_promotion_alone(world: World) -> None:
    first, second = world.promoted(), world.promoted("another")
    denied(world, "401")

    world.work(second)

    assert alerts(world, first) == [REFUSED]
    assert alerts(world, second) == []


def test_that_heroku_refuses_hoist_is_said_once_though_it_goes_on(world: World) -> None:
    promotion = world.promoted()
    denied(world, "401", "401 again", "403")

    for _ in range(3):
        world.work(promotion)

    assert alerts(world, promotion) == [REFUSED]


def test_while_heroku_refuses_hoist_each_visit_reports_it_with_its_beginning(
    world: World,
) -> None:
    promotion = world.promoted()
    began = world.clock.now()
    denied(world, "401", "403")
    world.work(promotion)
    world.clock.advance(timedelta(minutes=3))

    report = world.work(promotion)

    assert report.access_denied == "403"
    assert waits(world) == WaitingOn(kind=Waiting.HEROKU_ACCESS, text="403", since=began)


def test_that_heroku_takes_hoists_token_again_is_said_once(world: World) -> None:
    world.apps.phase = timedelta(seconds=10)
    promotion = just_promoted(world)
    denied(world, "401")
    world.work(promotion)

    world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYED
    assert alerts(world, promotion) == [REFUSED, RESOLVED]


def test_that_heroku_takes_hoists_token_again_is_said_though_all_settled_meanwhile(
    world: World,
) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    promotion = world.promoted()
    denied(world, "401")
    world.work(promotion)

    report = world.work(promotion)

    assert world.history(promotion)[-2:] == ["settle", "alert"]
    assert report.access_denied is None
    assert world.verified(promotion)


def test_another_refusal_after_that_is_said_anew(world: World) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    denied(world, "401")
    world.work(promotion)
    world.work(promotion)
    denied(world, "401")

    world.work(promotion)

    assert alerts(world, promotion) == [REFUSED, RESOLVED, REFUSED]


def test_where_heroku_is_merely_away_nobody_is_alerted(world: World) -> None:
    promotion = world.promoted()
    world.apps.failures["releases"] = [TryAgain("Heroku answered 503.")]
    world.work(promotion)

    world.work(promotion)

    assert alerts(world, promotion) == []


def test_where_nothing_was_asked_of_heroku_nothing_is_said_of_its_taking_the_token(
    world: World,
) -> None:
    promotion = world.promoted()
    denied(world, "401")
    world.work(promotion)
    fail(world, promotion)

    world.work(promotion)

    assert alerts(world, promotion) == [REFUSED]


def test_that_heroku_takes_the_token_again_is_said_also_after_it_was_merely_away(
    world: World,
) -> None:
    promotion = world.promoted()
    world.apps.failures["releases"] = [AccessDenied("401"), TryAgain("Heroku answered 503.")]
    world.work(promotion)
    world.work(promotion)

    world.work(promotion)

    assert alerts(world, promotion) == [REFUSED, RESOLVED]


def test_a_token_that_may_only_read_is_well_once_heroku_takes_a_patch(world: World) -> None:
    promotion = world.promoted()
    world.apps.failures["set_config_vars"] = [AccessDenied("401")]
    world.work(promotion)
    world.apps.phase = None
    foreign = world.apps.foreign_write(OTHER="1")
    world.work(promotion)
    while_it_was_behind_another = alerts(world, promotion)
    world.apps.end_release(foreign, ReleaseStatus.SUCCEEDED)

    world.work(promotion)

    assert while_it_was_behind_another == [REFUSED]
    assert alerts(world, promotion) == [REFUSED, RESOLVED]


def test_a_refusal_that_an_old_index_kept_from_being_said_is_said_all_the_same(
    world: World,
) -> None:
    promotion = world.promoted()
    Edit(store=world.store, clock=world.clock)(
        promotion.id, caller=KIM, words={"note": "x"}, if_version=None
    )
    world.store.lagging[promotion.id] = promotion
    denied(world, "401")

    world.work()

    assert alerts(world, promotion) == [REFUSED]


@pytest.mark.parametrize("said", [REFUSED, RESOLVED])
def test_a_worker_killed_before_it_remembers_what_it_told_has_it_told_again(
    world: World, said: Mapping[str, object]
) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    denied(world, "401")
    if said is RESOLVED:
        world.work(promotion)
        denied(world)
    release, world.locks.release = world.locks.release, killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        world.work(promotion)
    world.locks.release = release  # type: ignore[method-assign]
    world.clock.advance(LEASE_LASTS)
    denied(world, *(["401"] if said is REFUSED else []))

    world.work(promotion)

    assert alerts(world, promotion).count(said) == 2
    world.work(promotion)
    assert alerts(world, promotion)[-1] == RESOLVED
    assert world.lock.denied is None


def killed(*_: object, **__: object) -> None:
    """SIGKILL before this call."""
    raise KeyboardInterrupt


def test_a_token_that_may_not_read_config_vars_is_not_taken_while_a_release_runs(
    world: World,
) -> None:
    world.apps.phase = timedelta(minutes=3)
    promotion = world.promoted()
    world.apps.failures["config"] = [AccessDenied("403")] * 3
    world.work(promotion)
    world.apps.release("Deploy 1a2b3c4")

    for _ in range(2):
        world.clock.advance(timedelta(minutes=1))
        world.work(promotion)

    assert alerts(world, promotion) == [REFUSED | {"said": "403"}]
    assert waits(world).kind is Waiting.HEROKU_ACCESS
