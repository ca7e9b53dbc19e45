"""What Heroku showed, in words and facts, for an operator who decides what a promotion came to."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.evidence import Evidence, Finding, evidence_of, unreachable
from chalicelib.domain.promotion import Effect, Promotion
from chalicelib.domain.release import RELEASE_APPEARS_WITHIN, ReleaseStatus, TargetView
from tests.factories import CONFIG_VAR, deploying
from tests.fakes import START
from tests.unit.domain.test_release import (
    FAILED,
    LATE,
    OFF,
    ON,
    PENDING,
    SUCCEEDED,
    UNKNOWN,
    intended,
    queued,
    release,
    released,
    shows,
    taken,
)

NOTHING: Mapping[str, str] = {}


def found(promotion: Promotion, view: TargetView) -> tuple[Finding, Effect]:
    evidence = evidence_of(promotion, view, now=LATE)
    return evidence.finding, evidence.effect


@pytest.mark.parametrize("promotion", [queued(), intended(), taken(), released()])
def test_a_current_release_that_carries_the_value_is_live(promotion: Promotion) -> None:
    view = shows(SUCCEEDED, SUCCEEDED, current=2, config_vars=ON, v1=OFF, v2=ON)

    evidence = evidence_of(promotion, view, now=LATE)

    assert (evidence.finding, evidence.effect) == (Finding.LIVE, Effect.LIVE)
    assert evidence.release == release(view, 2)
    assert evidence.said == "Release v2 is current and carries the value: it is live."


@pytest.mark.parametrize("promotion", [intended(), taken(), released()])
def test_a_release_of_ours_that_runs_is_neither_live_nor_failed(promotion: Promotion) -> None:
    view = shows(SUCCEEDED, PENDING, current=1, config_vars=ON, v1=OFF, v2=ON)

    evidence = evidence_of(promotion, view, now=LATE)

    assert (evidence.finding, evidence.effect) == (Finding.RUNNING, Effect.UNKNOWN)
    assert evidence.release == release(view, 2)
    assert "not known to have failed; waiting is safe" in evidence.said


def test_a_release_of_ours_that_failed_left_its_value_stored() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=ON, v1=OFF, v2=ON)

    evidence = evidence_of(released(), view, now=LATE)

    assert (evidence.finding, evidence.effect) == (Finding.NOT_LIVE, Effect.STORED_NOT_LIVE)
    assert evidence.release == release(view, 2)
    assert evidence.said.startswith("Release v2 failed")


def test_where_no_release_came_the_current_one_is_shown() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=OFF, v1=OFF)

    evidence = evidence_of(taken(), view, now=LATE)

    assert (evidence.finding, evidence.effect) == (Finding.NOT_LIVE, Effect.NONE)
    assert evidence.release == release(view, 1)


@pytest.mark.parametrize("promotion", [queued(), intended()])
def test_what_heroku_does_not_hold_had_no_effect(promotion: Promotion) -> None:
    view = shows(SUCCEEDED, current=1, config_vars=OFF, v1=OFF)

    evidence = evidence_of(promotion, view, now=LATE)

    assert (evidence.finding, evidence.effect) == (Finding.NOT_LIVE, Effect.NONE)
    assert evidence.said == "The config var does not hold the value."
    assert evidence.release == release(view, 1)


@pytest.mark.parametrize("promotion", [queued(), intended()])
def test_what_heroku_holds_and_no_current_release_carries_is_stored(promotion: Promotion) -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=ON, v1=OFF, v2=OFF)

    evidence = evidence_of(promotion, view, now=LATE)

    assert (evidence.finding, evidence.effect) == (Finding.NOT_LIVE, Effect.STORED_NOT_LIVE)
    assert "it would go live with the next one" in evidence.said


@pytest.mark.parametrize("promotion", [queued(), intended(), taken(), released()])
def test_a_current_release_that_heroku_does_not_show_proves_nothing(promotion: Promotion) -> None:
    view = shows(SUCCEEDED, SUCCEEDED, current=2, config_vars=ON, v1=None, v2=None)

    assert found(promotion, view) == (Finding.UNPROVEN, Effect.UNKNOWN)


def test_a_current_release_whose_status_heroku_does_not_say_proves_nothing() -> None:
    view = shows(UNKNOWN, current=1, config_vars=ON, v1=ON)

    assert found(queued(), view) == (Finding.UNPROVEN, Effect.UNKNOWN)


def test_a_value_that_is_live_while_another_release_runs_is_not_said_to_be_unsent() -> None:
    view = shows(SUCCEEDED, PENDING, current=1, config_vars=ON, v1=ON, v2=ON)

    assert found(queued(), view) == (Finding.UNPROVEN, Effect.UNKNOWN)


def test_a_value_that_was_just_taken_is_about_to_show() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=ON, v1=OFF)

    evidence = evidence_of(taken(), view, now=START + timedelta(seconds=1))

    assert (evidence.finding, evidence.effect) == (Finding.UNPROVEN, Effect.UNKNOWN)
    assert evidence.said.endswith("Waiting is safe.")


@pytest.mark.parametrize("config_vars", [OFF, ON])
@pytest.mark.parametrize(
    ("entered", "finding"),
    [
        (LATE, Finding.UNPROVEN),
        (LATE - RELEASE_APPEARS_WITHIN + timedelta(microseconds=1), Finding.UNPROVEN),
        (LATE - RELEASE_APPEARS_WITHIN, Finding.NOT_LIVE),
        (None, Finding.UNPROVEN),
    ],
)
def test_what_a_worker_may_be_sending_at_this_moment_is_not_known_to_be_unsent(
    config_vars: Mapping[str, str],
    entered: datetime | None,
    finding: Finding,
) -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=config_vars, v1=OFF, v2=OFF)
    promotion = replace(intended(), step_entered_at=entered)

    evidence = evidence_of(promotion, view, now=LATE)

    assert evidence.finding is finding
    assert (evidence.effect is Effect.UNKNOWN) is (finding is Finding.UNPROVEN)


def test_what_no_worker_has_begun_is_known_to_be_unsent_at_once() -> None:
    view = shows(SUCCEEDED, current=1, config_vars=OFF, v1=OFF)

    evidence = evidence_of(queued(), view, now=START)

    assert (evidence.finding, evidence.effect) == (Finding.NOT_LIVE, Effect.NONE)


def test_an_app_without_releases_has_only_stored_what_it_holds() -> None:
    assert found(queued(), shows(config_vars=ON)) == (Finding.NOT_LIVE, Effect.STORED_NOT_LIVE)


def test_a_removal_is_live_where_the_current_release_lacks_the_var() -> None:
    removal = deploying(value=None)
    view = shows(SUCCEEDED, current=1, config_vars=NOTHING, v1=NOTHING)

    evidence = evidence_of(removal, view, now=LATE)

    assert evidence.finding is Finding.LIVE
    assert (evidence.value, evidence.present) == (None, False)


@pytest.mark.parametrize(
    ("config_vars", "value", "present"),
    [(ON, "true", True), (OFF, "false", True), (NOTHING, None, False)],
)
def test_the_value_is_shown_as_heroku_holds_it(
    config_vars: Mapping[str, str],
    value: str | None,
    present: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    view = shows(SUCCEEDED, current=1, config_vars=config_vars, v1=OFF)

    evidence = evidence_of(queued(), view, now=LATE)

    assert (evidence.value, evidence.present) == (value, present)


def test_no_other_flags_value_is_in_the_evidence() -> None:
    everything = {CONFIG_VAR: "true", "FLAG_OTHER": "hunter2"}
    view = shows(SUCCEEDED, current=1, config_vars=everything, v1=everything)

    assert "hunter2" not in str(evidence_of(queued(), view, now=LATE))


def test_where_heroku_cannot_be_read_nothing_follows() -> None:
    evidence = unreachable("it did not answer.", now=LATE)

    assert evidence == Evidence(
        finding=Finding.UNREACHABLE,
        seen_at=LATE,
        said="Heroku could not be read: it did not answer. What the target holds is not known.",
        value=None,
        present=None,
        release=None,
        effect=Effect.UNKNOWN,
    )


def test_facts_are_json_that_says_when_and_what_was_seen() -> None:
    view = shows(SUCCEEDED, FAILED, current=1, config_vars=ON, v1=OFF, v2=ON)

    assert evidence_of(released(), view, now=START).facts() == {
        "finding": "not_live",
        "seen_at": "2026-05-09T04:28:00.000000Z",
        "said": "Release v2 failed (its output at Heroku says why). The current release v1 does "
        "not carry it. Heroku holds the value: it would go live with the target's next release.",
        "value": "true",
        "present": True,
        "release": 2,
        "release_status": ReleaseStatus.FAILED,
        "effect": "stored_not_live",
    }


def test_facts_of_what_could_not_be_read_claim_nothing() -> None:
    facts = unreachable("away.", now=START).facts()

    unknown = {name for name, fact in facts.items() if fact is None}
    assert unknown == {"value", "present", "release", "release_status"}
    assert facts["effect"] == "unknown"
