"""Every way to say no has its status, and says what is safe to do now."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import (
    AccessDenied,
    Code,
    FieldError,
    HoistError,
    Rejected,
    TryAgain,
    Unavailable,
)
from chalicelib.wire.problems import KINDS, problem
from tests.doors import conforms

RUNBOOK = "https://example.invalid/runbook.md"

#: By hand, so that a status does not change unnoticed.
STATUSES = {
    400: {"invalid_request"},
    401: {"unauthenticated"},
    403: {
        "role_insufficient",
        "on_behalf_refused",
        "own_approval",
        "totp_required",
        "totp_invalid",
        "totp_reused",
    },
    404: {"not_found"},
    409: {
        "flag_busy",
        "state_forbids",
        "preflight_blocks",
        "warnings_unacknowledged",
        "stage_first",
        "approvals_missing",
        "frozen",
        "evidence_contradicts",
        "evidence_missing",
        "value_changed",
    },
    412: {"version_stale"},
    413: {"body_too_large"},
    415: {"unsupported_media_type"},
    422: {"target_unlisted", "flag_unknown", "key_reused"},
    429: {"totp_locked", "throttled"},
    500: {"internal"},
    503: {"contention", "unavailable"},
}


def told(error: HoistError) -> tuple[int, dict[str, object], dict[str, str]]:
    return problem(error, request_id="req-1", runbook_url=RUNBOOK)


def test_every_code_has_the_status_that_it_is_known_by() -> None:
    statuses = {code: status for status, codes in STATUSES.items() for code in codes}

    assert {code: kind.status for code, kind in KINDS.items()} == statuses


@pytest.mark.parametrize("code", Code)
def test_every_code_makes_a_whole_problem(code: Code) -> None:
    status, body, headers = told(Rejected(code, "This is why."))

    conforms(body, "Problem")
    assert (body["code"], body["status"], body["detail"]) == (code, status, "This is why.")
    assert body["type"] == f"{RUNBOOK}#{code}"
    assert body["request_id"] == "req-1"
    assert headers["Content-Type"] == "application/problem+json"


def test_fields_and_conflict_are_told_where_they_apply() -> None:
    error = Rejected(
        Code.FROZEN,
        "The freeze year-end holds all back.",
        errors=(FieldError(field="reason", detail="is needed"),),
        conflict={"freeze": "year-end"},
    )

    _, body, _ = told(error)

    conforms(body, "Problem")
    assert body["errors"] == [{"field": "reason", "detail": "is needed"}]
    assert body["conflict"] == {"freeze": "year-end"}


def test_without_them_they_are_left_out() -> None:
    _, body, _ = told(Rejected(Code.NOT_FOUND, "No."))

    assert {"errors", "conflict"} & set(body) == set()


@pytest.mark.parametrize(
    ("after", "seconds"),
    [(timedelta(seconds=30), "30"), (timedelta(milliseconds=1), "1"), (timedelta(0), None)],
)
def test_when_to_come_back_is_told_in_whole_seconds(after: timedelta, seconds: str | None) -> None:
    _, _, headers = told(Rejected(Code.TOTP_LOCKED, "No.", retry_after=after))

    assert headers.get("Retry-After") == seconds


@pytest.mark.parametrize("error", [TryAgain("Slow."), Unavailable("Away."), AccessDenied("401.")])
def test_what_passes_by_itself_says_that_the_outcome_is_not_known(error: TryAgain) -> None:
    status, body, headers = told(error)

    assert (status, body["code"], body["retryable"], body["safe_now"]) == (
        503,
        "unavailable",
        True,
        "wait",
    )
    assert str(body["detail"]).startswith(f"{error.detail} It is not known")
    assert headers["Retry-After"] == "5"


def test_a_bug_does_not_show_its_inside() -> None:
    status, body, _ = told(HoistError("hunter2"))

    assert (status, body["code"]) == (500, "internal")
    assert "hunter2" not in str(body)


def test_a_caller_who_is_nobody_is_told_how_to_be_somebody() -> None:
    _, _, headers = told(Rejected(Code.UNAUTHENTICATED, "No."))

    assert headers["WWW-Authenticate"] == "Bearer"
