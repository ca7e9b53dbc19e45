"""A target's policy is set whole, audited in full, and shown with what bears on it."""

from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ladder import Ladder
from chalicelib.domain.promotion import Rung
from chalicelib.domain.record import Revision
from chalicelib.domain.target import Target
from chalicelib.usecases.targets import PutTarget
from tests.factories import CONFIG_VAR, FLAG, SAM, TARGET, VERA
from tests.world import World

APP = "new-app"
HOUR = timedelta(hours=1)
LADDER = Ladder(after={Rung.SEV3: HOUR, Rung.WARNING: 2 * HOUR, Rung.CRITICAL: 3 * HOUR})
#: Nothing is as it would be by itself.
POLICY: dict[str, Any] = {
    "description": "The console.",
    "max_flags_per_release": 5,
    "ladder": LADDER,
    "flag_patterns": ("billing_*", "dark_mode"),
    "staging_app": "raxx-console-staging",
    "min_approvals": 2,
    "stage_first": True,
    "catalogue": "backend",
}


def put(world: World, *, if_version: int | None = None, **policy: Any) -> Target:  # noqa: ANN401 - fields of `Target`
    put_it = PutTarget(targets=world.targets, clock=world.clock)
    return put_it(Target(app=APP, **policy), if_version=if_version, caller=SAM)


def rejection(world: World, *, if_version: int | None = None, **policy: Any) -> Rejected:  # noqa: ANN401 - fields of `Target`
    with pytest.raises(Rejected) as rejected:
        put(world, if_version=if_version, **policy)
    return rejected.value


def test_a_policy_is_stored_as_it_was_put(world: World) -> None:
    target = put(world, **POLICY)

    assert world.targets.get(APP) == target
    assert {name: getattr(target, name) for name in POLICY} == POLICY


def test_the_audit_says_all_of_a_policy(world: World) -> None:
    put(world, **POLICY)

    (stored,) = world.store.trail(f"target:{APP}")
    assert (stored.entry.actor, stored.entry.action) == ("sam", "set_policy")
    assert stored.entry.facts == {
        "description": "The console.",
        "max_flags_per_release": 5,
        "alert_after_minutes": {"sev3": 60, "warning": 120, "critical": 180},
        "flag_patterns": ["billing_*", "dark_mode"],
        "staging_app": "raxx-console-staging",
        "min_approvals": 2,
        "stage_first": True,
        "catalogue": "backend",
    }


@pytest.mark.parametrize("field", POLICY)
def test_a_change_of_anything_is_a_new_version(world: World, field: str) -> None:
    put(world)

    assert put(world, **{field: POLICY[field]}).version == 2


def test_what_is_left_out_goes_back_to_its_default(world: World) -> None:
    put(world, **POLICY)

    target = put(world)

    assert (target.min_approvals, target.catalogue, target.flag_patterns) == (0, None, ())


@pytest.mark.parametrize("if_version", [1, 7])
def test_a_target_that_is_not_listed_yet_has_no_version_to_match(
    world: World,
    if_version: int,
) -> None:
    rejected = rejection(world, if_version=if_version)

    assert rejected.code is Code.VERSION_STALE
    assert rejected.conflict == {"version": 0}
    assert world.targets.get(APP) is None


def test_of_two_at_once_the_later_is_told_to_read_again(world: World) -> None:
    write = world.targets.write

    def write_after_a_rival(revision: Revision[Target]) -> None:
        world.targets.write = write  # type: ignore[method-assign]
        put(world, min_approvals=1)
        write(revision)

    world.targets.write = write_after_a_rival  # type: ignore[method-assign]

    rejected = rejection(world, min_approvals=2)

    assert rejected.code is Code.VERSION_STALE
    stored = world.targets.get(APP)
    assert stored is not None
    assert (stored.version, stored.min_approvals) == (1, 1)


def test_a_target_is_shown_with_how_it_differs_from_what_was_deployed(world: World) -> None:
    promotion = world.promoted()
    world.work(promotion)
    world.apps.foreign_write(**{CONFIG_VAR: "somebody's"})
    for _ in range(2):
        world.drift_watch()
        world.clock.advance(HOUR)

    baseline = world.show_target(TARGET, caller=VERA).baseline

    assert baseline.declared[FLAG].promotion_id == promotion.id
    assert list(baseline.drifts) == [FLAG]
