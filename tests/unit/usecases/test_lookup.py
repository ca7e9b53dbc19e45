"""A change is made of the promotion as it is, or not at all; and to read, one must be somebody."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Change, Promotion, State
from chalicelib.ports import Clash, Lost, Query
from chalicelib.usecases.acknowledge import Acknowledge
from chalicelib.usecases.browse import Browse
from chalicelib.usecases.edit import Edit
from chalicelib.usecases.targets import ListTargets, ShowLock
from tests.factories import KIM, SAM, TARGET, VERA
from tests.fakes import START
from tests.world import World

HOUR = timedelta(hours=1)


def cancel(
    world: World,
    promotion: Promotion,
    *,
    if_version: int | None = None,
    reason: str | None = None,
) -> Promotion:
    done = world.cancel_it(promotion.id, caller=KIM, if_version=if_version, reason=reason)
    return done.promotion


def acknowledge(
    world: World,
    promotion: Promotion,
    *,
    caller: Caller = KIM,
    if_version: int | None = None,
) -> Promotion:
    acknowledge_it = Acknowledge(store=world.store, clock=world.clock)
    return acknowledge_it(
        promotion.id,
        caller=caller,
        lasts=HOUR,
        note="the on-call knows",
        if_version=if_version,
    )


def edit(
    world: World,
    promotion: Promotion,
    *,
    if_version: int | None = None,
    **words: str | None,
) -> Promotion:
    edit_it = Edit(store=world.store, clock=world.clock)
    return edit_it(promotion.id, caller=KIM, words=words, if_version=if_version)


def rejected_by(act: Callable[[], object]) -> Rejected:
    with pytest.raises(Rejected) as rejected:
        act()
    return rejected.value


def before_the_next_write(world: World, rival: Callable[[], object]) -> None:
    """Let somebody else write just before the next write does."""
    commit = world.store.commit

    def commit_after_the_rival(change: Change, **kwargs: object) -> None:
        world.store.commit = commit  # type: ignore[method-assign]
        rival()
        commit(change, **kwargs)  # type: ignore[arg-type]

    world.store.commit = commit_after_the_rival  # type: ignore[method-assign]


def lose_every_write(world: World, *clashes: Clash) -> list[Change]:
    """Let every write lose; answers those that were tried."""
    tried: list[Change] = []

    def lose(change: Change, **_: object) -> None:
        tried.append(change)
        raise Lost(clashes)

    world.store.commit = lose  # type: ignore[method-assign]
    return tried


# The version that the caller decided on


@pytest.mark.parametrize("if_version", [0, 2])
def test_a_promotion_that_is_not_as_the_caller_read_it_is_not_cancelled(
    world: World,
    if_version: int,
) -> None:
    promotion = world.mark()

    rejected = rejected_by(lambda: cancel(world, promotion, if_version=if_version))

    assert rejected.code is Code.VERSION_STALE
    assert world.now(promotion) == promotion


def test_a_promotion_that_is_not_as_the_caller_read_it_is_not_acknowledged(world: World) -> None:
    promotion = world.promoted()

    rejected = rejected_by(lambda: acknowledge(world, promotion, if_version=1))

    assert rejected.code is Code.VERSION_STALE
    assert world.now(promotion) == promotion


def test_a_stale_version_is_told_both_versions_and_the_state(world: World) -> None:
    promotion = world.promoted()

    rejected = rejected_by(lambda: acknowledge(world, promotion, if_version=1))

    assert rejected.detail == (
        f"{promotion.id} has changed since you read it: you hold version 1, it is at 2 "
        "(deploying). Nothing was changed. Read it again."
    )
    assert rejected.conflict == {"version": 2, "state": State.DEPLOYING}


def test_a_promotion_that_is_as_the_caller_read_it_is_cancelled(world: World) -> None:
    promotion = world.mark()

    assert cancel(world, promotion, if_version=1).state is State.CANCELLED


def test_what_a_change_answers_is_what_is_stored(world: World) -> None:
    promotion = world.mark()

    after = cancel(world, promotion)

    assert world.now(promotion) == after


def test_what_is_as_wanted_already_is_answered_whatever_version_the_caller_holds(
    world: World,
) -> None:
    cancelled = cancel(world, world.mark(), if_version=1, reason="not today")

    again = cancel(world, cancelled, if_version=1, reason="not today")

    assert again == cancelled
    assert world.history(cancelled) == ["mark", "cancel"]


def test_words_that_are_as_wanted_already_are_not_written_again(world: World) -> None:
    edited = edit(world, world.mark(), note="see the thread")

    again = edit(world, edited, if_version=1, note="see the thread")

    assert again == edited
    assert world.history(edited) == ["mark", "edit"]


def test_what_the_state_forbids_is_said_before_the_version_is_compared(world: World) -> None:
    promotion = world.promoted()

    rejected = rejected_by(lambda: cancel(world, promotion, if_version=1))

    assert rejected.code is Code.STATE_FORBIDS


@pytest.mark.parametrize("act", [cancel, acknowledge, edit])
def test_what_is_not_there_cannot_be_changed(
    world: World,
    act: Callable[[World, Promotion], Promotion],
) -> None:
    stranger = replace(world.mark(), id="prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1")

    rejected = rejected_by(lambda: act(world, stranger))

    assert rejected.code is Code.NOT_FOUND


# Others who write at the same moment


def test_a_change_that_loses_is_made_again_of_the_promotion_as_it_is_then(world: World) -> None:
    promotion = world.promoted()
    before_the_next_write(world, lambda: acknowledge(world, promotion, caller=SAM))

    after = acknowledge(world, promotion)

    assert (after.version, after.acknowledged_by) == (4, "kim")
    assert world.history(promotion) == ["mark", "promote", "acknowledge", "acknowledge"]


def test_a_change_that_loses_is_not_made_again_against_the_callers_word(world: World) -> None:
    promotion = world.promoted()
    before_the_next_write(world, lambda: acknowledge(world, promotion, caller=SAM))

    rejected = rejected_by(lambda: acknowledge(world, promotion, if_version=promotion.version))

    assert rejected.code is Code.VERSION_STALE
    assert world.now(promotion).acknowledged_by == "sam"


def test_a_cancellation_that_loses_to_another_is_answered_with_that(world: World) -> None:
    promotion = world.mark()
    before_the_next_write(world, lambda: cancel(world, promotion, reason="first"))

    after = cancel(world, promotion, reason="second")

    assert after.reason == "first"
    assert world.history(promotion) == ["mark", "cancel"]


def test_a_cancellation_that_loses_to_a_promote_is_refused(world: World) -> None:
    promotion = world.mark()
    before_the_next_write(world, lambda: world.accept(promotion))

    rejected = rejected_by(lambda: cancel(world, promotion))

    assert rejected.code is Code.STATE_FORBIDS
    assert world.now(promotion).state is State.DEPLOYING


@pytest.mark.parametrize("act", [cancel, acknowledge])
def test_a_change_that_loses_three_times_is_given_up(
    world: World,
    act: Callable[[World, Promotion], Promotion],
) -> None:
    promotion = world.mark() if act is cancel else world.promoted()
    tried = lose_every_write(world, Clash.PROMOTION)

    rejected = rejected_by(lambda: act(world, promotion))

    assert rejected.code is Code.CONTENTION
    assert len(tried) == 3


# Acknowledging


def test_an_acknowledgement_says_who_knows_and_until_when(world: World) -> None:
    promotion = world.promoted()
    now = world.clock.now()

    after = acknowledge(world, promotion)

    assert (after.acknowledged_by, after.acknowledged_until) == ("kim", now + HOUR)
    assert after.state is State.DEPLOYING


def test_the_audit_of_an_acknowledgement_holds_its_note(world: World) -> None:
    promotion = world.promoted()

    acknowledge(world, promotion)

    entry = world.store.trail(promotion.id)[-1].entry
    assert (entry.actor, entry.action) == ("kim", "acknowledge")
    assert entry.facts == {"until": "2026-05-09T05:28:30.000000Z", "note": "the on-call knows"}


def test_what_is_not_deploying_cannot_be_acknowledged(world: World) -> None:
    promotion = world.mark()

    rejected = rejected_by(lambda: acknowledge(world, promotion))

    assert rejected.code is Code.STATE_FORBIDS


# Promoting, while others write at the same moment


def test_a_promote_that_is_accepted_says_that_it_is_new_and_its_target_woken(
    world: World,
) -> None:
    accepted = world.accept(world.mark(), key="one")

    assert (accepted.replayed, accepted.woken) == (False, True)


def test_a_promote_that_is_repeated_says_so_and_wakes_nobody(world: World) -> None:
    promotion = world.mark()
    first = world.accept(promotion, key="one")

    again = world.accept(promotion, key="one", code=None, if_version=1)

    assert (again.replayed, again.woken) == (True, False)
    assert again.promotion == first.promotion


def test_another_operators_promote_with_the_same_key_is_not_a_repetition(world: World) -> None:
    promotion = world.mark()
    world.accept(promotion, key="one")

    rejected = rejected_by(lambda: world.accept(promotion, caller=SAM, key="one"))

    assert rejected.code is Code.STATE_FORBIDS


def test_a_promote_that_is_sent_twice_at_once_is_accepted_once(world: World) -> None:
    promotion = world.mark()
    code = world.code
    before_the_next_write(world, lambda: world.accept(promotion, key="one", code=code))

    second = world.accept(promotion, key="one", code=code)

    assert second.replayed
    assert world.history(promotion) == ["mark", "promote"]
    assert world.wakes.sent == [(TARGET, promotion.id)]


def test_a_promote_that_loses_three_times_is_given_up(world: World) -> None:
    promotion = world.mark()
    tried = lose_every_write(world, Clash.PROMOTION)

    rejected = rejected_by(lambda: world.accept(promotion))

    assert rejected.code is Code.CONTENTION
    assert len(tried) == 3
    assert world.wakes.sent == []


def test_a_code_whose_operators_record_moved_for_another_reason_is_judged_again(
    world: World,
) -> None:
    promotion = world.mark()

    def guess_wrong() -> None:
        kim = world.operators.operators["kim"]
        world.operators.put(replace(kim, failures=kim.failures + 1))

    before_the_next_write(world, guess_wrong)

    accepted = world.accept(promotion)

    assert accepted.promotion.state is State.DEPLOYING
    assert (accepted.replayed, accepted.woken) == (False, True)


def test_a_code_that_somebody_spent_meanwhile_is_refused_without_another_try(
    world: World,
) -> None:
    promotion, code = world.mark(), world.code
    step = int(world.clock.now().timestamp()) // 30

    def spend() -> None:
        kim = world.operators.operators["kim"]
        world.operators.put(replace(kim, last_timecode=step))

    before_the_next_write(world, spend)
    read: list[str] = []
    get = world.store.get

    def counted(promotion_id: str) -> Promotion | None:
        read.append(promotion_id)
        return get(promotion_id)

    world.store.get = counted  # type: ignore[method-assign]

    rejected = rejected_by(lambda: world.accept(promotion, code=code))

    assert read == [promotion.id]
    assert rejected.code is Code.TOTP_REUSED
    assert rejected.retry_after == timedelta(seconds=30)
    assert world.now(promotion).state is State.PENDING


def test_a_code_whose_operator_is_removed_meanwhile_promotes_nothing(world: World) -> None:
    promotion = world.mark()

    def lose_and_remove(_: Change, **__: object) -> None:
        world.operators.operators.pop("kim", None)
        raise Lost([Clash.SECOND_FACTOR])

    world.store.commit = lose_and_remove  # type: ignore[method-assign, assignment]

    rejected = rejected_by(lambda: world.accept(promotion))

    assert rejected.code is Code.UNAUTHENTICATED


# Reading


@dataclass(frozen=True, kw_only=True)
class Outsider(Caller):
    """Somebody who may not even do what a viewer may."""

    def require(self, needed: Role) -> None:
        raise Rejected(Code.ROLE_INSUFFICIENT, f"needs a {needed}")


NOBODY = Outsider(name="nobody", role=Role.VIEWER)

READINGS: dict[str, Callable[[World, Promotion, Caller], object]] = {
    "audit": lambda world, promotion, caller: world.audit_it(promotion.id, caller=caller),
    "browse": lambda world, _, caller: Browse(store=world.store, clock=world.clock)(
        Query(), before=None, limit=10, caller=caller
    ),
    "show": lambda world, promotion, caller: world.show_it(promotion.id, caller=caller),
    "list_targets": lambda world, _, caller: ListTargets(targets=world.targets)(caller=caller),
    "show_target": lambda world, _, caller: world.show_target(TARGET, caller=caller),
    "show_lock": lambda world, _, caller: ShowLock(targets=world.targets, locks=world.locks)(
        TARGET, caller=caller
    ),
}


@pytest.mark.parametrize("reading", READINGS)
def test_a_viewer_may_read(world: World, reading: str) -> None:
    promotion = world.mark()

    assert READINGS[reading](world, promotion, VERA) is not None


@pytest.mark.parametrize("reading", READINGS)
def test_who_is_less_than_a_viewer_may_not_read(world: World, reading: str) -> None:
    promotion = world.mark()

    rejected = rejected_by(lambda: READINGS[reading](world, promotion, NOBODY))

    assert rejected.detail == "needs a viewer"


def test_what_is_not_there_cannot_be_shown(world: World) -> None:
    rejected = rejected_by(lambda: world.show_it("prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1", caller=VERA))

    assert rejected.code is Code.NOT_FOUND


def test_what_is_shown_tells_when_it_was_looked_at(world: World) -> None:
    promotion = world.mark()

    assert world.show_it(promotion.id, caller=VERA).now == START
