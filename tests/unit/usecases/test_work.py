"""The worker closes the difference between wanted and true."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import AccessDenied, Ambiguous, Refused, TryAgain
from chalicelib.domain.lease import Waiting
from chalicelib.domain.promotion import Effect, SettledBy, State, Step
from chalicelib.domain.release import ReleaseStatus
from chalicelib.domain.target import Target
from chalicelib.usecases.work import Wake
from tests.factories import CONFIG_VAR, TARGET
from tests.world import World


def test_a_promotion_becomes_deployed_with_one_patch_and_one_release(world: World) -> None:
    promotion = world.promoted()

    report = world.work(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.effect, settled.settled_by) == (
        State.DEPLOYED,
        Effect.LIVE,
        SettledBy.WORKER,
    )
    assert world.apps.patches == [{CONFIG_VAR: "true"}]
    assert settled.release_version == 2
    assert report.look_again is None


def test_intent_is_on_record_before_the_patch_and_proof_after_it(world: World) -> None:
    promotion = world.promoted()

    world.work(promotion)

    assert world.history(promotion) == [
        "mark",
        "promote",
        "record_intent",
        "confirm_patch",
        "settle",
    ]
    assert world.verified(promotion)


def test_what_the_patch_replaced_is_kept(world: World) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    promotion = world.promoted()

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.previous_value, settled.baseline_version) == ("false", 2)


def test_a_value_that_is_live_already_is_settled_without_a_patch(world: World) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    promotion = world.promoted()

    world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYED
    assert world.apps.patches == []
    assert world.store.trail(promotion.id)[-1].entry.facts["no_op"] is True


def test_all_that_waits_for_a_target_goes_in_one_patch(world: World) -> None:
    promotions = [world.promoted(f"flag_{n}") for n in range(10)]

    world.work(promotions[0])

    assert {world.now(p).state for p in promotions} == {State.DEPLOYED}
    assert len(world.apps.patches) == 1


def test_a_hundred_promotions_cost_two_releases_of_fifty(world: World) -> None:
    promotions = [world.promoted(f"flag_{n}") for n in range(100)]

    for promotion in promotions:
        world.work(promotion)

    assert {world.now(p).state for p in promotions} == {State.DEPLOYED}
    assert [len(patch) for patch in world.apps.patches] == [50, 50]


def test_the_policy_says_how_many_flags_share_a_release(world: World) -> None:
    world.targets.put(Target(app=TARGET, version=2, max_flags_per_release=2))
    promotions = [world.promoted(f"flag_{n}") for n in range(5)]

    world.work(promotions[0])

    assert [len(patch) for patch in world.apps.patches] == [2, 2, 1]


def test_a_promotion_that_the_index_does_not_show_yet_is_found_by_its_wake(world: World) -> None:
    promotion = world.promoted()
    world.store.lagging[promotion.id] = None

    world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYED


def test_an_index_that_lags_behind_our_own_writes_does_not_patch_twice(world: World) -> None:
    promotion = world.promoted()
    world.store.lagging[promotion.id] = promotion

    world.work(promotion)
    world.work(promotion)

    assert len(world.apps.patches) == 1
    assert world.now(promotion).state is State.DEPLOYED


def test_a_wake_for_another_targets_promotion_moves_only_its_target(world: World) -> None:
    promotion = world.promoted()

    report = world.worker(Wake(target="raxx-console-staging", promotion_id=promotion.id))

    assert report.promotions == ()
    assert world.now(promotion).step is Step.QUEUED


def test_a_release_that_runs_longer_than_an_invocation_is_looked_at_again(world: World) -> None:
    world.apps.phase = timedelta(hours=1)
    promotion = world.promoted()

    report = world.work(promotion)

    assert report.look_again is not None
    assert report.look_again.after == timedelta(seconds=5)
    assert "Nothing is wrong" in report.look_again.because
    assert world.now(promotion).step is Step.RELEASED
    assert world.lock.waiting_on is not None
    assert world.lock.waiting_on.kind is Waiting.OWN_RELEASE


def test_a_release_phase_of_an_hour_ends_deployed_after_few_looks(world: World) -> None:
    world.apps.phase = timedelta(hours=1)
    promotion = world.promoted()
    looks, pauses = 0, []

    while (report := world.work(promotion)).look_again:
        looks += 1
        pauses.append(report.look_again.after)
        world.clock.advance(report.look_again.after)

    assert world.now(promotion).state is State.DEPLOYED
    assert len(world.apps.patches) == 1
    assert looks < 75
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(seconds=60)


def test_the_lease_is_free_while_only_time_can_help(world: World) -> None:
    world.apps.phase = timedelta(hours=1)
    promotion = world.promoted()

    report = world.work(promotion)

    assert report.look_again is not None
    assert not world.lock.held(world.clock.now())
    assert world.lock.next_look_at == world.clock.now() + report.look_again.after


@pytest.mark.parametrize(
    ("keeps_value", "effect"),
    [(True, Effect.STORED_NOT_LIVE), (False, Effect.NONE)],
)
def test_a_failed_release_fails_the_promotion_with_the_effect_that_was_read(
    world: World,
    keeps_value: bool,  # noqa: FBT001 - a parameter of the test
    effect: Effect,
) -> None:
    world.apps.phase = timedelta(seconds=3)
    world.apps.phase_ends = ReleaseStatus.FAILED
    world.apps.failed_keeps_value = keeps_value
    promotion = world.promoted()

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.effect) == (State.FAILED, effect)
    assert settled.reason is not None
    assert "Release v2 failed" in settled.reason


def test_a_later_release_that_carries_the_value_of_a_failed_one_makes_it_live(
    world: World,
) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.end_release(2, ReleaseStatus.FAILED)
    world.apps.phase = timedelta(0)
    world.apps.release("Deploy 1a2b3c4")

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.effect, settled.release_version) == (
        State.DEPLOYED,
        Effect.LIVE,
        3,
    )


@pytest.mark.parametrize("status", [ReleaseStatus.EXPIRED, ReleaseStatus.UNKNOWN])
def test_an_unclear_status_is_decided_by_what_the_current_release_carries(
    world: World,
    status: ReleaseStatus,
) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.end_release(2, status)
    world.apps.phase = timedelta(0)
    world.apps.release("Deploy 1a2b3c4")

    world.work(promotion)

    assert world.now(promotion).effect is Effect.LIVE


def test_an_unknown_status_is_never_taken_for_success(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.end_release(2, ReleaseStatus.UNKNOWN)

    report = world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYING
    assert report.look_again is not None
    assert world.lock.waiting_on is not None
    assert world.lock.waiting_on.kind is Waiting.PROOF
    assert "a status that Hoist does not know" in world.lock.waiting_on.text


def test_an_older_release_that_ends_last_does_not_keep_ours_waiting_for_ever(
    world: World,
) -> None:
    promotion = world.promoted()
    # While ours is sent, somebody's release begins.
    world.apps.phase = None
    world.apps.failures["set_config_vars"] = [TryAgain("Heroku answered 503.")]
    world.work(promotion)
    theirs = world.apps.release("Deploy 1a2b3c4")
    world.apps.phase = timedelta(0)
    world.apps.set_config_vars(TARGET, {CONFIG_VAR: "true"})
    world.apps.end_release(theirs, ReleaseStatus.SUCCEEDED)

    world.work(promotion)

    waiting = world.now(promotion)
    assert (waiting.state, waiting.step, waiting.release_version) == (
        State.DEPLOYING,
        Step.RELEASED,
        theirs + 1,
    )
    assert world.lock.waiting_on is not None
    assert world.lock.waiting_on.kind is Waiting.PROOF
    world.work_until_settled(promotion)
    settled = world.now(promotion)
    assert (settled.state, settled.effect) == (State.FAILED, Effect.STORED_NOT_LIVE)
    assert settled.reason is not None
    assert "an older release became the current one after it" in settled.reason


def test_a_foreign_release_that_runs_is_waited_for_and_named(world: World) -> None:
    world.apps.phase = timedelta(minutes=10)
    world.apps.release("Deploy 1a2b3c4")
    promotion = world.promoted()

    report = world.work(promotion)

    assert world.apps.patches == []
    assert report.look_again is not None
    assert world.lock.waiting_on is not None
    assert world.lock.waiting_on.kind is Waiting.FOREIGN_RELEASE
    assert "v2" in world.lock.waiting_on.text


def test_the_flag_is_sent_when_the_foreign_release_has_ended(world: World) -> None:
    world.apps.phase = timedelta(seconds=40)
    world.apps.release("Deploy 1a2b3c4")
    world.apps.phase = timedelta(0)
    promotion = world.promoted()

    world.work_until_settled(promotion)

    assert world.now(promotion).state is State.DEPLOYED


def test_an_old_release_that_never_ended_is_not_waited_for(world: World) -> None:
    world.apps.phase = None
    world.apps.release("Deploy 1a2b3c4")
    world.apps.phase = timedelta(0)
    world.apps.release("Deploy 5d6e7f8")
    promotion = world.promoted()

    world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYED


def test_a_release_rolled_back_before_it_was_recorded_is_not_called_live(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.end_release(2, ReleaseStatus.SUCCEEDED)
    world.apps.phase = timedelta(0)
    world.apps.rollback(1)

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.effect) == (State.FAILED, Effect.NONE)
    assert settled.reason is not None
    assert "replaced from outside Hoist" in settled.reason


def test_a_stored_value_without_a_live_release_is_sent_again_not_called_live(
    world: World,
) -> None:
    world.apps.phase = timedelta(seconds=1)
    world.apps.phase_ends = ReleaseStatus.FAILED
    first = world.promoted()
    world.work(first)
    world.apps.phase = timedelta(0)
    world.apps.same_value_makes_release = True
    second = world.promoted()

    world.work(second)

    assert world.now(first).effect is Effect.STORED_NOT_LIVE
    assert world.now(second).effect is Effect.LIVE
    assert len(world.apps.patches) == 2


def test_where_the_same_value_makes_no_release_the_promotion_says_stored_not_live(
    world: World,
) -> None:
    world.apps.phase = timedelta(seconds=1)
    world.apps.phase_ends = ReleaseStatus.FAILED
    world.work(world.promoted())
    second = world.promoted()

    while (report := world.work(second)).look_again:
        world.clock.advance(report.look_again.after)

    settled = world.now(second)
    assert (settled.state, settled.effect) == (State.FAILED, Effect.STORED_NOT_LIVE)
    assert len(world.apps.patches) == 2


def test_a_lost_answer_is_read_back_and_not_sent_again(world: World) -> None:
    world.apps.failures["set_config_vars_answer"] = [Ambiguous()]
    promotion = world.promoted()

    first = world.work(promotion)
    world.work(promotion)

    assert first.look_again is not None
    assert world.now(promotion).state is State.DEPLOYED
    assert len(world.apps.patches) == 1


def test_a_patch_that_never_arrived_is_sent_by_the_next_look(world: World) -> None:
    world.apps.failures["set_config_vars"] = [Ambiguous()]
    promotion = world.promoted()

    world.work(promotion)
    world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYED
    assert len(world.apps.patches) == 1


@pytest.mark.parametrize(
    "call",
    ["config", "releases", "set_config_vars", "release_config_vars"],
)
def test_heroku_being_away_fails_nothing_and_says_so(world: World, call: str) -> None:
    world.apps.failures[call] = [TryAgain("Heroku did not answer.")]
    promotion = world.promoted()

    report = world.work(promotion)

    assert world.now(promotion).state is State.DEPLOYING
    assert report.look_again is not None
    assert world.lock.waiting_on is not None
    assert world.lock.waiting_on.kind is Waiting.HEROKU


def test_a_refused_token_fails_no_promotion_and_is_reported_at_once(world: World) -> None:
    world.apps.failures["config"] = [AccessDenied("Heroku answered 401.")]
    promotion = world.promoted()

    report = world.work(promotion)

    assert report.access_denied == "Heroku answered 401."
    assert world.now(promotion).state is State.DEPLOYING


def test_since_when_heroku_is_away_survives_the_next_look(world: World) -> None:
    promotion = world.promoted()
    world.apps.failures["config"] = [TryAgain("one"), TryAgain("two")]
    since = world.clock.now()
    world.work(promotion)
    world.clock.advance(timedelta(minutes=3))

    world.work(promotion)

    assert world.lock.waiting_on is not None
    assert world.lock.waiting_on.since == since
    assert world.lock.waiting_on.text == "two"


def test_only_the_guilty_promotion_of_a_refused_patch_fails(world: World) -> None:
    promotions = [world.promoted(f"flag_{n}") for n in range(9)]
    world.apps.unacceptable = frozenset({"FLAG_FLAG_4"})

    world.work(promotions[0])

    states = [world.now(p).state for p in promotions]
    assert states[4] is State.FAILED
    assert world.now(promotions[4]).effect is Effect.NONE
    assert set(states[:4] + states[5:]) == {State.DEPLOYED}
    assert len(world.apps.patches) <= 4


def test_a_target_that_heroku_does_not_know_fails_what_waits_for_it(world: World) -> None:
    promotion = world.promoted()
    world.apps.failures["config"] = [Refused("Heroku answered 404 not_found.")]

    world.work(promotion)

    settled = world.now(promotion)
    assert (settled.state, settled.effect) == (State.FAILED, Effect.NONE)
    assert settled.reason == "Heroku answered 404 not_found."


def test_what_was_sent_to_a_target_that_vanished_has_an_unknown_effect(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.failures["releases"] = [Refused("Heroku answered 404 not_found.")]

    world.work(promotion)

    assert world.now(promotion).effect is Effect.UNKNOWN


def test_a_target_that_another_worker_holds_is_left_alone(world: World) -> None:
    promotion = world.promoted()
    now = world.clock.now()
    world.locks.acquire(TARGET, holder="other", now=now, until=now + timedelta(seconds=6))

    report = world.work(promotion)

    assert report.look_again is not None
    assert report.look_again.after == timedelta(seconds=6)
    assert world.now(promotion).step is Step.QUEUED


def test_a_worker_that_lost_its_lease_stops_before_the_patch(world: World) -> None:
    promotion = world.promoted()

    class Thief:
        """Takes the lease over just before the worker records its intent."""

        def __call__(self) -> None:
            now = world.clock.now() + timedelta(seconds=7)
            world.locks.acquire(TARGET, holder="thief", now=now, until=now)

    original = world.apps.releases

    def releases(app: str, *, after: int | None) -> object:
        Thief()()
        return original(app, after=after)

    world.apps.releases = releases  # type: ignore[method-assign, assignment]

    report = world.work(promotion)

    assert world.apps.patches == []
    assert world.history(promotion) == ["mark", "promote"]
    assert report.look_again is not None


def test_a_bug_in_a_look_frees_the_target(world: World) -> None:
    promotion = world.promoted()
    world.apps.failures["config"] = [ZeroDivisionError()]

    with pytest.raises(ZeroDivisionError):
        world.work(promotion)

    assert world.lock.due(world.clock.now())


def test_when_calls_run_short_looks_come_as_rarely_as_they_may(world: World) -> None:
    world.apps.phase = timedelta(minutes=5)
    world.apps.left = 10
    promotion = world.promoted()
    started = world.clock.now()

    report = world.work(promotion)

    assert report.look_again is not None
    assert report.look_again.after == timedelta(seconds=60)
    assert world.clock.now() == started


def test_a_promotion_that_an_operator_moved_meanwhile_is_not_written_over(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    moved = world.now(promotion)
    world.store.lagging[promotion.id] = moved
    world.apps.end_release(2, ReleaseStatus.SUCCEEDED)
    world.work(promotion)

    report = world.work()

    assert world.now(promotion).state is State.DEPLOYED
    assert report.look_again is None


def test_a_heroku_that_stays_away_is_asked_ever_more_rarely(world: World) -> None:
    promotion = world.promoted()
    world.apps.failures["releases"] = [TryAgain("Heroku answered 503.")] * 30

    reports = world.work_until_settled(promotion)

    pauses = [report.look_again.after for report in reports if report.look_again]
    assert len(pauses) == 30
    assert pauses[0] == timedelta(seconds=5)
    assert pauses == sorted(pauses)
    assert pauses[-1] == timedelta(seconds=60)


def test_an_account_without_calls_is_left_alone_for_as_long_as_it_says(world: World) -> None:
    promotion = world.promoted()
    wait = timedelta(seconds=30)
    world.apps.failures["releases"] = [TryAgain("Heroku answered 429.", after=wait)]

    report = world.work(promotion)

    assert report.look_again is not None
    assert report.look_again.after == wait
