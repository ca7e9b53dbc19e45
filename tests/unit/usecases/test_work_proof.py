"""What Heroku shows is proof only of what it shows: nothing is called live, or failed, on less."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from chalicelib.domain.errors import AccessDenied, Ambiguous, Refused, TryAgain
from chalicelib.domain.lease import Waiting
from chalicelib.domain.promotion import Change, Effect, Promotion, State, Step
from chalicelib.domain.release import AppConfig, Release, ReleaseStatus
from chalicelib.domain.target import Target
from chalicelib.usecases.renew import RenewOrder
from tests.factories import CONFIG_VAR, KIM, TARGET
from tests.fakes import FakeApps
from tests.world import World


def live_value(world: World) -> str | None:
    """What the dynos really run with."""
    (current,) = (made for made in world.apps.history if made.release.current)
    return current.config_vars.get(CONFIG_VAR)


def failed_foreign_write(world: World, value: str) -> None:
    """Somebody sets the flag, and their release fails: Heroku holds what is not live."""
    world.apps.phase, world.apps.phase_ends = timedelta(seconds=1), ReleaseStatus.FAILED
    world.apps.foreign_write(**{CONFIG_VAR: value})
    world.clock.advance(timedelta(minutes=1))
    world.apps.releases(TARGET, after=None)
    world.apps.phase, world.apps.phase_ends = timedelta(0), ReleaseStatus.SUCCEEDED


class Unreadable(FakeApps):
    """Heroku does not show the config vars of some releases."""

    hidden: set[int]

    def release_config_vars(self, app: str, version: int) -> Mapping[str, str] | None:
        return None if version in self.hidden else super().release_config_vars(app, version)


@pytest.fixture
def hidden(world: World) -> set[int]:
    """The releases whose config vars Heroku does not show."""
    apps = Unreadable(world.clock)
    apps.hidden = set()
    world.apps = apps
    return apps.hidden


def test_a_value_that_only_an_old_release_shows_is_sent_all_the_same(world: World) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    failed_foreign_write(world, "false")
    promotion = world.promoted()
    world.apps.failures["set_config_vars"] = [TryAgain("429")]

    world.work_until_settled(promotion)

    assert world.now(promotion).effect is Effect.LIVE
    assert len(world.apps.patches) == 1
    world.apps.release("Deploy 1a2b3c4")
    assert live_value(world) == "true"


def test_our_own_running_release_is_waited_for_though_an_old_one_shows_the_value(
    world: World,
) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    failed_foreign_write(world, "false")
    world.apps.phase = timedelta(hours=1)
    promotion = world.promoted()

    world.work(promotion)

    assert world.now(promotion).step is Step.RELEASED


def test_a_release_at_the_baseline_is_not_ours(world: World) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    failed_foreign_write(world, "false")
    promotion = world.promoted()

    world.work(promotion)

    settled = world.now(promotion)
    assert settled.baseline_version == 3
    assert settled.release_version == 4


@pytest.mark.parametrize("versions", [{2}, {1, 2}, set(range(1, 9))])
def test_a_release_that_cannot_be_read_proves_nothing_and_nothing_is_sent_twice(
    world: World,
    hidden: set[int],
    versions: set[int],
) -> None:
    hidden |= versions
    promotion = world.promoted()
    for _ in range(20):
        report = world.work(promotion)
        world.clock.advance(report.look_again.after if report.look_again else timedelta(0))

    assert world.now(promotion).state is State.DEPLOYING
    assert world.lock.waiting_on is not None
    assert world.lock.waiting_on.kind is Waiting.PROOF
    hidden.clear()
    world.work(promotion)

    assert world.now(promotion).effect is Effect.LIVE
    assert len(world.apps.patches) == 1


@pytest.mark.parametrize("refuses", ["the policy", "Heroku"])
def test_a_value_that_is_stored_but_whose_release_cannot_be_read_is_not_called_not_live(
    world: World,
    hidden: set[int],
    refuses: str,
) -> None:
    hidden.add(world.apps.foreign_write(**{CONFIG_VAR: "true"}))
    promotion = world.promoted()
    if refuses == "the policy":
        world.policy(flag_patterns=("another_*",))
    else:
        world.apps.unacceptable = frozenset({CONFIG_VAR})

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.effect) == (State.FAILED, Effect.UNKNOWN)


def test_a_current_release_that_cannot_be_read_does_not_disprove(
    world: World,
    hidden: set[int],
) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.end_release(2, ReleaseStatus.SUCCEEDED)
    world.apps.phase = timedelta(0)
    hidden.add(world.apps.release("Deploy 1a2b3c4"))

    world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYING


def test_an_unreadable_release_after_an_unheard_answer_does_not_lose_what_was_replaced(
    world: World,
    hidden: set[int],
) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    promotion = world.promoted()
    world.apps.failures["set_config_vars_answer"] = [Ambiguous()]
    hidden.add(3)
    world.work(promotion)
    world.work(promotion)
    hidden.clear()

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.previous_value, settled.baseline_version) == ("false", 2)
    assert len(world.apps.patches) == 1


def test_a_running_release_after_the_baseline_keeps_a_promotion_from_failing(
    world: World,
    hidden: set[int],
) -> None:
    world.apps.phase = timedelta(minutes=10)
    hidden.add(2)
    promotion = world.promoted()

    for _ in range(12):
        world.work(promotion)
        world.clock.advance(timedelta(seconds=30))

    assert world.now(promotion).state is State.DEPLOYING


def test_a_stale_image_in_the_index_is_not_sent(world: World) -> None:
    promotion = world.promoted()
    world.apps.failures["set_config_vars"] = [Refused("422")]
    commit = world.store.commit

    def commit_and_lag(change: Change, **kwargs: object) -> None:
        commit(change, **kwargs)  # type: ignore[arg-type]
        if change.after.step is Step.INTENT and change.after.state is State.DEPLOYING:
            world.store.lagging[promotion.id] = change.after

    world.store.commit = commit_and_lag  # type: ignore[method-assign]
    world.work(promotion)

    world.work()

    assert world.now(promotion).state is State.FAILED
    assert world.apps.patches == []


def test_the_next_batch_waits_for_the_release_of_the_last_to_show(world: World) -> None:
    promotions = [world.promoted(f"flag_{n}") for n in range(60)]
    world.apps.phase = timedelta(minutes=5)
    releases = world.apps.releases

    def shown_late(app: str, *, after: int | None) -> tuple[Release, ...]:
        now = world.clock.now()
        return tuple(
            release
            for release in releases(app, after=after)
            if release.created_at and release.created_at + timedelta(seconds=3) <= now
        )

    world.apps.releases = shown_late  # type: ignore[method-assign]

    world.work(promotions[0])

    assert [len(patch) for patch in world.apps.patches] == [50]


def test_a_target_that_is_refused_while_the_lease_is_lost_is_left_to_the_other_worker(
    world: World,
) -> None:
    promotion = world.promoted()

    def refused_late(app: str) -> AppConfig:
        now = world.clock.now() + timedelta(seconds=7)
        world.locks.acquire(app, holder="thief", now=now, until=now + timedelta(seconds=6))
        raise Refused

    world.apps.config = refused_late  # type: ignore[method-assign]

    report = world.work(promotion)

    assert report.look_again is not None
    assert world.now(promotion).state is State.DEPLOYING


def test_many_guilty_promotions_do_not_use_up_the_account(world: World) -> None:
    promotions = [world.promoted(f"flag_{n}") for n in range(50)]
    world.apps.unacceptable = frozenset(f"FLAG_FLAG_{n}" for n in range(50))
    sent = count()
    apply = world.apps.set_config_vars

    def counted(app: str, changes: Mapping[str, str | None]) -> None:
        next(sent)
        apply(app, changes)

    world.apps.set_config_vars = counted  # type: ignore[method-assign]

    world.work_until_settled(promotions[0])

    assert {world.now(p).state for p in promotions} == {State.FAILED}
    assert next(sent) <= 2 * len(promotions) + 10


def test_few_calls_left_are_not_spent_on_looking_for_the_guilty(world: World) -> None:
    promotions = [world.promoted(f"flag_{n}") for n in range(50)]
    world.apps.unacceptable = frozenset(f"FLAG_FLAG_{n}" for n in range(50))
    world.apps.left = 10

    report = world.work(promotions[0])

    assert report.look_again is not None
    assert report.look_again.after == timedelta(seconds=60)


def test_a_release_phase_of_an_hour_costs_few_calls(world: World) -> None:
    world.apps.phase = timedelta(hours=1)
    promotion = world.promoted()
    calls = count()
    for name in ("config", "releases", "release_config_vars"):
        call = getattr(world.apps, name)
        setattr(world.apps, name, lambda *a, call=call, **k: (next(calls), call(*a, **k))[1])

    world.work_until_settled(promotion)

    assert world.now(promotion).state is State.DEPLOYED
    assert next(calls) < 110


def test_a_phase_that_outlasts_its_hour_is_not_called_fine(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    early = world.lock.waiting_on
    world.clock.advance(timedelta(hours=2))

    world.work(promotion)

    assert early is not None
    assert "Nothing is wrong" in early.text
    assert world.lock.waiting_on is not None
    assert "longer than the hour" in world.lock.waiting_on.text


def test_a_current_release_that_has_expired_still_runs(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.end_release(2, ReleaseStatus.SUCCEEDED)
    made = world.apps.history[1]
    made.release = replace(made.release, status=ReleaseStatus.EXPIRED)

    world.work(promotion)

    assert world.now(promotion).effect is Effect.LIVE


def test_a_retry_that_runs_keeps_a_failed_release_from_settling(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.release("Retry of v2: Set config vars")
    world.apps.end_release(2, ReleaseStatus.FAILED)
    world.work(promotion)
    waiting = world.now(promotion)
    world.apps.end_release(3, ReleaseStatus.SUCCEEDED)

    world.work(promotion)

    assert waiting.state is State.DEPLOYING
    assert world.now(promotion).effect is Effect.LIVE


def test_many_foreign_releases_after_the_baseline_are_not_all_read(world: World) -> None:
    promotion = world.promoted()
    world.apps.failures["set_config_vars_answer"] = [AccessDenied("401")]
    world.work(promotion)
    for n in range(150):
        world.apps.release(f"Deploy {n}")
    reads = count()
    read = world.apps.release_config_vars

    def counted(app: str, version: int) -> Mapping[str, str] | None:
        next(reads)
        return read(app, version)

    world.apps.release_config_vars = counted  # type: ignore[method-assign]

    world.work(promotion)

    assert world.now(promotion).effect is Effect.LIVE
    assert next(reads) < 5


@pytest.mark.parametrize("value", ["true", None])
def test_a_removal_is_proven_like_a_value(world: World, value: str | None) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    promotion = world.promoted(value=value)

    world.work(promotion)

    assert world.now(promotion).effect is Effect.LIVE
    assert live_value(world) == value


def test_promotions_of_a_full_target_share_releases_by_policy(world: World) -> None:
    world.targets.put(Target(app=TARGET, version=2, max_flags_per_release=1))
    promotions: list[Promotion] = [world.promoted(f"flag_{n}") for n in range(3)]
    world.apps.unacceptable = frozenset({"FLAG_FLAG_1"})

    world.work_until_settled(promotions[0])

    states = [world.now(promotion).state for promotion in promotions]
    assert states == [State.DEPLOYED, State.FAILED, State.DEPLOYED]


def test_a_worker_that_is_denied_after_it_lost_its_lease_leaves_quietly(world: World) -> None:
    promotion = world.promoted()

    def denied_late(app: str, *, after: int | None) -> tuple[Release, ...]:  # noqa: ARG001 - the port's signature
        now = world.clock.now() + timedelta(seconds=7)
        world.locks.acquire(app, holder="thief", now=now, until=now + timedelta(seconds=6))
        raise AccessDenied

    world.apps.releases = denied_late  # type: ignore[method-assign]

    report = world.work(promotion)

    assert report.look_again is not None
    assert world.history(promotion) == ["mark", "promote"]


# A PATCH that lands while the next worker reads


def lost_on_its_way(world: World) -> Promotion:
    """A promotion whose worker died while Heroku was still at its PATCH."""
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    promotion = world.promoted()
    world.apps.failures["set_config_vars"] = [Ambiguous("The worker died meanwhile.")]
    world.work(promotion)
    return promotion


def test_a_patch_that_lands_between_two_reads_is_not_sent_again(world: World) -> None:
    promotion, releases = lost_on_its_way(world), world.apps.releases

    def landing(app: str, *, after: int | None) -> tuple[Release, ...]:
        before = releases(app, after=after)
        if not world.apps.patches:
            world.apps.apply({CONFIG_VAR: "true"})
        return before

    world.apps.releases = landing  # type: ignore[method-assign]
    world.work_until_settled(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.previous_value) == (State.DEPLOYED, "false")
    assert world.apps.patches == [{CONFIG_VAR: "true"}]


def test_what_a_patch_replaced_stays_on_record_though_its_release_is_never_shown(
    world: World,
) -> None:
    promotion = lost_on_its_way(world)
    world.apps.stored[CONFIG_VAR] = "true"
    world.apps.same_value_makes_release = True

    world.work_until_settled(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.previous_value) == (State.DEPLOYED, "false")


# Looking for the guilty, over many visits


@pytest.mark.parametrize("calls_left", [150, None])
def test_the_guilty_are_found_however_little_a_visit_can_do(
    world: World, calls_left: int | None
) -> None:
    """With few calls left a visit is one look; and a refusal may take long."""
    world.apps.left = calls_left
    world.apps.unacceptable = frozenset({"FLAG_FLAG_0"})
    promotions = [world.promoted(f"flag_{n}") for n in range(50)]
    send = world.apps.set_config_vars

    def slowly(app: str, changes: Mapping[str, str | None]) -> None:
        world.clock.advance(timedelta(seconds=4))
        send(app, changes)

    world.apps.set_config_vars = slowly  # type: ignore[method-assign]

    visits = world.work_until_settled(promotions[0])

    states = [world.now(each).state for each in promotions]
    assert states == [State.FAILED] + [State.DEPLOYED] * 49
    assert len(visits) < 20
    assert world.lock.batch is None


def test_the_innocent_share_their_releases_though_a_guilty_one_was_looked_for(
    world: World,
) -> None:
    world.apps.unacceptable = frozenset({"FLAG_FLAG_0"})
    world.apps.phase = timedelta(minutes=10)
    promotions = [world.promoted(f"flag_{n}") for n in range(50)]

    world.work_until_settled(promotions[0])

    assert [len(patch) for patch in world.apps.patches] == [2, 47]


def test_a_visit_that_ends_with_nothing_open_leaves_full_batches(world: World) -> None:
    world.apps.unacceptable = frozenset({"FLAG_FLAG_0"})
    for n in range(2):
        world.promoted(f"flag_{n}")
    world.work()
    others = [world.promoted(f"other_{n}") for n in range(10)]

    world.work()

    assert world.apps.patches[-1] == {each.config_var: "true" for each in others}


# What it was before


def failed_but_kept(world: World) -> Promotion:
    """A promotion over "off" whose release failed, and whose value Heroku has kept."""
    world.apps.foreign_write(**{CONFIG_VAR: "off"})
    world.apps.phase, world.apps.phase_ends = timedelta(seconds=1), ReleaseStatus.FAILED
    failed = world.promoted()
    world.work(failed)
    world.apps.phase = timedelta(0)
    assert (world.now(failed).effect, world.apps.stored[CONFIG_VAR]) == (
        Effect.STORED_NOT_LIVE,
        "true",
    )
    return failed


@pytest.mark.parametrize("value", ["true", "maybe"])
def test_a_rollback_goes_back_to_what_was_live_not_to_what_a_failure_left(
    world: World, value: str
) -> None:
    failed_but_kept(world)
    world.apps.same_value_makes_release = True
    promotion = world.promoted(value=value)
    world.work(promotion)
    assert (world.now(promotion).state, world.now(promotion).previous_value) == (
        State.DEPLOYED,
        "off",
    )

    world.clock.advance(timedelta(minutes=1))
    order = RenewOrder(
        promotion_id=promotion.id, caller=KIM, code=world.code, if_version=None, key=None
    )
    back = world.renew.rollback(order).promotion
    world.work(back)

    assert world.now(back).state is State.DEPLOYED
    assert world.apps.history[-1].config_vars[CONFIG_VAR] == "off"


def test_what_is_live_is_read_only_where_it_may_differ_from_what_is_stored(world: World) -> None:
    read: list[int] = []
    shown = world.apps.release_config_vars

    def counted(app: str, version: int) -> Mapping[str, str] | None:
        read.append(version)
        return shown(app, version)

    world.apps.release_config_vars = counted  # type: ignore[method-assign]
    plain = world.promoted("plain")
    world.work(plain)
    # Its own release alone, which proves it.
    assert read == [world.now(plain).release_version]
    failed_but_kept(world)
    del read[:]

    world.work(world.promoted("after_a_failure"))

    newest = world.apps.history[-1].release.version
    assert read == [newest - 2, newest]


# What Heroku hides, or has in several


def test_an_intent_is_sent_though_the_current_release_cannot_be_read(world: World) -> None:
    shown = world.apps.release_config_vars
    world.apps.release_config_vars = lambda *_: None  # type: ignore[method-assign]
    promotion = world.promoted()
    world.apps.failures["set_config_vars"] = [TryAgain("429", after=timedelta(seconds=30))]
    world.work(promotion)
    assert world.now(promotion).step is Step.INTENT
    world.clock.advance(timedelta(seconds=30))

    world.work(promotion)

    assert world.apps.patches == [{CONFIG_VAR: "true"}]
    world.apps.release_config_vars = shown  # type: ignore[method-assign]
    world.work_until_settled(promotion)
    assert world.now(promotion).state is State.DEPLOYED


@pytest.mark.parametrize("keeps", [True, False])
def test_a_failed_release_is_not_the_end_while_an_older_retry_of_it_runs(
    world: World,
    keeps: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    world.apps.phase, world.apps.failed_keeps_value = None, keeps
    promotion = world.promoted()
    world.work(promotion)
    retry = world.apps.release("Retry of v2: Set config vars")
    world.apps.end_release(2, ReleaseStatus.FAILED)
    before = dict(world.apps.history[0].config_vars)
    world.apps.end_release(
        world.apps.release("Deploy 1a2b3c4", config_vars=before), ReleaseStatus.FAILED
    )

    world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYING
    world.apps.end_release(retry, ReleaseStatus.SUCCEEDED)
    world.apps.stored[CONFIG_VAR] = "true"
    world.work_until_settled(promotion)
    assert (world.now(promotion).state, world.now(promotion).release_version) == (
        State.DEPLOYED,
        retry,
    )


def test_a_step_that_cannot_be_read_begins_anew(world: World) -> None:
    promotion = world.promoted()
    world.store.promotions[promotion.id] = replace(world.now(promotion), step=None)
    world.clock.advance(timedelta(minutes=3))

    world.work(promotion)

    assert (world.now(promotion).state, len(world.apps.patches)) == (State.DEPLOYED, 1)


def test_a_release_that_was_overtaken_is_not_said_to_have_been_live(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.phase = timedelta(0)
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    ours = world.apps.history[1]
    ours.release = replace(ours.release, status=ReleaseStatus.SUCCEEDED)

    world.work(promotion)

    reason = world.now(promotion).reason
    assert reason is not None
    assert reason.startswith("Release v2 succeeded, and was then replaced from outside Hoist.")
