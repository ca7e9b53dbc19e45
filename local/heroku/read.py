"""From the control API's JSON to values: the settings of an app, faults, foreign acts."""

import re
from dataclasses import fields as dataclass_fields
from dataclasses import replace

from local.heroku.errors import ERROR_IDS, invalid
from local.heroku.faults import MAX_HOLD_SECONDS, Fault, FaultKind
from local.heroku.fields import Fields
from local.heroku.foreign import FOREIGN_USER, ForeignAction, ForeignVerb
from local.heroku.releases import (
    Behaviour,
    Config,
    FailedValue,
    PendingShows,
    PhaseResult,
)
from local.heroku.routes import ROUTE_NAMES
from local.heroku.world import World

BEHAVIOUR_FIELDS = frozenset(field.name for field in dataclass_fields(Behaviour))
FOREIGN_FIELDS = frozenset({"verb", "user", "changes", "commit", "version"})
FAULT_FIELDS = frozenset(
    {"kind", "method", "route", "app", "nth", "times", "seconds"}
    | {"status", "error_id", "foreign", "foreign_app"}
)

#: The schema's pattern of an app's name.
_APP_NAME = re.compile(r"[a-z][a-z0-9-]{1,28}[a-z0-9]")


def app_name(fields: Fields) -> str:
    """Read an app's name."""
    name = fields.text("name")
    if not _APP_NAME.fullmatch(name):
        message = "name must be 3 to 30 lower case letters, digits and dashes."
        raise invalid(message)
    return name


def config(fields: Fields) -> Config:
    """Read a config without deletions."""
    return {key: value for key, value in fields.changes("config").items() if value is not None}


def behaviour(fields: Fields, now: Behaviour) -> Behaviour:
    """Read what an app shall do from its next release on; what is not named stays."""
    return replace(
        now,
        release_phase=fields.flag("release_phase", default=now.release_phase),
        phase_seconds=fields.number("phase_seconds", now.phase_seconds),
        phase_result=fields.choice("phase_result", PhaseResult, now.phase_result),
        pending_shows=fields.choice("pending_shows", PendingShows, now.pending_shows),
        failed_value=fields.choice("failed_value", FailedValue, now.failed_value),
        same_value_releases=fields.flag("same_value_releases", default=now.same_value_releases),
    )


def foreign_action(fields: Fields) -> ForeignAction:
    """Read what somebody else does."""
    return ForeignAction(
        verb=fields.choice("verb", ForeignVerb),
        user=fields.text("user", FOREIGN_USER),
        changes=fields.changes("changes"),
        commit=fields.text("commit", "1a2b3c4"),
        version=fields.whole("version") if fields.has("version") else None,
    )


def fault(fields: Fields, world: World) -> Fault:
    """Read a fault. `times: null` means for ever; holds are bounded."""
    route = fields.optional_text("route")
    if not (route is None or route in ROUTE_NAMES):
        message = f"route must be one of: {', '.join(sorted(ROUTE_NAMES))}."
        raise invalid(message)
    seconds = fields.number("seconds", 0)
    if seconds > MAX_HOLD_SECONDS:
        message = f"seconds must not exceed {MAX_HOLD_SECONDS:.0f}."
        raise invalid(message)
    kind = fields.choice("kind", FaultKind)
    status, error_id = _status(fields)
    return Fault(
        id=world.faults.next_id(),
        kind=kind,
        method=_method(fields),
        route=route,
        app=world.app_name(fields.optional_text("app")),
        nth=max(1, fields.whole("nth", 1)),
        times=None if fields.is_null("times") else max(1, fields.whole("times", 1)),
        seconds=seconds,
        status=status,
        error_id=error_id,
        foreign=_foreign_of(kind, fields),
        foreign_app=world.app_name(fields.optional_text("foreign_app")),
    )


def _method(fields: Fields) -> str | None:
    method = fields.optional_text("method")
    return method and method.upper()


def _status(fields: Fields) -> tuple[int, str]:
    status = fields.whole("status", 500)
    if status not in ERROR_IDS:
        message = f"status must be one of: {', '.join(map(str, ERROR_IDS))}."
        raise invalid(message)
    error_id = fields.text("error_id", ERROR_IDS[status][0])
    if error_id not in ERROR_IDS[status]:
        message = f"error_id of {status} must be one of: {', '.join(ERROR_IDS[status])}."
        raise invalid(message)
    return status, error_id


def _foreign_of(kind: FaultKind, fields: Fields) -> ForeignAction | None:
    if kind not in {FaultKind.FOREIGN_BEFORE, FaultKind.FOREIGN_AFTER}:
        return None
    return foreign_action(Fields(fields.anything("foreign"), known=FOREIGN_FIELDS))
