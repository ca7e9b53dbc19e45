"""What people are told, and of what they are not."""

from typing import Any

import pytest

from chalicelib.domain.audit import Action, AuditEntry
from chalicelib.domain.notice import notice_of
from chalicelib.domain.promotion import Act, Effect, Rung, State, advance, annotate
from tests.factories import a_change, deploying
from tests.fakes import START


def entry(action: Action, facts: dict[str, Any] | None = None, **changes: Any) -> AuditEntry:  # noqa: ANN401 - fields of `Promotion`
    act = Act(actor="watchdog", action=action, at=START, facts=facts or {})
    return advance(deploying(rung=changes.pop("rung", None)), act, **changes).entry


@pytest.mark.parametrize(
    "action",
    [
        Action.MARK,
        Action.PROMOTE,
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
    told = {Action.ALERT, Action.WARN_OF_EXPIRY, Action.EXPIRE, Action.HOLD, Action.SETTLE}
    ordinary = {
        Action.MARK,
        Action.PROMOTE,
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
def test_heroku_refusing_us_is_one_episode_whatever_promotion_it_is_said_at(
    resolved: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    facts = {"alert": "heroku_access", "said": "Heroku answered 401.", "resolved": resolved}

    notice = notice_of(entry(Action.ALERT, facts))

    assert notice is not None
    assert notice.dedup_key == "hoist-heroku-access"
    assert notice.resolves is resolved
    assert notice.wakes_somebody
