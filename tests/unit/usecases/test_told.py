"""What people are told stays true, however long it lasts, and whatever else goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from chalicelib.domain.audit import Action
from chalicelib.domain.errors import AccessDenied, Rejected, TryAgain
from chalicelib.domain.notice import Notice, notice_of
from chalicelib.domain.promotion import Effect, Promotion, Rung, State, Step
from chalicelib.domain.release import ReleaseStatus
from chalicelib.domain.target import Target
from chalicelib.usecases.work import Wake
from tests.factories import CONFIG_VAR, TARGET, VERA
from tests.unit.usecases.test_conclude import fail
from tests.world import World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
FINE = "Nothing is wrong"


@dataclass
class Always:
    """Heroku answers every call of one kind with this error."""

    error: Exception

    def __call__(self, *_: object, **__: object) -> None:
        raise self.error


def answers_always(world: World, call: str, error: Exception) -> None:
    setattr(world.apps, call, Always(error))


def answers_again(world: World, call: str) -> None:
    delattr(world.apps, call)


def text(world: World, promotion: Promotion) -> str:
    """What it waits for, in words."""
    waiting_on = world.show_it(promotion.id, caller=VERA).waiting_on
    assert waiting_on is not None
    return waiting_on.text


def told(world: World, promotion: Promotion, action: Action = Action.ALERT) -> Sequence[Notice]:
    """What was told of it."""
    notices = [
        notice_of(stored.entry)
        for stored in world.store.trail(promotion.id)
        if stored.entry.action == action
    ]
    return [notice for notice in notices if notice]


def minutes_pass(world: World, minutes: int, *, workers: bool = True) -> None:
    for _ in range(minutes):
        world.clock.advance(MINUTE)
        if workers and world.lock.due(world.clock.now()):
            world.work()
        world.watchdog()


# Nobody looks


def test_while_no_worker_comes_nothing_is_called_fine_that_one_saw_a_day_ago(world: World) -> None:
    world.apps.phase = HOUR
    promotion = world.promoted()
    world.work(promotion)
    assert FINE in text(world, promotion)

    minutes_pass(world, 25 * 60, workers=False)

    alerts = told(world, promotion)
    assert [alert.rung for alert in alerts] == [Rung.SEV3, Rung.WARNING, Rung.CRITICAL]
    for alert in alerts:
        assert FINE not in alert.text
        assert "Its release is known. No worker has looked at the target since 2026-05-09" in (
            alert.text
        )


def test_a_worker_that_is_late_by_a_little_is_not_called_missing(world: World) -> None:
    world.apps.phase = HOUR
    promotion = world.promoted()
    world.work(promotion)
    looked_at = world.lock.looked_at
    assert looked_at is not None

    world.clock.time = looked_at + 5 * MINUTE - timedelta(seconds=1)
    assert FINE in text(world, promotion)
    world.clock.advance(timedelta(seconds=1))
    assert FINE not in text(world, promotion)


@pytest.mark.parametrize("working_for", [0, 25, 40, 55])
def test_whenever_workers_vanish_no_page_calls_it_fine(world: World, working_for: int) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    minutes_pass(world, working_for)

    minutes_pass(world, 25 * 60, workers=False)

    pages = [alert for alert in told(world, promotion) if alert.rung is not Rung.INFO]
    assert [page.rung for page in pages] == [Rung.SEV3, Rung.WARNING, Rung.CRITICAL]
    for page in pages:
        assert FINE not in page.text
        assert "No worker has looked" in page.text


def test_what_was_just_accepted_misses_no_worker_however_old_the_last_look_is(
    world: World,
) -> None:
    world.work(world.promoted("another"))
    world.clock.advance(30 * 24 * HOUR)

    promotion = world.promoted()

    assert "No worker has looked" not in text(world, promotion)
    world.clock.advance(5 * MINUTE)
    assert text(world, promotion).startswith("Accepted. No worker has looked at the target since")


# It takes long


def test_a_foreign_release_is_called_fine_for_an_hour_and_no_longer(world: World) -> None:
    world.apps.phase = None
    world.apps.release("Deploy 1a2b3c4")
    promotion = world.promoted()

    minutes_pass(world, 30)
    assert FINE in text(world, promotion)
    minutes_pass(world, 12 * 60)

    assert FINE not in told(world, promotion)[-1].text
    assert "longer than the hour that Heroku gives a release phase" in text(world, promotion)


def test_what_queues_behind_a_release_that_hangs_is_not_called_fine(world: World) -> None:
    world.apps.phase = None
    first = world.promoted("alpha")
    world.work(first)
    second = world.promoted("beta")
    minutes_pass(world, 20)
    assert text(world, second).startswith(f"Queued behind {first.id} (kim, since ")
    assert FINE in text(world, second)

    minutes_pass(world, 24 * 60)

    assert text(world, second).startswith(f"Queued behind {first.id} (kim, since ")
    assert "longer than the hour" in text(world, second)
    late = [alert for alert in told(world, second) if alert.rung in {Rung.WARNING, Rung.CRITICAL}]
    assert len(late) == 2
    assert all(FINE not in alert.text for alert in late)


def test_a_retry_of_a_release_has_an_hour_of_its_own(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    minutes_pass(world, 50)
    world.apps.release("Retry of v2: Set config vars")
    world.apps.end_release(2, ReleaseStatus.FAILED)

    minutes_pass(world, 30)

    assert world.now(promotion).release_version == 3
    assert [alert.rung for alert in told(world, promotion)] == [Rung.INFO]
    minutes_pass(world, 60)
    info, page = told(world, promotion)
    assert (FINE in info.text, FINE in page.text) == (True, False)


def test_a_release_that_has_just_ended_after_long_is_not_called_late(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    minutes_pass(world, 40)
    # It has succeeded, and is not the current one yet.
    ours = world.apps.history[1]
    ours.release = replace(ours.release, status=ReleaseStatus.SUCCEEDED)

    minutes_pass(world, 1)

    assert world.now(promotion).state is State.DEPLOYING
    assert text(world, promotion).endswith(
        "has succeeded; Heroku does not show it as the current one yet. Nothing needs to be done."
    )
    world.apps.end_release(2, ReleaseStatus.SUCCEEDED)
    minutes_pass(world, 1)
    assert world.now(promotion).state is State.DEPLOYED


def test_a_missing_proof_is_called_fine_for_ten_minutes_and_no_longer(world: World) -> None:
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    world.apps.end_release(2, ReleaseStatus.UNKNOWN)

    minutes_pass(world, 5)
    assert text(world, promotion).endswith("Nothing needs to be done.")
    minutes_pass(world, 30)

    assert "Nothing needs to be done" not in told(world, promotion)[-1].text
    assert "look at the app's releases at Heroku" in text(world, promotion)


def test_releases_one_after_another_are_each_as_old_as_they_are(world: World) -> None:
    world.policy(max_flags_per_release=1)
    world.apps.phase = 20 * MINUTE
    promotions = [world.promoted(f"flag_{n}") for n in range(5)]

    for _ in range(1000):
        again = world.work().look_again
        if again is None:
            break
        assert "longer than the hour" not in world.lock.waiting_on.text  # type: ignore[union-attr]
        world.clock.advance(again.after)

    assert {world.now(each).state for each in promotions} == {State.DEPLOYED}
    assert world.clock.now() - world.now(promotions[0]).created_at > HOUR


# Something else goes on


@pytest.mark.parametrize("error", [AccessDenied("401", after=MINUTE), TryAgain("No answer.")])
def test_while_nothing_moves_at_heroku_the_queue_is_not_called_fine(
    world: World, error: Exception
) -> None:
    world.apps.phase = None
    first = world.promoted("alpha")
    world.work(first)
    answers_always(world, "releases", error)
    second = world.promoted("beta")

    minutes_pass(world, 13 * 60)

    assert text(world, first) == text(world, second) == str(error)
    assert all(FINE not in alert.text for alert in told(world, second))


def test_a_release_is_not_said_to_carry_what_it_does_not(world: World) -> None:
    world.apps.unacceptable, world.apps.phase = frozenset({"FLAG_D"}), 55 * MINUTE
    _, _, third, _ = (world.promoted(flag) for flag in "abcd")

    world.work()

    assert world.now(third).step is Step.INTENT
    assert "FLAG_C" not in world.apps.history[1].config_vars
    assert text(world, third).startswith("Release v2, which carries what Hoist sent, is still")


def test_a_release_that_ended_unclearly_is_not_called_running_for_anothers_sake(
    world: World,
) -> None:
    world.apps.phase = None
    first = world.promoted("alpha")
    world.work(first)
    world.apps.end_release(2, ReleaseStatus.UNKNOWN)
    world.work(world.promoted("beta"))

    world.clock.advance(30 * MINUTE)
    world.work()
    world.watchdog()

    assert [alert.rung for alert in told(world, first)] == [Rung.SEV3]
    assert "verifiably runs" not in told(world, first)[0].text


def test_a_release_of_ours_that_an_operator_gave_up_is_not_called_somebody_elses(
    world: World,
) -> None:
    world.apps.phase = None
    first = world.promoted("alpha")
    world.work(first)
    second = world.promoted("beta")
    fail(world, first, force=True)

    world.work(second)

    assert "which no open promotion is known to have made" in text(world, second)


def test_the_end_of_one_targets_refusal_takes_back_no_other(world: World) -> None:
    world.targets.put(Target(app="two", version=1))
    one, two = world.promoted("alpha"), world.promoted("beta", target="two")
    answers_always(world, "releases", AccessDenied("403", after=MINUTE))
    for promotion in (one, two):
        world.worker(Wake(target=promotion.target, promotion_id=promotion.id))
    answers_again(world, "releases")
    world.clock.advance(MINUTE)

    world.worker(Wake(target=TARGET, promotion_id=one.id))

    raised, resolved = told(world, one)
    (standing,) = told(world, two)
    assert (resolved.resolves, resolved.dedup_key) == (True, raised.dedup_key)
    assert standing.dedup_key != raised.dedup_key
    assert TARGET in resolved.title


def test_what_our_own_failure_left_is_not_blamed_on_somebody_outside_alone(world: World) -> None:
    live = world.promoted()
    world.work(live)
    world.apps.phase, world.apps.phase_ends = timedelta(seconds=1), ReleaseStatus.FAILED
    failed = world.promoted(value="false")
    world.work(failed)
    assert world.now(failed).effect is Effect.STORED_NOT_LIVE

    world.drift_watch()

    assert "or a promotion that failed has left its value there" in told(world, live)[-1].text


def test_drift_that_is_known_stays_known_while_a_release_runs(world: World) -> None:
    promotion = world.promoted()
    world.work(promotion)
    world.apps.foreign_write(**{CONFIG_VAR: "false"})
    found = world.drift_watch().drifting
    world.apps.phase = None
    world.apps.release("Deploy 1a2b3c4")

    assert found == world.drift_watch().drifting == {TARGET: [promotion.flag]}


def test_few_calls_left_are_said_to_be_what_is_slow(world: World) -> None:
    world.apps.left, world.apps.phase = 100, HOUR
    promotion = world.promoted()

    report = world.work(promotion)

    assert world.now(promotion).step is Step.PENDING_COMMIT
    assert report.look_again is not None
    assert report.look_again.after == MINUTE
    assert "few of the account's calls at Heroku are left" in text(world, promotion)


# What it came to


def test_what_somebody_let_go_and_a_policy_held_back_did_not_lack_somebody(world: World) -> None:
    promotion = world.mark()
    world.stage(promotion, not_before=world.clock.now() + HOUR, acknowledge=frozenset())
    world.policy(flag_patterns=("nothing*",))

    for _ in range(24 * 9):
        world.clock.advance(HOUR)
        world.watchdog()

    assert world.now(promotion).state is State.EXPIRED
    (warned,) = told(world, promotion, Action.WARN_OF_EXPIRY)
    (expired,) = told(world, promotion, Action.EXPIRE)
    assert "The check flag_allowed does not let it begin" in warned.text
    assert warned.text.endswith("until then it can be cancelled.")
    assert warned.runbook == "a-schedule-is-held"
    assert expired.text.startswith("It was held back by flag_allowed until it expired. ")


@pytest.mark.parametrize(
    ("keeps", "told_of"),
    [
        (True, "Heroku has removed the config var: it would go live with the target's next"),
        (False, "The config var is still there."),
    ],
)
def test_of_a_config_var_that_was_to_go_it_is_said_whether_it_is_there(
    world: World,
    keeps: bool,  # noqa: FBT001 - a parameter of the test
    told_of: str,
) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    world.apps.phase, world.apps.phase_ends = timedelta(seconds=1), ReleaseStatus.FAILED
    world.apps.failed_keeps_value = keeps
    promotion = world.promoted(value=None)

    world.work(promotion)

    reason = world.now(promotion).reason
    assert reason is not None
    assert told_of in reason
    assert (CONFIG_VAR in world.apps.stored) is not keeps


def test_what_was_never_sent_is_not_said_to_have_been_asked_for(world: World) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    world.apps.phase = None
    world.apps.release("Deploy 1a2b3c4")
    promotion = world.promoted()
    world.work(promotion)

    with pytest.raises(Rejected, match="Hoist has sent nothing yet"):
        fail(world, promotion)

    assert world.apps.patches == []


def test_a_token_that_may_only_read_is_told_once_and_leaves_the_trail_alone(world: World) -> None:
    world.apps.scopes_said = frozenset({"read-protected"})
    promotion = world.promoted()

    minutes_pass(world, 24 * 60)

    assert "record_intent" not in world.history(promotion)
    rungs = [Rung.SEV3, Rung.SEV3, Rung.WARNING, Rung.CRITICAL]
    assert [alert.rung for alert in told(world, promotion)] == rungs
    assert "may not set config vars" in text(world, promotion)
    # It was never sent: nothing but the operator's own word is needed to call it off.
    assert fail(world, promotion).effect is Effect.NONE


def test_a_token_that_may_write_again_is_taken(world: World) -> None:
    world.apps.scopes_said = frozenset({"read-protected"})
    promotion = world.promoted()
    minutes_pass(world, 3)
    world.apps.scopes_said = frozenset({"write-protected"})

    minutes_pass(world, 2)

    assert world.now(promotion).state is State.DEPLOYED
    assert [alert.resolves for alert in told(world, promotion)] == [False, True]
