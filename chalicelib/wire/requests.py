"""What callers send, as values. Raises `Rejected` naming the field for everything else."""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn
from urllib.parse import unquote

from chalicelib.domain.catalogue import FlagEntry
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.ladder import DEFAULT_AFTER, Ladder
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.target import Target
from chalicelib.ports import Query
from chalicelib.usecases.authorised import Order
from chalicelib.usecases.conclude import ConcludeOrder
from chalicelib.usecases.freezes import FreezeTerms
from chalicelib.usecases.mark import MarkOrder
from chalicelib.usecases.operators import UnlockOrder
from chalicelib.usecases.promote import PromoteOrder
from chalicelib.usecases.renew import RenewOrder
from chalicelib.usecases.stage import StageOrder
from chalicelib.wire.contract import check, rejected, schema

MAX_BODY_BYTES = 16 * 1024
#: A DynamoDB item has at most 400 kB. A catalogue takes no more bytes there than in its body; half
#: as many again where that came in UTF-16, which Python reads as JSON, too.
MAX_CATALOGUE_BYTES = 256 * 1024
MAX_LIMIT, DEFAULT_LIMIT = 100, 25
#: Audit entries an answer: some hundred bytes each.
MAX_ENTRIES = 2000
_REASON_LENGTH = 500

_KEY = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)
_ETAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"', re.ASCII)
#: RFC 3339. Python would take more than that for a time.
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_OUR_ETAG = re.compile(r'"([0-9]{1,9})"', re.ASCII)
#: A ULID whose time has a year of four digits.
_PROMOTION_ID = re.compile(r"prm_0[0-9A-HJKMNP-TV-Z]{25}", re.ASCII)
#: Records that have an audit trail, by kind, and how the name of one is spelled.
_NAMED_RECORDS = {
    "operator": "OperatorName",
    "target": "AppName",
    "catalogue": "CatalogueId",
}
#: No promotion is ever at it: what a foreign entity tag is compared as.
_NO_VERSION = -1


@dataclass(frozen=True, kw_only=True)
class Request:
    """An HTTP request, as much of it as matters here."""

    body: bytes
    #: Looked up without regard to case.
    headers: Mapping[str, str]
    #: Each parameter with all the values it was given.
    query: Mapping[str, list[str]]
    #: Who calls, and for whom.
    caller: Caller


def authorized(context: Mapping[str, str]) -> Caller:
    """Who calls, as the authorizer has told API Gateway."""
    return Caller(name=context["name"], role=Role(context["role"]))


def mark_order(request: Request) -> MarkOrder:
    """`POST /promotions`."""
    body = _json(request, "MarkRequest")
    return MarkOrder(
        caller=request.caller,
        target=body["target"],
        flag=body["flag"],
        value=body["value"],
        note=body.get("note"),
        key=idempotency_key(request, required=True) or "",
    )


def promote_order(request: Request, promotion_id: str) -> PromoteOrder:
    """`POST /promotions/{id}/promote`."""
    body = _json(request, "PromoteRequest")
    breaks = body.get("break_glass", False)
    if breaks and "reason" not in body:
        _reject("reason", "is needed to break the glass: say why, in at least 10 characters")
    if "reason" in body and not breaks:
        _reject("reason", "is for break_glass only; a note belongs to the promotion")
    return PromoteOrder(
        **_order(request, promotion_id),
        break_glass=body["reason"] if breaks else None,
    )


def stage_order(request: Request, promotion_id: str) -> StageOrder:
    """`POST /promotions/{id}/stage`."""
    body = _json(request, "StageRequest")
    return StageOrder(
        **_order(request, promotion_id),
        not_before=_time(body, "not_before"),
        acknowledge=frozenset(body.get("acknowledge", ())),
    )


def approve_order(request: Request, promotion_id: str) -> tuple[Order, str | None]:
    """`POST /promotions/{id}/approve`, with its note."""
    body = _json(request, "ApproveRequest")
    return Order(**_order(request, promotion_id)), body.get("note")


def conclude_order(request: Request, promotion_id: str, schema_name: str) -> ConcludeOrder:
    """`POST /promotions/{id}/complete` and `/fail`."""
    body = _json(request, schema_name)
    return ConcludeOrder(
        **_order(request, promotion_id),
        reason=body["reason"],
        rca_url=body.get("rca_url"),
        force=body.get("force", False),
    )


def renew_order(request: Request, promotion_id: str, schema_name: str) -> RenewOrder:
    """`POST /promotions/{id}/retry` and `/rollback`."""
    body = _json(request, schema_name)
    return RenewOrder(
        **_order(request, promotion_id),
        reason=body.get("reason"),
        force=body.get("force", False),
    )


def unlock_order(request: Request, name: str) -> UnlockOrder:
    """`POST /operators/{name}/unlock`."""
    body = _json(request, "UnlockRequest")
    return UnlockOrder(
        name=_checked({"name": name}, "name", "OperatorName") or name,
        reason=body["reason"],
        caller=request.caller,
        code=request.headers.get("X-TOTP"),
    )


def _order(request: Request, promotion_id: str) -> dict[str, Any]:
    """What all requests about one promotion have that a code authorises."""
    return {
        "promotion_id": known_shape(promotion_id),
        "caller": request.caller,
        "code": request.headers.get("X-TOTP"),
        "if_version": if_version(request),
        "key": idempotency_key(request, required=False),
    }


def cancel_reason(request: Request) -> str | None:
    """`POST /promotions/{id}/cancel`."""
    reason: str | None = _json(request, "CancelRequest").get("reason")
    return reason


@dataclass(frozen=True, kw_only=True)
class Acknowledgement:
    """`POST /promotions/{id}/ack`, understood."""

    lasts: timedelta
    note: str | None


def acknowledgement(request: Request) -> Acknowledgement:
    """For how long, and why."""
    body = _json(request, "AckRequest")
    minutes = body.get("minutes", schema("AckRequest")["properties"]["minutes"]["default"])
    return Acknowledgement(lasts=timedelta(minutes=int(minutes)), note=body.get("note"))


def words(request: Request) -> dict[str, str | None]:
    """`PATCH /promotions/{id}`: what is named is set, null removes it."""
    body: dict[str, str | None] = _json(request, "EditRequest")
    return body


def target(request: Request, app: str) -> Target:
    """`PUT /targets/{app}`: what is left out goes back to its default."""
    wanted = Target(app=app_name(app))
    body = _json(request, "TargetRequest")
    ladder = body.get("alert_after_minutes")
    return replace(
        wanted,
        description=body.get("description"),
        max_flags_per_release=int(
            body.get("max_flags_per_release", wanted.max_flags_per_release),
        ),
        ladder=_ladder(ladder) if ladder else wanted.ladder,
        flag_patterns=tuple(body.get("flag_patterns", ())),
        staging_app=body.get("staging_app"),
        min_approvals=int(body.get("min_approvals", 0)),
        stage_first=body.get("stage_first", False),
        catalogue=body.get("catalogue"),
    )


def freeze_terms(request: Request) -> FreezeTerms:
    """`PUT /freezes/{id}`."""
    body = _json(request, "FreezeRequest")
    starts_at = _time(body, "starts_at")
    if starts_at is None:
        _reject("starts_at", "is missing")
    return FreezeTerms(
        reason=body["reason"],
        target=body.get("target"),
        starts_at=starts_at,
        ends_at=_time(body, "ends_at"),
        rrule=body.get("rrule"),
        timezone=body.get("timezone", "UTC"),
    )


def catalogue(request: Request) -> dict[str, FlagEntry]:
    """`PUT /catalogues/{id}`: the flags, by name."""
    body = _json(request, "CatalogueRequest", max_bytes=MAX_CATALOGUE_BYTES)
    flags = {entry["name"]: FlagEntry(**entry) for entry in body["flags"]}
    if len(flags) != len(body["flags"]):
        _reject("flags", "must name each flag once")
    return flags


def record_subject(subject: str) -> tuple[str, str]:
    """`GET /audit/{subject}`: the kind of record, and a name that such a record can have.

    API Gateway passes it encoded.
    """
    kind, _, name = unquote(subject).partition(":")
    if kind in _NAMED_RECORDS:
        _checked({"subject": name}, "subject", _NAMED_RECORDS[kind])
    return kind, name


def _ladder(minutes: dict[str, int]) -> Ladder:
    after = {rung: timedelta(minutes=int(minutes[rung])) for rung in DEFAULT_AFTER}
    if sorted(after.values()) != list(after.values()):
        _reject("alert_after_minutes", "must grow: sev3, then warning, then critical")
    return Ladder(after=after)


def freeze_id(name: str) -> str:
    """A freeze's id in a path, where it can be one."""
    return _checked({"id": name}, "id", "FreezeId") or name


def catalogue_id(name: str) -> str:
    """A catalogue's id in a path, where it can be one."""
    return _checked({"id": name}, "id", "CatalogueId") or name


def lift_reason(request: Request) -> str | None:
    """`DELETE /freezes/{id}`: why, in the query, for such a request has no body."""
    given = {name: _single(name, values) for name, values in request.query.items()}
    reason = given.pop("reason", None)
    if given:
        _reject(next(iter(given))[:60], "is not known here: reason")
    if reason is not None and len(reason) > _REASON_LENGTH:
        _reject("reason", f"must have at most {_REASON_LENGTH} characters")
    return reason


def app_name(app: str) -> str:
    """A target's name in a path, where it can be one."""
    return _checked({"app": app}, "app", "AppName") or app


def known_shape(promotion_id: str) -> str:
    """A promotion's id in a path; one that cannot be an id is not found."""
    if not _PROMOTION_ID.fullmatch(promotion_id):
        raise Rejected(
            Code.NOT_FOUND,
            "There is no promotion of this id: ids look like prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1.",
        )
    return promotion_id


def idempotency_key(request: Request, *, required: bool) -> str | None:
    """The `Idempotency-Key` header (draft-ietf-httpapi-idempotency-key-header)."""
    key = request.headers.get("Idempotency-Key")
    if key is None and not required:
        return None
    if key is None:
        _reject("Idempotency-Key", "is missing: send a new UUID with each new request")
    if not _KEY.fullmatch(key):
        _reject("Idempotency-Key", "must be 1 to 255 visible ASCII characters, such as a UUID")
    return key


def if_version(request: Request) -> int | None:
    """The version that `If-Match` names; `None` where any will do (RFC 9110 section 13.1.1)."""
    tag = request.headers.get("If-Match")
    if tag is None or tag.strip() == "*":
        return None
    ours = _OUR_ETAG.fullmatch(tag.strip())
    if ours:
        return int(ours[1])
    if not _ETAG.fullmatch(tag.strip()):
        _reject("If-Match", 'must be * or one entity tag as ETag gave it, such as "3"')
    # Well formed, but never one of ours: it matches nothing.
    return _NO_VERSION


def held(headers: Mapping[str, str], etag: str) -> bool:
    """Tell whether the caller has this already (`If-None-Match`, RFC 9110 section 13.1.2)."""
    named = [tag.strip() for tag in headers.get("If-None-Match", "").split(",")]
    return "*" in named or _opaque(etag) in map(_opaque, named)


def _opaque(etag: str) -> str:
    """A tag as it is compared here: weak or strong, if only the rest is the same."""
    return etag.removeprefix("W/")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """`GET /promotions`, understood."""

    query: Query
    limit: int
    before: str | None


def listing(request: Request) -> Listing:
    """Filters, limit and cursor. An unknown parameter is an error: a typo must not widen a list."""
    given = _parameters(request, "state", "target", "flag", "limit", "cursor")
    query = Query(
        target=_checked(given, "target", "AppName"),
        flag=_checked(given, "flag", "FlagName"),
        state=_checked(given, "state", "State"),
    )
    cursor = given.get("cursor")
    return Listing(
        query=query,
        limit=_limit(given, default=DEFAULT_LIMIT, most=MAX_LIMIT),
        before=read_cursor(cursor, query) if cursor is not None else None,
    )


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Which entries of an audit trail are asked for: at most `limit`, of later versions."""

    limit: int = MAX_ENTRIES
    after_version: int = 0


def stretch(request: Request) -> Stretch:
    """Limit and cursor of an audit trail: the version of the last entry before."""
    given = _parameters(request, "limit", "cursor")
    cursor = given.get("cursor", "0")
    if not re.fullmatch(r"[0-9]{1,9}", cursor, re.ASCII):
        _reject("cursor", "is not one that this trail gave: send next_cursor unchanged")
    return Stretch(
        limit=_limit(given, default=MAX_ENTRIES, most=MAX_ENTRIES),
        after_version=int(cursor),
    )


def _parameters(request: Request, *known: str) -> dict[str, str]:
    given = {name: _single(name, values) for name, values in request.query.items()}
    unknown = given.keys() - set(known)
    if unknown:
        detail = f"is not known here: {', '.join(known)}"
        raise rejected(
            tuple(FieldError(field=name[:60], detail=detail) for name in given if name in unknown)
        )
    return given


def write_cursor(before: str, query: Query) -> str:
    """Where the next page begins, opaque, and tied to the filters that it was made under."""
    return base64.urlsafe_b64encode(f"{before}.{_seal(before, query)}".encode()).decode()


def read_cursor(cursor: str, query: Query) -> str:
    """The id in a cursor of ours."""
    try:
        text = base64.b64decode(cursor, altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, UnicodeError, ValueError):
        text = ""
    before, _, seal = text.partition(".")
    if not _PROMOTION_ID.fullmatch(before) or seal != _seal(before, query):
        _reject(
            "cursor",
            "is not one that this list gave: send next_cursor unchanged, with the same filters",
        )
    return before


def _time(body: Mapping[str, Any], field: str) -> datetime | None:
    """A time with its offset (RFC 3339), in UTC."""
    text = body.get(field)
    at = None if text is None else _parsed_time(text)
    if text is not None and at is None:
        _reject(field, "must be a time with its offset, as in 2026-11-22T08:00:00Z")
    return at


def _parsed_time(text: str) -> datetime | None:
    if not _TIME.fullmatch(text):
        return None
    try:
        # RFC 3339 takes small letters, Python does not.
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _json(
    request: Request,
    schema_name: str,
    *,
    max_bytes: int = MAX_BODY_BYTES,
) -> dict[str, Any]:
    """The body, checked. An absent body is an empty object."""
    if len(request.body) > max_bytes:
        raise Rejected(
            Code.BODY_TOO_LARGE,
            f"The body has {len(request.body)} bytes; at most {max_bytes} are taken.",
            errors=(FieldError(field="body", detail=f"at most {max_bytes} bytes"),),
        )
    body: Any = {}
    if request.body:
        _require_json(request)
        body = _parsed(request.body)
    check(schema_name, body)
    checked: dict[str, Any] = body
    return checked


def _require_json(request: Request) -> None:
    given = request.headers.get("Content-Type", "application/json")
    if given.partition(";")[0].strip().lower() != "application/json":
        detail = "must be application/json"
        raise Rejected(
            Code.UNSUPPORTED_MEDIA_TYPE,
            f"Content-Type {detail}. Nothing was changed.",
            errors=(FieldError(field="Content-Type", detail=detail),),
        )


def _parsed(body: bytes) -> object:
    try:
        parsed = json.loads(body, object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
        # A lone surrogate is JSON but not text: it could not be stored.
        json.dumps(parsed, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise rejected((FieldError(field="body", detail=f"is not JSON{where}"),)) from None
    return parsed


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object that names a field twice: which of the two was meant is not known."""
    body = dict(pairs)
    if len(body) != len(pairs):
        message = "a field stands twice"
        raise ValueError(message)
    return body


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(constant)


def _single(name: str, values: list[str]) -> str:
    if len(values) != 1:
        _reject(name[:60], "must be given once")
    return values[0]


def _checked(given: Mapping[str, str], name: str, schema_name: str) -> str | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        check(schema_name, value)
    except Rejected:
        definition = schema(schema_name)
        allowed = ", ".join(definition.get("enum", ())) or definition.get("description", "")
        _reject(
            name, f"must be one of: {allowed}" if "enum" in definition else f"must be {allowed}"
        )
    return value


def _limit(given: Mapping[str, str], *, default: int, most: int) -> int:
    text = given.get("limit", str(default))
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII) or not 1 <= int(text) <= most:
        _reject("limit", f"must be a number from 1 to {most}")
    return int(text)


def _seal(before: str, query: Query) -> str:
    spelled = json.dumps([before, query.target, query.flag, query.state])
    return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def _reject(field: str, detail: str) -> NoReturn:
    raise rejected((FieldError(field=field, detail=detail),))
