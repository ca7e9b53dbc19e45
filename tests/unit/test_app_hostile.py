"""Whatever is sent to a door, the answer says what is wrong with it, and none is a 5xx."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import State
from tests.doors import Answer, Api
from tests.factories import KIM, SAM, VERA
from tests.permissions import BODIES, Operation, Scene, filled, operations, silence

CONSOLE = Caller(name="console", role=Role.SERVICE)
OPERATIONS = {operation.name: operation for operation in operations() if not operation.open_to_all}
WHY = "The console was killed by the restart."

#: What API Gateway can hand on: no half of a surrogate pair.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
#: What JSON can spell: that too.
JSON_TEXT = st.text(max_size=40)
OFFSETS = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.one_of(
    st.datetimes(timezones=OFFSETS).map(datetime.isoformat),
    st.datetimes(timezones=st.just(UTC)).map(lambda at: at.isoformat().replace("+00:00", "Z")),
    st.sampled_from(["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-05-20T08:00:00Z"]),
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    JSON_TEXT,
    TIMES,
    st.sampled_from([WHY, "x" * 501, "true", "*", "[!", "FREQ=DAILY", "Europe/Berlin", 10**400]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(JSON_TEXT, inner, max_size=3),
    max_leaves=5,
)
#: Fields that some body knows, so that a guess hits one of them.
FIELDS = st.sampled_from(
    [
        *("reason", "rca_url", "force", "note", "value", "flag", "target", "not_before"),
        *("acknowledge", "break_glass", "minutes", "starts_at", "ends_at", "rrule", "timezone"),
        *("flags", "flag_patterns", "catalogue", "min_approvals", "alert_after_minutes"),
        *("max_flags_per_release", "staging_app", "stage_first", "description"),
    ]
)
HEADERS = st.dictionaries(
    st.sampled_from(
        ["X-TOTP", "If-Match", "If-None-Match", "Idempotency-Key", "X-On-Behalf-Of"],
    ),
    st.one_of(TEXT, st.sampled_from(["kim", "sam", '"1"', '"0"', "*", "123456", "one"])),
    max_size=2,
)
NAMES = st.one_of(
    # API Gateway finds no route for the others.
    TEXT.filter(lambda name: name.strip() and "/" not in name),
    st.sampled_from(["freezes", "operator:kim", "target:x", "%00", "%ff%fe", "kim", "x" * 3000]),
)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """What is sent to every door alike."""

    caller: Caller
    state: State
    headers: Mapping[str, str]
    #: In place of all that is right, or, where it is an object and `nearly`, in part of it.
    body: object
    nearly: bool
    #: In place of whom or what the path names.
    name: str | None


ATTACKS = st.builds(
    Attack,
    caller=st.sampled_from([SAM, SAM, KIM, VERA, CONSOLE]),
    state=st.sampled_from(State),
    headers=HEADERS,
    body=st.dictionaries(FIELDS | JSON_TEXT, ANYTHING, max_size=3) | ANYTHING | TEXT,
    nearly=st.booleans(),
    name=st.none() | NAMES,
)


def answered(operation: Operation, attack: Attack) -> Answer:
    """What is answered; the code is right, unless the headers say otherwise."""
    scene = Scene(Role.SUPERADMIN)
    promotion = scene.promotion(attack.state).id if operation.about_promotion else None
    right = {"X-TOTP": scene.world.code, "Idempotency-Key": "one"}
    return Api(scene.world, caller=attack.caller)(
        operation.method,
        _path(filled(operation.path, promotion), attack.name),
        _body(BODIES.get(operation.name, operation.body), attack),
        headers=right | dict(attack.headers),
    )


def _path(path: str, name: str | None) -> str:
    root, first, *rest = path.split("/")
    if name is None or not rest:
        return path
    return "/".join([root, first, name, *rest[1:]])


def _body(right: object, attack: Attack) -> object:
    if attack.nearly and isinstance(attack.body, dict) and isinstance(right, dict):
        return {**right, **attack.body}
    return attack.body


@settings(max_examples=10)
@given(attack=ATTACKS)
def test_nothing_that_is_sent_breaks_a_door(attack: Attack) -> None:
    with silence():
        statuses = {name: answered(each, attack).status for name, each in OPERATIONS.items()}

    assert {name: status for name, status in statuses.items() if status >= 500} == {}


HOSTILE: list[tuple[str, dict[str, Any], int]] = [
    ("stage", {"not_before": "9999-12-31T23:59:59Z"}, 400),
    ("stage", {"not_before": "0001-01-01T00:00:00+23:59"}, 400),
    ("stage", {"acknowledge": ["x" * 201]}, 400),
    ("put_freeze", {"starts_at": "9999-12-31T23:59:59Z"}, 400),
    ("put_freeze", {"ends_at": "9999-12-31T23:59:59Z"}, 400),
    ("put_freeze", {"ends_at": "2026-12-23T19:00:00Z", "rrule": "FREQ=SECONDLY"}, 400),
    ("put_freeze", {"ends_at": "2026-12-23T19:00:00Z", "rrule": "FREQ=YEARLY;BYMONTHDAY=99"}, 400),
    ("put_freeze", {"timezone": "../../etc/passwd"}, 400),
    ("put_freeze", {"reason": "x" * 500}, 400),
    ("put_freeze", {"target": "nobodys-app"}, 422),
    ("put_target", {"flag_patterns": ["[" * 100, "[z-a]", "*?" * 50]}, 200),
    ("put_target", {"alert_after_minutes": dict.fromkeys(("sev3", "warning"), 1e308)}, 400),
    ("put_target", {"min_approvals": 3.0}, 200),
    ("put_target", {"min_approvals": 10**400}, 400),
    ("import_catalogue", {"flags": [{"name": "a", "description": "\ud800"}]}, 400),
    ("import_catalogue", {"flags": [{"name": "a"}, {"name": "a"}]}, 400),
    ("unlock_operator", {"reason": " " * 10}, 400),
    ("mark", {"flag": "dark_mode\n"}, 400),
    ("edit", {"rca_url": "https://a/><img/src=x>"}, 400),
]


@pytest.mark.parametrize(("operation", "body", "status"), HOSTILE)
def test_what_is_only_just_wrong_is_seen(
    operation: str,
    body: dict[str, Any],
    status: int,
) -> None:
    attack = Attack(
        caller=SAM,
        state=State.PENDING,
        headers={},
        body=body,
        nearly=True,
        name=None,
    )

    with silence():
        answer = answered(OPERATIONS[operation], attack)

    assert answer.status == status


@pytest.mark.parametrize(
    ("operation", "state", "more"),
    [
        ("complete", State.DEPLOYING, {"force": True}),
        ("fail", State.DEPLOYING, {"force": True}),
        ("promote", State.PENDING, {"break_glass": True}),
    ],
)
def test_a_reason_that_says_nothing_is_none(
    operation: str,
    state: State,
    more: dict[str, bool],
) -> None:
    attack = Attack(
        caller=SAM,
        state=state,
        headers={},
        body={"reason": " \n" * 10} | more,
        nearly=False,
        name=None,
    )

    with silence():
        answer = answered(OPERATIONS[operation], attack)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["reason"]
