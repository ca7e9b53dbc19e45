"""Errors as `application/problem+json` (RFC 9457)."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.errors import Code, HoistError, Rejected, TryAgain

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is the same for every problem of one code."""

    status: int
    title: str
    #: The very same request may succeed later.
    retryable: bool
    #: What the reader may safely do now: `wait`, `investigate` or `act`.
    safe_now: str


KINDS: Mapping[Code, Kind] = {
    Code.INVALID_REQUEST: Kind(
        status=400,
        title="The request is not well formed",
        retryable=False,
        safe_now="act",
    ),
    Code.BODY_TOO_LARGE: Kind(
        status=413,
        title="The body is too large",
        retryable=False,
        safe_now="act",
    ),
    Code.UNSUPPORTED_MEDIA_TYPE: Kind(
        status=415,
        title="The body is not JSON",
        retryable=False,
        safe_now="act",
    ),
    Code.UNAUTHENTICATED: Kind(
        status=401,
        title="No operator is known by this token",
        retryable=False,
        safe_now="act",
    ),
    Code.ROLE_INSUFFICIENT: Kind(
        status=403,
        title="Your role does not admit this",
        retryable=False,
        safe_now="act",
    ),
    Code.ON_BEHALF_REFUSED: Kind(
        status=403,
        title="The service may not act for this operator",
        retryable=False,
        safe_now="act",
    ),
    Code.NOT_FOUND: Kind(
        status=404,
        title="There is no such thing",
        retryable=False,
        safe_now="act",
    ),
    Code.TARGET_UNLISTED: Kind(
        status=422,
        title="The target is not listed",
        retryable=False,
        safe_now="act",
    ),
    Code.FLAG_UNKNOWN: Kind(
        status=422,
        title="The flag is not known there",
        retryable=False,
        safe_now="act",
    ),
    Code.FLAG_BUSY: Kind(
        status=409,
        title="The flag has an open promotion",
        retryable=True,
        safe_now="wait",
    ),
    Code.STATE_FORBIDS: Kind(
        status=409,
        title="The promotion's state does not admit this",
        retryable=False,
        safe_now="investigate",
    ),
    Code.PREFLIGHT_BLOCKS: Kind(
        status=409,
        title="Preflight does not let it begin",
        retryable=True,
        safe_now="investigate",
    ),
    Code.WARNINGS_UNACKNOWLEDGED: Kind(
        status=409,
        title="Preflight warns of something",
        retryable=False,
        safe_now="investigate",
    ),
    Code.STAGE_FIRST: Kind(
        status=409,
        title="It has to be staged first",
        retryable=False,
        safe_now="act",
    ),
    Code.APPROVALS_MISSING: Kind(
        status=409,
        title="Others have to approve it first",
        retryable=True,
        safe_now="act",
    ),
    Code.OWN_APPROVAL: Kind(
        status=403,
        title="Nobody approves their own promotion",
        retryable=False,
        safe_now="act",
    ),
    Code.FROZEN: Kind(
        status=409,
        title="A freeze holds the target back",
        retryable=True,
        safe_now="wait",
    ),
    Code.EVIDENCE_CONTRADICTS: Kind(
        status=409,
        title="Heroku shows something else",
        retryable=False,
        safe_now="investigate",
    ),
    Code.EVIDENCE_MISSING: Kind(
        status=409,
        title="Heroku does not show what became of it",
        retryable=True,
        safe_now="investigate",
    ),
    Code.VALUE_CHANGED: Kind(
        status=409,
        title="The value has changed since",
        retryable=False,
        safe_now="investigate",
    ),
    Code.VERSION_STALE: Kind(
        status=412,
        title="It has changed since you read it",
        retryable=False,
        safe_now="investigate",
    ),
    Code.KEY_REUSED: Kind(
        status=422,
        title="The idempotency key stands for another request",
        retryable=False,
        safe_now="act",
    ),
    Code.TOTP_REQUIRED: Kind(
        status=403,
        title="A code is needed",
        retryable=False,
        safe_now="act",
    ),
    Code.TOTP_INVALID: Kind(
        status=403,
        title="The code is wrong",
        retryable=False,
        safe_now="act",
    ),
    Code.TOTP_REUSED: Kind(
        status=403,
        title="The code was used before",
        retryable=False,
        safe_now="wait",
    ),
    Code.TOTP_LOCKED: Kind(
        status=429,
        title="Too many wrong codes",
        retryable=True,
        safe_now="wait",
    ),
    # Said by API Gateway alone (infra/gateway_responses.py).
    Code.THROTTLED: Kind(
        status=429,
        title="Too many requests just now",
        retryable=True,
        safe_now="wait",
    ),
    Code.CONTENTION: Kind(
        status=503,
        title="Others are at the same thing",
        retryable=True,
        safe_now="wait",
    ),
    Code.UNAVAILABLE: Kind(
        status=503,
        title="Part of Hoist does not answer right now",
        retryable=True,
        safe_now="wait",
    ),
    Code.INTERNAL: Kind(
        status=500,
        title="Hoist has a bug",
        retryable=False,
        safe_now="investigate",
    ),
}

_UNAVAILABLE_FOR_SECONDS = 5


def problem(
    error: HoistError,
    *,
    request_id: str,
    runbook_url: str,
) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Status, body and headers for an error that Hoist knows."""
    if isinstance(error, Rejected):
        code, detail = error.code, error.detail
        retry_after = error.retry_after.total_seconds() if error.retry_after else None
        extra = _extra(error)
    elif isinstance(error, TryAgain):
        code, retry_after, extra = Code.UNAVAILABLE, _UNAVAILABLE_FOR_SECONDS, {}
        detail = (
            f"{error.detail} It is not known whether the request was carried out. Read the "
            "promotion, or send the same request again: it is not carried out twice."
        )
    else:
        code, retry_after, extra = Code.INTERNAL, None, {}
        detail = "Something was not foreseen. The request id leads to it in the logs."
    body = _body(code, detail, request_id=request_id, runbook_url=runbook_url) | extra
    headers = {"Content-Type": CONTENT_TYPE}
    if code is Code.UNAUTHENTICATED:
        # RFC 9110 section 15.5.2.
        headers["WWW-Authenticate"] = "Bearer"
    if retry_after is not None:
        headers["Retry-After"] = str(math.ceil(retry_after))
    return KINDS[code].status, body, headers


def _extra(error: Rejected) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if error.errors:
        extra["errors"] = [{"field": e.field, "detail": e.detail} for e in error.errors]
    if error.conflict:
        extra["conflict"] = dict(error.conflict)
    return extra


def _body(code: Code, detail: str, *, request_id: str, runbook_url: str) -> dict[str, Any]:
    kind = KINDS[code]
    return {
        "type": f"{runbook_url}#{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        "retryable": kind.retryable,
        "safe_now": kind.safe_now,
    }
