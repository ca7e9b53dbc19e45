"""One visit to a target: how long it stays, what it leaves word of, and when it stops."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.audit import Action, AuditEntry
from chalicelib.domain.errors import Ambiguous, LeaseLost, TryAgain, Unavailable
from chalicelib.domain.lease import LEASE_LASTS, Lease, TargetLock, Waiting, WaitingOn
from chalicelib.domain.promotion import Change, Effect, Promotion, State, Step
from chalicelib.domain.release import AppConfig, Release, ReleaseStatus
from chalicelib.domain.target import Target
from chalicelib.ports import Usage
from chalicelib.usecases.acknowledge import Acknowledge
from chalicelib.usecases.work import CALLS_IN_RESERVE, Wake, WorkReport
from tests.factories import CONFIG_VAR, KIM, TARGET, deploying
from tests.fakes import FakeApps, FakeTargetLocks
from tests.world import World

SECOND = timedelta(seconds=1)


@dataclass
class WatchedApps(FakeApps):
    """Heroku, with what it was asked for and what a worker had said by then."""

    locks: FakeTargetLocks = field(default_factory=FakeTargetLocks)
    asked: list[str] = field(default_factory=list)
    #: After which release the releases were asked for.
    after: list[int | None] = field(default_factory=list)
    #: The word at the lock, at each reading of the releases.
    words: list[WaitingOn | None] = field(default_factory=list)

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:
        self.asked.append("releases")
        self.after.append(after)
        self.words.append(self.locks.get(app).waiting_on)
        return super().releases(app, after=after)

    def config(self, app: str) -> AppConfig:
        self.asked.append("config")
        return super().config(app)

    def set_config_vars(self, app: str, changes: Mapping[str, str | None]) -> None:
        self.asked.append("set_config_vars")
        super().set_config_vars(app, changes)


@dataclass
class WatchedLocks(FakeTargetLocks):
    """Locks that remember which words were left, and can be away."""

    left: list[WaitingOn] = field(default_factory=list)
    failure: Exception | None = None

    def acquire(
        self,
        target: str,
        *,
        holder: str,
        now: datetime,
        until: datetime,
    ) -> Lease | TargetLock:
        if self.failure:
            raise self.failure
        return super().acquire(target, holder=holder, now=now, until=until)

    def leave_word(self, lease: Lease, waiting_on: WaitingOn) -> None:
        self.left.append(waiting_on)
        super().leave_word(lease, waiting_on)

    def steal(self, now: datetime) -> None:
        """Another worker takes the target, when the lease has ended unnoticed."""
        ended = now + LEASE_LASTS + SECOND
        taken = super().acquire(TARGET, holder="thief", now=ended, until=ended + LEASE_LASTS)
        assert isinstance(taken, Lease)


@pytest.fixture
def locks() -> WatchedLocks:
    return WatchedLocks()


@pytest.fixture
def world(locks: WatchedLocks) -> World:
    return World(locks=locks)


@pytest.fixture
def apps(world: World) -> WatchedApps:
    """Heroku, watched."""
    apps = WatchedApps(world.clock, locks=world.locks)
    world.apps = apps
    return apps


def just_promoted(world: World, flag: str = "a_flag") -> Promotion:
    """A promotion that was accepted this very moment."""
    promotion = world.promoted(flag)
    world.clock.advance(timedelta(seconds=-30))
    return promotion


def waits(world: World) -> WaitingOn:
    word = world.lock.waiting_on
    assert word is not None
    return word


def looks_again_after(report: WorkReport) -> timedelta:
    assert report.look_again is not None
    return report.look_again.after


def while_asleep(world: World, act: Callable[[], object]) -> None:
    """Let something happen during each pause of a worker."""
    sleep = world.clock.sleep

    def eventful(duration: timedelta) -> None:
        act()
        sleep(duration)

    world.clock.sleep = eventful  # type: ignore[method-assign]


def right_after(world: World, action: Action, act: Callable[[], object]) -> None:
    """Let something happen right after this transition was written."""
    commit = world.store.commit

    def commit_and_act(change: Change, **kwargs: object) -> None:
        commit(change, **kwargs)  # type: ignore[arg-type]
        if change.entry.action == action:
            act()

    world.store.commit = commit_and_act  # type: ignore[method-assign]


def entries(world: World, promotion: Promotion, action: Action) -> Sequence[AuditEntry]:
    trail = [stored.entry for stored in world.store.trail(promotion.id)]
    return [entry for entry in trail if entry.action == action]


def failed_write(world: World, value: str) -> None:
    """Somebody sets the flag and their release fails: Heroku stores what is not live."""
    world.apps.stored[CONFIG_VAR] = value
    world.apps.phase = None
    world.apps.end_release(world.apps.release("Set config vars"), ReleaseStatus.FAILED)
    world.apps.phase = timedelta(0)


# Beginning


def test_where_the_lease_cannot_be_asked_for_the_wake_is_put_back(
    world: World,
    locks: WatchedLocks,
) -> None:
    promotion = just_promoted(world)
    locks.failure = Unavailable("DynamoDB does not answer.", after=timedelta(seconds=7))

    report = world.work(promotion)

    assert report.look_again is not None
    assert report.look_again.after == timedelta(seconds=7)
    assert report.look_again.because == "DynamoDB does not answer."


def test_where_the_lease_cannot_be_asked_for_nothing_is_done(
    world: World,
    locks: WatchedLocks,
) -> None:
    promotion = just_promoted(world)
    locks.failure = Unavailable()

    report = world.work(promotion)

    assert report.promotions == ()
    assert world.now(promotion) == promotion


@pytest.mark.parametrize(
    ("lease_lasts", "after"),
    [
        (timedelta(seconds=4), timedelta(seconds=4)),
        (timedelta(milliseconds=1200), timedelta(milliseconds=1200)),
        (timedelta(milliseconds=200), timedelta(seconds=1)),
    ],
)
def test_a_held_target_is_looked_at_when_its_lease_ends_and_not_sooner_than_a_second(
    world: World,
    lease_lasts: timedelta,
    after: timedelta,
) -> None:
    now = world.clock.now()
    world.locks.acquire(TARGET, holder="other", now=now, until=now + lease_lasts)

    report = world.work()

    assert looks_again_after(report) == after


def test_a_target_that_is_not_listed_any_more_gets_nothing_new(world: World) -> None:
    promotion = world.promoted()
    world.targets.targets.clear()

    world.work(promotion)

    failed = world.now(promotion)
    assert (failed.state, failed.effect) == (State.FAILED, Effect.NONE)
    assert failed.reason is not None
    assert "is no listed target" in failed.reason
    assert world.apps.patches == []


def test_what_was_begun_at_a_target_is_gone_through_with_when_it_is_listed_no_more(
    world: World,
) -> None:
    world.apps.failures["set_config_vars_answer"] = [Ambiguous()]
    promotion = world.promoted()
    world.work(promotion)
    world.targets.targets.clear()

    world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYED


def test_a_wake_for_another_target_does_not_read_its_promotion_into_the_visit(
    world: World,
    apps: WatchedApps,
) -> None:
    promotion = just_promoted(world)

    report = world.worker(Wake(target="raxx-console-staging", promotion_id=promotion.id))

    assert (report.promotions, report.look_again) == ((), None)
    assert apps.asked == []


def test_a_wake_for_a_promotion_that_is_not_there_is_done_with(world: World) -> None:
    report = world.worker(Wake(target=TARGET, promotion_id="prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1"))

    assert (report.promotions, report.look_again) == ((), None)


# Staying


def test_a_worker_stays_with_a_running_release_for_some_seconds_only(world: World) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    began = world.clock.now()

    report = world.work(promotion)

    assert world.clock.now() - began == timedelta(seconds=1 + 1 + 2 + 3 + 5 + 5)
    assert looks_again_after(report) == timedelta(seconds=5)


def test_a_release_that_ends_while_the_worker_stays_is_settled_by_the_same_visit(
    world: World,
) -> None:
    world.apps.phase = timedelta(seconds=4)
    promotion = just_promoted(world)

    report = world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYED
    assert report.look_again is None


def test_a_release_that_is_known_is_recorded_once_however_often_it_is_looked_at(
    world: World,
) -> None:
    world.apps.phase = timedelta(seconds=10)
    promotion = just_promoted(world)

    world.work(promotion)

    assert len(entries(world, promotion, Action.FIND_RELEASE)) == 1


@pytest.mark.parametrize(
    ("runs_for", "after"),
    [(32, 8.0), (120, 30.0), (238, 59.5), (240, 60.0), (3000, 60.0)],
)
def test_a_release_is_looked_at_again_after_a_quarter_of_the_time_that_it_has_taken(
    world: World,
    runs_for: int,
    after: float,
) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    began = world.clock.now()
    world.work(promotion)
    world.clock.time = began + timedelta(seconds=runs_for)

    report = world.work(promotion)

    assert looks_again_after(report) == timedelta(seconds=after)


def test_a_release_that_has_taken_long_is_looked_at_once_a_visit(
    world: World,
    apps: WatchedApps,
) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    world.work(promotion)
    world.clock.advance(timedelta(minutes=2))
    apps.asked.clear()

    world.work(promotion)

    assert apps.asked == ["releases"]


@pytest.mark.parametrize(("left", "stays"), [(0, False), (199, False), (200, True), (None, True)])
def test_only_where_enough_calls_are_left_does_a_worker_stay(
    world: World,
    left: int | None,
    stays: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    world.apps.phase = None
    world.apps.left = left
    promotion = just_promoted(world)
    began = world.clock.now()

    report = world.work(promotion)

    assert CALLS_IN_RESERVE == 200
    assert (world.clock.now() > began) is stays
    assert looks_again_after(report) == timedelta(seconds=5 if stays else 60)


def test_releases_are_asked_for_from_the_oldest_baseline_on(
    world: World,
    apps: WatchedApps,
) -> None:
    for promotion in (
        deploying(flag="a_flag", step=Step.PENDING_COMMIT, baseline_version=3),
        deploying(flag="b_flag", step=Step.PENDING_COMMIT, baseline_version=2),
        deploying(flag="c_flag", step=Step.PENDING_COMMIT, baseline_version=4),
        deploying(flag="d_flag", step=Step.QUEUED),
    ):
        world.store.promotions[promotion.id] = promotion

    world.work()

    assert apps.after[0] == 2


def test_before_anything_was_sent_all_releases_are_asked_for(
    world: World,
    apps: WatchedApps,
) -> None:
    world.work(just_promoted(world))

    assert apps.after[0] is None


# What a visit leaves word of


def test_the_word_is_at_the_lock_while_the_worker_still_looks(
    world: World,
    apps: WatchedApps,
) -> None:
    apps.phase = None

    world.work(just_promoted(world))

    assert apps.words[0] is None
    assert [word.kind for word in apps.words if word] == [Waiting.OWN_RELEASE] * 6


def test_the_same_word_is_left_once(world: World, locks: WatchedLocks) -> None:
    world.apps.phase = None

    world.work(just_promoted(world))

    assert [word.kind for word in locks.left] == [Waiting.OWN_RELEASE]


def test_a_word_that_the_last_visit_left_is_not_left_again(
    world: World,
    locks: WatchedLocks,
) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    world.work(promotion)
    locks.left.clear()

    world.work(promotion)

    assert locks.left == []
    assert waits(world).kind is Waiting.OWN_RELEASE


def test_a_word_that_changes_is_left_again(world: World, locks: WatchedLocks) -> None:
    world.apps.phase = timedelta(seconds=3)
    world.apps.release("Deploy 1a2b3c4")
    world.apps.phase = None

    world.work(just_promoted(world))

    assert [word.kind for word in locks.left] == [Waiting.FOREIGN_RELEASE, Waiting.OWN_RELEASE]


def test_a_foreign_release_is_told_with_its_number_and_its_beginning(world: World) -> None:
    world.apps.phase = None
    world.apps.release("Deploy 1a2b3c4")

    world.work(just_promoted(world))

    assert waits(world).text == (
        "Release v2 of the target, which no open promotion is known to have made, is still running "
        "(since 2026-05-09 04:28Z). The flag is sent when it has ended. Nothing is wrong."
    )


def test_a_foreign_release_of_unknown_beginning_is_told_by_its_number(world: World) -> None:
    world.apps.phase = None
    world.apps.release("Deploy 1a2b3c4")
    made = world.apps.history[-1]
    made.release = replace(made.release, created_at=None)

    world.work(just_promoted(world))

    assert waits(world).text == (
        "Release v2 of the target, which no open promotion is known to have made, is still "
        "running. The flag is sent when it has ended. Nothing is wrong."
    )


def test_our_own_release_is_told_with_its_number_and_what_is_usual(world: World) -> None:
    world.apps.phase = None

    world.work(just_promoted(world))

    assert waits(world).text == (
        "Release v2, which carries what Hoist sent, is still running; a release phase may take up "
        "to an hour. Nothing is wrong, and nothing needs to be done."
    )


def test_what_is_left_for_the_next_look_is_told(world: World) -> None:
    world.apps.left = 10
    world.targets.put(Target(app=TARGET, version=2, max_flags_per_release=1))
    promotions = [world.promoted(f"flag_{n}") for n in range(3)]

    world.work(promotions[0])

    assert waits(world).kind is Waiting.WORKER
    assert waits(world).text == (
        "More is left to do than one look does; few of the account's calls at Heroku are left, so "
        "looks come once a minute. Nothing is wrong."
    )


def test_the_word_tells_since_when_the_oldest_step_lasts(world: World) -> None:
    world.apps.phase = None
    world.apps.release("Deploy 1a2b3c4")
    promotion = world.promoted()
    world.promoted("another")

    world.work(promotion)

    assert waits(world).since == promotion.step_entered_at


def test_another_hindrance_begins_its_own_time(world: World) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    world.work(promotion)
    world.clock.advance(timedelta(minutes=1))
    world.apps.failures["releases"] = [TryAgain("Heroku answered 503.")]

    world.work(promotion)

    assert waits(world) == WaitingOn(
        kind=Waiting.HEROKU,
        text="Heroku answered 503.",
        since=world.clock.now(),
    )


def test_heroku_says_when_to_ask_again(world: World) -> None:
    world.apps.failures["releases"] = [TryAgain("slow down", after=timedelta(seconds=42))]

    report = world.work(just_promoted(world))

    assert looks_again_after(report) == timedelta(seconds=42)
    assert world.lock.next_look_at == world.clock.now() + timedelta(seconds=42)


def test_a_visit_that_leaves_nothing_open_leaves_no_word_and_no_next_look(world: World) -> None:
    world.apps.phase = timedelta(seconds=4)

    world.work(just_promoted(world))

    assert world.lock == TargetLock(target=TARGET, looked_at=world.clock.now())


def test_a_visit_tells_what_it_did(world: World) -> None:
    promotion = just_promoted(world)

    report = world.work(promotion)

    now = world.now(promotion)
    assert report == WorkReport(
        target=TARGET,
        promotions=(now,),
        settled=(now,),
        patches=1,
        usage=Usage(calls=1),
    )


# Stopping


def test_where_the_store_is_away_the_visit_ends_in_its_error(world: World) -> None:
    promotion = just_promoted(world)
    right_after(world, Action.RECORD_INTENT, _raise(Unavailable()))

    with pytest.raises(Unavailable):
        world.work(promotion)

    assert world.apps.patches == []


def test_where_the_store_is_away_the_lease_is_given_back(world: World) -> None:
    promotion = just_promoted(world)
    right_after(world, Action.RECORD_INTENT, _raise(Unavailable()))

    with pytest.raises(Unavailable):
        world.work(promotion)

    assert world.lock.lease is None
    assert world.lock.due(world.clock.now())


def _raise(error: Exception) -> Callable[[], object]:
    def act() -> None:
        raise error

    return act


def test_a_worker_that_lost_its_lease_while_it_paused_asks_nothing_more(
    world: World,
    apps: WatchedApps,
    locks: WatchedLocks,
) -> None:
    apps.phase = None
    promotion = just_promoted(world)

    def steal() -> None:
        apps.asked.clear()
        locks.steal(world.clock.now())

    while_asleep(world, steal)

    world.work(promotion)

    assert apps.asked == []


def test_a_worker_that_lost_its_lease_leaves_the_target_to_the_one_that_has_it(
    world: World,
    locks: WatchedLocks,
) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    while_asleep(world, lambda: locks.steal(world.clock.now()))

    report = world.work(promotion)

    assert report.look_again is not None
    assert report.look_again.after == LEASE_LASTS
    assert report.look_again.because == LeaseLost.__doc__
    assert world.lock.lease is not None
    assert world.lock.lease.holder == "thief"


def test_a_worker_that_lost_its_lease_after_its_intent_does_not_patch(
    world: World,
    locks: WatchedLocks,
) -> None:
    promotion = just_promoted(world)
    right_after(world, Action.RECORD_INTENT, lambda: locks.steal(world.clock.now()))

    report = world.work(promotion)

    assert world.history(promotion)[-1] == "record_intent"
    assert world.apps.patches == []
    assert report.patches == 0


def test_a_worker_whose_write_meets_a_newer_lease_stops_at_once(
    world: World,
    apps: WatchedApps,
    locks: WatchedLocks,
) -> None:
    promotion = just_promoted(world)
    began = world.clock.now()
    deploying = world.store.deploying

    def steal_and_read(target: str) -> Sequence[Promotion]:
        locks.steal(world.clock.now())
        world.store.deploying = deploying  # type: ignore[method-assign]
        return deploying(target)

    world.store.deploying = steal_and_read  # type: ignore[method-assign]

    report = world.work(promotion)

    assert looks_again_after(report) == LEASE_LASTS
    assert apps.asked == ["releases", "config"]
    assert world.clock.now() == began


# Promotions that others move, and indexes that lag


def test_what_a_worker_wrote_itself_counts_for_more_than_a_lagging_index(world: World) -> None:
    world.apps.phase = None
    promotion = just_promoted(world)
    world.store.lagging[promotion.id] = promotion

    world.work(promotion)

    assert waits(world).kind is Waiting.OWN_RELEASE


def test_a_promotion_that_is_acknowledged_while_it_deploys_is_settled_all_the_same(
    world: World,
) -> None:
    world.apps.phase = timedelta(seconds=4)
    promotion = just_promoted(world)
    acknowledge = Acknowledge(store=world.store, clock=world.clock)

    def hear_of_it_once_though_the_index_lags() -> None:
        if world.now(promotion).acknowledged_by is None:
            world.store.lagging[promotion.id] = world.now(promotion)
            hour = timedelta(hours=1)
            acknowledge(promotion.id, caller=KIM, lasts=hour, note=None, if_version=None)

    while_asleep(world, hear_of_it_once_though_the_index_lags)

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.acknowledged_by) == (State.DEPLOYED, "kim")


def test_a_promotion_that_a_worker_has_in_sight_is_not_read_again_for_its_wake(
    world: World,
) -> None:
    world.apps.phase = timedelta(seconds=4)
    promotion = just_promoted(world)
    read: list[str] = []
    get = world.store.get

    def counted(promotion_id: str) -> Promotion | None:
        read.append(promotion_id)
        return get(promotion_id)

    world.store.get = counted  # type: ignore[method-assign]

    world.work(promotion)

    assert read == [promotion.id]


# What is said of a promotion that settles


def test_a_promotion_that_was_sent_is_not_called_a_no_op(world: World) -> None:
    promotion = just_promoted(world)

    world.work(promotion)

    (settled,) = entries(world, promotion, Action.SETTLE)
    assert settled.facts == {
        "effect": "live",
        "reason": None,
        "release": 2,
        "release_id": "00000001-release",
        "status": "succeeded",
    }


def test_a_promotion_that_found_its_value_live_is_called_a_no_op(world: World) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    promotion = world.promoted()

    world.work(promotion)

    (settled,) = entries(world, promotion, Action.SETTLE)
    assert settled.facts["no_op"] is True


def test_a_refused_value_that_heroku_stores_already_is_stored_not_live(world: World) -> None:
    failed_write(world, "true")
    world.apps.unacceptable = frozenset({CONFIG_VAR})
    promotion = world.promoted()

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.effect) == (State.FAILED, Effect.STORED_NOT_LIVE)


# How many share a PATCH


def test_after_a_guilty_promotion_patches_grow_again_up_to_the_policy(world: World) -> None:
    world.targets.put(Target(app=TARGET, version=2, max_flags_per_release=8))
    promotions = [world.promoted(f"flag_{n}") for n in range(24)]
    world.apps.unacceptable = frozenset({"FLAG_FLAG_0"})

    report = world.work(promotions[0])

    assert [len(patch) for patch in world.apps.patches] == [2, 4, 8, 8, 1]
    assert report.patches == 5 + len([8, 4, 2, 1])


def test_a_policy_of_one_flag_a_release_holds_after_a_guilty_one_too(world: World) -> None:
    world.targets.put(Target(app=TARGET, version=2, max_flags_per_release=1))
    promotions = [world.promoted(f"flag_{n}") for n in range(4)]
    world.apps.unacceptable = frozenset({"FLAG_FLAG_0"})

    world.work(promotions[0])

    assert [len(patch) for patch in world.apps.patches] == [1, 1, 1]


def test_of_a_confirmed_patch_it_is_on_record_how_many_shared_it(world: World) -> None:
    promotions = [world.promoted(f"flag_{n}") for n in range(3)]

    world.work(promotions[0])

    (confirmed,) = entries(world, promotions[2], Action.CONFIRM_PATCH)
    assert confirmed.facts == {"flags_in_patch": 3}
    assert world.now(promotions[2]).patched_at == confirmed.at
