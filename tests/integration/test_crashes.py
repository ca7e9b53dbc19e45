"""Killed after any call to AWS or Heroku, Hoist ends `deployed`, with one release."""

from dataclasses import dataclass
from datetime import timedelta

import pytest

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.promotion import Promotion, State
from chalicelib.domain.record import revise
from chalicelib.domain.target import Target
from chalicelib.usecases.mark import MarkOrder
from chalicelib.usecases.promote import PromoteOrder
from chalicelib.usecases.stage import StageOrder
from chalicelib.usecases.work import Wake
from tests.factories import CONFIG_VAR, FLAG, KIM
from tests.integration.conftest import Backstage
from tests.integration.kit import LEASE_ENDED, Doom, Killed

_OTHER_FLAG = FLAG + "_too"


@dataclass
class Story:
    """One promotion, told to its end whatever dies on the way."""

    backstage: Backstage
    app: str

    def __post_init__(self) -> None:
        self.backstage.heroku.controls.create_app(self.app)
        self.hoist = self.backstage.container()
        act = Act(actor="sam", action=Action.SET_POLICY, at=self.backstage.clock.now())
        listed = Target(app=self.app)
        self.hoist.targets.write(revise(listed, listed, act))
        self.id = self.mark(FLAG, "true").id

    def mark(self, flag: str, value: str) -> Promotion:
        key = f"{self.app}-{flag}-{value}"
        order = MarkOrder(caller=KIM, target=self.app, flag=flag, value=value, note=None, key=key)
        return self.hoist.mark(order).promotion

    def promote(self, doom: Doom) -> None:
        """One call of the console. A repeat is the same request, as a client would send it."""
        self.backstage.container(doom).promote(
            PromoteOrder(
                promotion_id=self.id,
                caller=KIM,
                code=self.backstage.code(),
                if_version=None,
                key=self.app,
            ),
        )

    def work(self, doom: Doom) -> None:
        """One delivery of the wake, in a process of its own."""
        worker = self.backstage.container(doom)
        wake = Wake(target=self.app, promotion_id=self.id, receipt=None)
        report = worker.work(wake)
        for _ in range(10):
            if report.look_again is None:
                return
            self.backstage.clock.advance(report.look_again.after)
            report = worker.work(wake)

    def recover(self) -> None:
        """The lease ends, the watchdog sweeps once, and what is queued is delivered."""
        self.backstage.clock.advance(LEASE_ENDED)
        self.backstage.container().watch()
        for wake in self.backstage.received():
            if wake.target == self.app:
                self.work(Doom())

    def assert_ended_well(self) -> None:
        promotion = self.hoist.store.get(self.id)
        assert promotion is not None
        assert promotion.state is State.DEPLOYED
        assert self.hoist.audit(self.id, caller=KIM).verification.verified
        truth = self.backstage.heroku.controls.truth(self.app)
        assert [patch["changes"] for patch in truth["patches"]] == [{CONFIG_VAR: "true"}]
        assert not self.hoist.locks.get(self.app).held(self.backstage.clock.now())
        # The flag's lock was given back: it can be marked again.
        assert self.mark(FLAG, "false").state is State.PENDING


def test_a_worker_killed_after_any_call_is_resumed_without_a_second_release(
    backstage: Backstage,
) -> None:
    whole = Doom()
    story = Story(backstage, "never-killed")
    story.promote(Doom())
    story.work(whole)
    story.assert_ended_well()

    for k in range(1, len(whole.calls) + 1):
        backstage.clock.advance(LEASE_ENDED * 10)
        story = Story(backstage, f"killed-after-{k}")
        story.promote(Doom())
        with pytest.raises(Killed):
            story.work(Doom(kills_after=k))
        story.recover()
        story.assert_ended_well()

    # The calls that were killed after; a new one is killed after without being named here.
    assert {"heroku.PATCH /apps/never-killed/config-vars", "dynamodb.TransactWriteItems"} <= {
        *whole.calls,
    }
    assert len(whole.calls) >= 12


def test_a_promote_killed_after_any_call_is_accepted_by_the_same_request_again(
    backstage: Backstage,
) -> None:
    whole = Doom()
    story = Story(backstage, "never-killed")
    story.promote(whole)
    story.recover()
    story.assert_ended_well()

    for k in range(1, len(whole.calls) + 1):
        backstage.clock.advance(LEASE_ENDED * 10)
        story = Story(backstage, f"killed-after-{k}")
        with pytest.raises(Killed):
            story.promote(Doom(kills_after=k))
        story.promote(Doom())
        story.recover()
        story.assert_ended_well()


def test_a_watchdog_killed_after_any_call_leaves_its_sweep_to_the_next(
    backstage: Backstage,
) -> None:
    """Two promotions of one target are due: they begin, and then their target is woken once."""
    whole = Doom()
    never_killed = due_at_once(backstage, "never-killed")
    backstage.container(whole).watch()
    never_killed.recover()
    never_killed.assert_each_is_live_once()

    for k in range(1, len(whole.calls) + 1):
        story = due_at_once(backstage, f"killed-after-{k}")
        with pytest.raises(Killed):
            backstage.container(Doom(kills_after=k)).watch()
        story.recover()
        story.assert_each_is_live_once()

    assert whole.calls.count("dynamodb.TransactWriteItems") == 2
    assert whole.calls.count("sqs.SendMessage") == 1


def due_at_once(backstage: Backstage, app: str) -> "Due":
    """Two staged promotions of an app, whose time has just come."""
    story = Due(backstage, app)
    story.wait_until_due()
    return story


@dataclass
class Due(Story):
    """Two promotions that begin by themselves, told as one is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.ids = [self.id, self.mark(_OTHER_FLAG, "true").id]
        self.due = self.backstage.clock.now() + timedelta(hours=1)
        for promotion_id in self.ids:
            self.hoist.stage(
                StageOrder(
                    promotion_id=promotion_id,
                    caller=KIM,
                    code=self.backstage.code(),
                    if_version=None,
                    key=None,
                    not_before=self.due,
                ),
            )
            self.backstage.clock.advance(timedelta(seconds=30))

    def wait_until_due(self) -> None:
        self.backstage.clock.advance(self.due - self.backstage.clock.now())

    def assert_each_is_live_once(self) -> None:
        for promotion_id in self.ids:
            promotion = self.hoist.store.get(promotion_id)
            assert promotion is not None
            assert promotion.state is State.DEPLOYED
            assert self.hoist.audit(promotion_id, caller=KIM).verification.verified
        patches = self.backstage.heroku.controls.truth(self.app)["patches"]
        sent = [name for patch in patches for name in patch["changes"]]
        assert sorted(sent) == sorted({*sent})
        assert len(sent) == len(self.ids)


def test_a_promote_costs_seven_round_trips_cold_and_six_warm(backstage: Backstage) -> None:
    doom = Doom()
    story = Story(backstage, "app-one")
    other = Story(backstage, "app-two")
    hoist = backstage.container(doom)

    for each in (story, other):
        backstage.clock.advance(LEASE_ENDED * 10)
        hoist.promote(
            PromoteOrder(
                promotion_id=each.id,
                caller=KIM,
                code=backstage.code(),
                if_version=None,
                key=None,
            ),
        )

    # The promotion, the freezes, the target's policy, the operator.
    reads = ["dynamodb.GetItem"] * 4
    written = ["dynamodb.TransactWriteItems", "sqs.SendMessage"]
    assert doom.calls == [*reads, "ssm.GetParameter", *written, *reads, *written]
