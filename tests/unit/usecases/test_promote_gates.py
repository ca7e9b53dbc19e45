"""A promote waits for approvals and its stage; a freeze holds it; breaking the glass does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.lease import Waiting
from chalicelib.domain.notice import Notice, notice_of
from chalicelib.domain.promotion import EXPIRES_AFTER, Promotion, Rung, State, Step
from tests.factories import KIM, PAT, SAM, TARGET, VERA
from tests.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WRONG = "000000"
WHY = "turns the broken import off"


def refusal(world: World, promotion: Promotion, **kwargs: object) -> Rejected:
    """Why it may not be promoted like this; nothing is written, and no code spent or counted."""
    promotions, operators = dict(world.store.promotions), dict(world.operators.operators)
    with pytest.raises(Rejected) as rejected:
        world.accept(promotion, **({"code": WRONG} | kwargs))  # type: ignore[arg-type]
    assert world.store.promotions == promotions
    assert world.operators.operators == operators
    assert world.wakes.sent == []
    return rejected.value


def notices(world: World, promotion: Promotion) -> list[Notice]:
    told = (notice_of(stored.entry) for stored in world.store.trail(promotion.id))
    return [notice for notice in told if notice]


class TestApprovals:
    def test_without_them_it_is_refused_before_a_code_is_looked_at(self, world: World) -> None:
        world.policy(min_approvals=2)
        promotion = world.mark()
        world.approve(promotion)

        refused = refusal(world, promotion)

        assert refused.code is Code.APPROVALS_MISSING
        assert refused.conflict == {"approvals": ["pat"], "missing": 1}

    def test_with_them_it_goes(self, world: World) -> None:
        world.policy(min_approvals=2)
        promotion = world.mark()
        world.approve(promotion, PAT)
        world.approve(promotion, SAM)

        accepted = world.accept(promotion)

        assert accepted.promotion.state is State.DEPLOYING
        assert accepted.promotion.approvers == {"pat", "sam"}

    def test_an_approver_may_promote_it(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = world.mark()
        world.approve(promotion, PAT)

        assert world.accept(promotion, PAT).promotion.promoted_by == "pat"

    def test_those_of_another_time_do_not_count(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = world.mark()
        world.stage(promotion, not_before=world.clock.now() + HOUR)
        world.approve(promotion)
        world.stage(promotion)

        assert refusal(world, promotion).code is Code.APPROVALS_MISSING

    def test_those_of_a_later_time_do_not_count_for_now(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = world.mark()
        world.stage(promotion, not_before=world.clock.now() + HOUR)
        world.approve(promotion)

        assert refusal(world, promotion).code is Code.APPROVALS_MISSING

    def test_those_of_a_time_that_has_come_count(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = world.mark()
        world.stage(promotion, not_before=world.clock.now() + HOUR)
        world.approve(promotion)
        world.clock.advance(HOUR)

        assert world.accept(promotion).promotion.state is State.DEPLOYING

    def test_the_policy_counts_as_it_is_now(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = world.mark()
        world.policy()

        assert world.accept(promotion).promotion.state is State.DEPLOYING


class TestStageFirst:
    def test_what_is_not_staged_is_refused_before_a_code_is_looked_at(self, world: World) -> None:
        world.policy(stage_first=True)

        assert refusal(world, world.mark()).code is Code.STAGE_FIRST

    def test_what_is_staged_goes(self, world: World) -> None:
        world.policy(stage_first=True)
        promotion = world.mark()
        world.stage(promotion)

        assert world.accept(promotion).promotion.state is State.DEPLOYING

    def test_a_freeze_is_no_way_around_it(self, world: World) -> None:
        world.policy(stage_first=True)
        world.freeze()

        assert refusal(world, world.mark()).code is Code.STAGE_FIRST


class TestFreeze:
    def test_during_one_it_is_accepted_and_held_back(self, world: World) -> None:
        now = world.clock.now()
        world.freeze(ends_at=now + HOUR)
        promotion = world.mark()

        accepted = world.accept(promotion, PAT)

        held = world.now(promotion)
        assert accepted.promotion == held
        assert (held.state, held.step, held.not_before, held.held_by, held.promoted_by) == (
            State.STAGED,
            None,
            now,
            "freeze",
            "pat",
        )
        assert held.promoted_at is None
        assert (accepted.woken, accepted.replayed) == (False, False)
        assert world.wakes.sent == []

    def test_its_code_is_spent_and_the_audit_says_what_held_it_and_until_when(
        self,
        world: World,
    ) -> None:
        world.freeze(ends_at=world.clock.now() + HOUR)
        promotion = world.mark()

        world.accept(promotion)

        entry = world.store.trail(promotion.id)[-1].entry
        assert (entry.action, entry.to_state) == ("promote", "staged")
        assert entry.facts["totp_timecode"] == world.operators.operators["kim"].last_timecode
        assert entry.facts["held_by"] == "year-end"
        assert entry.facts["until"] == "2026-05-09T05:28:00.000000Z"
        assert world.verified(promotion)

    def test_a_freeze_without_an_end_is_said_to_have_none(self, world: World) -> None:
        world.freeze()
        promotion = world.mark()

        world.accept(promotion)

        assert world.store.trail(promotion.id)[-1].entry.facts["until"] is None

    def test_a_wrong_code_is_counted_though_a_freeze_holds(self, world: World) -> None:
        world.freeze()
        promotion = world.mark()

        with pytest.raises(Rejected) as rejected:
            world.accept(promotion, code=WRONG)

        assert rejected.value.code is Code.TOTP_INVALID
        assert world.operators.operators["kim"].failures == 1

    def test_nobody_is_alerted_by_it(self, world: World) -> None:
        world.freeze()
        promotion = world.mark()
        world.accept(promotion)

        assert notices(world, promotion) == []

    def test_a_freeze_of_another_target_holds_nothing_back(self, world: World) -> None:
        world.targets.put(replace(world.targets.targets[TARGET], app="another-app"))
        world.freeze(target="another-app")

        assert world.promoted().state is State.DEPLOYING

    def test_it_lasts_a_day_longer_than_the_freeze(self, world: World) -> None:
        opens = world.clock.now() + 20 * DAY
        world.freeze(ends_at=opens)

        assert world.promoted().expires_at == opens + DAY

    def test_a_short_freeze_does_not_make_it_expire_sooner(self, world: World) -> None:
        world.freeze(ends_at=world.clock.now() + HOUR)
        promotion = world.mark()

        assert world.accept(promotion).promotion.expires_at == promotion.expires_at

    def test_where_no_end_is_in_sight_it_lasts_for_a_week_more(self, world: World) -> None:
        world.freeze()
        promotion = world.mark()
        world.clock.advance(EXPIRES_AFTER - HOUR)
        now = world.clock.now()

        assert world.accept(promotion).promotion.expires_at == now + EXPIRES_AFTER

    def test_it_can_be_cancelled(self, world: World) -> None:
        world.freeze()
        promotion = world.promoted()
        world.cancel_it(promotion.id, caller=PAT, if_version=None, reason=None)
        world.lift()

        assert world.watchdog().begun == []
        assert world.now(promotion).state is State.CANCELLED

    def test_staged_anew_without_a_time_it_waits_for_its_promote_again(self, world: World) -> None:
        world.freeze()
        promotion = world.promoted()
        world.stage(promotion, acknowledge=frozenset({"freeze:year-end"}))
        world.lift()

        assert world.watchdog().begun == []
        assert not world.now(promotion).scheduled

    def test_what_is_deploying_already_goes_on(self, world: World) -> None:
        promotion = world.promoted()
        world.freeze()

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED

    def test_promoted_again_it_is_held_on_the_word_of_whoever_came_last(self, world: World) -> None:
        world.freeze()
        promotion = world.promoted()

        again = world.accept(promotion, PAT).promotion

        assert (again.state, again.promoted_by, again.held_by) == (State.STAGED, "pat", "freeze")

    def test_what_it_waits_for_is_said(self, world: World) -> None:
        world.freeze()
        promotion = world.promoted()

        seen = world.show_it(promotion.id, caller=VERA)

        assert seen.waiting_on is not None
        assert seen.waiting_on.kind is Waiting.FREEZE
        assert seen.waiting_on.text.startswith("Held back by the freeze year-end")


class TestBreakGlass:
    def test_it_goes_over_missing_approvals_a_missing_stage_and_a_freeze(
        self,
        world: World,
    ) -> None:
        world.policy(min_approvals=2, stage_first=True)
        world.freeze()
        promotion = world.mark()

        accepted = world.accept(promotion, break_glass=WHY)

        assert (accepted.promotion.state, accepted.promotion.step) == (
            State.DEPLOYING,
            Step.QUEUED,
        )
        assert accepted.woken

    def test_people_are_told_at_once_and_loudly(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = world.mark()

        world.accept(promotion, PAT, break_glass=WHY)

        (notice,) = notices(world, promotion)
        assert (notice.rung, notice.resolves, notice.wakes_somebody) == (Rung.WARNING, False, True)
        assert notice.title.startswith("pat broke the glass: ")
        assert notice.text.endswith(f"Reason given: {WHY}")

    def test_the_reason_and_what_was_passed_over_are_in_the_audit(self, world: World) -> None:
        world.policy(min_approvals=2, stage_first=True)
        world.freeze()
        promotion = world.mark()

        world.accept(promotion, break_glass=WHY)

        facts = world.store.trail(promotion.id)[-1].entry.facts
        assert (facts["break_glass"], facts["reason"]) == (True, WHY)
        assert facts["over"] == ["2 missing approvals", "a missing stage", "the freeze year-end"]
        assert "held_by" not in facts

    def test_where_nothing_stood_in_its_way_that_is_told(self, world: World) -> None:
        promotion = world.mark()

        world.accept(promotion, break_glass=WHY)

        (notice,) = notices(world, promotion)
        assert notice.text == f"Nothing stood in its way. Reason given: {WHY}"

    def test_an_ordinary_promote_is_told_to_nobody(self, world: World) -> None:
        promotion = world.promoted()

        assert notices(world, promotion) == []
        assert "break_glass" not in world.store.trail(promotion.id)[-1].entry.facts

    def test_it_needs_a_code_all_the_same(self, world: World) -> None:
        world.policy(min_approvals=1)

        refused = refusal(world, world.mark(), break_glass=WHY, code=None)

        assert refused.code is Code.TOTP_REQUIRED

    def test_a_viewer_may_not(self, world: World) -> None:
        refused = refusal(world, world.mark(), caller=VERA, break_glass=WHY)

        assert refused.code is Code.ROLE_INSUFFICIENT

    def test_what_deploys_already_is_beyond_it(self, world: World) -> None:
        promotion = world.promoted()
        world.wakes.sent.clear()

        assert refusal(world, promotion, break_glass=WHY).code is Code.STATE_FORBIDS

    def test_what_has_settled_is_beyond_it(self, world: World) -> None:
        promotion = world.mark()
        world.cancel_it(promotion.id, caller=KIM, if_version=None, reason=None)

        assert refusal(world, promotion, break_glass=WHY).code is Code.STATE_FORBIDS

    def test_what_a_freeze_holds_back_begins_and_is_held_no_more(self, world: World) -> None:
        world.freeze()
        promotion = world.promoted()

        begun = world.accept(promotion, PAT, break_glass=WHY).promotion

        assert (begun.state, begun.promoted_by, begun.held_by) == (State.DEPLOYING, "pat", None)
        world.work(promotion)
        assert world.now(promotion).state is State.DEPLOYED

    def test_the_policy_on_flags_still_counts(self, world: World) -> None:
        promotion = world.mark()
        world.policy(flag_patterns=("api_*",), min_approvals=1)
        world.accept(promotion, break_glass=WHY)

        world.work(promotion)

        assert world.now(promotion).state is State.FAILED
        assert world.apps.patches == []


class TestReplay:
    def test_it_is_answered_without_a_code_whatever_stands_in_the_way_by_now(
        self,
        world: World,
    ) -> None:
        promotion = world.mark()
        once = world.accept(promotion, key="one").promotion
        world.policy(min_approvals=2, stage_first=True)
        world.freeze()

        again = world.accept(promotion, key="one", code=None)

        assert (again.replayed, again.woken, again.promotion) == (True, False, once)

    def test_also_of_one_that_a_freeze_holds(self, world: World) -> None:
        world.freeze()
        promotion = world.mark()
        once = world.accept(promotion, key="one").promotion

        again = world.accept(promotion, key="one", code=WRONG)

        assert (again.replayed, again.promotion) == (True, once)
        assert world.operators.operators["kim"].failures == 0

    def test_also_of_one_that_has_begun_and_settled_since(self, world: World) -> None:
        world.freeze()
        promotion = world.mark()
        world.accept(promotion, key="one")
        world.lift()
        world.watchdog()
        world.work(promotion)

        again = world.accept(promotion, key="one", code=None)

        assert (again.replayed, again.promotion.state) == (True, State.DEPLOYED)

    def test_also_where_the_version_that_it_names_is_long_past(self, world: World) -> None:
        promotion = world.mark()
        world.accept(promotion, key="one", if_version=promotion.version)

        again = world.accept(promotion, key="one", if_version=promotion.version, code=None)

        assert again.replayed

    def test_the_same_key_of_somebody_else_is_another_request(self, world: World) -> None:
        world.freeze()
        promotion = world.mark()
        world.accept(promotion, key="one")

        again = world.accept(promotion, PAT, key="one")

        assert (again.replayed, again.promotion.promoted_by) == (False, "pat")

    def test_without_a_key_nothing_is_a_replay(self, world: World) -> None:
        world.freeze()
        promotion = world.mark()
        world.accept(promotion)

        assert refusal(world, promotion, code=None).code is Code.TOTP_REQUIRED


def test_a_policy_that_changes_between_reading_and_writing_is_read_anew(world: World) -> None:
    promotion = world.mark()
    commit = world.store.commit

    def commit_after_the_rival(*args: object, **kwargs: object) -> None:
        world.store.commit = commit  # type: ignore[method-assign]
        world.policy(min_approvals=1)
        world.stage(promotion, PAT)
        commit(*args, **kwargs)  # type: ignore[arg-type]

    world.store.commit = commit_after_the_rival  # type: ignore[method-assign]

    with pytest.raises(Rejected) as rejected:
        world.accept(promotion)

    assert rejected.value.code is Code.APPROVALS_MISSING
    assert world.now(promotion).state is State.STAGED
