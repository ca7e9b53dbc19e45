"""Promoting needs a code; from then on the promotion moves by itself."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected, Unavailable
from chalicelib.domain.promotion import State, Step
from tests.factories import KIM, SAM, TARGET, VERA, an_operator
from tests.world import World


def rejected_code(world: World, **kwargs: object) -> Code:
    promotion = kwargs.pop("promotion", None) or world.mark()
    before = dict(world.store.promotions)
    with pytest.raises(Rejected) as rejected:
        world.accept(promotion, **kwargs)  # type: ignore[arg-type]
    assert world.store.promotions == before
    return rejected.value.code


def test_an_accepted_promotion_is_deploying_and_its_target_woken(world: World) -> None:
    promotion = world.mark()

    accepted = world.accept(promotion)

    assert (accepted.promotion.state, accepted.promotion.step) == (State.DEPLOYING, Step.QUEUED)
    assert accepted.woken
    assert world.wakes.sent == [(TARGET, promotion.id)]


def test_the_audit_says_what_the_code_authorised(world: World) -> None:
    promotion = world.promoted()

    entry = world.store.trail(promotion.id)[-1].entry

    assert (entry.actor, entry.action) == ("kim", "promote")
    assert entry.facts["value"] == "true"
    assert entry.facts["totp_timecode"] > 0


def test_where_the_wake_cannot_be_queued_the_promotion_is_accepted_all_the_same(
    world: World,
) -> None:
    world.wakes.failure = Unavailable()

    accepted = world.accept(world.mark())

    assert not accepted.woken
    assert world.now(accepted.promotion).state is State.DEPLOYING


def test_the_same_request_again_is_answered_without_a_code(world: World) -> None:
    promotion = world.mark()
    world.accept(promotion, key="one")

    again = world.accept(promotion, key="one", code=None)

    assert again.replayed
    assert len(world.wakes.sent) == 1


def test_a_second_request_is_told_who_promoted_it(world: World) -> None:
    promotion = world.promoted()

    with pytest.raises(Rejected) as rejected:
        world.accept(promotion)

    assert rejected.value.code is Code.STATE_FORBIDS
    assert rejected.value.conflict is not None
    assert rejected.value.conflict["promoted_by"] == "kim"


def test_a_code_works_once(world: World) -> None:
    code = world.code
    world.accept(world.mark(), code=code)

    assert rejected_code(world, promotion=world.mark("another"), code=code) is Code.TOTP_REUSED


def test_an_older_code_than_the_last_one_is_refused(world: World) -> None:
    older = world.code
    world.clock.advance(timedelta(seconds=30))
    world.accept(world.mark())
    world.clock.advance(timedelta(seconds=-30))

    assert rejected_code(world, promotion=world.mark("another"), code=older) is Code.TOTP_REUSED


def test_a_code_that_is_spent_between_reading_and_writing_is_refused(world: World) -> None:
    promotion, other = world.mark(), world.mark("another")
    code = world.code
    commit = world.store.commit

    def commit_after_the_rival(*args: object, **kwargs: object) -> None:
        world.store.commit = commit  # type: ignore[method-assign]
        world.accept(other, code=code)
        commit(*args, **kwargs)  # type: ignore[arg-type]

    world.store.commit = commit_after_the_rival  # type: ignore[method-assign]

    with pytest.raises(Rejected) as rejected:
        world.accept(promotion, code=code)

    assert rejected.value.code is Code.TOTP_REUSED
    assert world.now(promotion).state is State.PENDING


def test_a_wrong_code_is_counted(world: World) -> None:
    assert rejected_code(world, code="000000") is Code.TOTP_INVALID
    assert world.operators.operators["kim"].failures == 1


def test_five_wrong_codes_lock_even_the_right_one_out(world: World) -> None:
    promotion = world.mark()
    for _ in range(5):
        assert rejected_code(world, promotion=promotion, code="000000") is Code.TOTP_INVALID

    assert rejected_code(world, promotion=promotion) is Code.TOTP_LOCKED


def test_a_lock_ends_after_a_quarter_of_an_hour(world: World) -> None:
    promotion = world.mark()
    for _ in range(5):
        rejected_code(world, promotion=promotion, code="000000")
    world.clock.advance(timedelta(minutes=15))

    world.accept(promotion)

    assert world.now(promotion).state is State.DEPLOYING
    assert world.operators.operators["kim"].failures == 0


def test_without_a_code_nothing_happens(world: World) -> None:
    assert rejected_code(world, code=None) is Code.TOTP_REQUIRED


@pytest.mark.parametrize(
    "code",
    [
        "",
        "12345",
        "1234567",
        "12345a",
        "123 456",
        "123456\n",
        "\uff11\uff12\uff13\uff14\uff15\uff16",
        "\u0661\u0662\u0663\u0664\u0665\u0666",
    ],
)
def test_a_malformed_code_names_its_header_and_is_not_counted(world: World, code: str) -> None:
    promotion = world.mark()

    with pytest.raises(Rejected) as rejected:
        world.accept(promotion, code=code)

    assert rejected.value.code is Code.INVALID_REQUEST
    assert rejected.value.errors[0].field == "X-TOTP"
    assert world.operators.operators["kim"].failures == 0


def test_a_stale_version_is_refused_before_a_code_is_looked_at(world: World) -> None:
    assert rejected_code(world, if_version=7, code=None) is Code.VERSION_STALE


def test_the_version_that_was_read_is_accepted(world: World) -> None:
    promotion = world.mark()

    accepted = world.accept(promotion, if_version=promotion.version)

    assert accepted.promotion.version == promotion.version + 1


def test_a_viewer_may_not_promote(world: World) -> None:
    assert rejected_code(world, caller=VERA) is Code.ROLE_INSUFFICIENT


def test_an_operator_who_was_disabled_since_may_not_promote(world: World) -> None:
    world.operators.put(an_operator(KIM, disabled=True))

    assert rejected_code(world) is Code.UNAUTHENTICATED


def test_an_unknown_promotion_is_not_found(world: World) -> None:
    stranger = replace(world.mark(), id="prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1")

    assert rejected_code(world, promotion=stranger) is Code.NOT_FOUND


def test_another_operator_may_promote_what_one_marked(world: World) -> None:
    accepted = world.accept(world.mark(), caller=SAM)

    assert (accepted.promotion.created_by, accepted.promotion.promoted_by) == ("kim", "sam")
