"""Staging runs preflight; with a time, and a code, the promotion begins by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.drift import Declared
from chalicelib.domain.errors import AccessDenied, Code, Refused, Rejected, TryAgain, Unavailable
from chalicelib.domain.preflight import Outcome
from chalicelib.domain.promotion import State
from chalicelib.domain.release import ReleaseStatus
from chalicelib.domain.target import Target
from chalicelib.usecases.preflight import ShowPreflight
from chalicelib.usecases.stage import FARTHEST
from tests.factories import CONFIG_VAR, FLAG, KIM, PAT, SAM, TARGET, VERA
from tests.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WRONG = "000000"


def refusal(world: World, **kwargs: object) -> Rejected:
    """Why it may not be staged like this; nothing is written, and no code spent or counted."""
    promotion = kwargs.pop("promotion", None) or world.mark()
    promotions, operators = dict(world.store.promotions), dict(world.operators.operators)
    with pytest.raises(Rejected) as rejected:
        world.stage(promotion, **kwargs)  # type: ignore[arg-type]
    assert world.store.promotions == promotions
    assert world.operators.operators == operators
    return rejected.value


class TestWithoutATime:
    def test_it_needs_no_code_and_waits_for_its_promote(self, world: World) -> None:
        promotion = world.mark()

        staged = world.stage(promotion).promotion

        assert (staged.state, staged.not_before, staged.promoted_by) == (State.STAGED, None, None)
        assert not staged.scheduled
        world.clock.advance(DAY)
        assert world.watchdog().begun == []

    def test_it_answers_with_what_preflight_saw(self, world: World) -> None:
        staged = world.stage(world.mark())

        assert {check.outcome for check in staged.checks} == {Outcome.PASS}
        assert "token_scope" in {check.name for check in staged.checks}

    def test_the_audit_says_who_staged_what(self, world: World) -> None:
        promotion = world.mark()

        world.stage(promotion, caller=PAT)

        entry = world.store.trail(promotion.id)[-1].entry
        assert (entry.actor, entry.action) == ("pat", "stage")
        assert entry.facts == {"value": "true", "not_before": None, "acknowledged": []}
        assert world.verified(promotion)

    def test_staging_again_changes_nothing(self, world: World) -> None:
        promotion = world.mark()
        once = world.stage(promotion).promotion
        world.apps.failures["releases"] = [TryAgain()]

        twice = world.stage(promotion, caller=SAM)

        assert (twice.promotion, list(twice.checks)) == (once, [])

    def test_approvals_stay(self, world: World) -> None:
        promotion = world.mark()
        world.approve(promotion)

        staged = world.stage(promotion).promotion

        assert staged.approvers == {"pat"}

    def test_when_it_expires_stays(self, world: World) -> None:
        promotion = world.mark()
        world.clock.advance(DAY)

        assert world.stage(promotion).promotion.expires_at == promotion.expires_at


class TestWithATime:
    def test_it_needs_a_code(self, world: World) -> None:
        later = world.clock.now() + HOUR

        assert refusal(world, not_before=later, code=None).code is Code.TOTP_REQUIRED

    def test_a_wrong_code_is_counted_and_stages_nothing(self, world: World) -> None:
        promotion = world.mark()
        later = world.clock.now() + HOUR

        with pytest.raises(Rejected) as rejected:
            world.stage(promotion, not_before=later, code=WRONG)

        assert rejected.value.code is Code.TOTP_INVALID
        assert world.operators.operators["kim"].failures == 1
        assert world.now(promotion) == promotion

    def test_its_code_is_spent(self, world: World) -> None:
        code = world.code
        world.stage(world.mark(), not_before=world.clock.now() + HOUR)
        other = world.mark("another")

        with pytest.raises(Rejected) as rejected:
            world.accept(other, code=code)

        assert rejected.value.code is Code.TOTP_REUSED

    def test_it_begins_by_itself_on_the_word_of_whoever_gave_the_code(self, world: World) -> None:
        promotion = world.mark()
        later = world.clock.now() + HOUR

        staged = world.stage(promotion, caller=PAT, not_before=later).promotion

        assert (staged.state, staged.not_before, staged.promoted_by) == (
            State.STAGED,
            later,
            "pat",
        )
        assert staged.scheduled

    def test_the_audit_says_what_the_code_authorised(self, world: World) -> None:
        promotion = world.mark()
        later = world.clock.now() + HOUR

        world.stage(promotion, not_before=later)

        facts = world.store.trail(promotion.id)[-1].entry.facts
        assert facts["value"] == "true"
        assert facts["not_before"] == "2026-05-09T05:28:00.000000Z"
        assert facts["totp_timecode"] > 0

    def test_it_does_not_expire_within_a_day_of_its_time(self, world: World) -> None:
        promotion = world.mark()
        later = world.clock.now() + 10 * DAY

        staged = world.stage(promotion, not_before=later).promotion

        assert staged.expires_at == later + DAY

    def test_a_near_time_does_not_make_it_expire_sooner(self, world: World) -> None:
        promotion = world.mark()

        staged = world.stage(promotion, not_before=world.clock.now() + HOUR).promotion

        assert staged.expires_at == promotion.expires_at

    def test_somebody_is_warned_anew_where_it_expires_later_than_was_said(
        self,
        world: World,
    ) -> None:
        promotion = world.mark()
        world.clock.advance(6 * DAY + HOUR)
        assert world.watchdog().warned == [promotion.id]
        world.stage(promotion, not_before=world.clock.now() + DAY)
        world.stage(promotion)
        world.clock.advance(DAY + HOUR)

        assert world.watchdog().warned == [promotion.id]

    @pytest.mark.parametrize("early", [timedelta(0), -HOUR])
    def test_a_time_that_is_past_is_refused(self, world: World, early: timedelta) -> None:
        refused = refusal(world, not_before=world.clock.now() + early, code=WRONG)

        assert refused.code is Code.INVALID_REQUEST
        (error,) = refused.errors
        assert error.field == "not_before"
        assert "in the future" in error.detail

    def test_a_time_a_month_off_is_taken_and_none_beyond(self, world: World) -> None:
        farthest = world.clock.now() + FARTHEST

        refused = refusal(world, not_before=farthest + HOUR, code=WRONG)

        assert refused.code is Code.INVALID_REQUEST
        assert refused.errors[0].detail == "must be at most 30 days off"
        assert world.stage(world.mark("another"), not_before=farthest).promotion.scheduled

    def test_the_same_time_again_is_answered_without_a_code(self, world: World) -> None:
        promotion = world.mark()
        later = world.clock.now() + HOUR
        once = world.stage(promotion, not_before=later).promotion

        twice = world.stage(promotion, not_before=later, code=None).promotion

        assert twice == once

    def test_also_when_that_time_has_come_meanwhile(self, world: World) -> None:
        promotion = world.mark()
        soon = world.clock.now() + timedelta(seconds=10)
        once = world.stage(promotion, not_before=soon).promotion

        twice = world.stage(promotion, not_before=soon, code=None).promotion

        assert twice == once

    def test_another_time_needs_another_code_and_the_last_word_counts(self, world: World) -> None:
        promotion = world.mark()
        later = world.clock.now() + HOUR
        world.stage(promotion, not_before=later)
        assert refusal(world, promotion=promotion, not_before=later + HOUR, code=None).code is (
            Code.TOTP_REQUIRED
        )

        restaged = world.stage(promotion, caller=SAM, not_before=later + HOUR).promotion

        assert (restaged.not_before, restaged.promoted_by) == (later + HOUR, "sam")

    def test_staged_anew_without_a_time_it_no_longer_begins_by_itself(self, world: World) -> None:
        promotion = world.mark()
        world.stage(promotion, not_before=world.clock.now() + HOUR)

        restaged = world.stage(promotion, caller=PAT).promotion

        assert not restaged.scheduled
        assert restaged.not_before is None
        world.clock.advance(2 * HOUR)
        assert world.watchdog().begun == []

    @pytest.mark.parametrize("hours", [1, None])
    def test_another_time_takes_its_approvals_away(self, world: World, hours: int | None) -> None:
        promotion = world.mark()
        first, second = world.clock.now() + 2 * HOUR, world.clock.now() + HOUR
        world.stage(promotion, not_before=first)
        world.approve(promotion, SAM)
        world.approve(promotion, PAT)

        restaged = world.stage(promotion, not_before=second if hours else None).promotion

        assert restaged.approvals == ()
        facts = world.store.trail(promotion.id)[-1].entry.facts
        assert facts["approvals_reset"] == ["pat", "sam"]

    def test_what_was_approved_without_a_time_was_not_approved_for_one(self, world: World) -> None:
        promotion = world.mark()
        world.approve(promotion)

        staged = world.stage(promotion, not_before=world.clock.now() + HOUR).promotion

        assert staged.approvals == ()

    def test_where_nobody_had_approved_nothing_is_said_of_it(self, world: World) -> None:
        promotion = world.mark()
        world.stage(promotion, not_before=world.clock.now() + HOUR)

        assert "approvals_reset" not in world.store.trail(promotion.id)[-1].entry.facts

    def test_what_held_it_back_is_forgotten(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = world.mark()
        world.stage(promotion, not_before=world.clock.now() + HOUR)
        world.clock.advance(HOUR)
        world.watchdog()
        assert world.now(promotion).held_by == "approvals"

        assert world.stage(promotion).promotion.held_by is None


class TestWhoAndWhen:
    def test_a_viewer_may_not(self, world: World) -> None:
        assert refusal(world, caller=VERA).code is Code.ROLE_INSUFFICIENT

    def test_an_unknown_promotion_is_not_found(self, world: World) -> None:
        stranger = replace(world.mark(), id="prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1")

        assert refusal(world, promotion=stranger).code is Code.NOT_FOUND

    @pytest.mark.parametrize("hours", [1, None])
    def test_what_has_begun_cannot_be_staged(self, world: World, hours: int | None) -> None:
        promotion = world.promoted()
        time = world.clock.now() + HOUR if hours else None

        refused = refusal(world, promotion=promotion, not_before=time, code=WRONG)

        assert refused.code is Code.STATE_FORBIDS

    @pytest.mark.parametrize("hours", [1, None])
    def test_a_stale_version_is_refused_before_a_code_is_looked_at(
        self,
        world: World,
        hours: int | None,
    ) -> None:
        time = world.clock.now() + HOUR if hours else None

        refused = refusal(world, not_before=time, if_version=7, code=WRONG)

        assert refused.code is Code.VERSION_STALE

    @pytest.mark.parametrize("hours", [1, None])
    def test_a_rivals_write_between_reading_and_writing_is_read_and_counts(
        self,
        world: World,
        hours: int | None,
    ) -> None:
        promotion = world.mark()
        commit = world.store.commit

        def commit_after_the_rival(*args: object, **kwargs: object) -> None:
            world.store.commit = commit  # type: ignore[method-assign]
            world.approve(promotion)
            world.clock.advance(timedelta(seconds=-30))
            commit(*args, **kwargs)  # type: ignore[arg-type]

        world.store.commit = commit_after_the_rival  # type: ignore[method-assign]
        time = world.clock.now() + HOUR if hours else None

        staged = world.stage(promotion, not_before=time).promotion

        assert staged.version == promotion.version + 2
        # Approved as it was then, without a time.
        assert staged.approvers == (set() if hours else {"pat"})
        assert world.verified(promotion)


class TestPreflight:
    def test_a_check_that_blocks_refuses_it_and_says_what_was_seen(self, world: World) -> None:
        promotion = world.mark()
        world.policy(flag_patterns=("api_*",))
        world.apps.scopes_said = frozenset({"read-protected"})
        later = world.clock.now() + HOUR

        refused = refusal(world, promotion=promotion, not_before=later, code=WRONG)

        assert refused.code is Code.PREFLIGHT_BLOCKS
        assert refused.detail == (
            f"{TARGET} takes only api_*; {FLAG} is none of these. Nothing was changed."
        )
        assert refused.conflict is not None
        checks = refused.conflict["checks"]
        assert isinstance(checks, list)
        assert [check["name"] for check in checks] == ["flag_allowed", "token_scope"]
        assert checks[0] == {
            "id": "flag_allowed",
            "name": "flag_allowed",
            "outcome": "block",
            "seen": f"{TARGET} takes only api_*; {FLAG} is none of these.",
        }

    def test_a_block_cannot_be_acknowledged(self, world: World) -> None:
        promotion = world.mark()
        world.policy(flag_patterns=("api_*",))

        refused = refusal(world, promotion=promotion, acknowledge=frozenset({"flag_allowed"}))

        assert refused.code is Code.PREFLIGHT_BLOCKS

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (TryAgain("503 of HTML"), "it did not answer in time, or not usefully."),
            (Unavailable("the secret"), "it did not answer in time, or not usefully."),
            (AccessDenied("401 unauthorized"), "it refuses Hoist's token or account."),
            (Refused("Heroku answered 404 not_found."), "Heroku answered 404 not_found."),
        ],
    )
    @pytest.mark.parametrize("call", ["releases", "config", "release_config_vars"])
    def test_where_heroku_cannot_be_read_that_blocks_and_is_no_error(
        self,
        world: World,
        call: str,
        error: Exception,
        said: str,
    ) -> None:
        world.apps.failures[call] = [error]

        refused = refusal(world)

        assert refused.code is Code.PREFLIGHT_BLOCKS
        assert refused.detail.startswith(f"Heroku could not be read: {said}")

    def test_a_warning_has_to_be_acknowledged_by_its_id(self, world: World) -> None:
        world.apps.foreign_write(**{CONFIG_VAR: "true"})
        promotion = world.mark()
        later = world.clock.now() + HOUR

        refused = refusal(world, promotion=promotion, not_before=later, code=WRONG)

        assert refused.code is Code.WARNINGS_UNACKNOWLEDGED
        assert refused.detail == (
            "Release v2 carries the value already: no PATCH is needed, and nothing changes. "
            "Nothing was changed. If that is fine, send the ids of these warnings in "
            "acknowledge: no_op:v2."
        )
        assert refused.conflict is not None
        checks = refused.conflict["checks"]
        assert isinstance(checks, list)
        assert [check["id"] for check in checks] == ["no_op:v2"]

    def test_an_acknowledged_warning_is_in_the_audit_and_what_was_not_seen_is_not(
        self,
        world: World,
    ) -> None:
        world.apps.foreign_write(**{CONFIG_VAR: "true"})
        promotion = world.mark()

        world.stage(promotion, acknowledge=frozenset({"no_op:v2", "freeze:of-long-ago"}))

        facts = world.store.trail(promotion.id)[-1].entry.facts
        assert facts["acknowledged"] == ["no_op:v2"]

    def test_all_warnings_have_to_be_acknowledged(self, world: World) -> None:
        world.apps.foreign_write(**{CONFIG_VAR: "true"})
        world.apps.left = 7

        refused = refusal(world, acknowledge=frozenset({"no_op:v2"}))

        assert refused.code is Code.WARNINGS_UNACKNOWLEDGED
        assert refused.detail.endswith("in acknowledge: rate_budget.")

    def test_a_warning_about_another_release_is_another_warning(self, world: World) -> None:
        world.apps.phase = None
        world.apps.release("Deploy 1a2b3c4")
        promotion = world.mark()
        known = frozenset({"foreign_release:v2"})
        world.apps.end_release(2, ReleaseStatus.SUCCEEDED)
        world.apps.release("Deploy 5d6e7f8")

        refused = refusal(world, promotion=promotion, acknowledge=known)

        assert "foreign_release:v3" in refused.detail
        world.stage(promotion, acknowledge=frozenset({"foreign_release:v3"}))
        assert world.now(promotion).state is State.STAGED

    def test_a_freeze_at_its_time_warns_and_one_that_is_over_by_then_does_not(
        self,
        world: World,
    ) -> None:
        now = world.clock.now()
        world.freeze(ends_at=now + 2 * HOUR)

        during = refusal(world, not_before=now + HOUR, promotion=world.mark())
        after = world.stage(world.mark("another"), not_before=now + 2 * HOUR).promotion

        assert during.detail.endswith("acknowledge: freeze:year-end.")
        assert after.scheduled

    def test_a_freeze_now_warns_whoever_stages_it_without_a_time(self, world: World) -> None:
        promotion = world.mark()
        world.stage(promotion, not_before=world.clock.now() + DAY)
        world.freeze(ends_at=world.clock.now() + HOUR)

        refused = refusal(world, promotion=promotion)

        assert refused.code is Code.WARNINGS_UNACKNOWLEDGED

    def test_our_own_release_that_runs_is_no_foreign_one(self, world: World) -> None:
        world.apps.phase = None
        world.work(world.promoted("another"))

        checks = {check.name: check for check in world.stage(world.mark()).checks}

        assert checks["foreign_release"].outcome is Outcome.PASS
        assert "shared with up to 1 more" in checks["restarts"].seen

    def test_a_flag_that_was_changed_outside_hoist_since_warns(self, world: World) -> None:
        deployed = world.promoted()
        world.work(deployed)
        world.apps.foreign_write(**{CONFIG_VAR: "maybe"})

        refused = refusal(world, promotion=world.mark())

        assert refused.detail.endswith(f"acknowledge: drift:{deployed.id}@v3.")

    def test_the_value_has_to_be_deployed_at_the_staging_app(self, world: World) -> None:
        staging = "raxx-console-staging"
        world.targets.put(Target(app=staging, version=1))
        world.policy(staging_app=staging)
        promotion = world.mark()
        refused = refusal(world, promotion=promotion)
        there = Declared(flag=FLAG, value="true", promotion_id="prm_at_staging")
        world.store.declared[staging] = {FLAG: there}

        assert refused.code is Code.PREFLIGHT_BLOCKS
        assert world.stage(promotion).promotion.state is State.STAGED


class TestShowPreflight:
    def test_a_viewer_sees_every_check_and_nothing_changes(self, world: World) -> None:
        world.apps.foreign_write(**{CONFIG_VAR: "true"})
        promotion = world.mark()
        show = ShowPreflight(store=world.store, preflight=world.preflight)

        found = show(promotion.id, caller=VERA)

        assert found.promotion == promotion
        assert {c.id for c in found.checks if c.outcome is Outcome.WARN} == {"no_op:v2"}
        assert world.now(promotion) == promotion

    def test_a_schedule_is_checked_as_of_its_time(self, world: World) -> None:
        promotion = world.mark()
        later = world.clock.now() + 2 * HOUR
        world.stage(promotion, not_before=later)
        world.freeze(starts_at=later - HOUR, ends_at=later + HOUR)
        show = ShowPreflight(store=world.store, preflight=world.preflight)

        found = show(promotion.id, caller=VERA)

        assert {c.id for c in found.checks if c.outcome is Outcome.WARN} == {"freeze:year-end"}

    def test_a_schedule_whose_time_is_past_is_checked_as_of_now(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = world.mark()
        later = world.clock.now() + HOUR
        world.stage(promotion, not_before=later)
        world.freeze(starts_at=later, ends_at=later + HOUR)
        world.clock.advance(3 * HOUR)
        show = ShowPreflight(store=world.store, preflight=world.preflight)

        found = show(promotion.id, caller=VERA)

        assert {c.outcome for c in found.checks} == {Outcome.PASS}

    def test_what_deploys_is_checked_too_and_shares_its_release_with_others_only(
        self,
        world: World,
    ) -> None:
        promotion = world.promoted()
        show = ShowPreflight(store=world.store, preflight=world.preflight)

        found = show(promotion.id, caller=VERA)

        restarts = next(check for check in found.checks if check.name == "restarts")
        assert restarts.seen == "One release: it restarts every dyno of the app once."

    def test_also_while_its_own_release_runs(self, world: World) -> None:
        world.apps.phase = None
        promotion = world.promoted()
        world.work(promotion)
        show = ShowPreflight(store=world.store, preflight=world.preflight)

        found = show(promotion.id, caller=VERA)

        assert "config_size" in {check.name for check in found.checks}
        assert {check.outcome for check in found.checks} == {Outcome.PASS}

    def test_of_what_has_settled_nothing_is_checked(self, world: World) -> None:
        promotion = world.promoted()
        world.work(promotion)
        world.apps.failures["releases"] = [ZeroDivisionError()]
        show = ShowPreflight(store=world.store, preflight=world.preflight)

        assert show(promotion.id, caller=VERA).checks == ()

    def test_an_unknown_promotion_is_not_found(self, world: World) -> None:
        show = ShowPreflight(store=world.store, preflight=world.preflight)

        with pytest.raises(Rejected) as rejected:
            show("prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1", caller=KIM)

        assert rejected.value.code is Code.NOT_FOUND
