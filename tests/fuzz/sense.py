"""What no schema can say: without it, made-up requests would soon all end the same."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from schemathesis import Response

from tests.fuzz.contract import AnyCase
from tests.fuzz.known import Known

#: The target whose policy stays as it is: others soon ask for approvals that nobody can give.
SPARED = "fuzz-quick"
#: The target that most freezes are for: one without a target holds back everything.
FROZEN = "fuzz-frozen"

#: Fields that may be refused although they fit their schemas.
BEYOND_SCHEMAS = {
    ("GET /promotions", "cursor"): "holds for the filters that it was given with",
    ("PUT /targets/{app}", "alert_after_minutes"): "each rung is raised after the one before",
    # A pattern could say that, but not to people.
    ("PUT /freezes/{id}", "reason"): "one line of text",
    ("PUT /freezes/{id}", "starts_at"): "not too far off",
    ("PUT /freezes/{id}", "ends_at"): "after it starts, and not too far off",
    ("PUT /freezes/{id}", "rrule"): "RFC 5545, one that comes again, and lets go in between",
    ("PUT /freezes/{id}", "timezone"): "one that IANA knows",
    ("PUT /freezes/{id}", "id"): "one freeze too many",
    ("PUT /catalogues/{id}", "flags"): "each flag once",
    ("POST /promotions/{id}/stage", "not_before"): "in the future, and not too far off",
    ("POST /promotions/{id}/promote", "reason"): "for break_glass, and only for that",
}

_RUNGS = ("sev3", "warning", "critical")
_RULES = (None, "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=FR,SA", "FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=3")
_ZONES = ("UTC", "Europe/Berlin", "America/St_Johns")


def beyond_schemas(label: str, response: Response) -> bool:
    """Was the request refused for what no schema can say, and nothing else?"""
    fields = [error["field"] for error in response.json().get("errors", ())]
    return bool(fields) and all((label, field) in BEYOND_SCHEMAS for field in fields)


def make_sense(body: dict[str, Any], dice: random.Random) -> None:
    """Change a body that fits its schema to one that is also possible."""
    _let_rungs_grow(body)
    if "break_glass" in body:
        body["break_glass"] = "reason" in body
    if "not_before" in body:
        body["not_before"] = _soon(dice, 1, 30_000)
    if "starts_at" in body:
        body |= {
            "target": FROZEN,
            "starts_at": _soon(dice, -500, 0),
            "ends_at": _soon(dice, 1, 500),
            "rrule": dice.choice(_RULES),
            "timezone": dice.choice(_ZONES),
        }


def spare(case: AnyCase) -> None:
    """Change another target's policy."""
    if case.method == "PUT" and SPARED in case.path_parameters.values():
        case.path_parameters["app"] = FROZEN


def subject(known: Known, dice: random.Random) -> str:
    """Name something that has an audit trail of its own."""
    collection = dice.choice(("operators", "targets", "catalogues", "freezes"))
    name = known.name(collection)
    return f"{collection[:-1]}:{name}" if name and collection != "freezes" else "freezes"


def _let_rungs_grow(body: dict[str, Any]) -> None:
    minutes = body.get("alert_after_minutes")
    if minutes:
        minutes.update(zip(_RUNGS, sorted(minutes[rung] for rung in _RUNGS), strict=True))


def _soon(dice: random.Random, first: int, last: int) -> str:
    """A time so many minutes from now."""
    now = datetime.now(UTC)  # noqa: TID251 - the callers' own clock
    return (now + timedelta(minutes=dice.randint(first, last))).isoformat(timespec="seconds")
