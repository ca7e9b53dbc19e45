"""What Heroku shows of a target, what has to be read of it, and what it proves."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.promotion import Effect, Promotion, Step
from chalicelib.domain.release import (
    OURS_IS_AMONG,
    RELEASE_APPEARS_WITHIN,
    Behind,
    Live,
    NotLive,
    NotSent,
    Release,
    ReleaseStatus,
    Running,
    TargetView,
    Unproven,
    judge,
    to_read_next,
)
from tests.factories import CONFIG_VAR, deploying
from tests.fakes import START

ON = {CONFIG_VAR: "true"}
OFF = {CONFIG_VAR: "false"}
LATE = START + timedelta(minutes=10)

SUCCEEDED = ReleaseStatus.SUCCEEDED
PENDING = ReleaseStatus.PENDING
FAILED = ReleaseStatus.FAILED
EXPIRED = ReleaseStatus.EXPIRED
UNKNOWN = ReleaseStatus.UNKNOWN


def shows(
    *statuses: ReleaseStatus,
    current: int | None = None,
    config_vars: Mapping[str, str] = OFF,
    **carried: Mapping[str, str] | None,
) -> TargetView:
    """A target whose releases v1, v2 … have these statuses; `v2=ON` is what v2 carries."""
    releases = [
        Release(id=f"r{version}", version=version, status=status, current=version == current)
        for version, status in enumerate(statuses, start=1)
    ]
    return TargetView(
        releases=tuple(reversed(releases)),
        config_vars=config_vars,
        carried={int(name.removeprefix("v")): held for name, held in carried.items()},
    )


def release(view: TargetView, version: int) -> Release:
    (found,) = (release for release in view.releases if release.version == version)
    return found


def queued() -> Promotion:
    return deploying(step=Step.QUEUED)


def intended(baseline: int = 1, previous_value: str | None = None) -> Promotion:
    """What shall be written is on record; whether Heroku was asked is not known."""
    return deploying(step=Step.INTENT, baseline_version=baseline, previous_value=previous_value)


def taken(baseline: int = 1, step_entered_at: datetime | None = START) -> Promotion:
    """Heroku took the value."""
    return deploying(
        step=Step.PENDING_COMMIT,
        baseline_version=baseline,
        step_entered_at=step_entered_at,
    )


def released(version: int = 2) -> Promotion:
    """The promotion's own release is known."""
    return deploying(
        step=Step.RELEASED,
        baseline_version=version - 1,
        release_version=version,
        release_id=f"r{version}",
    )


def ended(version: int, seen_at: datetime = START) -> Promotion:
    """The promotion's own release was seen to have succeeded without being current."""
    return replace(released(version), release_ended_at=seen_at)


def reason(promotion: Promotion, view: TargetView) -> str:
    verdict = judge(promotion, view, now=LATE)
    assert isinstance(verdict, NotLive)
    return verdict.reason


# What a view shows by itself


def test_the_release_that_heroku_marks_is_current_though_a_newer_one_succeeded() -> None:
    view = shows(SUCCEEDED, SUCCEEDED, current=1)

    assert view.current == release(view, 1)


def test_where_none_is_marked_the_newest_succeeded_release_is_current() -> None:
    view = shows(SUCCEEDED, SUCCEEDED, FAILED, PENDING)

    assert view.current == release(view, 2)


def test_where_none_is_marked_and_none_succeeded_no_release_is_current() -> None:
    assert shows(FAILED, EXPIRED, UNKNOWN, PENDING).current is None


def test_the_newest_release_runs_while_it_is_pending() -> None:
    view = shows(SUCCEEDED, PENDING, current=1)

    assert view.running == release(view, 2)


@pytest.mark.parametrize("status", [SUCCEEDED, FAILED, EXPIRED, UNKNOWN])
def test_a_release_that_is_not_pending_does_not_run(status: ReleaseStatus) -> None:
    assert shows(SUCCEEDED, status).running is None


def test_a_pending_release_with_a_newer_one_after_it_is_not_waited_for() -> None:
    assert shows(SUCCEEDED, PENDING, FAILED).running is None


def test_an_app_without_releases_runs_none_and_has_none_current() -> None:
    view = shows()

    assert (view.running, view.current, view.newest_version) == (None, None, 0)


def test_the_newest_version_is_that_of_the_newest_release() -> None:
    assert shows(SUCCEEDED, FAILED, PENDING).newest_version == 3


def test_a_promotion_awaits_the_newest_release_where_that_is_its_own_and_runs() -> None:
    assert shows(SUCCEEDED, PENDING).awaited_by(released(2))


def test_a_promotion_does_not_await_a_running_release_of_somebody_else() -> None:
    assert not shows(SUCCEEDED, FAILED, PENDING).awaited_by(released(2))


def test_a_promotion_whose_release_is_not_known_awaits_none() -> None:
    assert not shows(SUCCEEDED, SUCCEEDED).awaited_by(taken())


@pytest.mark.parametrize(
    ("promotion", "statuses", "needed"),
    [
        (queued(), [SUCCEEDED, PENDING], False),
        (queued(), [SUCCEEDED, SUCCEEDED], True),
        (released(2), [SUCCEEDED, PENDING], False),
        (released(2), [SUCCEEDED, SUCCEEDED], True),
        (released(2), [SUCCEEDED, FAILED, PENDING], True),
        (taken(), [SUCCEEDED, PENDING], True),
    ],
)
def test_config_vars_are_needed_but_where_a_release_is_waited_for(
    promotion: Promotion,
    statuses: list[ReleaseStatus],
    needed: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    assert shows(*statuses).needs_config(promotion) is needed


@pytest.mark.parametrize("config", [ON, OFF, {}])
@pytest.mark.parametrize("carried", [ON, OFF, {}])
def test_of_what_is_queued_behind_a_running_release_config_vars_prove_nothing(
    config: Mapping[str, str], carried: Mapping[str, str]
) -> None:
    view = shows(SUCCEEDED, PENDING, config_vars=config, v1=carried)

    assert judge(queued(), view, now=LATE) == Behind(release=release(view, 2))


@pytest.mark.parametrize(("held", "carried"), [(ON, True), (OFF, False), ({}, False)])
def test_a_release_carries_the_value_that_its_own_config_vars_hold(
    held: Mapping[str, str],
    carried: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    view = shows(SUCCEEDED, v1=held)

    assert view.carries(release(view, 1), queued()) is carried


def test_of_a_release_that_was_not_read_it_is_not_known_what_it_carries() -> None:
    view = shows(SUCCEEDED, config_vars=ON)

    assert view.carries(release(view, 1), queued()) is None


def test_of_a_release_that_heroku_does_not_show_it_is_not_known_what_it_carries() -> None:
    view = shows(SUCCEEDED, config_vars=ON, v1=None)

    assert view.carries(release(view, 1), queued()) is None


@pytest.mark.parametrize("status", [SUCCEEDED, EXPIRED])
def test_a_current_release_that_carries_the_value_is_live(status: ReleaseStatus) -> None:
    view = shows(status, current=1, v1=ON)

    assert view.live(queued()) == release(view, 1)


@pytest.mark.parametrize("status", [PENDING, FAILED, UNKNOWN])
def test_a_current_release_that_is_not_known_to_have_succeeded_is_not_live(
    status: ReleaseStatus,
) -> None:
    assert shows(status, current=1, v1=ON).live(queued()) is None


@pytest.mark.parametrize("held", [OFF, None])
def test_a_current_release_that_does_not_show_the_value_is_not_live(
    held: Mapping[str, str] | None,
) -> None:
    assert shows(SUCCEEDED, current=1, v1=held).live(queued()) is None


def test_where_no_release_is_current_nothing_is_live() -> None:
    assert shows(FAILED, v1=ON).live(queued()) is None


def test_candidates_are_the_releases_after_the_baseline_oldest_first() -> None:
    view = shows(SUCCEEDED, SUCCEEDED, FAILED, SUCCEEDED)

    assert [found.version for found in view.candidates(taken(baseline=2))] == [3, 4]


def test_a_promotion_without_a_baseline_has_no_candidates() -> None:
    assert list(shows(SUCCEEDED, SUCCEEDED).candidates(queued())) == []


def test_candidates_are_only_the_first_few_after_the_baseline() -> None:
    view = shows(*[SUCCEEDED] * (OURS_IS_AMONG + 5))

    versions = [found.version for found in view.candidates(taken(baseline=1))]

    assert versions == list(range(2, OURS_IS_AMONG + 2))


# What has to be read


def test_a_queued_promotion_whose_value_is_not_stored_needs_nothing_read() -> None:
    assert to_read_next(queued(), shows(SUCCEEDED, current=1, config_vars=OFF)) is None


def test_a_queued_promotion_whose_value_is_stored_needs_the_current_release() -> None:
    assert to_read_next(queued(), shows(SUCCEEDED, current=1, config_vars=ON)) == 1


def test_a_queued_promotion_needs_no_more_than_the_current_release() -> None:
    view = shows(SUCCEEDED, PENDING, current=1, config_vars=ON, v1=OFF)

    assert to_read_next(queued(), view) is None


def test_a_promotion_that_awaits_its_own_release_needs_nothing_read() -> None:
    assert to_read_next(released(2), shows(SUCCEEDED, PENDING, current=1)) is None


def test_a_sent_promotion_needs_the_current_release_first() -> None:
    assert to_read_next(taken(), shows(SUCCEEDED, FAILED, PENDING, current=1)) == 1


def test_a_sent_promotion_needs_the_running_release_second() -> None:
    assert to_read_next(taken(), shows(SUCCEEDED, FAILED, PENDING, current=1, v1=OFF)) == 3


def test_a_sent_promotion_then_needs_the_releases_after_its_baseline_oldest_first() -> None:
    view = shows(SUCCEEDED, FAILED, FAILED, PENDING, current=1, v1=OFF, v4=OFF)

    assert to_read_next(taken(), view) == 2


def test_beyond_a_release_that_does_not_carry_the_value_the_next_is_needed() -> None:
    view = shows(SUCCEEDED, FAILED, FAILED, current=1, v1=OFF, v2=OFF)

    assert to_read_next(taken(), view) == 3


def test_beyond_a_release_that_cannot_be_read_the_next_is_needed() -> None:
    view = shows(SUCCEEDED, FAILED, FAILED, current=1, v1=OFF, v2=None)

    assert to_read_next(taken(), view) == 3


def test_beyond_its_own_release_none_is_needed() -> None:
    view = shows(SUCCEEDED, FAILED, FAILED, current=1, v1=OFF, v2=ON)

    assert to_read_next(taken(), view) is None


def test_a_promotion_whose_release_is_known_needs_no_candidates() -> None:
    view = shows(SUCCEEDED, FAILED, FAILED, current=1, v1=OFF)

    assert to_read_next(released(2), view) is None


def test_of_many_later_releases_no_more_than_the_candidates_are_needed() -> None:
    last = OURS_IS_AMONG + 5
    read = {f"v{version}": OFF for version in (*range(2, OURS_IS_AMONG + 2), last)}
    view = shows(*[SUCCEEDED] * last, current=last, **read)

    assert to_read_next(taken(baseline=1), view) is None


# What is proven: live


@pytest.mark.parametrize("status", [SUCCEEDED, EXPIRED])
@pytest.mark.parametrize("promotion", [intended(), taken(), released()])
def test_a_current_release_after_the_baseline_that_carries_the_value_makes_it_live(
    promotion: Promotion,
    status: ReleaseStatus,
) -> None:
    view = shows(SUCCEEDED, status, current=2, config_vars=ON, v2=ON)

    assert judge(promotion, view, now=LATE) == Live(release=release(view, 2))


def test_a_later_release_that_passed_the_value_on_makes_it_live() -> None:
    view = shows(SUCCEEDED, FAILED, SUCCEEDED, current=3, config_vars=ON, v3=ON)

    assert judge(released(2), view, now=LATE) == Live(release=release(view, 3))


def test_what_our_release_made_live_is_live_whatever_somebody_else_stores_meanwhile() -> None:
    view = shows(SUCCEEDED, SUCCEEDED, PENDING, current=2, config_vars=OFF, v2=ON, v3=OFF)

    assert judge(released(2), view, now=LATE) == Live(release=release(view, 2))


def test_a_value_that_was_live_and_stored_before_is_live_without_sending() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=ON, v1=ON)

    assert judge(queued(), view, now=LATE) == Live(release=release(view, 1))


def test_a_value_that_an_older_release_keeps_live_and_heroku_stores_is_live() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=ON, v1=ON, v2=ON)

    assert judge(intended(baseline=2), view, now=LATE) == Live(release=release(view, 1))


def test_a_value_that_only_the_baseline_shows_does_not_last_and_is_sent() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=OFF, v1=ON)

    assert judge(intended(baseline=1), view, now=LATE) == NotSent()


def test_a_value_that_only_the_baseline_shows_does_not_last_where_ours_runs() -> None:
    view = shows(SUCCEEDED, PENDING, current=1, config_vars=ON, v1=ON, v2=ON)

    assert judge(intended(baseline=1), view, now=LATE) == Running(release=release(view, 2))


def test_a_queued_value_that_is_live_but_not_stored_is_sent() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=OFF, v1=ON)

    assert judge(queued(), view, now=LATE) == NotSent()


def test_a_queued_value_that_is_live_waits_where_another_release_is_about_to_replace_it() -> None:
    view = shows(SUCCEEDED, PENDING, current=1, config_vars=ON, v1=ON)

    assert judge(queued(), view, now=LATE) == Behind(release=release(view, 2))


# What is proven: nothing sent yet


def test_a_queued_value_that_the_target_lacks_is_sent() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=OFF)

    assert judge(queued(), view, now=LATE) == NotSent()


def test_a_queued_value_that_is_stored_but_not_live_is_sent() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=ON, v1=OFF)

    assert judge(queued(), view, now=LATE) == NotSent()


def test_a_queued_value_is_sent_though_the_current_release_cannot_be_read() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=ON, v1=None)

    assert judge(queued(), view, now=START) == NotSent()


def test_a_queued_value_waits_behind_a_release_that_runs() -> None:
    view = shows(SUCCEEDED, PENDING, current=1, config_vars=OFF)

    assert judge(queued(), view, now=LATE) == Behind(release=release(view, 2))


def test_an_intent_without_a_release_is_sent() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=OFF, v1=OFF)

    assert judge(intended(), view, now=START) == NotSent()


def test_an_intent_whose_value_has_just_landed_waits_for_its_release_before_it_is_sent() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=ON, v1=OFF)

    assert judge(intended(), view, now=START) == Unproven(fresh=True)
    assert judge(intended(), view, now=START + RELEASE_APPEARS_WITHIN) == NotSent()


def test_an_intent_whose_value_was_there_before_is_sent_at_once() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=ON, v1=OFF)

    assert judge(intended(previous_value="true"), view, now=START) == NotSent()


def test_an_intent_without_a_release_waits_behind_a_foreign_one_that_runs() -> None:
    view = shows(SUCCEEDED, PENDING, current=1, config_vars=OFF, v1=OFF, v2=OFF)

    assert judge(intended(), view, now=LATE) == Behind(release=release(view, 2))


def test_a_failed_release_at_the_baseline_is_not_taken_for_our_own() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=OFF, v1=OFF, v2=ON)

    assert judge(intended(baseline=2), view, now=LATE) == NotSent()


# What is proven: running


@pytest.mark.parametrize("promotion", [intended(), taken(), released()])
def test_our_own_release_that_is_pending_runs(promotion: Promotion) -> None:
    view = shows(SUCCEEDED, PENDING, current=1, config_vars=ON, v1=OFF, v2=ON)

    assert judge(promotion, view, now=LATE) == Running(release=release(view, 2))


def test_our_own_release_runs_though_a_newer_one_is_current() -> None:
    view = shows(SUCCEEDED, PENDING, SUCCEEDED, current=3, v2=ON, v3=OFF)

    assert judge(released(2), view, now=LATE) == Running(release=release(view, 2))


@pytest.mark.parametrize("status", [FAILED, EXPIRED, SUCCEEDED])
def test_a_running_release_that_carries_the_value_may_make_it_live_after_all(
    status: ReleaseStatus,
) -> None:
    view = shows(SUCCEEDED, status, PENDING, current=1, config_vars=ON, v1=OFF, v3=ON)

    assert judge(ended(2), view, now=LATE) == Running(release=release(view, 3))


def test_of_the_releases_that_carry_the_value_the_first_after_the_baseline_is_our_own() -> None:
    view = shows(SUCCEEDED, FAILED, FAILED, current=1, config_vars=ON, v1=OFF, v2=ON)

    verdict = judge(taken(), view, now=LATE)

    assert isinstance(verdict, NotLive)
    assert verdict.release == release(view, 2)


# What is not proven


@pytest.mark.parametrize("promotion", [intended(), taken(), released()])
def test_a_current_release_that_cannot_be_read_proves_nothing(promotion: Promotion) -> None:
    view = shows(SUCCEEDED, FAILED, SUCCEEDED, current=3, v2=ON, v3=None)

    assert judge(promotion, view, now=LATE) == Unproven(fresh=False)


def test_a_running_release_that_cannot_be_read_proves_nothing() -> None:
    view = shows(SUCCEEDED, FAILED, PENDING, current=1, v1=OFF, v2=ON, v3=None)

    assert judge(released(2), view, now=LATE) == Unproven(fresh=False)


def test_a_candidate_that_cannot_be_read_proves_nothing() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, v1=OFF, v2=None)

    assert judge(intended(), view, now=LATE) == Unproven(fresh=False)


def test_just_after_the_patch_an_unreadable_release_is_about_to_show() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, v1=OFF, v2=None)

    assert judge(taken(), view, now=START) == Unproven(fresh=True)


@pytest.mark.parametrize("status", [PENDING, UNKNOWN])
def test_an_undecided_release_after_the_baseline_keeps_a_sent_value_from_failing(
    status: ReleaseStatus,
) -> None:
    view = shows(SUCCEEDED, status, FAILED, current=1, v1=OFF, v2=OFF, v3=OFF)

    assert judge(taken(), view, now=LATE) == Unproven(fresh=False)


@pytest.mark.parametrize("promotion", [intended(), taken(), released()])
def test_a_release_of_ours_whose_status_is_no_known_word_proves_nothing(
    promotion: Promotion,
) -> None:
    view = shows(SUCCEEDED, UNKNOWN, current=1, v1=OFF, v2=ON)

    assert judge(promotion, view, now=LATE) == Unproven(fresh=False, release=release(view, 2))


def test_nor_does_it_where_a_newer_one_is_current() -> None:
    view = shows(SUCCEEDED, UNKNOWN, SUCCEEDED, current=3, v2=ON, v3=OFF)

    assert judge(released(2), view, now=LATE) == Unproven(fresh=False, release=release(view, 2))


@pytest.mark.parametrize("promotion", [intended(), taken(), released(), ended(2, LATE)])
def test_for_two_minutes_after_it_was_seen_our_own_release_may_be_about_to_be_current(
    promotion: Promotion,
) -> None:
    view = shows(SUCCEEDED, SUCCEEDED, current=1, config_vars=ON, v1=OFF, v2=ON)
    just_within = LATE + RELEASE_APPEARS_WITHIN - timedelta(microseconds=1)

    undecided = Unproven(fresh=False, release=release(view, 2))
    assert judge(promotion, view, now=just_within) == undecided


def test_after_two_minutes_it_is_not() -> None:
    view = shows(SUCCEEDED, SUCCEEDED, current=1, config_vars=ON, v1=OFF, v2=ON)

    verdict = judge(ended(2, LATE), view, now=LATE + RELEASE_APPEARS_WITHIN)

    assert isinstance(verdict, NotLive)


def test_a_known_release_that_is_not_shown_any_more_proves_nothing() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=OFF, v1=OFF)

    assert judge(released(7), view, now=START) == Unproven(fresh=False)


def test_for_two_minutes_after_the_patch_its_release_may_be_about_to_show() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=ON, v1=OFF)
    just_within = START + timedelta(minutes=2) - timedelta(microseconds=1)

    assert judge(taken(), view, now=just_within) == Unproven(fresh=True)


def test_two_minutes_after_the_patch_no_release_is_waited_for() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=ON, v1=OFF)

    verdict = judge(taken(), view, now=START + timedelta(minutes=2))

    assert timedelta(minutes=2) == RELEASE_APPEARS_WITHIN
    assert isinstance(verdict, NotLive)


def test_a_patch_of_unknown_time_is_not_fresh() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=ON, v1=OFF)

    assert isinstance(judge(taken(step_entered_at=None), view, now=START), NotLive)


# What is proven: not live


@pytest.mark.parametrize("status", [SUCCEEDED, FAILED, EXPIRED])
def test_a_value_that_is_stored_without_a_release_is_stored_not_live(
    status: ReleaseStatus,
) -> None:
    view = shows(SUCCEEDED, status, current=1, config_vars=ON, v1=OFF, v2=OFF)

    assert judge(taken(), view, now=LATE) == NotLive(
        effect=Effect.STORED_NOT_LIVE,
        reason="Heroku holds the value but made no release for it; "
        "it goes live with the target's next release, whoever makes it "
        "(heroku releases:retry, or a deployment).",
    )


@pytest.mark.parametrize("status", [SUCCEEDED, FAILED, EXPIRED])
def test_a_value_that_nothing_holds_any_more_was_changed_outside_hoist(
    status: ReleaseStatus,
) -> None:
    view = shows(SUCCEEDED, status, current=1, config_vars=OFF, v1=OFF, v2=OFF)

    assert judge(taken(), view, now=LATE) == NotLive(
        effect=Effect.NONE,
        reason="Heroku took the value, but no release carries it and the config var holds "
        "something else now: it was changed outside Hoist.",
    )


def test_a_release_far_beyond_the_baseline_is_not_taken_for_our_own() -> None:
    beyond = OURS_IS_AMONG + 2
    statuses = [SUCCEEDED, *[FAILED] * (beyond - 1)]
    read = {f"v{version}": OFF for version in range(1, beyond)}
    view = shows(*statuses, current=1, **read, **{f"v{beyond}": ON})

    verdict = judge(taken(baseline=1), view, now=LATE)

    assert isinstance(verdict, NotLive)
    assert verdict.release is None


def test_the_last_candidate_is_taken_for_our_own() -> None:
    last = OURS_IS_AMONG + 1
    statuses = [SUCCEEDED, *[FAILED] * (last - 1)]
    read = {f"v{version}": OFF for version in range(1, last)}
    view = shows(*statuses, current=1, **read, **{f"v{last}": ON})

    verdict = judge(taken(baseline=1), view, now=LATE)

    assert isinstance(verdict, NotLive)
    assert verdict.release == release(view, last)


@pytest.mark.parametrize(
    ("config_vars", "effect"),
    [(ON, Effect.STORED_NOT_LIVE), (OFF, Effect.NONE)],
)
@pytest.mark.parametrize("status", [SUCCEEDED, FAILED, EXPIRED])
def test_the_effect_of_a_release_that_has_ended_is_what_heroku_stores(
    status: ReleaseStatus,
    config_vars: Mapping[str, str],
    effect: Effect,
) -> None:
    view = shows(
        SUCCEEDED,
        status,
        SUCCEEDED,
        current=3,
        config_vars=config_vars,
        v2=ON,
        v3=OFF,
    )

    verdict = judge(released(2), view, now=START)

    assert isinstance(verdict, NotLive)
    assert (verdict.effect, verdict.release) == (effect, release(view, 2))


@pytest.mark.parametrize("status", [FAILED, EXPIRED])
def test_a_running_release_that_does_not_carry_the_value_is_not_waited_for(
    status: ReleaseStatus,
) -> None:
    view = shows(SUCCEEDED, status, PENDING, current=1, v1=OFF, v3=OFF)

    assert isinstance(judge(released(2), view, now=LATE), NotLive)


def test_a_release_that_was_replaced_says_so() -> None:
    view = shows(SUCCEEDED, SUCCEEDED, SUCCEEDED, current=3, v2=ON, v3=OFF)

    assert reason(released(2), view) == (
        "Release v2 succeeded, and was then replaced from outside Hoist. "
        "The current release v3 does not carry it. The config var does not hold the value."
    )


@pytest.mark.parametrize(
    ("config_vars", "effect", "kept"),
    [
        (ON, Effect.STORED_NOT_LIVE, "Heroku holds the value: it would go live with the target's"),
        (OFF, Effect.NONE, "The config var does not hold the value."),
    ],
)
def test_a_release_that_an_older_one_came_after_says_so(
    config_vars: Mapping[str, str],
    effect: Effect,
    kept: str,
) -> None:
    view = shows(SUCCEEDED, SUCCEEDED, SUCCEEDED, current=2, config_vars=config_vars, v2=OFF, v3=ON)

    verdict = judge(ended(3), view, now=LATE)

    assert isinstance(verdict, NotLive)
    assert (verdict.effect, verdict.release) == (effect, release(view, 3))
    assert verdict.reason.startswith(
        "Release v3 succeeded, but an older release became the current one after it. "
        f"The current release v2 does not carry it. {kept}"
    )


def test_a_release_that_failed_while_the_value_is_live_for_the_last_time_says_so() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=OFF, v1=ON, v2=ON)

    assert reason(released(2), view) == (
        "Release v2 failed (its output at Heroku says why). "
        "The current release v1 still carries it, until it is replaced. "
        "The config var does not hold the value."
    )


def test_a_release_that_failed_says_so() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=ON, v1=OFF, v2=ON)

    assert reason(released(2), view) == (
        "Release v2 failed (its output at Heroku says why). "
        "The current release v1 does not carry it. "
        "Heroku holds the value: it would go live with the target's next release."
    )


def test_a_release_that_expired_says_so() -> None:
    view = shows(SUCCEEDED, EXPIRED, current=1, v1=OFF, v2=ON)

    assert reason(released(2), view) == (
        "Release v2 carried the value but has expired. "
        "The current release v1 does not carry it. The config var does not hold the value."
    )


def test_where_no_release_is_current_none_is_spoken_of() -> None:
    view = shows(FAILED, FAILED, v2=ON)

    assert reason(released(2), view) == (
        "Release v2 failed (its output at Heroku says why). The config var does not hold the value."
    )
