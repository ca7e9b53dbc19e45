"""Somebody else than the author approves a value at a time, with a code of their own."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Approval, Promotion, State
from chalicelib.usecases.authorised import Order
from tests.factories import KIM, PAT, SAM, VERA
from tests.world import World

HOUR = timedelta(hours=1)
WRONG = "000000"


def refusal(world: World, promotion: Promotion, **kwargs: object) -> Code:
    """Why it may not be approved like this; nothing is written, and no code spent or counted."""
    promotions, operators = dict(world.store.promotions), dict(world.operators.operators)
    with pytest.raises(Rejected) as rejected:
        world.approve(promotion, **({"code": WRONG} | kwargs))  # type: ignore[arg-type]
    assert world.store.promotions == promotions
    assert world.operators.operators == operators
    return rejected.value.code


@pytest.mark.parametrize("staged", [False, True])
def test_an_approval_says_whose_and_when_and_moves_nothing_else(
    world: World,
    staged: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    promotion = world.mark()
    if staged:
        promotion = world.stage(promotion).promotion
    world.clock.advance(HOUR)
    at = world.clock.now()

    approved = world.approve(promotion)

    assert approved.approvals == (Approval(by="pat", at=at),)
    assert (approved.state, approved.state_entered_at, approved.promoted_by) == (
        promotion.state,
        promotion.state_entered_at,
        None,
    )


def test_the_audit_says_what_was_approved_and_for_when(world: World) -> None:
    promotion = world.mark()
    world.stage(promotion, not_before=world.clock.now() + HOUR)
    order = Order(promotion_id=promotion.id, caller=PAT, code=world.code, if_version=None, key=None)

    world.approve_it(order, note="as agreed")

    entry = world.store.trail(promotion.id)[-1].entry
    assert (entry.actor, entry.action) == ("pat", "approve")
    timecode = entry.facts["totp_timecode"]
    assert entry.facts == {
        "value": "true",
        "not_before": "2026-05-09T05:28:00.000000Z",
        "totp_timecode": timecode,
        "note": "as agreed",
    }
    assert world.operators.operators["pat"].last_timecode == timecode
    assert world.verified(promotion)


def test_of_a_promotion_without_a_time_the_audit_names_none(world: World) -> None:
    promotion = world.mark()

    world.approve(promotion)

    assert world.store.trail(promotion.id)[-1].entry.facts["not_before"] is None


def test_approving_twice_counts_once_and_costs_no_code(world: World) -> None:
    promotion = world.mark()
    once = world.approve(promotion)

    twice = world.approve(promotion, code=None)

    assert twice == once


def test_an_approval_whose_answer_was_lost_is_answered_though_it_has_begun_meanwhile(
    world: World,
) -> None:
    promotion = world.mark()
    world.approve(promotion)
    world.accept(promotion)

    again = world.approve(promotion, code=None)

    assert again.state is State.DEPLOYING
    assert again.approvers == {"pat"}


def test_two_approvers_count_as_two_in_their_order(world: World) -> None:
    promotion = world.mark()
    world.approve(promotion, SAM)

    approved = world.approve(promotion, PAT)

    assert [approval.by for approval in approved.approvals] == ["sam", "pat"]


def test_two_approvals_at_once_both_count(world: World) -> None:
    promotion = world.mark()
    commit = world.store.commit

    def commit_after_the_rival(*args: object, **kwargs: object) -> None:
        world.store.commit = commit  # type: ignore[method-assign]
        world.approve(promotion, SAM)
        world.clock.advance(timedelta(seconds=-30))
        commit(*args, **kwargs)  # type: ignore[arg-type]

    world.store.commit = commit_after_the_rival  # type: ignore[method-assign]

    approved = world.approve(promotion, PAT)

    assert approved.approvers == {"pat", "sam"}


def test_an_approval_that_meets_another_time_is_for_that_time_or_none(world: World) -> None:
    promotion = world.mark()
    read = world.stage(promotion, not_before=world.clock.now() + HOUR).promotion
    world.stage(promotion, not_before=world.clock.now() + 2 * HOUR)

    assert refusal(world, promotion, if_version=read.version) is Code.VERSION_STALE


def test_after_another_time_the_same_people_may_approve_anew(world: World) -> None:
    promotion = world.mark()
    world.approve(promotion)
    world.stage(promotion, not_before=world.clock.now() + HOUR)

    assert world.approve(promotion).approvers == {"pat"}


def test_nobody_approves_their_own(world: World) -> None:
    assert refusal(world, world.mark(), caller=KIM) is Code.OWN_APPROVAL


def test_not_even_through_a_service(world: World) -> None:
    through = Caller(name="kim", role=Role.PROMOTER, via="console")

    assert refusal(world, world.mark(), caller=through) is Code.OWN_APPROVAL


def test_what_a_service_hands_in_is_its_operators_and_says_so(world: World) -> None:
    promotion = world.mark()

    approved = world.approve(promotion, Caller(name="pat", role=Role.PROMOTER, via="console"))

    assert approved.approvers == {"pat"}
    assert world.store.trail(promotion.id)[-1].entry.facts["via"] == "console"


def test_a_viewer_may_not(world: World) -> None:
    assert refusal(world, world.mark(), caller=VERA) is Code.ROLE_INSUFFICIENT


def test_without_a_code_nothing_is_approved(world: World) -> None:
    assert refusal(world, world.mark(), code=None) is Code.TOTP_REQUIRED


def test_a_wrong_code_is_counted_once_and_approves_nothing(world: World) -> None:
    promotion = world.mark()

    with pytest.raises(Rejected) as rejected:
        world.approve(promotion, code=WRONG)

    assert rejected.value.code is Code.TOTP_INVALID
    assert world.operators.operators["pat"].failures == 1
    assert world.now(promotion) == promotion


def test_a_code_that_approved_promotes_nothing(world: World) -> None:
    promotion, code = world.mark(), world.code
    world.approve(promotion, code=code)

    with pytest.raises(Rejected) as rejected:
        world.accept(promotion, PAT, code=code)

    assert rejected.value.code is Code.TOTP_REUSED


def test_what_has_begun_needs_no_approval(world: World) -> None:
    assert refusal(world, world.promoted()) is Code.STATE_FORBIDS


def test_a_stale_version_is_refused_before_a_code_is_looked_at(world: World) -> None:
    assert refusal(world, world.mark(), if_version=7) is Code.VERSION_STALE


def test_an_unknown_promotion_is_not_found(world: World) -> None:
    stranger = replace(world.mark(), id="prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1")

    assert refusal(world, stranger) is Code.NOT_FOUND
