"""What was let go for a time begins at that time, or as soon as nothing holds it back."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from chalicelib.domain.audit import Action
from chalicelib.domain.catalogue import Catalogue, FlagEntry
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.freeze import FreezePlan
from chalicelib.domain.notice import Notice, notice_of
from chalicelib.domain.promotion import EXPIRES_AFTER, Promotion, State, Step
from chalicelib.domain.target import Target
from chalicelib.usecases.watch import LASTS
from tests.factories import FLAG, KIM, PAT, TARGET, an_operator
from tests.fakes import FakeClock, FakeWakes
from tests.world import World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def scheduled(world: World, flag: str = FLAG, after: timedelta = HOUR) -> Promotion:
    """A promotion of kim's that pat lets go after so long from now."""
    time = world.clock.now() + after
    return world.stage(world.mark(flag), PAT, not_before=time).promotion


@dataclass(kw_only=True)
class SlowWakes(FakeWakes):
    """SQS takes as long as a sweep may last."""

    clock: FakeClock

    def send(self, target: str, *, promotion_id: str | None = None) -> None:
        self.clock.advance(LASTS + timedelta(seconds=1))
        super().send(target, promotion_id=promotion_id)


def sweep(world: World, *, lasts: timedelta, every: timedelta = MINUTE) -> list[str]:
    """Sweep for so long; what was held, in order."""
    held = []
    for _ in range(int(lasts / every)):
        world.clock.advance(every)
        held += world.watchdog().held
    return held


def told(world: World, promotion: Promotion) -> list[Notice]:
    found = (notice_of(stored.entry) for stored in world.store.trail(promotion.id))
    return [notice for notice in found if notice]


class TestItsTime:
    def test_it_begins_when_it_comes_and_not_a_moment_before(self, world: World) -> None:
        promotion = scheduled(world)
        assert promotion.not_before is not None
        world.clock.time = promotion.not_before - timedelta(microseconds=1)
        early = world.watchdog()
        world.clock.time = promotion.not_before

        due = world.watchdog()

        assert (early.begun, due.begun) == ([], [promotion.id])
        begun = world.now(promotion)
        assert (begun.state, begun.step) == (State.DEPLOYING, Step.QUEUED)

    def test_what_begins_at_one_target_at_once_shares_a_wake_and_a_release(
        self, world: World
    ) -> None:
        for flag in ("one", "two", "three"):
            scheduled(world, flag)
        world.clock.advance(HOUR)

        report = world.watchdog()
        world.work()

        assert len(report.begun) == 3
        assert world.wakes.sent == [(TARGET, None)]
        assert len(world.apps.patches) == 1

    def test_what_a_sweep_has_no_time_for_begins_with_the_next(self, world: World) -> None:
        names = {"another", TARGET, "third"}
        for name in names:
            world.targets.put(Target(app=name))
            time = world.clock.now() + HOUR
            world.stage(world.mark(target=name), PAT, not_before=time)
        world.clock.advance(HOUR)
        world.wakes = SlowWakes(clock=world.clock)

        first, *others = [world.watchdog() for _ in range(3)]

        assert len(first.begun) == 1
        assert set(first.later) == names - set(first.woken)
        assert [len(report.begun) for report in others] == [1, 1]

    def test_it_is_promoted_by_whoever_gave_the_code(self, world: World) -> None:
        promotion = scheduled(world)
        world.clock.advance(HOUR)

        world.watchdog()

        begun = world.now(promotion)
        assert (begun.created_by, begun.promoted_by) == ("kim", "pat")
        assert (begun.promoted_at, begun.step_entered_at) == (world.clock.now(),) * 2

    def test_the_audit_says_that_the_watchdog_began_it_and_for_which_time(
        self,
        world: World,
    ) -> None:
        promotion = scheduled(world)
        world.clock.advance(HOUR)

        world.watchdog()

        entry = world.store.trail(promotion.id)[-1].entry
        assert (entry.actor, entry.action) == ("watchdog", "promote")
        assert entry.facts == {"value": "true", "not_before": "2026-05-09T05:28:00+00:00"}
        assert world.verified(promotion)
        assert told(world, promotion) == []

    def test_its_target_is_woken_at_once_though_the_index_does_not_show_it_yet(
        self,
        world: World,
    ) -> None:
        promotion = scheduled(world)
        world.store.lagging[promotion.id] = promotion
        world.clock.advance(HOUR)

        assert world.watchdog().woken == [TARGET]
        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED

    def test_where_the_wake_cannot_be_queued_it_has_begun_all_the_same(self, world: World) -> None:
        promotion = scheduled(world)
        world.clock.advance(HOUR)
        world.wakes.failure = Unavailable()

        report = world.watchdog()

        assert report.begun == [promotion.id]
        assert TARGET in report.unreached
        assert world.now(promotion).state is State.DEPLOYING

    def test_a_watchdog_that_was_away_for_some_hours_begins_it_late(self, world: World) -> None:
        promotion = scheduled(world, after=10 * DAY)
        world.clock.advance(10 * DAY + 23 * HOUR)

        assert world.watchdog().begun == [promotion.id]

    def test_one_that_was_away_for_more_than_a_day_lets_it_expire(self, world: World) -> None:
        promotion = scheduled(world, after=10 * DAY)
        world.clock.advance(11 * DAY)

        assert world.watchdog().expired == [promotion.id]

    def test_an_index_that_lags_begins_nothing_that_was_put_off(self, world: World) -> None:
        promotion = scheduled(world)
        seen = world.now(promotion)
        world.stage(promotion, not_before=world.clock.now() + 5 * HOUR)
        world.store.lagging[promotion.id] = seen
        world.clock.advance(2 * HOUR)

        assert world.watchdog().begun == []
        assert world.now(promotion).state is State.STAGED

    def test_nobody_is_warned_that_it_expires_before_its_time_has_come(self, world: World) -> None:
        promotion = scheduled(world, after=10 * DAY)

        sweep(world, lasts=10 * DAY, every=HOUR)

        assert told(world, promotion) == []


class TestApprovals:
    def test_without_them_it_is_held_and_told_once(self, world: World) -> None:
        world.policy(min_approvals=2)
        promotion = scheduled(world)

        held = sweep(world, lasts=3 * HOUR)

        assert held == [promotion.id]
        assert world.now(promotion).held_by == "approvals"
        (notice,) = told(world, promotion)
        assert notice.title.endswith("did not begin at its time")
        assert notice.text.startswith("It lacks 2 approvals. It begins by itself as soon as")

    def test_it_begins_as_soon_as_it_has_them(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = scheduled(world)
        world.clock.advance(2 * HOUR)
        world.watchdog()
        assert told(world, promotion)[0].text.startswith("It lacks 1 approval.")
        # Whoever let it go did not mark it.
        world.approve(promotion, PAT)

        assert world.watchdog().begun == [promotion.id]
        assert world.now(promotion).held_by is None

    def test_with_them_it_is_not_held(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = scheduled(world)
        world.approve(promotion)
        world.clock.advance(HOUR)

        assert world.watchdog().begun == [promotion.id]

    def test_it_expires_without_them(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = scheduled(world, after=10 * DAY)
        sweep(world, lasts=11 * DAY, every=HOUR)

        expired = world.now(promotion)
        assert expired.state is State.EXPIRED
        assert expired.reason == "It was held back by approvals until it expired."

    def test_they_are_asked_for_though_a_freeze_holds_too(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = scheduled(world)
        world.freeze(ends_at=world.clock.now() + 20 * DAY)
        world.clock.advance(HOUR)

        world.watchdog()

        assert world.now(promotion).held_by == "approvals"
        assert world.now(promotion).expires_at == promotion.expires_at


class TestOperator:
    """Whoever let it go has to be somebody who still may."""

    def test_disabled_since_they_begin_nothing_and_that_is_told_once(self, world: World) -> None:
        promotion = scheduled(world)
        world.operators.put(an_operator(PAT, disabled=True))

        held = sweep(world, lasts=3 * HOUR)

        assert held == [promotion.id]
        assert world.now(promotion).held_by == "operator"
        (notice,) = told(world, promotion)
        assert notice.text.startswith("pat, who let it go, may not call any more")

    def test_gone_since_they_begin_nothing(self, world: World) -> None:
        promotion = scheduled(world)
        del world.operators.operators["pat"]
        world.clock.advance(HOUR)

        assert world.watchdog().held == [promotion.id]

    def test_what_a_freeze_held_for_them_does_not_begin_either(self, world: World) -> None:
        world.freeze()
        promotion = world.accept(world.mark(), PAT).promotion
        world.operators.put(an_operator(PAT, disabled=True))
        world.lift()

        assert world.watchdog().held == [promotion.id]

    def test_enabled_again_they_count_again(self, world: World) -> None:
        promotion = scheduled(world)
        world.operators.put(an_operator(PAT, disabled=True))
        sweep(world, lasts=2 * HOUR)
        world.operators.put(an_operator(PAT))

        assert world.watchdog().begun == [promotion.id]

    def test_somebody_else_may_let_it_go_for_them(self, world: World) -> None:
        promotion = scheduled(world)
        world.operators.put(an_operator(PAT, disabled=True))
        sweep(world, lasts=2 * HOUR)

        begun = world.accept(promotion, KIM).promotion

        assert (begun.state, begun.promoted_by, begun.held_by) == (State.DEPLOYING, "kim", None)

    def test_an_author_who_is_disabled_is_another_matter(self, world: World) -> None:
        promotion = scheduled(world)
        world.operators.put(an_operator(KIM, disabled=True))
        world.clock.advance(HOUR)

        assert world.watchdog().begun == [promotion.id]


class TestPolicy:
    def test_a_flag_that_its_catalogue_lost_is_held_until_it_is_back(self, world: World) -> None:
        promotion = scheduled(world)
        world.policy(catalogue="console")
        world.catalogues.catalogues["console"] = Catalogue(id="console")

        held = sweep(world, lasts=2 * HOUR)

        assert held == [promotion.id]
        assert world.now(promotion).held_by == "flag_known"
        (notice,) = told(world, promotion)
        assert notice.text.startswith(f"{FLAG} does not stand in the catalogue console.")
        known = {FLAG: FlagEntry(name=FLAG)}
        world.catalogues.catalogues["console"] = Catalogue(id="console", flags=known)
        assert world.watchdog().begun == [promotion.id]
        assert world.now(promotion).held_by is None

    def test_what_holds_it_is_told_anew_where_that_is_something_else(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = scheduled(world)
        sweep(world, lasts=2 * HOUR)
        world.policy(flag_patterns=("api_*",))

        held = sweep(world, lasts=HOUR)

        assert held == [promotion.id]
        assert world.now(promotion).held_by == "flag_allowed"
        assert len(told(world, promotion)) == 2

    def test_a_freeze_each_night_keeps_it_no_longer_than_its_days(self, world: World) -> None:
        promotion = scheduled(world)
        world.policy(flag_patterns=("api_*",))
        night = world.clock.now() + 12 * HOUR
        world.freeze(starts_at=night, ends_at=night + 8 * HOUR, rrule="FREQ=DAILY")

        held = sweep(world, lasts=9 * DAY, every=HOUR)

        assert held == [promotion.id]
        assert world.now(promotion).state is State.EXPIRED


class TestFreeze:
    def test_what_was_promoted_during_it_begins_when_it_ends(self, world: World) -> None:
        opens = world.clock.now() + 2 * HOUR
        world.freeze(ends_at=opens)
        promotion = world.accept(world.mark(), PAT).promotion
        world.clock.time = opens - timedelta(microseconds=1)
        early = world.watchdog()
        world.clock.time = opens

        due = world.watchdog()

        assert (early.begun, early.held, due.begun) == ([], [], [promotion.id])
        begun = world.now(promotion)
        assert (begun.state, begun.promoted_by, begun.held_by) == (State.DEPLOYING, "pat", None)
        assert told(world, promotion) == []

    @pytest.mark.parametrize("hours", [5, None])
    def test_it_begins_within_a_minute_where_the_freeze_is_lifted(
        self,
        world: World,
        hours: int | None,
    ) -> None:
        world.freeze(ends_at=world.clock.now() + hours * HOUR if hours else None)
        promotion = world.promoted()
        sweep(world, lasts=HOUR)
        world.lift()
        world.clock.advance(MINUTE)

        assert world.watchdog().begun == [promotion.id]

    def test_a_schedule_whose_time_falls_into_it_is_held_and_told_once(self, world: World) -> None:
        promotion = scheduled(world)
        opens = world.clock.now() + 5 * HOUR
        world.freeze(ends_at=opens)

        held = sweep(world, lasts=4 * HOUR)

        assert held == [promotion.id]
        assert world.now(promotion).held_by == "freeze"
        (notice,) = told(world, promotion)
        assert notice.text.startswith('Held back by the freeze year-end ("The books are closed.")')
        world.clock.time = opens
        assert world.watchdog().begun == [promotion.id]

    def test_its_expiry_is_moved_on_once(self, world: World) -> None:
        promotion = scheduled(world)
        opens = world.clock.now() + 20 * DAY
        world.freeze(ends_at=opens)

        held = sweep(world, lasts=19 * DAY, every=HOUR)

        assert held == [promotion.id]
        assert world.now(promotion).expires_at == opens + DAY
        world.clock.time = opens
        assert world.watchdog().begun == [promotion.id]

    def test_a_freeze_that_is_made_longer_moves_it_on_again(self, world: World) -> None:
        opens = world.clock.now() + 20 * DAY
        world.freeze(ends_at=opens)
        promotion = world.promoted()
        world.freeze(ends_at=opens + 20 * DAY)

        held = sweep(world, lasts=39 * DAY, every=HOUR)

        assert held == [promotion.id]
        assert world.now(promotion).expires_at == opens + 21 * DAY
        entry = world.store.trail(promotion.id)[-1].entry
        assert entry.action == Action.HOLD
        assert entry.facts["check"] == "freeze"

    def test_where_no_end_is_in_sight_it_is_moved_on_and_told_every_sixth_day(
        self,
        world: World,
    ) -> None:
        world.freeze()
        promotion = world.promoted()

        held = sweep(world, lasts=25 * DAY, every=HOUR)

        assert held == [promotion.id] * 4
        assert world.now(promotion).expires_at > world.clock.now() + DAY
        world.lift()
        assert world.watchdog().begun == [promotion.id]

    @pytest.mark.parametrize("days", [20, None])
    def test_a_watchdog_that_was_away_lets_nothing_expire_that_could_not_begin(
        self,
        world: World,
        days: int | None,
    ) -> None:
        promotion = scheduled(world)
        world.freeze(ends_at=world.clock.now() + days * DAY if days else None)
        world.clock.advance(19 * DAY)

        report = world.watchdog()

        assert (report.expired, report.held) == ([], [promotion.id])
        assert world.now(promotion).expires_at >= world.clock.now() + 2 * DAY

    def test_promoted_in_the_last_minute_before_it_would_expire_it_begins_after_the_freeze(
        self,
        world: World,
    ) -> None:
        promotion = world.mark()
        world.clock.advance(EXPIRES_AFTER - MINUTE)
        world.freeze()
        world.accept(promotion)
        sweep(world, lasts=2 * DAY, every=HOUR)
        world.lift()

        assert world.watchdog().begun == [promotion.id]

    def test_what_nobody_let_go_expires_though_a_freeze_holds(self, world: World) -> None:
        promotion = world.mark()
        world.stage(promotion)
        world.freeze()
        world.clock.advance(EXPIRES_AFTER)

        assert world.watchdog().expired == [promotion.id]

    def test_a_freeze_of_another_target_does_not_hold_it(self, world: World) -> None:
        world.targets.put(Target(app="another-app", version=1))
        promotion = scheduled(world)
        world.freeze(target="another-app")
        world.clock.advance(HOUR)

        assert world.watchdog().begun == [promotion.id]

    def test_a_freeze_that_begins_after_its_time_does_not_hold_it(self, world: World) -> None:
        promotion = scheduled(world)
        world.freeze(starts_at=world.clock.now() + HOUR + MINUTE)
        world.clock.advance(HOUR)

        assert world.watchdog().begun == [promotion.id]


class TestSweep:
    def test_freezes_are_read_once_and_only_where_a_time_has_come(self, world: World) -> None:
        for n in range(3):
            scheduled(world, f"flag_{n}")
        reads, get = [], world.freezes.get

        def counted() -> FreezePlan:
            reads.append(world.clock.now())
            return get()

        world.freezes.get = counted  # type: ignore[method-assign]
        world.watchdog()
        world.clock.advance(HOUR)

        report = world.watchdog()

        assert len(report.begun) == 3
        assert reads == [world.clock.now()]

    def test_freezes_that_cannot_be_read_keep_only_those_back_whose_time_has_come(
        self,
        world: World,
    ) -> None:
        due, other = scheduled(world), world.mark("other")
        deploying = world.promoted("deploying")
        world.clock.advance(EXPIRES_AFTER - HOUR)

        def unreadable() -> None:
            raise Unavailable

        world.freezes.get = unreadable  # type: ignore[method-assign, assignment]

        report = world.watchdog()

        assert report.broken == {due.id: "Unavailable"}
        assert report.warned == [other.id]
        assert deploying.id in report.alerted
        assert world.now(due).state is State.STAGED

    def test_one_that_is_held_does_not_hold_the_others(self, world: World) -> None:
        held, free = scheduled(world, "api_v2"), scheduled(world)
        world.policy(flag_patterns=("console_*",))
        world.clock.advance(HOUR)

        report = world.watchdog()

        assert (report.held, report.begun) == ([held.id], [free.id])

    def test_two_watchdogs_side_by_side_hold_and_tell_once(self, world: World) -> None:
        world.policy(min_approvals=1)
        promotion = scheduled(world)
        world.clock.advance(HOUR)
        world.store.lagging[promotion.id] = world.now(promotion)

        reports = [world.watchdog(), world.watchdog()]

        assert [report.held for report in reports] == [[promotion.id], []]
        assert len(told(world, promotion)) == 1

    def test_a_cancelled_one_is_gone_though_the_index_shows_it(self, world: World) -> None:
        promotion = scheduled(world)
        world.store.lagging[promotion.id] = world.now(promotion)
        world.cancel_it(promotion.id, caller=KIM, if_version=None, reason=None)
        world.clock.advance(HOUR)

        assert world.watchdog().begun == []
        assert world.now(promotion).state is State.CANCELLED
