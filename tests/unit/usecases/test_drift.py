"""Drift is told once an episode, and never mended by itself."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from chalicelib.domain.drift import Declared, Drift, DriftKind
from chalicelib.domain.errors import AccessDenied, Refused, TryAgain
from chalicelib.domain.notice import Notice, notice_of
from chalicelib.domain.promotion import Promotion, State
from chalicelib.domain.release import Release, ReleaseStatus
from chalicelib.domain.target import Target
from chalicelib.usecases.drift import EVERY, IN_TIME, LASTS
from tests.factories import CONFIG_VAR, FLAG, TARGET, VERA, deploying
from tests.fakes import FakeApps
from tests.world import World


@pytest.fixture
def deployed(world: World) -> Promotion:
    """The incident's flag, deployed."""
    promotion = world.promoted()
    world.work(promotion)
    return world.now(promotion)


def told(world: World, promotion: Promotion) -> list[Notice]:
    notices = (notice_of(stored.entry) for stored in world.store.trail(promotion.id))
    return [notice for notice in notices if notice]


def test_a_target_that_is_as_deployed_is_not_told_of(world: World, deployed: Promotion) -> None:
    report = world.drift_watch()

    assert report.drifting == {}
    assert told(world, deployed) == []


@pytest.mark.parametrize("act", ["change", "remove", "rollback"])
def test_a_change_from_outside_is_told_once(
    world: World,
    deployed: Promotion,
    act: str,
) -> None:
    if act == "change":
        world.apps.foreign_write(**{CONFIG_VAR: "false"})
    elif act == "remove":
        del world.apps.stored[CONFIG_VAR]
        world.apps.release("Remove config vars")
    else:
        world.apps.rollback(1)

    for _ in range(10):
        world.clock.advance(timedelta(minutes=15))
        report = world.drift_watch()

    assert report.drifting == {TARGET: [FLAG]}
    (notice,) = told(world, deployed)
    assert "promote the value that it has now" in notice.text
    assert world.show_it(deployed.id, caller=VERA).drift is not None


def test_a_value_that_is_stored_but_not_live_is_told_as_that(
    world: World,
    deployed: Promotion,
) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    world.apps.phase, world.apps.phase_ends = timedelta(seconds=1), ReleaseStatus.FAILED
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    world.clock.advance(timedelta(minutes=1))

    world.drift_watch()

    drift = world.show_it(deployed.id, caller=VERA).drift
    assert drift is not None
    assert drift.kind is DriftKind.STORED_NOT_LIVE


def test_the_end_of_a_drift_is_told_under_the_same_key(world: World, deployed: Promotion) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    world.drift_watch()
    world.apps.foreign_write(**{CONFIG_VAR: "true"})

    world.drift_watch()

    begun, ended = told(world, deployed)
    assert (begun.resolves, ended.resolves) == (False, True)
    assert begun.dedup_key == ended.dedup_key
    assert world.show_it(deployed.id, caller=VERA).drift is None
    assert world.verified(deployed)


def test_promoting_what_is_there_adopts_it(world: World, deployed: Promotion) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    world.drift_watch()
    adopted = world.promoted(value="false")
    world.work(adopted)

    report = world.drift_watch()

    assert report.drifting == {}
    assert [notice.resolves for notice in told(world, adopted)] == [True]
    assert world.show_it(deployed.id, caller=VERA).drift is None


def test_a_flag_that_is_about_to_change_is_left_out(world: World, deployed: Promotion) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    world.mark()

    world.drift_watch()

    assert told(world, deployed) == []


def test_a_target_whose_release_runs_is_compared_later(world: World, deployed: Promotion) -> None:
    world.apps.phase = None
    world.apps.foreign_write(**{CONFIG_VAR: "false"})

    world.drift_watch()

    assert told(world, deployed) == []


def test_a_release_that_cannot_be_read_is_no_difference(world: World, deployed: Promotion) -> None:
    world.apps.release_config_vars = lambda app, version: None  # type: ignore[method-assign]  # noqa: ARG005 - the port's signature

    world.drift_watch()

    assert told(world, deployed) == []


@pytest.mark.parametrize("error", [TryAgain("away"), Refused("gone")])
def test_one_target_that_cannot_be_read_does_not_hide_the_others(
    world: World,
    deployed: Promotion,
    error: Exception,
) -> None:
    world.targets.put(Target(app="another-app", version=1))
    world.work(world.promoted("other", target="another-app"))
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    releases = world.apps.releases

    def all_but_one(app: str, *, after: int | None) -> tuple[object, ...]:
        if app == "another-app":
            raise error
        return releases(app, after=after)

    world.apps.releases = all_but_one  # type: ignore[method-assign, assignment]
    world.store.declared["another-app"] = dict(world.store.declared[TARGET])

    report = world.drift_watch()

    assert report.unread == {"another-app": str(error)}
    assert len(told(world, deployed)) == 1


def test_what_cannot_be_read_drifts_as_it_was_found_last(world: World, deployed: Promotion) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    world.drift_watch()
    world.apps.failures["releases"] = [AccessDenied("Heroku answered 401.")]

    report = world.drift_watch()

    assert report.drifting == {TARGET: [FLAG]}
    assert report.access_denied == "Heroku answered 401."
    assert len(told(world, deployed)) == 1


def test_comparing_writes_nothing_to_the_target(world: World, deployed: Promotion) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    before: Mapping[str, str] = dict(world.apps.stored)

    world.drift_watch()

    assert world.apps.stored == before
    assert len(world.apps.patches) == 1
    assert world.now(deployed).state is State.DEPLOYED


# More targets than there is time for


class SlowApps(FakeApps):
    """Heroku takes two thirds of a second for each app."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.read: list[str] = []

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:
        self.read.append(app)
        self.clock.advance(timedelta(seconds=2 / 3))
        return super().releases(app, after=after)


@pytest.fixture
def crowd(world: World) -> list[str]:
    """Two hundred targets, each with a flag that somebody changed since."""
    world.apps = SlowApps(world.clock)
    names = [f"app-{n:03d}" for n in range(200)]
    for name in names:
        promotion = deploying(target=name)
        world.store.promotions[promotion.id] = promotion
        world.targets.put(Target(app=name))
        declared = Declared(flag=FLAG, value="true", promotion_id=promotion.id)
        world.store.declared[name] = {FLAG: declared}
    del world.targets.targets[TARGET]
    return names


def test_targets_take_turns_where_there_is_no_time_for_all(world: World, crowd: list[str]) -> None:
    assert isinstance(world.apps, SlowApps)
    for _ in range(4):
        began = world.clock.now()
        report = world.drift_watch()
        lasted = world.clock.now() - began
        world.clock.time = began + EVERY

        assert lasted < LASTS + timedelta(seconds=1)
        assert len(report.later) < len(crowd) - IN_TIME

    assert set(world.apps.read) == set(crowd)


def test_what_is_left_for_later_differs_as_it_did(world: World, crowd: list[str]) -> None:
    drift = Drift(flag=FLAG, kind=DriftKind.CHANGED, since=world.clock.now())
    world.baselines.drifts = {name: {FLAG: drift} for name in crowd}

    report = world.drift_watch()

    assert report.later
    assert report.drifting == {name: [FLAG] for name in crowd}
