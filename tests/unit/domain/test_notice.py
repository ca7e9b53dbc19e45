"""What people are told, and of what they are not."""

from typing import Any

import pytest

from chalicelib.domain.audit import GENESIS, Act, Action, AuditEntry
from chalicelib.domain.notice import Notice, notice_of
from chalicelib.domain.promotion import Effect, Rung, State, advance, annotate
from tests.factories import FLAG, TARGET, a_change, deploying
from tests.fakes import START


def entry(action: Action, facts: dict[str, Any] | None = None, **changes: Any) -> AuditEntry:  # noqa: ANN401 - fields of `Promotion`
    act = Act(actor="watchdog", action=action, at=START, facts=facts or {})
    return advance(deploying(rung=changes.pop("rung", None)), act, **changes).entry


@pytest.mark.parametrize(
    "action",
    [
        Action.MARK,
        Action.STAGE,
        Action.APPROVE,
        Action.PROMOTE,
        Action.RETRY,
        Action.RECORD_INTENT,
        Action.CONFIRM_PATCH,
        Action.FIND_RELEASE,
        Action.ACKNOWLEDGE,
        Action.EDIT,
        Action.CANCEL,
    ],
)
def test_the_ordinary_course_of_things_is_not_told(action: Action) -> None:
    assert notice_of(entry(action)) is None
    assert notice_of(a_change().entry) is None


def test_every_action_is_either_told_or_ordinary() -> None:
    told = {
        Action.ALERT,
        Action.WARN_OF_EXPIRY,
        Action.EXPIRE,
        Action.HOLD,
        Action.SETTLE,
        Action.COMPLETE,
        Action.FAIL,
        Action.LOCK_OUT,
        Action.UNLOCK,
        Action.SET_FREEZE,
        Action.LIFT_FREEZE,
        Action.ROLLBACK,
        Action.SET_POLICY,
    }
    ordinary = {
        Action.MARK,
        Action.STAGE,
        Action.APPROVE,
        # Unless the glass was broken.
        Action.PROMOTE,
        Action.RETRY,
        Action.ADD_OPERATOR,
        Action.ROTATE_TOKEN,
        Action.RESET_TOTP,
        Action.DISABLE_OPERATOR,
        Action.ENABLE_OPERATOR,
        Action.IMPORT_CATALOGUE,
        Action.RECORD_INTENT,
        Action.CONFIRM_PATCH,
        Action.FIND_RELEASE,
        Action.ACKNOWLEDGE,
        Action.EDIT,
        Action.CANCEL,
    }

    assert told | ordinary == set(Action)


@pytest.mark.parametrize(
    ("minutes", "spoken"),
    [(30, "for 30 min"), (721, "for 12 h 1 min"), (None, "for an unknown time")],
)
def test_a_stall_is_told_with_how_long_it_lasts(minutes: int | None, spoken: str) -> None:
    facts = {"alert": "stalled", "rung": "sev3", "minutes": minutes, "waiting_on": None}

    notice = notice_of(entry(Action.ALERT, facts))

    assert notice is not None
    assert notice.title.endswith(spoken)
    assert "What it waits for is not known." in notice.text


def test_a_failure_is_told_even_where_no_alert_was_raised() -> None:
    facts = {"effect": Effect.STORED_NOT_LIVE, "reason": "Release v2 failed."}

    notice = notice_of(entry(Action.SETTLE, facts, state=State.FAILED))

    assert notice is not None
    assert "failed (effect: stored_not_live)" in notice.title
    assert not notice.wakes_somebody
    assert not notice.resolves


def test_a_failure_after_an_alert_takes_the_alert_back() -> None:
    facts = {"effect": Effect.NONE, "reason": "Release v2 failed."}

    notice = notice_of(entry(Action.SETTLE, facts, state=State.FAILED, rung=Rung.CRITICAL))

    assert notice is not None
    assert notice.resolves
    assert notice.rung is Rung.CRITICAL


def test_words_that_change_after_an_alert_take_nothing_back() -> None:
    settled = advance(
        deploying(rung=Rung.SEV3),
        Act(actor="worker", action=Action.SETTLE, at=START),
        state=State.DEPLOYED,
    )
    act = Act(actor="kim", action=Action.EDIT, at=START)

    edited = annotate(settled.after, act, note="seen")

    assert "resolves" in settled.entry.facts
    assert "resolves" not in edited.entry.facts


@pytest.mark.parametrize("resolved", [False, True])
def test_heroku_refusing_us_at_a_target_is_one_episode_whatever_promotion_it_is_said_at(
    resolved: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    facts = {"alert": "heroku_access", "said": "Heroku answered 401.", "resolved": resolved}

    notice = notice_of(entry(Action.ALERT, facts))

    assert notice is not None
    assert notice.dedup_key == f"hoist-heroku-access-{TARGET}"
    assert TARGET in notice.title
    assert notice.resolves is resolved
    assert notice.wakes_somebody


# What an operator said


SAID = "Release v2 is current and carries the value: it is live."


def concluded(
    action: Action = Action.COMPLETE,
    rung: Rung | None = None,
    **facts: Any,  # noqa: ANN401 - facts are JSON
) -> Notice:
    """What is told of the escape hatch."""
    wanted = {
        "effect": Effect.LIVE,
        "reason": "The console was killed.",
        "forced": False,
        "evidence": {"said": SAID},
    }
    act = Act(actor="sam", action=action, at=START, facts=wanted | facts)
    state = State.DEPLOYED if action is Action.COMPLETE else State.FAILED
    notice = notice_of(advance(deploying(rung=rung), act, state=state).entry)
    assert notice is not None
    return notice


@pytest.mark.parametrize(
    ("action", "state"),
    [(Action.COMPLETE, "deployed"), (Action.FAIL, "failed")],
)
def test_what_an_operator_said_is_told_with_why_and_what_heroku_showed(
    action: Action,
    state: str,
) -> None:
    notice = concluded(action)

    assert notice.title == f"{FLAG} at {TARGET} was marked {state} by sam"
    assert notice.text == f"The console was killed. Marked; effect: live. {SAID}"
    assert notice.runbook == "an-operator-settled-it"
    assert notice.promotion_id is not None


def test_what_was_forced_is_told_as_forced() -> None:
    notice = concluded(forced=True, effect=Effect.UNKNOWN)

    assert "Marked against, or without, what Heroku showed; effect: unknown." in notice.text


@pytest.mark.parametrize("action", [Action.COMPLETE, Action.FAIL])
@pytest.mark.parametrize("rung", [Rung.SEV3, Rung.WARNING, Rung.CRITICAL])
def test_what_an_operator_said_takes_back_the_alert_that_was_raised(
    action: Action,
    rung: Rung,
) -> None:
    facts = {"alert": "stalled", "rung": rung, "minutes": 30}
    promotion = deploying(rung=rung)
    alert = notice_of(
        advance(promotion, Act(actor="w", action=Action.ALERT, at=START, facts=facts)).entry
    )

    notice = concluded(action, rung)

    assert alert is not None
    assert (notice.resolves, notice.rung, notice.wakes_somebody) == (True, rung, True)
    assert alert.dedup_key.removeprefix(alert.promotion_id or "") == "-stalled"
    assert notice.dedup_key.removeprefix(notice.promotion_id or "") == "-stalled"


def test_where_no_alert_was_raised_nobody_is_woken_for_it() -> None:
    notice = concluded()

    assert (notice.resolves, notice.rung, notice.wakes_somebody) == (False, Rung.INFO, False)


# What was promoted over what stood in its way


def test_a_broken_glass_is_told_at_once_with_who_and_why() -> None:
    act = Act(
        actor="kim",
        action=Action.PROMOTE,
        at=START,
        facts={
            "value": "true",
            "break_glass": True,
            "reason": "Customers cannot log in.",
            "over": ["2 missing approvals", "the freeze year-end"],
        },
    )

    notice = notice_of(advance(a_change().after, act, state=State.DEPLOYING).entry)

    assert notice is not None
    assert notice.title == f"kim broke the glass: {FLAG} at {TARGET}"
    assert notice.text == (
        "It was promoted over 2 missing approvals and the freeze year-end. "
        "Reason given: Customers cannot log in."
    )
    assert (notice.wakes_somebody, notice.resolves) == (True, False)
    assert notice.dedup_key == f"{notice.promotion_id}-break-glass"


# Operators and freezes


def of_record(action: Action, subject: str, version: int = 1, **facts: Any) -> Notice:  # noqa: ANN401 - facts are JSON
    """What is told of a record's change."""
    entry = AuditEntry(
        subject=subject,
        version=version,
        at=START,
        actor="kim" if action is Action.LOCK_OUT else "sam",
        action=action,
        facts=facts,
        prev_hash=GENESIS,
    )
    notice = notice_of(entry)
    assert notice is not None
    return notice


def test_a_lock_out_is_told_with_how_long_it_lasts_and_what_it_may_mean() -> None:
    notice = of_record(Action.LOCK_OUT, "operator:kim", until="2026-05-09T04:43:00Z")

    assert notice.title == "kim is locked out: too many wrong codes"
    assert "until 2026-05-09T04:43:00Z" in notice.text
    assert "rotate it" in notice.text
    assert (notice.wakes_somebody, notice.resolves, notice.promotion_id) == (True, False, None)


def test_a_lock_out_through_a_service_names_the_service() -> None:
    notice = of_record(Action.LOCK_OUT, "operator:kim", until="…", via="console")

    assert notice.title == "kim is locked out: too many wrong codes through console"


def test_an_unlock_takes_the_lock_out_back() -> None:
    locked = of_record(Action.LOCK_OUT, "operator:kim", until="…")

    unlocked = of_record(Action.UNLOCK, "operator:kim", 2, reason="They mistyped it.")

    assert unlocked.title == "kim was unlocked by sam"
    assert unlocked.text == "Reason given: They mistyped it."
    assert unlocked.resolves
    assert (unlocked.dedup_key, unlocked.rung) == (locked.dedup_key, locked.rung)


@pytest.mark.parametrize(
    ("action", "done"),
    [(Action.SET_FREEZE, "set"), (Action.LIFT_FREEZE, "lifted")],
)
def test_a_freeze_is_told_for_information(action: Action, done: str) -> None:
    notice = of_record(action, "freezes", 3, id="year-end", reason="Quiet days.")

    assert notice.title == f"sam {done} the freeze year-end"
    assert notice.text == "Reason given: Quiet days."
    assert (notice.wakes_somebody, notice.dedup_key) == (False, "freeze-year-end-3")


@pytest.mark.parametrize(
    "action",
    [
        Action.ADD_OPERATOR,
        Action.ROTATE_TOKEN,
        Action.RESET_TOTP,
        Action.DISABLE_OPERATOR,
        Action.ENABLE_OPERATOR,
        Action.IMPORT_CATALOGUE,
    ],
)
def test_other_changes_of_records_are_audited_and_not_told(action: Action) -> None:
    entry = AuditEntry(
        subject="operator:kim",
        version=1,
        at=START,
        actor="sam",
        action=action,
        prev_hash=GENESIS,
    )

    assert notice_of(entry) is None


@pytest.mark.parametrize("forced", [False, True])
def test_a_rollback_is_told_and_louder_where_it_was_forced(
    forced: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    facts = {"reverts": "prm_old", "reason": "customers cannot log in", "forced": forced}

    notice = notice_of(entry(Action.ROLLBACK, facts))

    assert notice is not None
    assert "prm_old" in notice.text
    assert "customers cannot log in" in notice.text
    assert notice.wakes_somebody is forced


def test_a_changed_policy_is_told_as_it_is_now() -> None:
    notice = of_record(Action.SET_POLICY, "target:shop-prod", 4, min_approvals=0, stage_first=True)

    assert notice.title == "sam set the policy of shop-prod"
    assert notice.text == "It is now: stage_first True."
    assert not notice.wakes_somebody


def test_a_policy_is_told_in_words() -> None:
    notice = of_record(
        Action.SET_POLICY,
        "target:shop-prod",
        alert_after_minutes={"sev3": 30, "warning": 720},
        flag_patterns=["api_*", "web_*"],
    )

    assert notice.text == (
        "It is now: alert_after_minutes sev3 30, warning 720, flag_patterns api_*, web_*."
    )
