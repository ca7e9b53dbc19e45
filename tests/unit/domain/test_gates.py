"""What stands between a promotion and its beginning, in what is offered, refused and said."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest

from chalicelib.domain.actions import (
    RULES,
    ActionOffer,
    offers,
    require_approver,
    require_begun,
    require_gate_open,
    require_state,
)
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.freeze import Freeze, Hold
from chalicelib.domain.lease import Waiting
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Approval, Promotion, State
from chalicelib.domain.target import Target
from chalicelib.domain.waiting import Gate, waiting_on
from tests.factories import KIM, PAT, SAM, TARGET, VERA, a_promotion
from tests.fakes import START

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BEFORE_IT_BEGINS = (State.PENDING, State.STAGED)
FREEZE = Freeze(
    id="year-end",
    reason="The books are closed.",
    starts_at=START - DAY,
    ends_at=None,
    set_by="sam",
    set_at=START - DAY,
)
HELD = 'Held back by the freeze year-end ("The books are closed.")'


def asking(approvals: int = 0, **kwargs: Any) -> Gate:  # noqa: ANN401 - fields of `Target`
    """The gate of a target that asks for this, while no freeze holds."""
    return Gate(target=Target(app=TARGET, min_approvals=approvals, **kwargs))


def frozen(until: datetime | None = START + DAY) -> Gate:
    return replace(asking(), hold=Hold(freeze=FREEZE, until=until))


def approved_by(*names: str, **kwargs: Any) -> Promotion:  # noqa: ANN401 - fields of `Promotion`
    approvals = tuple(Approval(by=name, at=START) for name in names)
    return a_promotion(approvals=approvals, **kwargs)


def scheduled(not_before: datetime = START, **kwargs: Any) -> Promotion:  # noqa: ANN401 - fields of `Promotion`
    wanted: dict[str, Any] = {"state": State.STAGED, "promoted_by": "kim", "not_before": not_before}
    return a_promotion(**(wanted | kwargs))


class TestApprovalsMissing:
    @pytest.mark.parametrize(
        ("asked", "names", "missing"),
        [
            (0, [], 0),
            (1, [], 1),
            (2, ["pat"], 1),
            (2, ["pat", "sam"], 0),
            (1, ["pat", "sam"], 0),
            (2, ["pat", "pat"], 1),
        ],
    )
    def test_each_approver_counts_once(self, asked: int, names: list[str], missing: int) -> None:
        assert asking(asked).approvals_missing(approved_by(*names)) == missing

    def test_taking_a_promotion_back_needs_nobody(self) -> None:
        assert asking(2).approvals_missing(a_promotion(reverts="prm_1")) == 0

    def test_a_target_that_is_not_listed_asks_for_none(self) -> None:
        assert Gate().approvals_missing(a_promotion()) == 0


ASKED = "The target's policy asks for"


class TestOffers:
    def offered(
        self,
        action: str,
        promotion: Promotion,
        *,
        caller: Caller = KIM,
        gate: Gate | None = None,
    ) -> ActionOffer:
        found = {offer.action: offer for offer in offers(promotion, caller, gate or asking())}
        assert list(found) == list(RULES)
        return found[action]

    def refused(self, action: str, promotion: Promotion, **kwargs: Any) -> str:  # noqa: ANN401 - arguments of `offered`
        offer = self.offered(action, promotion, **kwargs)
        assert not offer.allowed
        assert offer.reason is not None
        return offer.reason

    @pytest.mark.parametrize("state", BEFORE_IT_BEGINS)
    @pytest.mark.parametrize("action", ["stage", "promote", "cancel"])
    def test_what_stands_open_is_offered(self, state: State, action: str) -> None:
        offer = self.offered(action, a_promotion(state=state))

        assert (offer.allowed, offer.reason) == (True, None)

    def test_which_actions_need_a_code_is_said(self) -> None:
        found = offers(a_promotion(), KIM, asking())

        assert {offer.action for offer in found if offer.second_factor} == {
            "approve",
            "promote",
            "break_glass",
            "complete",
            "fail",
            "retry",
            "rollback",
        }

    def test_what_one_has_marked_somebody_else_approves(self) -> None:
        assert self.refused("approve", a_promotion()) == (
            "You marked it: somebody else has to approve it."
        )
        assert self.offered("approve", a_promotion(), caller=PAT).allowed

    def test_nobody_is_asked_to_approve_twice(self) -> None:
        promotion = approved_by("pat")

        assert self.refused("approve", promotion, caller=PAT) == "You have approved it."
        assert self.offered("approve", promotion, caller=SAM).allowed

    @pytest.mark.parametrize(
        ("names", "said"),
        [
            (
                [],
                f"{ASKED} 2 more approvals by others than its author, for this value at this time.",
            ),
            (
                ["pat"],
                f"{ASKED} 1 more approval by others than its author, for this value at this time.",
            ),
        ],
    )
    def test_promote_waits_for_approvals(self, names: list[str], said: str) -> None:
        assert self.refused("promote", approved_by(*names), gate=asking(2)) == said

    def test_promote_waits_for_the_stage_where_the_policy_asks_for_it(self) -> None:
        gate = asking(stage_first=True)

        said = self.refused("promote", a_promotion(), gate=gate)

        assert said.endswith("asks that it is staged, and so passes preflight, first.")
        assert self.offered("promote", a_promotion(state=State.STAGED), gate=gate).allowed

    def test_a_freeze_does_not_refuse_a_promote(self) -> None:
        assert self.offered("promote", a_promotion(), gate=frozen()).allowed

    @pytest.mark.parametrize("gate", [asking(1), asking(stage_first=True), frozen()])
    def test_the_glass_can_be_broken_over_whatever_stands_in_the_way(self, gate: Gate) -> None:
        assert self.offered("break_glass", a_promotion(), gate=gate).allowed

    def test_the_glass_stays_whole_where_nothing_stands_in_the_way(self) -> None:
        staged = a_promotion(state=State.STAGED)

        assert self.refused("break_glass", staged, gate=asking(stage_first=True)) == (
            "Nothing stands in its way: promote it."
        )

    def test_a_rollback_needs_something_to_take_back(self) -> None:
        deployed = a_promotion(state=State.DEPLOYED)

        assert "nothing to take back" in self.refused("rollback", deployed)
        assert self.offered("rollback", replace(deployed, baseline_version=3)).allowed

    def test_the_role_is_told_before_what_else_is_in_the_way(self) -> None:
        assert self.refused("promote", a_promotion(), caller=VERA, gate=asking(1)) == (
            "You are a viewer; this needs a promoter."
        )

    def test_the_state_is_told_before_the_role(self) -> None:
        assert self.refused("approve", a_promotion(state=State.CANCELLED), caller=VERA) == (
            "It was cancelled: that is final. Mark the flag again."
        )

    def test_promote_is_offered_where_it_would_be_taken_and_the_glass_where_it_would_not(
        self,
    ) -> None:
        for promotion, gate in every_gate():
            taken = opens(promotion, gate)

            assert self.offered("promote", promotion, gate=gate).allowed is taken
            assert self.offered("break_glass", promotion, gate=gate).allowed is not taken


def every_gate() -> Iterator[tuple[Promotion, Gate]]:
    """All that a policy can ask for before it begins, of whatever has been done for it."""
    approvers: list[tuple[str, ...]] = [(), ("pat",), ("sam",), ("pat", "sam")]
    asked = [asking(n, stage_first=first) for n in range(4) for first in (False, True)]
    for state, names, reverts in product(BEFORE_IT_BEGINS, approvers, (None, "prm_1")):
        promotion = approved_by(*names, state=state, reverts=reverts)
        yield from ((promotion, gate) for gate in asked)


def opens(promotion: Promotion, gate: Gate) -> bool:
    """Whether a promote would be taken."""
    try:
        require_gate_open(promotion, gate)
    except Rejected:
        return False
    return True


class TestRequire:
    @pytest.mark.parametrize("action", RULES)
    @pytest.mark.parametrize("state", State)
    def test_a_state_admits_what_its_rule_says_and_else_tells_how_it_stands(
        self,
        action: str,
        state: State,
    ) -> None:
        promotion = a_promotion(state=state, promoted_by="pat")
        if state in RULES[action].states:
            require_state(promotion, action)
            return

        with pytest.raises(Rejected) as rejected:
            require_state(promotion, action)

        assert rejected.value.code is Code.STATE_FORBIDS
        assert rejected.value.detail.startswith(f"Cannot {action} {promotion.id}. It ")
        assert rejected.value.conflict == {
            "state": state,
            "version": 1,
            "since": "2026-05-09T04:28:00.000000Z",
            "promoted_by": "pat",
        }

    def test_nobody_approves_their_own(self) -> None:
        require_approver(a_promotion(), PAT)

        with pytest.raises(Rejected) as rejected:
            require_approver(a_promotion(), KIM)

        assert rejected.value.code is Code.OWN_APPROVAL

    def test_whoever_calls_through_a_service_is_still_the_author(self) -> None:
        through = Caller(name="kim", role=Role.PROMOTER, via="console")

        with pytest.raises(Rejected) as rejected:
            require_approver(a_promotion(), through)

        assert rejected.value.code is Code.OWN_APPROVAL

    def test_missing_approvals_are_counted_and_those_given_named(self) -> None:
        with pytest.raises(Rejected) as rejected:
            require_gate_open(approved_by("sam", "pat"), asking(3, stage_first=True))

        assert rejected.value.code is Code.APPROVALS_MISSING
        assert rejected.value.conflict == {"approvals": ["pat", "sam"], "missing": 1}
        assert "no code was spent" in rejected.value.detail

    def test_what_is_not_staged_is_refused_where_the_policy_asks_for_it(self) -> None:
        gate = asking(stage_first=True)
        require_gate_open(a_promotion(state=State.STAGED), gate)

        with pytest.raises(Rejected) as rejected:
            require_gate_open(a_promotion(), gate)

        assert rejected.value.code is Code.STAGE_FIRST
        assert "no code was spent" in rejected.value.detail

    def test_a_freeze_refuses_nothing(self) -> None:
        require_gate_open(a_promotion(), frozen())

    def test_what_never_began_cannot_be_taken_back(self) -> None:
        require_begun(a_promotion(state=State.DEPLOYED, baseline_version=3))

        with pytest.raises(Rejected) as rejected:
            require_begun(a_promotion(state=State.DEPLOYED))

        assert rejected.value.code is Code.STATE_FORBIDS


class TestWaitingOn:
    def said(
        self,
        promotion: Promotion,
        gate: Gate | None = None,
        now: datetime = START,
    ) -> tuple[Waiting, str]:
        found = waiting_on(promotion, gate=gate, now=now)
        assert found is not None
        assert found.since == promotion.state_entered_at
        return found.kind, found.text

    @pytest.mark.parametrize("state", BEFORE_IT_BEGINS)
    def test_what_nobody_let_go_waits_for_somebody(self, state: State) -> None:
        assert self.said(a_promotion(state=state), asking(0)) == (
            Waiting.OPERATOR,
            "Waits for somebody to promote it; expires at 2026-05-16 04:28Z.",
        )

    def test_without_a_gate_nothing_stands_in_the_way(self) -> None:
        assert self.said(a_promotion())[0] is Waiting.OPERATOR

    @pytest.mark.parametrize(
        ("names", "said"),
        [([], "Waits for 2 more approvals"), (["pat"], "Waits for 1 more approval")],
    )
    @pytest.mark.parametrize("gate", [asking(2), replace(frozen(), target=asking(2).target)])
    def test_missing_approvals_are_waited_for_first(
        self,
        names: list[str],
        said: str,
        gate: Gate,
    ) -> None:
        kind, text = self.said(approved_by(*names), gate)

        assert (kind, text) == (Waiting.APPROVAL, f"{said}; expires at 2026-05-16 04:28Z.")

    @pytest.mark.parametrize("state", BEFORE_IT_BEGINS)
    def test_a_freeze_is_told_to_whoever_may_promote(self, state: State) -> None:
        assert self.said(a_promotion(state=state), frozen()) == (
            Waiting.FREEZE,
            f"{HELD} until 2026-05-10 04:28Z. Promoting it waits for that. Nothing is wrong.",
        )

    def test_what_a_freeze_holds_back_begins_by_itself_when_it_opens(self) -> None:
        assert self.said(scheduled(held_by="freeze"), frozen()) == (
            Waiting.FREEZE,
            f"{HELD} until 2026-05-10 04:28Z. It begins by itself then. Nothing is wrong.",
        )

    def test_a_freeze_without_an_end_holds_until_it_is_lifted(self) -> None:
        _, text = self.said(scheduled(START + DAY), frozen(until=None))

        assert text == (
            f"{HELD} until somebody lifts it. It begins by itself then. Nothing is wrong."
        )

    def test_a_schedule_waits_for_its_time(self) -> None:
        assert self.said(scheduled(START + HOUR)) == (
            Waiting.TIME,
            "Begins by itself at 2026-05-09 05:28Z; it can be cancelled until then.",
        )

    @pytest.mark.parametrize(
        ("until", "kind"),
        [
            (HOUR, Waiting.TIME),
            (2 * HOUR, Waiting.TIME),
            (2 * HOUR + timedelta(minutes=1), Waiting.FREEZE),
        ],
    )
    def test_a_freeze_that_is_over_by_its_time_does_not_hold_a_schedule(
        self,
        until: timedelta,
        kind: Waiting,
    ) -> None:
        found, _ = self.said(scheduled(START + 2 * HOUR), frozen(until=START + until))

        assert found is kind

    def test_a_schedule_that_lacks_approvals_says_so_before_its_time(self) -> None:
        kind, _ = self.said(scheduled(START + HOUR), asking(1))

        assert kind is Waiting.APPROVAL

    def test_a_check_that_holds_it_is_named(self) -> None:
        assert self.said(scheduled(held_by="flag_known"), asking()) == (
            Waiting.PREFLIGHT,
            (
                "The check flag_known does not let it begin. It begins by itself when that is "
                "mended; expires at 2026-05-16 04:28Z."
            ),
        )

    def test_an_operator_who_is_gone_is_no_check_that_could_be_mended(self) -> None:
        assert self.said(scheduled(held_by="operator"), asking()) == (
            Waiting.OPERATOR,
            (
                "Waits for somebody else to promote it: kim, who let it go, may not call any more; "
                "expires at 2026-05-16 04:28Z."
            ),
        )

    @pytest.mark.parametrize("held_by", [None, "freeze", "approvals"])
    def test_where_nothing_holds_it_any_more_it_begins_within_a_minute(
        self,
        held_by: str | None,
    ) -> None:
        assert self.said(scheduled(held_by=held_by), asking(), now=START) == (
            Waiting.WORKER,
            "Begins by itself within a minute. Nothing needs to be done.",
        )
