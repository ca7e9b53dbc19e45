"""A failed promotion is sent once more, a deployed one taken back: each by a new promotion."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.audit import AuditEntry
from chalicelib.domain.errors import AccessDenied, Code, Refused, Rejected, Unavailable
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import Approval, Effect, Promotion, State, Step
from chalicelib.domain.target import Target
from chalicelib.ports import Clash
from chalicelib.usecases.promote import Accepted
from chalicelib.usecases.renew import RenewOrder
from tests.factories import CONFIG_VAR, FLAG, KIM, PAT, SAM, TARGET, VERA
from tests.fakes import START
from tests.unit.usecases.test_lookup import before_the_next_write, lose_every_write
from tests.world import World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
BOTH = pytest.mark.parametrize("doing", ["retry", "rollback"])


def renew(world: World, doing: str, old: Promotion, **fields: object) -> Accepted:
    """Retry or roll back, as a promoter with the code that counts now."""
    wanted: dict[str, object] = {
        "promotion_id": old.id,
        "caller": KIM,
        "code": world.code,
        "if_version": None,
        "key": None,
    }
    order = RenewOrder(**(wanted | fields))  # type: ignore[arg-type]
    return world.renew.retry(order) if doing == "retry" else world.renew.rollback(order)


def retry(world: World, old: Promotion, **fields: object) -> Promotion:
    return renew(world, "retry", old, **fields).promotion


def rollback(world: World, old: Promotion, **fields: object) -> Promotion:
    return renew(world, "rollback", old, **fields).promotion


def refusal(world: World, doing: str, old: Promotion, **fields: object) -> Rejected:
    """Why it is refused; there is no new promotion, and no code was spent."""
    promotions, locks = dict(world.store.promotions), dict(world.store.flag_locks)
    codes = {name: each.last_timecode for name, each in world.operators.operators.items()}
    with pytest.raises(Rejected) as rejected:
        renew(world, doing, old, **fields)
    assert world.store.promotions == promotions
    assert world.store.flag_locks == locks
    assert codes == {name: each.last_timecode for name, each in world.operators.operators.items()}
    return rejected.value


def failed(world: World, **fields: object) -> Promotion:
    """One that Heroku would not take, but would now."""
    world.apps.unacceptable = frozenset({CONFIG_VAR})
    promotion = world.promoted(**fields)  # type: ignore[arg-type]
    world.work(promotion)
    world.apps.unacceptable = frozenset()
    return world.now(promotion)


def deployed(world: World, value: str = "true") -> Promotion:
    promotion = world.promoted(value=value)
    world.work(promotion)
    return world.now(promotion)


def old_one(world: World, doing: str) -> Promotion:
    """One that can be renewed so."""
    return failed(world) if doing == "retry" else deployed(world)


def freeze(world: World, *, until: datetime | None) -> None:
    now = world.clock.now()
    window = Freeze(
        id="year-end",
        reason="quiet days",
        starts_at=now - HOUR,
        ends_at=until,
        set_by=SAM.name,
        set_at=now,
    )
    world.freezes.plan = replace(world.freezes.plan, freezes={window.id: window})


def first_entry(world: World, promotion: Promotion) -> AuditEntry:
    return world.store.trail(promotion.id)[0].entry


# What the new promotion is


def test_a_retry_sends_the_same_value_once_more(world: World) -> None:
    old = failed(world, value="blue")

    new = retry(world, old)

    assert new.id != old.id
    assert (new.target, new.flag, new.value) == (TARGET, FLAG, "blue")
    assert (new.retries, new.reverts) == (old.id, None)
    assert (new.state, new.step) == (State.DEPLOYING, Step.QUEUED)
    assert world.now(old) == old


def test_a_retry_goes_through(world: World) -> None:
    new = retry(world, failed(world))

    world.work(new)

    assert world.now(new).state is State.DEPLOYED
    assert world.apps.stored[CONFIG_VAR] == "true"


def test_a_rollback_sets_what_was_there_before(world: World) -> None:
    deployed(world, "blue")
    old = deployed(world, "red")

    new = rollback(world, old)
    world.work(new)

    assert (new.value, new.reverts, new.retries) == ("blue", old.id, None)
    assert world.now(new).state is State.DEPLOYED
    assert world.apps.stored[CONFIG_VAR] == "blue"
    assert world.now(old) == old


def test_a_rollback_removes_what_was_not_there_before(world: World) -> None:
    old = deployed(world)

    new = rollback(world, old)
    world.work(new)

    assert new.value is None
    assert world.now(new).state is State.DEPLOYED
    assert CONFIG_VAR not in world.apps.stored


def test_a_rollback_can_itself_be_rolled_back(world: World) -> None:
    back = rollback(world, deployed(world, "blue"))
    world.work(back)

    again = rollback(world, back, caller=PAT)

    assert (again.value, again.reverts) == ("blue", back.id)


def test_a_failed_rollback_is_retried_as_a_rollback(world: World) -> None:
    deployed(world, "blue")
    old = deployed(world, "red")
    back = rollback(world, old)
    world.apps.unacceptable = frozenset({CONFIG_VAR})
    world.work(back)

    again = retry(world, back, caller=PAT)

    assert (again.value, again.retries, again.reverts) == ("blue", back.id, old.id)


@BOTH
def test_it_is_let_go_with_its_mark_by_whoever_asks(world: World, doing: str) -> None:
    old = old_one(world, doing)
    now = world.clock.now()

    new = renew(world, doing, old, caller=PAT, reason="again").promotion

    assert (new.created_by, new.promoted_by, new.note) == ("pat", "pat", "again")
    assert (new.created_at, new.promoted_at) == (now, now)
    assert (new.state_entered_at, new.step_entered_at) == (now, now)
    assert world.now(new) == new


@BOTH
def test_its_audit_begins_with_what_it_came_of(world: World, doing: str) -> None:
    old = old_one(world, doing)

    new = renew(world, doing, old, reason="once more").promotion

    entry = first_entry(world, new)
    assert (entry.actor, entry.action, entry.to_state) == ("kim", doing, "deploying")
    assert entry.facts[{"retry": "retries", "rollback": "reverts"}[doing]] == old.id
    assert entry.facts["totp_timecode"] == world.operators.operators["kim"].last_timecode
    assert (entry.facts["value"], entry.facts["reason"]) == (new.value, "once more")
    assert world.verified(new)
    assert world.verified(old)


def test_the_audit_of_a_rollback_shows_what_heroku_showed(world: World) -> None:
    new = rollback(world, deployed(world), force=True)

    facts = first_entry(world, new).facts
    assert (facts["evidence"]["value"], facts["evidence"]["release"]) == ("true", 2)
    assert facts["forced"] is True


def test_what_the_catalogue_said_of_the_flag_goes_with_it(world: World) -> None:
    old = replace(failed(world), description="Turns it on.")
    world.store.promotions[old.id] = old

    assert retry(world, old).description == "Turns it on."


@BOTH
def test_through_a_service_the_audit_shows_both(world: World, doing: str) -> None:
    new = renew(world, doing, old_one(world, doing), caller=replace(KIM, via="console")).promotion

    entry = first_entry(world, new)
    assert (entry.actor, entry.facts["via"]) == ("kim", "console")


@BOTH
def test_its_target_is_woken(world: World, doing: str) -> None:
    old = old_one(world, doing)
    world.wakes.sent.clear()

    begun = renew(world, doing, old)

    assert (begun.woken, begun.replayed) == (True, False)
    assert world.wakes.sent == [(TARGET, begun.promotion.id)]


@BOTH
def test_a_lost_wake_costs_time_only(world: World, doing: str) -> None:
    old = old_one(world, doing)
    world.wakes.failure = Unavailable()

    begun = renew(world, doing, old)

    assert not begun.woken
    assert world.now(begun.promotion).state is State.DEPLOYING


# Who may, and when


@BOTH
def test_a_viewer_may_not(world: World, doing: str) -> None:
    rejected = refusal(world, doing, old_one(world, doing), caller=VERA)

    assert rejected.code is Code.ROLE_INSUFFICIENT


@BOTH
@pytest.mark.parametrize(
    ("code", "answer"),
    [(None, Code.TOTP_REQUIRED), ("000000", Code.TOTP_INVALID), ("1", Code.INVALID_REQUEST)],
)
def test_without_the_right_code_there_is_no_new_promotion(
    world: World,
    doing: str,
    code: str | None,
    answer: Code,
) -> None:
    rejected = refusal(world, doing, old_one(world, doing), code=code, key="one")

    assert rejected.code is answer
    assert world.store.used_key("kim", "one") is None


@BOTH
def test_its_code_works_once(world: World, doing: str) -> None:
    old, code = old_one(world, doing), world.code
    new = renew(world, doing, old, code=code).promotion

    with pytest.raises(Rejected) as rejected:
        world.accept(world.mark("another"), code=code)

    assert rejected.value.code is Code.TOTP_REUSED
    assert world.now(new).state is State.DEPLOYING


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
def test_only_what_failed_is_retried_and_no_code_is_looked_at(world: World, state: State) -> None:
    old = replace(failed(world), state=state)
    world.store.promotions[old.id] = old

    rejected = refusal(world, "retry", old, code="000000")

    assert rejected.code is Code.STATE_FORBIDS
    assert world.operators.operators["kim"].failures == 0


@pytest.mark.parametrize("state", [state for state in State if state is not State.DEPLOYED])
def test_only_what_is_deployed_is_rolled_back_and_no_code_is_looked_at(
    world: World,
    state: State,
) -> None:
    old = replace(deployed(world), state=state)
    world.store.promotions[old.id] = old

    rejected = refusal(world, "rollback", old, code="000000")

    assert rejected.code is Code.STATE_FORBIDS
    assert world.operators.operators["kim"].failures == 0


@BOTH
def test_what_is_not_there_is_not_found(world: World, doing: str) -> None:
    stranger = replace(old_one(world, doing), id="prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1")

    assert refusal(world, doing, stranger).code is Code.NOT_FOUND


@BOTH
def test_what_is_not_as_the_operator_read_it_is_left_alone(world: World, doing: str) -> None:
    old = old_one(world, doing)

    rejected = refusal(world, doing, old, if_version=1, code="000000")

    assert rejected.code is Code.VERSION_STALE
    assert world.operators.operators["kim"].failures == 0


@BOTH
def test_what_is_as_the_operator_read_it_is_renewed(world: World, doing: str) -> None:
    old = old_one(world, doing)

    assert renew(world, doing, old, if_version=old.version).promotion.version == 1


@BOTH
def test_an_open_promotion_of_the_flag_is_in_the_way_and_is_named(world: World, doing: str) -> None:
    old = old_one(world, doing)
    open_one = world.mark()

    rejected = refusal(world, doing, old)

    assert rejected.code is Code.FLAG_BUSY
    assert rejected.conflict == {"promotion_id": open_one.id}


def test_it_is_offered_where_it_can_be_done(world: World) -> None:
    kept = deployed(world)
    lost = failed(world, value="other")

    offered = {
        (state, offer.action)
        for state, promotion in (("deployed", kept), ("failed", lost))
        for offer in world.show_it(promotion.id, caller=KIM).offers
        if offer.allowed
    }

    assert offered == {("deployed", "rollback"), ("failed", "retry")}


# A rollback takes back only what is still there


def without_a_patch(world: World) -> Promotion:
    """Live already when it was promoted."""
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    return deployed(world)


def test_what_settled_without_a_patch_has_nothing_to_be_taken_back(world: World) -> None:
    old = without_a_patch(world)

    rejected = refusal(world, "rollback", old, force=True)

    assert rejected.code is Code.STATE_FORBIDS
    assert "not on record what it replaced" in rejected.detail


def test_what_settled_without_a_patch_is_not_offered_for_rollback(world: World) -> None:
    old = without_a_patch(world)

    (offer,) = [o for o in world.show_it(old.id, caller=KIM).offers if o.action == "rollback"]

    assert not offer.allowed
    assert offer.reason is not None
    assert "not on record what it replaced" in offer.reason


def changed_by_hand(world: World) -> None:
    world.apps.foreign_write(**{CONFIG_VAR: "somebody's"})


def removed_by_hand(world: World) -> None:
    world.apps.rollback(1)


@pytest.mark.parametrize("change", [changed_by_hand, removed_by_hand])
def test_a_value_that_somebody_changed_since_is_not_written_over(
    world: World,
    change: Callable[[World], None],
) -> None:
    old = deployed(world)
    change(world)

    rejected = refusal(world, "rollback", old)

    assert rejected.code is Code.VALUE_CHANGED
    assert rejected.conflict is not None
    assert [error.field for error in rejected.errors] == ["force"]


def test_the_refusal_shows_the_value_that_is_there(world: World) -> None:
    old = deployed(world)
    changed_by_hand(world)

    rejected = refusal(world, "rollback", old)

    assert rejected.conflict is not None
    evidence = rejected.conflict["evidence"]
    assert isinstance(evidence, dict)
    assert (evidence["value"], evidence["present"]) == ("somebody's", True)


@pytest.mark.parametrize("change", [changed_by_hand, removed_by_hand])
def test_force_writes_it_over_with_the_same_code(
    world: World,
    change: Callable[[World], None],
) -> None:
    deployed(world, "blue")
    old, code = deployed(world, "red"), world.code
    change(world)
    refusal(world, "rollback", old, code=code)

    new = rollback(world, old, code=code, force=True)
    world.work(new)

    assert world.apps.stored[CONFIG_VAR] == "blue"


@pytest.mark.parametrize(
    "failure",
    [Unavailable(), AccessDenied("Heroku answered 401."), Refused("Heroku answered 404.")],
)
def test_a_value_that_cannot_be_read_is_not_written_over(
    world: World,
    failure: Exception,
) -> None:
    old = deployed(world)
    world.apps.failures["config"] = [failure]

    rejected = refusal(world, "rollback", old)

    assert rejected.code is Code.EVIDENCE_MISSING
    assert [error.field for error in rejected.errors] == ["force"]


def test_force_rolls_back_without_heroku(world: World) -> None:
    old = deployed(world)
    world.apps.failures["config"] = [Unavailable()]

    new = rollback(world, old, force=True)

    assert new.state is State.DEPLOYING
    assert first_entry(world, new).facts["evidence"]["finding"] == "unreachable"


def test_a_removal_that_somebody_undid_is_not_rolled_back(world: World) -> None:
    removal = rollback(world, deployed(world, "blue"))
    world.work(removal)
    changed_by_hand(world)

    assert refusal(world, "rollback", removal, caller=PAT).code is Code.VALUE_CHANGED


def test_heroku_is_not_asked_for_a_retry(world: World) -> None:
    old = failed(world)
    world.apps.failures["releases"] = [Unavailable()]

    assert retry(world, old).state is State.DEPLOYING


# The target's policy


def asks_for(world: World, approvals: int) -> None:
    world.targets.put(Target(app=TARGET, version=2, min_approvals=approvals))


def approved(world: World, old: Promotion, *names: str) -> Promotion:
    approvals = tuple(Approval(by=name, at=START) for name in names)
    world.store.promotions[old.id] = replace(old, approvals=approvals)
    return world.store.promotions[old.id]


def test_a_retry_needs_the_approvals_that_the_target_asks_for(world: World) -> None:
    old = approved(world, failed(world), "pat")
    asks_for(world, 2)

    rejected = refusal(world, "retry", old, code="000000")

    assert rejected.code is Code.APPROVALS_MISSING
    assert rejected.conflict == {"approvals": ["pat"], "missing": 1}
    assert world.operators.operators["kim"].failures == 0


def test_approvals_of_the_one_that_failed_count(world: World) -> None:
    old = approved(world, failed(world), "pat", "sam")
    asks_for(world, 2)

    new = retry(world, old)

    assert new.approvals == old.approvals


def test_a_rollback_needs_nobodys_approval(world: World) -> None:
    old = approved(world, deployed(world), "pat")
    asks_for(world, 2)

    new = rollback(world, old)
    world.work(new)

    assert new.approvals == ()
    assert world.now(new).state is State.DEPLOYED


def test_a_retried_rollback_needs_nobodys_approval(world: World) -> None:
    back = rollback(world, deployed(world))
    world.apps.unacceptable = frozenset({CONFIG_VAR})
    world.work(back)
    asks_for(world, 2)

    assert retry(world, back, caller=PAT).state is State.DEPLOYING


# Freezes


def test_a_freeze_holds_a_retry_back_until_it_ends(world: World) -> None:
    old = failed(world)
    opens = world.clock.now() + 30 * DAY
    freeze(world, until=opens)
    world.wakes.sent.clear()

    begun = renew(world, "retry", old)

    new = begun.promotion
    assert (new.state, new.held_by, new.promoted_by) == (State.STAGED, "freeze", "kim")
    assert (new.step, new.promoted_at, begun.woken) == (None, None, False)
    assert new.expires_at == opens + DAY
    assert world.wakes.sent == []


def test_a_retry_that_was_held_back_begins_by_itself(world: World) -> None:
    old = failed(world)
    freeze(world, until=world.clock.now() + HOUR)
    new = retry(world, old)
    world.clock.advance(HOUR)

    world.watchdog()
    world.work(new)

    assert world.now(new).state is State.DEPLOYED
    assert world.verified(new)


def test_a_short_freeze_does_not_shorten_the_time_that_a_retry_has(world: World) -> None:
    old = failed(world)
    freeze(world, until=world.clock.now() + HOUR)

    assert retry(world, old).expires_at == world.clock.now() + 7 * DAY


def test_a_freeze_without_an_end_holds_a_retry_back_for_as_long_as_it_may_wait(
    world: World,
) -> None:
    old = failed(world)
    freeze(world, until=None)

    new = retry(world, old)

    assert (new.state, new.expires_at) == (State.STAGED, world.clock.now() + 7 * DAY)


def test_the_audit_of_a_retry_says_what_held_it_back(world: World) -> None:
    old = failed(world)
    freeze(world, until=world.clock.now() + HOUR)

    new = retry(world, old)

    entry = first_entry(world, new)
    assert (entry.to_state, entry.facts["held_by"]) == ("staged", "year-end")
    assert entry.facts["until"] == "2026-05-09T05:28:30.000000Z"
    assert world.verified(new)


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_rollback_goes_through_a_freeze_with_a_reason_only(
    world: World,
    reason: str | None,
) -> None:
    old = deployed(world)
    freeze(world, until=world.clock.now() + HOUR)

    rejected = refusal(world, "rollback", old, reason=reason, code="000000")

    assert rejected.code is Code.FROZEN
    assert [error.field for error in rejected.errors] == ["reason"]
    assert rejected.conflict == {"freeze": "year-end", "until": "2026-05-09T05:28:30.000000Z"}
    assert world.operators.operators["kim"].failures == 0


@pytest.mark.parametrize("lasts", [HOUR, None])
def test_a_rollback_with_a_reason_begins_at_once_during_a_freeze(
    world: World,
    lasts: timedelta | None,
) -> None:
    old = deployed(world)
    freeze(world, until=None if lasts is None else world.clock.now() + lasts)

    new = rollback(world, old, reason="customers cannot log in")
    world.work(new)

    assert new.state is State.DEPLOYING
    assert world.now(new).state is State.DEPLOYED


def failed_rollback(world: World) -> Promotion:
    """A deployed promotion could not be taken back."""
    back = rollback(world, deployed(world))
    world.apps.unacceptable = frozenset({CONFIG_VAR})
    world.work(back)
    world.apps.unacceptable = frozenset()
    return world.now(back)


def test_a_retried_rollback_with_a_reason_goes_through_a_freeze_too(world: World) -> None:
    back = failed_rollback(world)
    freeze(world, until=world.clock.now() + HOUR)

    new = retry(world, back, caller=PAT, reason="customers cannot log in")

    assert new.state is State.DEPLOYING


@pytest.mark.parametrize("reason", [None, "", "  "])
def test_a_retried_rollback_without_a_reason_is_held_back(world: World, reason: str | None) -> None:
    back = failed_rollback(world)
    freeze(world, until=world.clock.now() + HOUR)

    new = retry(world, back, caller=PAT, reason=reason)

    assert (new.state, new.held_by) == (State.STAGED, "freeze")


def test_a_reason_does_not_take_any_other_retry_through_a_freeze(world: World) -> None:
    old = failed(world)
    freeze(world, until=world.clock.now() + HOUR)

    assert retry(world, old, reason="customers cannot log in").state is State.STAGED


# The same request again


@BOTH
def test_the_same_request_again_is_answered_without_a_code(world: World, doing: str) -> None:
    old = old_one(world, doing)
    first = renew(world, doing, old, key="one")

    again = renew(world, doing, old, key="one", code=None, if_version=1)

    assert (first.replayed, again.replayed, again.woken) == (False, True, False)
    assert again.promotion == first.promotion


@BOTH
def test_the_same_request_again_shows_how_far_it_has_come(world: World, doing: str) -> None:
    old = old_one(world, doing)
    world.work(renew(world, doing, old, key="one").promotion)

    again = renew(world, doing, old, key="one", code=None)

    assert again.promotion.state is State.DEPLOYED


def test_a_replay_does_not_care_for_a_freeze_or_a_value_that_changed_since(world: World) -> None:
    old = deployed(world)
    new = rollback(world, old, key="one")
    freeze(world, until=None)
    changed_by_hand(world)

    assert rollback(world, old, key="one", code=None) == new


@BOTH
@pytest.mark.parametrize("other", [{"reason": "another"}, {"promotion_id": "prm_twin"}])
def test_a_key_that_stands_for_another_request_is_refused(
    world: World,
    doing: str,
    other: dict[str, object],
) -> None:
    old = old_one(world, doing)
    world.store.promotions["prm_twin"] = replace(old, id="prm_twin")
    new = renew(world, doing, old, key="one").promotion

    rejected = refusal(world, doing, old, **({"key": "one"} | other))

    assert rejected.code is Code.KEY_REUSED
    assert rejected.conflict == {"promotion_id": new.id}


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False)])
def test_the_same_key_with_and_without_force_are_two_requests(
    world: World,
    first: bool,  # noqa: FBT001 - a parameter of the test
    second: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    old = deployed(world)
    rollback(world, old, key="one", force=first)

    assert refusal(world, "rollback", old, key="one", force=second).code is Code.KEY_REUSED


def test_the_key_of_a_mark_is_not_taken_for_the_key_of_a_retry(world: World) -> None:
    old = failed(world, key="one")

    assert refusal(world, "retry", old, key="one").code is Code.KEY_REUSED


@BOTH
def test_the_key_is_forgotten_after_a_day(world: World, doing: str) -> None:
    old = old_one(world, doing)
    first = renew(world, doing, old, key="one").promotion
    world.apps.unacceptable = frozenset({CONFIG_VAR})
    world.work(first)
    world.clock.advance(DAY)

    again = renew(world, doing, old, key="one").promotion

    assert again.id != first.id


@BOTH
def test_another_operators_key_means_another_request(world: World, doing: str) -> None:
    old = old_one(world, doing)
    renew(world, doing, old, key="one")

    assert refusal(world, doing, old, key="one", caller=PAT).code is Code.FLAG_BUSY


# Others who write at the same moment


@BOTH
def test_a_request_that_is_sent_twice_at_once_makes_one_promotion(world: World, doing: str) -> None:
    old, code = old_one(world, doing), world.code
    twin: list[Accepted] = []
    before_the_next_write(
        world, lambda: twin.append(renew(world, doing, old, key="one", code=code))
    )

    second = renew(world, doing, old, key="one", code=code)

    assert second.replayed
    assert second.promotion == twin[0].promotion
    assert len(world.store.promotions) == 2


@BOTH
def test_of_two_operators_one_is_told_of_the_other(world: World, doing: str) -> None:
    old = old_one(world, doing)
    rival: list[Promotion] = []
    before_the_next_write(
        world,
        lambda: rival.append(renew(world, doing, old, caller=PAT).promotion),
    )

    with pytest.raises(Rejected) as rejected:
        renew(world, doing, old)

    assert rejected.value.code is Code.FLAG_BUSY
    assert rejected.value.conflict == {"promotion_id": rival[0].id}


@BOTH
def test_a_code_that_was_spent_meanwhile_makes_no_promotion(world: World, doing: str) -> None:
    old, code = old_one(world, doing), world.code
    step = int(world.clock.now().timestamp()) // 30

    def spend() -> None:
        world.operators.put(replace(world.operators.operators["kim"], last_timecode=step))

    before_the_next_write(world, spend)

    with pytest.raises(Rejected) as rejected:
        renew(world, doing, old, code=code)

    assert rejected.value.code is Code.TOTP_REUSED
    assert len(world.store.promotions) == 1


@BOTH
def test_a_code_whose_operators_record_moved_otherwise_is_judged_again(
    world: World,
    doing: str,
) -> None:
    old = old_one(world, doing)

    def guess_wrong() -> None:
        world.operators.put(replace(world.operators.operators["kim"], failures=1))

    before_the_next_write(world, guess_wrong)

    assert renew(world, doing, old).promotion.state is State.DEPLOYING


@BOTH
def test_where_others_keep_winning_it_is_given_up(world: World, doing: str) -> None:
    old = old_one(world, doing)
    tried = lose_every_write(world, Clash.KEY)

    assert refusal(world, doing, old).code is Code.CONTENTION
    assert len(tried) == 3


def test_an_effect_that_was_forced_upon_it_does_not_keep_it_from_being_retried(
    world: World,
) -> None:
    old = replace(failed(world), effect=Effect.UNKNOWN)
    world.store.promotions[old.id] = old

    assert retry(world, old).state is State.DEPLOYING


@pytest.mark.parametrize("caller", [KIM, SAM])
def test_whoever_may_promote_may_renew(world: World, caller: Caller) -> None:
    assert retry(world, failed(world), caller=caller).promoted_by == caller.name
