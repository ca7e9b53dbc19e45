"""The escape hatch: an operator says what came of a promotion, whatever does not answer."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import pytest

from chalicelib.domain.audit import Action, AuditEntry
from chalicelib.domain.errors import AccessDenied, Ambiguous, Code, Refused, Rejected, Unavailable
from chalicelib.domain.evidence import Finding
from chalicelib.domain.notice import notice_of
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import (
    Change,
    Effect,
    Promotion,
    Rung,
    SettledBy,
    State,
    Step,
)
from chalicelib.domain.release import Release, ReleaseStatus
from chalicelib.ports import Clash
from chalicelib.usecases.conclude import Concluded, ConcludeOrder
from tests.factories import CONFIG_VAR, FLAG, KIM, PAT, SAM, TARGET, VERA, an_operator
from tests.fakes import FakeApps
from tests.unit.usecases.test_lookup import before_the_next_write, lose_every_write
from tests.unit.usecases.test_visits import right_after
from tests.world import World

WHY = "The console was killed by the restart; heroku config shows the value."
RCA = "https://wiki.example/rca/7"
ALEX = replace(SAM, name="alex")
HALF_AN_HOUR = timedelta(minutes=30)
BOTH = pytest.mark.parametrize("saying", ["complete", "fail"])


def say(world: World, saying: str, promotion: Promotion, **fields: object) -> Concluded:
    """Say what came of it, as a superadmin with the code that counts now."""
    wanted: dict[str, object] = {
        "promotion_id": promotion.id,
        "caller": SAM,
        "code": world.code,
        "if_version": None,
        "key": None,
        "reason": WHY,
    }
    order = ConcludeOrder(**(wanted | fields))  # type: ignore[arg-type]
    return world.conclude.complete(order) if saying == "complete" else world.conclude.fail(order)


def complete(world: World, promotion: Promotion, **fields: object) -> Promotion:
    return say(world, "complete", promotion, **fields).promotion


def fail(world: World, promotion: Promotion, **fields: object) -> Promotion:
    return say(world, "fail", promotion, **fields).promotion


def refusal(world: World, saying: str, promotion: Promotion, **fields: object) -> Rejected:
    """Why it is refused; nothing was written, and no code was spent."""
    promotions = dict(world.store.promotions)
    codes = {name: each.last_timecode for name, each in world.operators.operators.items()}
    with pytest.raises(Rejected) as rejected:
        say(world, saying, promotion, **fields)
    assert world.store.promotions == promotions
    assert codes == {name: each.last_timecode for name, each in world.operators.operators.items()}
    return rejected.value


def last_entry(world: World, promotion: Promotion) -> AuditEntry:
    return world.store.trail(promotion.id)[-1].entry


# Promotions that got stuck, each in its way


def unsent(world: World) -> Promotion:
    """Accepted, and no worker ever came."""
    return world.promoted()


def sent(world: World) -> Promotion:
    """The worker died right after its PATCH, and nobody came after it: the incident."""
    world.apps.failures["set_config_vars_answer"] = [Ambiguous()]
    promotion = world.promoted()
    world.work(promotion)
    return world.now(promotion)


def releasing(world: World) -> Promotion:
    """Its release phase does not end."""
    world.apps.phase = None
    promotion = world.promoted()
    world.work(promotion)
    return world.now(promotion)


def unproven(world: World) -> Promotion:
    """Heroku took it a moment ago, and shows no release yet."""
    promotion = replace(
        world.promoted(),
        step=Step.PENDING_COMMIT,
        step_entered_at=world.clock.now(),
        baseline_version=1,
    )
    world.store.promotions[promotion.id] = promotion
    return promotion


def heroku_is_away(world: World) -> None:
    world.apps.failures["releases"] = [Unavailable() for _ in range(9)]


# Complete


def test_what_is_live_is_completed_with_what_proves_it(world: World) -> None:
    promotion = sent(world)

    after = complete(world, promotion)

    assert (after.state, after.effect, after.settled_by) == (
        State.DEPLOYED,
        Effect.LIVE,
        SettledBy.OPERATOR,
    )
    assert (after.reason, after.settled_at) == (WHY, world.clock.now())
    assert (after.release_version, after.release_id) == (2, "00000001-release")
    assert after.observed is not None
    assert (after.observed["finding"], after.observed["value"]) == ("live", "true")
    assert world.now(promotion) == after


def test_what_somebody_else_made_live_is_completed_too(world: World) -> None:
    promotion = unsent(world)
    world.apps.foreign_write(**{CONFIG_VAR: "true"})

    after = complete(world, promotion)

    assert (after.effect, after.release_version) == (Effect.LIVE, 2)


def test_the_audit_says_who_said_so_why_and_what_heroku_showed(world: World) -> None:
    promotion = sent(world)

    after = complete(world, promotion, rca_url=RCA)

    entry = last_entry(world, promotion)
    assert (entry.actor, entry.action, entry.to_state) == ("sam", "complete", "deployed")
    assert entry.facts["totp_timecode"] == world.operators.operators["sam"].last_timecode
    assert {name: entry.facts[name] for name in ("effect", "reason", "forced", "rca_url")} == {
        "effect": "live",
        "reason": WHY,
        "forced": False,
        "rca_url": RCA,
    }
    assert entry.facts["evidence"] == after.observed
    assert world.verified(promotion)


@BOTH
def test_a_link_to_the_retrospective_is_kept(world: World, saying: str) -> None:
    after = say(world, saying, unsent(world), rca_url=RCA, force=True).promotion

    assert after.rca_url == RCA


@BOTH
def test_without_a_link_the_one_there_was_stays(world: World, saying: str) -> None:
    promotion = replace(unsent(world), rca_url=RCA)
    world.store.promotions[promotion.id] = promotion

    after = say(world, saying, promotion, force=True).promotion

    assert after.rca_url == RCA
    assert "rca_url" not in last_entry(world, promotion).facts


def test_the_completed_value_is_what_drift_is_measured_against_from_now_on(world: World) -> None:
    promotion = complete(world, sent(world))

    declared = world.baselines.get(TARGET).declared[FLAG]

    assert (declared.value, declared.promotion_id) == ("true", promotion.id)


def test_a_failure_does_not_change_what_drift_is_measured_against(world: World) -> None:
    first = world.promoted()
    world.work(first)
    second = world.promoted(value="false")

    fail(world, second)

    assert world.baselines.get(TARGET).declared[FLAG].promotion_id == first.id


@BOTH
def test_the_flag_is_free_for_another_promotion(world: World, saying: str) -> None:
    say(world, saying, unsent(world), force=True)

    assert world.mark().state is State.PENDING


@BOTH
def test_the_code_is_spent_with_it(world: World, saying: str) -> None:
    first, second = world.promoted(), world.promoted("another")
    code = world.code
    say(world, saying, first, force=True, code=code)

    rejected = refusal(world, saying, second, force=True, code=code)

    assert rejected.code is Code.TOTP_REUSED


# Fail


def test_what_was_never_sent_failed_without_effect(world: World) -> None:
    after = fail(world, unsent(world))

    assert (after.state, after.effect, after.settled_by, after.reason) == (
        State.FAILED,
        Effect.NONE,
        SettledBy.OPERATOR,
        WHY,
    )
    assert after.release_version is None


def test_the_effect_of_a_failure_is_read_back(world: World) -> None:
    promotion = releasing(world)
    world.apps.end_release(2, ReleaseStatus.FAILED)

    after = fail(world, promotion)

    assert after.effect is Effect.STORED_NOT_LIVE
    assert after.observed is not None
    assert (after.observed["release"], after.observed["release_status"]) == (2, "failed")


def test_the_effect_of_what_is_forced_is_read_back_too(world: World) -> None:
    assert fail(world, sent(world), force=True).effect is Effect.LIVE
    assert complete(world, world.promoted("another"), force=True).effect is Effect.NONE


# What does not answer


@BOTH
def test_it_works_while_the_queue_is_down(world: World, saying: str) -> None:
    promotion = unsent(world)
    world.wakes.failure = Unavailable()

    after = say(world, saying, promotion, force=True).promotion

    assert after.state.terminal


@pytest.mark.parametrize(
    "failure",
    [Unavailable(), AccessDenied("Heroku answered 401."), Refused("Heroku answered 404.")],
)
@pytest.mark.parametrize("call", ["releases", "config", "release_config_vars"])
def test_it_fails_without_heroku_and_then_the_effect_is_unknown(
    world: World,
    call: str,
    failure: Exception,
) -> None:
    promotion = sent(world)
    world.apps.failures[call] = [failure]

    after = fail(world, promotion)

    assert (after.state, after.effect) == (State.FAILED, Effect.UNKNOWN)
    assert after.observed is not None
    assert after.observed["finding"] == "unreachable"


def test_it_is_not_completed_without_heroku(world: World) -> None:
    promotion = sent(world)
    heroku_is_away(world)

    rejected = refusal(world, "complete", promotion)

    assert rejected.code is Code.EVIDENCE_MISSING
    assert "no code was spent" in rejected.detail


def test_it_is_completed_without_heroku_by_force_and_then_the_effect_is_unknown(
    world: World,
) -> None:
    promotion = sent(world)
    heroku_is_away(world)

    after = complete(world, promotion, force=True)

    assert (after.state, after.effect, after.release_version) == (
        State.DEPLOYED,
        Effect.UNKNOWN,
        None,
    )


# What Heroku shows


def shown(world: World, saying: str, promotion: Promotion) -> tuple[Code, str]:
    rejected = refusal(world, saying, promotion)
    assert rejected.conflict is not None
    evidence = rejected.conflict["evidence"]
    assert isinstance(evidence, dict)
    assert evidence["said"] in rejected.detail
    return rejected.code, evidence["finding"]


@pytest.mark.parametrize(
    ("stuck", "code", "finding"),
    [
        (unsent, Code.EVIDENCE_CONTRADICTS, Finding.NOT_LIVE),
        (releasing, Code.EVIDENCE_CONTRADICTS, Finding.RUNNING),
        (unproven, Code.EVIDENCE_MISSING, Finding.UNPROVEN),
    ],
)
def test_what_is_not_proven_live_is_not_completed(
    world: World,
    stuck: Callable[[World], Promotion],
    code: Code,
    finding: Finding,
) -> None:
    assert shown(world, "complete", stuck(world)) == (code, finding)


@pytest.mark.parametrize(("stuck", "finding"), [(sent, Finding.LIVE), (releasing, Finding.RUNNING)])
def test_what_is_live_or_about_to_be_has_not_failed(
    world: World,
    stuck: Callable[[World], Promotion],
    finding: Finding,
) -> None:
    assert shown(world, "fail", stuck(world)) == (Code.EVIDENCE_CONTRADICTS, finding)


def test_what_may_be_on_its_way_is_not_said_to_have_failed_without_force(world: World) -> None:
    promotion = unproven(world)

    rejected = refusal(world, "fail", promotion)

    assert rejected.code is Code.EVIDENCE_MISSING
    assert fail(world, promotion, force=True).effect is Effect.UNKNOWN


def test_a_promotion_whose_patch_may_be_sent_at_this_moment_is_not_failed(world: World) -> None:
    world.apps.failures["set_config_vars"] = [Ambiguous()]
    promotion = world.promoted()
    world.work(promotion)
    assert world.now(promotion).step is Step.INTENT

    rejected = refusal(world, "fail", world.now(promotion))

    assert rejected.code is Code.EVIDENCE_MISSING
    assert "may be asking now" in rejected.detail


def test_a_refusal_names_force_as_what_is_missing(world: World) -> None:
    rejected = refusal(world, "complete", unsent(world))

    assert [error.field for error in rejected.errors] == ["force"]


@pytest.mark.parametrize("stuck", [unsent, releasing, unproven])
def test_force_completes_against_what_heroku_shows_with_the_same_code(
    world: World,
    stuck: Callable[[World], Promotion],
) -> None:
    promotion, code = stuck(world), world.code
    refusal(world, "complete", promotion, code=code)

    after = complete(world, promotion, code=code, force=True)

    assert after.state is State.DEPLOYED
    assert last_entry(world, promotion).facts["forced"] is True


@pytest.mark.parametrize("stuck", [sent, releasing])
def test_force_fails_against_what_heroku_shows(
    world: World,
    stuck: Callable[[World], Promotion],
) -> None:
    promotion = stuck(world)

    after = fail(world, promotion, force=True)

    assert after.state is State.FAILED
    assert last_entry(world, promotion).facts["forced"] is True


def test_force_that_was_not_needed_is_not_told_as_forced(world: World) -> None:
    promotion = sent(world)

    complete(world, promotion, force=True)

    assert last_entry(world, promotion).facts["forced"] is False


# Who may, and when


@BOTH
@pytest.mark.parametrize("caller", [VERA, KIM])
def test_only_a_superadmin_may(world: World, saying: str, caller: Caller) -> None:
    rejected = refusal(world, saying, unsent(world), caller=caller, force=True)

    assert rejected.code is Code.ROLE_INSUFFICIENT


@BOTH
@pytest.mark.parametrize(
    ("code", "answer"),
    [(None, Code.TOTP_REQUIRED), ("000000", Code.TOTP_INVALID), ("12345", Code.INVALID_REQUEST)],
)
def test_without_the_right_code_nobody_may(
    world: World,
    saying: str,
    code: str | None,
    answer: Code,
) -> None:
    rejected = refusal(world, saying, unsent(world), code=code, force=True)

    assert rejected.code is answer


def test_heroku_is_not_asked_on_a_wrong_code(world: World) -> None:
    promotion = unsent(world)
    heroku_is_away(world)

    rejected = refusal(world, "complete", promotion, code="000000")

    assert rejected.code is Code.TOTP_INVALID
    assert len(world.apps.failures["releases"]) == 9


@BOTH
@pytest.mark.parametrize("state", [state for state in State if state is not State.DEPLOYING])
def test_only_what_is_deploying_is_concluded_and_no_code_is_looked_at(
    world: World,
    saying: str,
    state: State,
) -> None:
    promotion = replace(world.mark(), state=state)
    world.store.promotions[promotion.id] = promotion

    rejected = refusal(world, saying, promotion, code="000000", force=True)

    assert rejected.code is Code.STATE_FORBIDS
    assert world.operators.operators["sam"].failures == 0


@BOTH
def test_what_is_not_there_is_not_found(world: World, saying: str) -> None:
    stranger = replace(unsent(world), id="prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1")

    assert refusal(world, saying, stranger).code is Code.NOT_FOUND


@BOTH
def test_what_is_not_as_the_operator_read_it_is_left_alone(world: World, saying: str) -> None:
    promotion = unsent(world)

    rejected = refusal(world, saying, promotion, if_version=1, code="000000", force=True)

    assert rejected.code is Code.VERSION_STALE
    assert world.operators.operators["sam"].failures == 0


@BOTH
def test_it_is_offered_to_a_superadmin_while_it_is_deploying(world: World, saying: str) -> None:
    promotion = unsent(world)

    before = {o.action: o for o in world.show_it(promotion.id, caller=SAM).offers}[saying]
    say(world, saying, promotion, force=True)
    after = {o.action: o for o in world.show_it(promotion.id, caller=SAM).offers}[saying]

    assert (before.allowed, before.second_factor, before.reason) == (True, True, None)
    assert not after.allowed
    assert after.reason is not None
    assert "that is final" in after.reason


def test_through_a_service_the_audit_shows_both(world: World) -> None:
    promotion = unsent(world)

    fail(world, promotion, caller=replace(SAM, via="console"))

    entry = last_entry(world, promotion)
    assert (entry.actor, entry.facts["via"]) == ("sam", "console")


# The same request again


@BOTH
def test_the_same_request_again_is_answered_without_a_code(world: World, saying: str) -> None:
    promotion = unsent(world)
    first = say(world, saying, promotion, key="one", force=True)

    again = say(world, saying, promotion, key="one", force=True, code=None, if_version=1)

    assert (first.replayed, again.replayed) == (False, True)
    assert again.promotion == first.promotion


def test_the_same_request_again_wakes_nobody(world: World) -> None:
    promotion = unsent(world)
    fail(world, promotion, key="one")
    world.wakes.sent.clear()

    fail(world, promotion, key="one", code=None)

    assert world.wakes.sent == []


@pytest.mark.parametrize(
    ("saying", "other"),
    [
        ("fail", {"key": "two"}),
        ("fail", {"key": None}),
        ("fail", {"key": "one", "caller": ALEX}),
        ("complete", {"key": "one"}),
    ],
)
def test_another_request_is_not_taken_for_the_same(
    world: World,
    saying: str,
    other: dict[str, object],
) -> None:
    world.operators.put(an_operator(ALEX))
    promotion = unsent(world)
    fail(world, promotion, key="one")

    assert refusal(world, saying, promotion, **other).code is Code.STATE_FORBIDS


# Others who write at the same moment


@BOTH
def test_of_two_operators_one_concludes_and_the_other_is_told(world: World, saying: str) -> None:
    world.operators.put(an_operator(ALEX))
    promotion = unsent(world)
    before_the_next_write(world, lambda: fail(world, promotion, caller=ALEX))

    with pytest.raises(Rejected) as rejected:
        say(world, saying, promotion, force=True)

    assert rejected.value.code is Code.STATE_FORBIDS
    assert world.history(promotion) == ["mark", "promote", "fail"]
    assert world.operators.operators["sam"].last_timecode == 0


def test_a_request_that_is_sent_twice_at_once_concludes_once(world: World) -> None:
    promotion, code = unsent(world), world.code
    before_the_next_write(world, lambda: fail(world, promotion, key="one", code=code))

    second = say(world, "fail", promotion, key="one", code=code)

    assert second.replayed
    assert world.history(promotion) == ["mark", "promote", "fail"]


def test_what_moved_meanwhile_is_judged_again_with_what_heroku_shows_then(world: World) -> None:
    promotion = unsent(world)
    before_the_next_write(world, lambda: world.work(promotion))

    with pytest.raises(Rejected) as rejected:
        fail(world, promotion)

    assert rejected.value.code is Code.STATE_FORBIDS
    assert world.now(promotion).state is State.DEPLOYED


def test_where_others_keep_winning_it_is_given_up(world: World) -> None:
    promotion = unsent(world)
    tried = lose_every_write(world, Clash.PROMOTION)

    assert refusal(world, "fail", promotion).code is Code.CONTENTION
    assert len(tried) == 3


def test_a_code_that_was_spent_meanwhile_concludes_nothing(world: World) -> None:
    promotion, code = unsent(world), world.code
    step = int(world.clock.now().timestamp()) // 30

    def spend() -> None:
        world.operators.put(replace(world.operators.operators["sam"], last_timecode=step))

    before_the_next_write(world, spend)

    with pytest.raises(Rejected) as rejected:
        fail(world, promotion, code=code)

    assert rejected.value.code is Code.TOTP_REUSED
    assert world.now(promotion) == promotion


# A worker in the middle: it loses, and leaves no trace

#: Every transition that a worker writes of a promotion that comes to a good end, in order.
WRITES = [Action.RECORD_INTENT, Action.CONFIRM_PATCH, Action.FIND_RELEASE, Action.SETTLE]
#: Two promotions that share every PATCH.
OTHER = "another"


def a_batch(world: World) -> tuple[Promotion, Promotion]:
    """Two promotions whose release takes as long as one look or two."""
    world.apps.phase = timedelta(seconds=3)
    return world.promoted(), world.promoted(OTHER)


def right_before(
    world: World, promotion: Promotion, action: Action, act: Callable[[], object]
) -> None:
    """Let something happen right before this transition of the promotion would be written."""
    commit = world.store.commit

    def act_and_commit(change: Change, **kwargs: object) -> None:
        if change.entry.action == action and change.after.id == promotion.id:
            world.store.commit = commit  # type: ignore[method-assign]
            act()
        commit(change, **kwargs)  # type: ignore[arg-type]

    world.store.commit = act_and_commit  # type: ignore[method-assign]


def assert_the_operators_word_stands(world: World, mine: Promotion, other: Promotion) -> None:
    """As the operator settled it; nothing was written after; the other one went on."""
    action = "complete" if mine.state is State.DEPLOYED else "fail"
    assert world.now(mine) == mine
    assert world.history(mine)[-1] == action
    assert world.history(mine).count(action) == 1
    assert world.verified(mine)
    assert world.now(other).state is State.DEPLOYED
    assert world.verified(other)
    assert world.store.flag_locks == {}
    assert world.lock.lease is None


@BOTH
@pytest.mark.parametrize("action", WRITES)
def test_a_worker_that_was_about_to_write_loses(
    world: World,
    action: Action,
    saying: str,
) -> None:
    promotion, other = a_batch(world)
    settled: list[Promotion] = []

    def conclude() -> None:
        settled.append(say(world, saying, promotion, force=True).promotion)

    right_before(world, promotion, action, conclude)

    world.work_until_settled(promotion)

    (mine,) = settled
    assert_the_operators_word_stands(world, mine, other)


@BOTH
@pytest.mark.parametrize("action", WRITES[:-1])
def test_a_worker_that_has_just_written_goes_on_without_it(
    world: World,
    action: Action,
    saying: str,
) -> None:
    promotion, other = a_batch(world)
    settled: list[Promotion] = []

    def conclude() -> None:
        if not settled:
            settled.append(say(world, saying, promotion, force=True).promotion)

    right_after(world, action, conclude)

    world.work_until_settled(promotion)

    (mine,) = settled
    assert_the_operators_word_stands(world, mine, other)


@BOTH
def test_a_worker_whose_answer_is_still_on_its_way_loses(world: World, saying: str) -> None:
    promotion, other = a_batch(world)
    settled: list[Promotion] = []
    apply = world.apps.apply

    def apply_and_conclude(changes: dict[str, str | None]) -> None:
        apply(changes)
        settled.append(say(world, saying, promotion, force=True).promotion)

    world.apps.apply = apply_and_conclude  # type: ignore[method-assign, assignment]

    world.work_until_settled(promotion)

    (mine,) = settled
    assert_the_operators_word_stands(world, mine, other)
    assert len(world.apps.patches) == 1


def test_what_was_concluded_before_the_worker_came_is_not_sent(world: World) -> None:
    promotion = unsent(world)
    fail(world, promotion)

    world.work(promotion)

    assert world.apps.patches == []
    assert world.history(promotion) == ["mark", "promote", "fail"]


def test_what_an_index_still_shows_as_deploying_is_not_sent(world: World) -> None:
    promotion = unsent(world)
    fail(world, promotion)
    world.store.lagging[promotion.id] = promotion

    world.work()

    assert world.apps.patches == []
    assert world.history(promotion) == ["mark", "promote", "fail"]


# Knock-on effects


def test_what_waits_behind_it_goes_on_at_once(world: World) -> None:
    promotion = releasing(world)
    world.wakes.sent.clear()

    fail(world, promotion, force=True)

    assert [target for target, _ in world.wakes.sent] == [TARGET]


@BOTH
def test_people_are_told_under_the_key_of_the_alert_that_it_takes_back(
    world: World,
    saying: str,
) -> None:
    promotion = unsent(world)
    world.clock.advance(HALF_AN_HOUR)
    world.watchdog()
    alert = notice_of(last_entry(world, promotion))

    say(world, saying, promotion, force=True)

    notice = notice_of(last_entry(world, promotion))
    assert alert is not None
    assert notice is not None
    assert (notice.dedup_key, notice.rung) == (alert.dedup_key, Rung.SEV3)
    assert notice.resolves


def test_the_flag_may_be_sent_again_by_another(world: World) -> None:
    fail(world, unsent(world))

    again = world.promoted(caller=PAT)
    world.work(again)

    assert world.now(again).state is State.DEPLOYED


# A Heroku that is slow


class SlowApps(FakeApps):
    """Each read is answered, after two seconds and a half."""

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:
        self.clock.advance(timedelta(seconds=2.5))
        return super().releases(app, after=after)

    def release_config_vars(self, app: str, version: int) -> Mapping[str, str] | None:
        self.clock.advance(timedelta(seconds=2.5))
        return super().release_config_vars(app, version)


def test_a_slow_heroku_keeps_nobody_waiting_for_longer_than_the_gateway_does(world: World) -> None:
    world.apps = SlowApps(world.clock)
    promotion = world.promoted()
    world.apps.failures["set_config_vars"] = [Ambiguous("Its answer was lost.")]
    world.work(promotion)
    for n in range(12):
        world.apps.foreign_write(**{f"OTHER_{n}": "x"})
    world.clock.advance(HALF_AN_HOUR)
    began = world.clock.now()

    unseen = refusal(world, "complete", promotion)
    answered = world.clock.now()
    settled = fail(world, promotion, force=True)

    assert answered - began < timedelta(seconds=20)
    assert unseen.code is Code.EVIDENCE_MISSING
    assert settled.observed is not None
    assert settled.observed["finding"] == "unreachable"
