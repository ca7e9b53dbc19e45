"""What callers send becomes values, or is refused by name."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from chalicelib.domain.catalogue import FlagEntry
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller
from chalicelib.domain.target import MAX_FLAGS_PER_RELEASE, Target
from chalicelib.wire import requests
from chalicelib.wire.requests import MAX_CATALOGUE_BYTES, Request
from tests.factories import KIM

ID = "prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1"
WHY = "The console was killed by the restart."


def a_request(body: object = None, caller: Caller = KIM, **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    text = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return Request(body=text, headers=given, query={}, caller=caller)


def rejection(act: Callable[[], object]) -> Rejected:
    with pytest.raises(Rejected) as rejected:
        act()
    return rejected.value


def named(act: Callable[[], object]) -> list[str]:
    """The fields that a refusal names."""
    rejected = rejection(act)
    assert rejected.code is Code.INVALID_REQUEST
    return [error.field for error in rejected.errors]


# The escape hatch, retry and rollback


def test_an_order_to_conclude_has_all_that_was_sent() -> None:
    body = {"reason": WHY, "rca_url": "https://wiki/rca", "force": True}
    sent = a_request(body, X_TOTP="123456", Idempotency_Key="one", If_Match='"7"')

    order = requests.conclude_order(sent, ID, "CompleteRequest")

    assert (order.promotion_id, order.caller, order.code) == (ID, KIM, "123456")
    assert (order.key, order.if_version) == ("one", 7)
    assert (order.reason, order.rca_url, order.force) == (WHY, "https://wiki/rca", True)


@pytest.mark.parametrize("schema", ["CompleteRequest", "FailRequest"])
def test_an_order_to_conclude_is_not_forced_unless_it_says_so(schema: str) -> None:
    order = requests.conclude_order(a_request({"reason": WHY}), ID, schema)

    assert (order.force, order.rca_url, order.code, order.key, order.if_version) == (
        False,
        None,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("schema", ["CompleteRequest", "FailRequest"])
@pytest.mark.parametrize("body", [None, {}, {"reason": "too short"}, {"reason": None}])
def test_an_order_to_conclude_needs_a_reason(schema: str, body: object) -> None:
    assert named(lambda: requests.conclude_order(a_request(body), ID, schema)) == ["reason"]


def test_an_order_to_roll_back_has_all_that_was_sent() -> None:
    sent = a_request({"reason": "again", "force": True}, X_TOTP="123456", Idempotency_Key="one")

    order = requests.renew_order(sent, ID, "RollbackRequest")

    assert (order.promotion_id, order.code, order.key) == (ID, "123456", "one")
    assert (order.reason, order.force) == ("again", True)


def test_an_order_to_retry_needs_no_body_and_is_never_forced() -> None:
    order = requests.renew_order(a_request(), ID, "RetryRequest")

    assert (order.reason, order.force) == (None, False)


@pytest.mark.parametrize("body", [b"\n", b" ", b"{", b"\xff"])
def test_a_body_that_may_be_absent_is_json_where_it_is_not(body: bytes) -> None:
    assert named(lambda: requests.renew_order(a_request(body), ID, "RetryRequest")) == ["body"]


def test_an_order_to_unlock_names_whom_and_why() -> None:
    order = requests.unlock_order(a_request({"reason": WHY}, X_TOTP="123456"), "vera")

    assert (order.name, order.reason, order.caller, order.code) == ("vera", WHY, KIM, "123456")


@pytest.mark.parametrize("name", ["", "v era", "vera\n", "x" * 65, "véra", "vera.secret"])
def test_nobody_of_an_impossible_name_is_unlocked(name: str) -> None:
    assert named(lambda: requests.unlock_order(a_request({"reason": WHY}), name)) == ["name"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "schlüssel"])
def test_an_impossible_key_is_named_though_none_is_needed(key: str) -> None:
    sent = a_request({"reason": WHY}, Idempotency_Key=key)

    assert named(lambda: requests.conclude_order(sent, ID, "FailRequest")) == ["Idempotency-Key"]


# Times


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-22T08:00:00Z", datetime(2026, 11, 22, 8, tzinfo=UTC)),
        ("2026-11-22t08:00:00z", datetime(2026, 11, 22, 8, tzinfo=UTC)),
        ("2026-11-22T08:00:00+01:00", datetime(2026, 11, 22, 7, tzinfo=UTC)),
        ("2026-11-22T08:00:00-23:59", datetime(2026, 11, 23, 7, 59, tzinfo=UTC)),
        ("2026-11-22T08:00:00.5Z", datetime(2026, 11, 22, 8, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-22T08:00:00.123456789Z", datetime(2026, 11, 22, 8, 0, 0, 123_456, tzinfo=UTC)),
    ],
)
def test_a_time_with_its_offset_is_understood_in_utc(text: str, at: datetime) -> None:
    order = requests.stage_order(a_request({"not_before": text}), ID)

    assert order.not_before == at
    assert order.not_before.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tomorrow",
        "2026-11-22",
        "2026-11-22T08:00:00",
        "2026-11-22 08:00:00Z",
        "2026-11-22T08:00Z",
        "2026-11-22T08Z",
        "20261122T080000Z",
        "2026-W47-7T08:00:00Z",
        "2026-11-22T08:00:00+0100",
        "2026-11-22T08:00:00+01",
        "2026-11-22T08:00:00+01:00:30",
        "2026-11-22T08:00:00.Z",
        "2026-11-22T08:00:00,5Z",
        "2026-11-22T08:00:00Z\n",
        " 2026-11-22T08:00:00Z",
        "2026-02-30T08:00:00Z",
        "2026-11-22T24:00:00Z",
        "2026-11-22T08:00:60Z",
        "2026-11-22T08:00:00+24:00",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
        "9999-12-31T23:59:59-23:59",
        "٢٠٢٦-11-22T08:00:00Z",
        "-2026-11-22T08:00:00Z",
        1_763_798_400,
        True,
        ["2026-11-22T08:00:00Z"],
    ],
)
def test_anything_else_is_no_time(text: object) -> None:
    assert named(lambda: requests.stage_order(a_request({"not_before": text}), ID)) == [
        "not_before"
    ]


def test_no_time_at_all_is_none() -> None:
    assert requests.stage_order(a_request({"not_before": None}), ID).not_before is None


@pytest.mark.parametrize("field", ["starts_at", "ends_at"])
def test_the_times_of_a_freeze_need_their_offset_too(field: str) -> None:
    times = {"starts_at": "2026-12-23T18:00:00Z", "ends_at": "2026-12-27T18:00:00Z"}
    body = {"reason": "Quiet days at the end.", **times, field: "2026-12-23T18:00:00"}

    assert named(lambda: requests.freeze_terms(a_request(body))) == [field]


# Catalogues


def test_a_catalogue_is_its_flags_by_name() -> None:
    body = {"flags": [{"name": "b", "owner": "kim", "default": "off"}, {"name": "a"}]}

    flags = requests.catalogue(a_request(body))

    assert flags == {
        "a": FlagEntry(name="a"),
        "b": FlagEntry(name="b", owner="kim", default="off"),
    }


def test_a_flag_that_stands_twice_in_a_catalogue_is_refused() -> None:
    body = {"flags": [{"name": "a", "default": "on"}, {"name": "a", "default": "off"}]}

    assert named(lambda: requests.catalogue(a_request(body))) == ["flags"]


def test_a_catalogue_may_be_larger_than_other_bodies() -> None:
    entries = [{"name": f"flag_{n}", "description": "x" * 200} for n in range(1000)]

    assert len(requests.catalogue(a_request({"flags": entries}))) == 1000


def test_a_catalogue_has_a_limit_all_the_same() -> None:
    body = b'{"flags": [' + b" " * MAX_CATALOGUE_BYTES + b"]}"

    assert rejection(lambda: requests.catalogue(a_request(body))).code is Code.BODY_TOO_LARGE


# Subjects of the audit


@pytest.mark.parametrize(
    ("subject", "kind_and_name"),
    [
        ("operator:kim", ("operator", "kim")),
        ("operator%3Akim", ("operator", "kim")),
        ("target:raxx-console-prod", ("target", "raxx-console-prod")),
        ("catalogue:backend", ("catalogue", "backend")),
        ("freezes", ("freezes", "")),
        ("nothing:like:it", ("nothing", "like:it")),
        ("%ff", ("\ufffd", "")),
    ],
)
def test_a_subject_is_a_kind_and_a_name(subject: str, kind_and_name: tuple[str, str]) -> None:
    assert requests.record_subject(subject) == kind_and_name


@pytest.mark.parametrize(
    "subject",
    [
        "operator:",
        "operator:" + "x" * 3000,
        "operator:a/../b",
        "operator:%00",
        "target:",
        "target:UPPER",
        "target:" + "x" * 3000,
        "catalogue:",
        "catalogue:Back End",
        "catalogue:" + "x" * 3000,
    ],
)
def test_a_name_that_no_record_can_have_is_not_looked_up(subject: str) -> None:
    assert named(lambda: requests.record_subject(subject)) == ["subject"]


# Policies


def test_a_policy_has_all_that_was_sent() -> None:
    body = {
        "description": "The console.",
        "max_flags_per_release": 5,
        "flag_patterns": ["billing_*"],
        "staging_app": "raxx-console-staging",
        "min_approvals": 2,
        "stage_first": True,
        "catalogue": "backend",
    }

    assert requests.target(a_request(body), "raxx") == Target(
        app="raxx",
        description="The console.",
        max_flags_per_release=5,
        flag_patterns=("billing_*",),
        staging_app="raxx-console-staging",
        min_approvals=2,
        stage_first=True,
        catalogue="backend",
    )


def test_what_a_policy_leaves_out_goes_back_to_its_default() -> None:
    policy = requests.target(a_request(), "raxx")

    assert policy == Target(app="raxx")
    assert policy.max_flags_per_release == MAX_FLAGS_PER_RELEASE


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("flag_patterns", "billing_*"),
        ("flag_patterns", [""]),
        ("flag_patterns", ["*"] * 51),
        ("staging_app", "UPPER"),
        ("min_approvals", 11),
        ("min_approvals", -1),
        ("min_approvals", True),
        ("stage_first", "yes"),
        ("catalogue", "Back End"),
    ],
)
def test_what_a_policy_cannot_say_is_named(field: str, value: object) -> None:
    (found,) = named(lambda: requests.target(a_request({field: value}), "raxx"))

    assert found.partition(".")[0] == field
