"""Cancel, show, audit, authorize, targets and the watchdog."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected, Unavailable
from chalicelib.domain.lease import Waiting
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import Effect, Promotion, SettledBy, State
from chalicelib.domain.record import verify_record
from chalicelib.domain.target import Target
from chalicelib.usecases.authorize import Authorize
from chalicelib.usecases.targets import ListTargets, PutTarget
from tests.factories import KIM, SAM, TARGET, VERA, an_operator
from tests.world import World


def cancelled(world: World, promotion: Promotion, caller: Caller = KIM) -> Promotion:
    done = world.cancel_it(promotion.id, caller=caller, if_version=None, reason="not today")
    return done.promotion


class TestCancel:
    def test_a_cancelled_promotion_reached_nothing_and_says_why(self, world: World) -> None:
        after = cancelled(world, world.mark())

        assert (after.state, after.effect, after.settled_by, after.reason) == (
            State.CANCELLED,
            Effect.NONE,
            SettledBy.OPERATOR,
            "not today",
        )

    def test_cancelling_again_changes_nothing(self, world: World) -> None:
        once = cancelled(world, world.mark())

        twice = cancelled(world, once)

        assert twice == once

    def test_what_is_deploying_cannot_be_cancelled(self, world: World) -> None:
        promotion = world.promoted()

        with pytest.raises(Rejected) as rejected:
            cancelled(world, promotion)

        assert rejected.value.code is Code.STATE_FORBIDS
        assert "moves without you" in rejected.value.detail

    def test_a_viewer_may_not_cancel(self, world: World) -> None:
        promotion = world.mark()

        with pytest.raises(Rejected) as rejected:
            cancelled(world, promotion, caller=VERA)

        assert rejected.value.code is Code.ROLE_INSUFFICIENT

    def test_a_cancelled_promotion_makes_room_for_another(self, world: World) -> None:
        cancelled(world, world.mark())

        assert world.mark().state is State.PENDING


class TestShow:
    def test_actions_say_what_this_caller_may_do_now(self, world: World) -> None:
        promotion = world.mark()

        offers = world.show_it(promotion.id, caller=KIM).offers

        assert {offer.action: offer.allowed for offer in offers} == {
            "stage": True,
            "approve": False,
            "promote": True,
            "break_glass": False,
            "cancel": True,
            "ack": False,
            "complete": False,
            "fail": False,
            "retry": False,
            "rollback": False,
        }

    def test_actions_say_why_a_viewer_may_not(self, world: World) -> None:
        promotion = world.mark()

        offers = world.show_it(promotion.id, caller=VERA).offers

        refused = {offer.action: offer.reason for offer in offers}
        for action in ("stage", "approve", "promote", "break_glass", "cancel"):
            assert refused[action] == "You are a viewer; this needs a promoter."

    def test_actions_say_why_the_state_does_not_admit_them(self, world: World) -> None:
        promotion = world.promoted()

        offers = world.show_it(promotion.id, caller=SAM).offers

        refused = {offer.action: offer.reason for offer in offers}
        assert [refused[action] for action in ("ack", "complete", "fail")] == [None, None, None]
        for action in ("stage", "approve", "promote", "cancel", "retry", "rollback"):
            assert refused[action] == "It is deploying already, and moves without you."

    def test_the_escape_hatch_says_who_may_open_it(self, world: World) -> None:
        promotion = world.promoted()

        offers = world.show_it(promotion.id, caller=KIM).offers

        refused = {offer.action: offer.reason for offer in offers}
        assert refused["complete"] == "You are a promoter; this needs a superadmin."
        assert refused["fail"] == "You are a promoter; this needs a superadmin."

    def test_a_deploying_promotion_shows_what_its_target_waits_for(self, world: World) -> None:
        world.apps.phase = None
        promotion = world.promoted()
        world.work(promotion)

        seen = world.show_it(promotion.id, caller=VERA)

        assert seen.waiting_on is not None
        assert seen.waiting_on.kind is Waiting.OWN_RELEASE

    def test_a_promotion_queued_behind_another_names_it(self, world: World) -> None:
        world.apps.phase = None
        first = world.promoted()
        world.work(first)
        second = world.promoted("another")

        seen = world.show_it(second.id, caller=VERA)

        assert seen.waiting_on is not None
        assert first.id in seen.waiting_on.text


class TestAudit:
    def test_an_entry_written_while_reading_does_not_break_the_chain(self, world: World) -> None:
        promotion = world.mark()
        read_trail = world.store.trail

        def trail_after_a_transition(promotion_id: str) -> object:
            world.accept(promotion)
            return read_trail(promotion_id)

        world.store.trail = trail_after_a_transition  # type: ignore[method-assign, assignment]

        trail = world.audit_it(promotion.id, caller=VERA)

        assert trail.verification.verified
        assert len(trail.entries) == 1


class TestAuthorize:
    @pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
    def test_a_token_tells_its_operator(self, world: World, scheme: str) -> None:
        assert Authorize(operators=world.operators)(f"{scheme} kim.secret") == KIM

    @pytest.mark.parametrize(
        "header",
        [
            "",
            "Bearer",
            "Bearer ",
            "Bearer kim",
            "Bearer kim.",
            "Bearer .secret",
            "Bearer kim.wrong",
            "Bearer nobody.secret",
            "Basic kim.secret",
            "kim.secret",
        ],
    )
    def test_anything_else_is_nobody(self, world: World, header: str) -> None:
        assert Authorize(operators=world.operators)(header) is None

    def test_a_disabled_operator_is_nobody(self, world: World) -> None:
        world.operators.put(an_operator(KIM, disabled=True))

        assert Authorize(operators=world.operators)("Bearer kim.secret") is None


class TestTargets:
    def put(self, world: World, caller: Caller = SAM, **kwargs: object) -> Target:
        version = kwargs.pop("if_version", None)
        wanted = Target(app="new-app", **({"max_flags_per_release": 5} | kwargs))  # type: ignore[arg-type]
        put = PutTarget(targets=world.targets, clock=world.clock)
        return put(wanted, caller=caller, if_version=version)  # type: ignore[arg-type]

    def test_a_superadmin_lists_a_target(self, world: World) -> None:
        target = self.put(world)

        assert (target.version, target.max_flags_per_release) == (1, 5)
        assert world.show_target("new-app", caller=VERA).target == target
        apps = [target.app for target in ListTargets(targets=world.targets)(caller=VERA)]
        assert apps == ["new-app", TARGET]

    def test_a_promoter_may_not(self, world: World) -> None:
        with pytest.raises(Rejected) as rejected:
            self.put(world, caller=KIM)

        assert rejected.value.code is Code.ROLE_INSUFFICIENT

    def test_a_policy_that_changed_since_it_was_read_is_not_written_over(
        self,
        world: World,
    ) -> None:
        self.put(world)
        self.put(world, max_flags_per_release=6)

        with pytest.raises(Rejected) as rejected:
            self.put(world, if_version=1)

        assert rejected.value.code is Code.VERSION_STALE
        assert world.targets.targets["new-app"].version == 2

    def test_each_policy_is_in_the_targets_own_audit_trail(self, world: World) -> None:
        self.put(world)
        target = self.put(world, min_approvals=2)

        trail = world.store.trail("target:new-app")

        assert [stored.entry.facts["min_approvals"] for stored in trail] == [0, 2]
        assert verify_record(target, trail).verified

    def test_the_same_policy_again_writes_nothing(self, world: World) -> None:
        self.put(world)

        assert self.put(world).version == 1
        assert len(world.store.trail("target:new-app")) == 1

    def test_an_unlisted_target_is_not_found(self, world: World) -> None:
        with pytest.raises(Rejected) as rejected:
            world.show_target("nobodys", caller=VERA)

        assert rejected.value.code is Code.NOT_FOUND


class TestWatch:
    def test_a_target_that_nobody_works_on_is_woken(self, world: World) -> None:
        world.wakes.failure = Unavailable()
        world.promoted()
        world.wakes.failure = None

        report = world.watchdog()

        assert report.woken == [TARGET]
        assert world.wakes.sent == [(TARGET, None)]

    def test_a_lost_wake_is_made_good_by_the_next_sweep(self, world: World) -> None:
        promotion = world.promoted()
        world.wakes.sent.clear()

        world.watchdog()
        world.work()

        assert world.now(promotion).state is State.DEPLOYED

    def test_a_target_that_is_worked_on_is_left_alone(self, world: World) -> None:
        world.promoted()
        now = world.clock.now()
        world.locks.acquire(TARGET, holder="w", now=now, until=now + timedelta(seconds=6))

        assert world.watchdog().woken == []

    def test_a_target_whose_next_look_is_not_due_is_left_alone(self, world: World) -> None:
        world.apps.phase = None
        report = world.work(world.promoted())
        assert report.look_again is not None

        early = world.watchdog()
        world.clock.advance(report.look_again.after)
        due = world.watchdog()

        assert (early.woken, due.woken) == ([], [TARGET])

    def test_settled_promotions_are_not_woken(self, world: World) -> None:
        world.work(world.promoted())

        report = world.watchdog()

        assert (report.deploying, report.woken) == (0, [])

    def test_a_target_that_cannot_be_woken_does_not_keep_the_others_from_it(
        self,
        world: World,
    ) -> None:
        world.targets.put(Target(app="aaa", version=1))
        world.promoted(target="aaa")
        world.promoted()
        send = world.wakes.send

        def send_all_but_one(target: str, *, promotion_id: str | None = None) -> None:
            if target == "aaa":
                raise Unavailable
            send(target, promotion_id=promotion_id)

        world.wakes.send = send_all_but_one  # type: ignore[method-assign]

        report = world.watchdog()

        assert (report.woken, report.unreached) == ([TARGET], ["aaa"])
