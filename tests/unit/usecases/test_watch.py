"""The watchdog tells, expires and begins: each once, whoever sweeps beside it."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.errors import TryAgain
from chalicelib.domain.ladder import Ladder
from chalicelib.domain.notice import Notice, notice_of
from chalicelib.domain.promotion import (
    Effect,
    Promotion,
    Rung,
    SettledBy,
    State,
    advance,
)
from chalicelib.domain.target import Target
from chalicelib.usecases.acknowledge import Acknowledge
from chalicelib.usecases.watch import WatchReport
from tests.factories import KIM, TARGET, VERA, deploying
from tests.fakes import FakeClock, FakeWakes
from tests.world import World

MINUTE = timedelta(minutes=1)


def stuck(world: World, flag: str = "stuck") -> Promotion:
    """A promotion that no worker can help: Heroku is away for good."""
    promotion = world.promoted(flag)
    world.clock.advance(-timedelta(seconds=30))
    return promotion


def notices(world: World, promotion: Promotion) -> list[Notice]:
    """What people were told of it."""
    told = (notice_of(stored.entry) for stored in world.store.trail(promotion.id))
    return [notice for notice in told if notice]


def staged(world: World, **kwargs: object) -> Promotion:
    promotion = world.mark()
    act = Act(actor="kim", action=Action.MARK, at=world.clock.now())
    change = advance(promotion, act, state=State.STAGED, **kwargs)
    world.store.commit(change)
    return change.after


def test_the_incident_is_told_at_half_an_hour_and_not_after_two_days(world: World) -> None:
    promotion = stuck(world)
    began = world.clock.now()
    told = {}

    for _ in range(int(timedelta(hours=57, minutes=49) / MINUTE)):
        world.clock.advance(MINUTE)
        for rung in world.watchdog().alerted.values():
            told[rung] = world.clock.now() - began

    assert timedelta(minutes=30) <= told[Rung.SEV3] <= timedelta(minutes=31)
    assert timedelta(hours=12) <= told[Rung.WARNING] <= timedelta(hours=12, minutes=1)
    assert timedelta(hours=24) <= told[Rung.CRITICAL] <= timedelta(hours=24, minutes=1)
    assert [notice.rung for notice in notices(world, promotion)] == [
        Rung.SEV3,
        Rung.WARNING,
        Rung.CRITICAL,
    ]


def test_an_alert_says_what_is_known_and_what_is_safe(world: World) -> None:
    promotion = stuck(world)
    world.clock.advance(timedelta(minutes=30))

    world.watchdog()

    (notice,) = notices(world, promotion)
    assert notice.title == f"stuck at {TARGET} is deploying for 30 min"
    assert "safe to look and to wait" in notice.text
    assert "not known to have failed" in notice.text
    assert notice.wakes_somebody


def test_an_alert_is_taken_back_when_the_promotion_settles(world: World) -> None:
    promotion = stuck(world)
    world.clock.advance(timedelta(minutes=30))
    world.watchdog()

    world.work(promotion)

    alert, resolved = notices(world, promotion)
    assert resolved.resolves
    assert resolved.dedup_key == alert.dedup_key
    assert "deployed" in resolved.title


def test_a_promotion_that_settles_in_time_is_nobodys_concern(world: World) -> None:
    promotion = world.promoted()

    world.work(promotion)

    assert notices(world, promotion) == []


def test_while_a_release_phase_runs_nobody_is_woken(world: World) -> None:
    world.apps.phase = timedelta(minutes=50)
    promotion = world.promoted()
    reports: list[WatchReport] = []

    while (report := world.work(promotion)).look_again:
        world.clock.advance(report.look_again.after)
        reports.append(world.watchdog())

    told = notices(world, promotion)
    assert [notice.rung for notice in told] == [Rung.INFO, Rung.INFO]
    assert [notice.resolves for notice in told] == [False, True]
    assert not any(notice.wakes_somebody for notice in told)
    assert "for information" in told[0].text


def test_an_acknowledged_promotion_is_quiet_and_then_tells_the_highest(world: World) -> None:
    promotion = stuck(world)
    Acknowledge(store=world.store, clock=world.clock)(
        promotion.id,
        caller=KIM,
        lasts=timedelta(hours=13),
        note="looking",
        if_version=None,
    )

    for _ in range(13 * 60 + 2):
        world.clock.advance(MINUTE)
        world.watchdog()

    assert [notice.rung for notice in notices(world, promotion)] == [Rung.WARNING]


def test_a_targets_own_ladder_is_followed(world: World) -> None:
    ladder = Ladder(
        after={rung: n * MINUTE for n, rung in enumerate(list(Rung)[1:], start=1)},
    )
    world.targets.put(Target(app=TARGET, version=2, ladder=ladder))
    promotion = stuck(world)
    world.clock.advance(MINUTE)

    assert world.watchdog().alerted == {promotion.id: Rung.SEV3}


def test_gauges_tell_how_many_are_on_a_rung_or_above(world: World) -> None:
    stuck(world)
    world.clock.advance(timedelta(hours=13))

    report = world.watchdog()

    assert report.deploying == 1
    assert report.oldest == timedelta(hours=13)
    assert report.rungs == {Rung.INFO: 1, Rung.SEV3: 1, Rung.WARNING: 1, Rung.CRITICAL: 0}


def test_what_is_not_promoted_in_time_expires_and_frees_its_flag(world: World) -> None:
    promotion = world.mark()
    world.clock.advance(timedelta(days=7))

    report = world.watchdog()

    after = world.now(promotion)
    assert report.expired == [promotion.id]
    assert (after.state, after.effect, after.settled_by) == (
        State.EXPIRED,
        Effect.NONE,
        SettledBy.WATCHDOG,
    )
    assert world.mark().state is State.PENDING


def test_somebody_is_warned_once_a_day_before_it_expires(world: World) -> None:
    promotion = world.mark()

    for _ in range(7 * 24):
        world.clock.advance(timedelta(hours=1))
        world.watchdog()

    titles = [notice.title for notice in notices(world, promotion)]
    assert len(titles) == 2
    assert "expires soon" in titles[0]
    assert titles[1].endswith("expired")


def test_a_staged_promotion_begins_when_its_time_comes_and_once(world: World) -> None:
    promotion = staged(world, not_before=world.clock.now() + timedelta(hours=2))
    early = world.watchdog()
    world.clock.advance(timedelta(hours=5))

    due = world.watchdog()
    again = world.watchdog()

    assert (early.begun, due.begun, again.begun) == ([], [promotion.id], [])
    assert world.now(promotion).state is State.DEPLOYING
    assert due.woken == [TARGET]


def test_a_staged_promotion_that_preflight_blocks_is_held_and_told_once(world: World) -> None:
    promotion = staged(world, not_before=world.clock.now())
    listed = world.targets.targets.pop(TARGET)

    reports = [world.watchdog() for _ in range(3)]

    assert [report.held for report in reports] == [[promotion.id], [], []]
    (notice,) = notices(world, promotion)
    assert notice.title.endswith("did not begin at its time")
    assert f"{TARGET} is no listed target." in notice.text
    world.targets.targets[TARGET] = listed
    assert world.watchdog().begun == [promotion.id]


def test_a_cancelled_schedule_never_begins(world: World) -> None:
    promotion = staged(world, not_before=world.clock.now() + timedelta(hours=2))
    world.cancel_it(promotion.id, caller=KIM, if_version=None, reason=None)
    world.clock.advance(timedelta(hours=5))

    assert world.watchdog().begun == []


def test_a_staged_promotion_without_a_time_waits_for_somebody(world: World) -> None:
    staged(world)
    world.clock.advance(timedelta(days=2))

    assert world.watchdog().begun == []


def test_one_promotion_that_breaks_the_sweep_does_not_break_it_for_the_others(
    world: World,
) -> None:
    broken, whole = stuck(world, "broken"), stuck_elsewhere(world)
    get = world.targets.get

    def get_all_but_one(app: str) -> Target | None:
        if app == TARGET:
            raise ZeroDivisionError
        return get(app)

    world.targets.get = get_all_but_one  # type: ignore[method-assign]
    world.clock.advance(timedelta(hours=1))

    report = world.watchdog()

    assert report.broken == {broken.id: "ZeroDivisionError"}
    assert report.alerted == {whole.id: Rung.SEV3}


def stuck_elsewhere(world: World) -> Promotion:
    world.targets.put(Target(app="another-app", version=1))
    world.clock.advance(timedelta(seconds=30))
    promotion = world.promoted("whole", target="another-app")
    world.clock.advance(-timedelta(seconds=30))
    return promotion


def test_a_viewer_may_not_acknowledge(world: World) -> None:
    promotion = stuck(world)
    acknowledge = Acknowledge(store=world.store, clock=world.clock)

    with pytest.raises(Exception, match="viewer"):
        acknowledge(promotion.id, caller=VERA, lasts=MINUTE, note=None, if_version=None)

    assert not replace(world.now(promotion)).acknowledged(world.clock.now())


@dataclass
class HangingWakes(FakeWakes):
    """A queue that answers nothing: each try takes as long as the client waits."""

    clock: FakeClock = field(default_factory=FakeClock)
    tries: int = 0

    def send(self, target: str, *, promotion_id: str | None = None) -> None:  # noqa: ARG002 - the port's signature
        self.tries += 1
        self.clock.advance(timedelta(seconds=14.6))
        detail = "SQS does not answer."
        raise TryAgain(detail)


def test_a_queue_that_hangs_keeps_no_alert_from_being_raised_in_time(world: World) -> None:
    world.wakes = queue = HangingWakes(clock=world.clock)
    stalled = [deploying(target=f"app-{n}") for n in range(10)]
    for promotion in stalled:
        world.store.promotions[promotion.id] = promotion
    world.clock.advance(timedelta(minutes=31))
    began = world.clock.now()

    report = world.watchdog()

    assert world.clock.now() - began < timedelta(seconds=50)
    assert len(report.alerted) == 10
    assert sorted(report.unreached) == sorted(promotion.target for promotion in stalled)
    assert queue.tries == 2
