"""The protocol around every call: version, tokens, scopes, limits, headers, ETag."""

import base64
import contextlib
import json
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from local.heroku import Simulator, SimulatorControls

from .platform_api import APP, PlatformApi

CONFIG = f"/apps/{APP}/config-vars"
RELEASES = f"/apps/{APP}/releases"


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_bearer_and_basic_with_an_empty_user_both_open(
    api: PlatformApi, simulator: Simulator
) -> None:
    bearer = api.get(CONFIG, Authorization=f"Bearer {simulator.token}")
    basic = api.get(CONFIG, Authorization=_basic("", simulator.token))

    assert (bearer.status_code, basic.status_code) == (200, 200)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer wrong",
        "Basic !!!",
        _basic("", "wrong"),
        _basic("", ""),
        "Digest",
    ],
)
def test_without_a_valid_token_the_answer_is_401(api: PlatformApi, header: str | None) -> None:
    reply = api.get(CONFIG, Authorization=header)

    assert (reply.status_code, reply.json()["id"]) == (401, "unauthorized")
    assert reply.headers["Content-Type"] == "application/json"
    assert "fake-secret" not in reply.text


def test_a_token_expires(api: PlatformApi, controls: SimulatorControls) -> None:
    controls.add_token("HRKU-short", expires_in_seconds=60)
    before = api.get(CONFIG, Authorization="Bearer HRKU-short")

    controls.advance_clock(60)

    after = api.get(CONFIG, Authorization="Bearer HRKU-short")
    assert (before.status_code, after.status_code) == (200, 401)


def test_a_revoked_token_opens_nothing(
    api: PlatformApi, controls: SimulatorControls, simulator: Simulator
) -> None:
    controls.revoke_token(simulator.token)

    assert api.get(CONFIG).status_code == 401


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("global", [200, 200, 200, 200]),
        ("write-protected", [200, 200, 200, 403]),
        ("read-protected", [200, 403, 200, 403]),
        ("write", [403, 403, 200, 403]),
        ("read", [403, 403, 200, 403]),
        ("identity", [403, 403, 403, 200]),
    ],
)
def test_a_scope_opens_what_it_should_and_nothing_else(
    api: PlatformApi, controls: SimulatorControls, scope: str, expected: list[int]
) -> None:
    controls.add_token("HRKU-scoped", scope=scope)
    header = {"Authorization": "Bearer HRKU-scoped"}

    replies = (
        api.get(CONFIG, **header),
        api.patch({"FLAG_A": "true"}, headers=header),
        api.get(RELEASES, **header),
        api.get("/account", **header),
    )

    assert [reply.status_code for reply in replies] == expected
    assert replies[0].headers["Oauth-Scope"] == scope
    assert replies[1].headers["Oauth-Scope-Accepted"] == "global write-protected"
    assert all(r.json()["id"] == "forbidden" for r in replies if r.status_code == 403)


def test_a_token_of_several_scopes_opens_what_any_of_them_does(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.add_token("HRKU-two", scope="read-protected identity")
    header = {"Authorization": "Bearer HRKU-two"}

    replies = (
        api.get(CONFIG, **header),
        api.patch({"FLAG_A": "true"}, headers=header),
        api.get("/account", **header),
    )

    assert [reply.status_code for reply in replies] == [200, 403, 200]
    assert {reply.headers["Oauth-Scope"] for reply in replies} == {"identity read-protected"}


def test_a_refused_token_hears_nothing_of_scopes(api: PlatformApi) -> None:
    reply = api.get(CONFIG, Authorization="Bearer wrong")

    assert "Oauth-Scope" not in reply.headers


@pytest.mark.parametrize(
    "accept",
    [
        "application/vnd.heroku+json; version=3",
        "application/vnd.heroku+json;version=3",
        "application/vnd.heroku+json; version=3.cedar-acm",
        "application/json, application/vnd.heroku+json; version=3",
    ],
)
def test_version_3_and_its_variants_are_accepted(api: PlatformApi, accept: str) -> None:
    assert api.get(CONFIG, Accept=accept).status_code == 200


@pytest.mark.parametrize(
    "accept", [None, "*/*", "application/json", "application/vnd.heroku+json; version=2"]
)
def test_another_version_is_not_acceptable(api: PlatformApi, accept: str | None) -> None:
    reply = api.get(CONFIG, Accept=accept)

    assert (reply.status_code, reply.json()["id"]) == (406, "not_acceptable")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/apps/nobody-knows/config-vars"),
        ("GET", f"{RELEASES}/999"),
        ("GET", f"{RELEASES}/current/config-vars"),
        ("PUT", CONFIG),
        ("DELETE", CONFIG),
        ("POST", CONFIG),
    ],
)
def test_what_does_not_exist_is_not_found(api: PlatformApi, method: str, path: str) -> None:
    reply = api.request(method, path)

    assert (reply.status_code, reply.json()["id"]) == (404, "not_found")
    assert reply.headers["Content-Type"] == "application/json"


def test_a_reply_names_its_request_and_the_one_the_client_named(api: PlatformApi) -> None:
    own = api.get(CONFIG).headers["Request-Id"]
    both = api.get(CONFIG, Request_Id="01234567-89ab-cdef").headers["Request-Id"].split(",")

    assert "," not in own
    assert both[0] == "01234567-89ab-cdef"
    assert len(both) == 2


def test_the_truth_log_knows_the_request_id_of_a_patch(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    reply = api.patch({"FLAG_A": "true"}, headers={"Request-Id": "prm-123"})

    (patch,) = controls.truth(APP)["patches"]
    assert patch["request_id"] == reply.headers["Request-Id"]


def test_an_etag_spares_the_body_until_something_changes(api: PlatformApi) -> None:
    etag = api.get(CONFIG).headers["ETag"]

    unchanged = api.get(CONFIG, If_None_Match=etag)
    api.patch({"FLAG_A": "true"})
    changed = api.get(CONFIG, If_None_Match=etag)

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["ETag"] == etag
    assert (changed.status_code, changed.json()["FLAG_A"]) == (200, "true")


def test_each_request_costs_one_of_the_bucket(api: PlatformApi) -> None:
    first = api.get(CONFIG).headers["RateLimit-Remaining"]
    second = api.get(CONFIG).headers["RateLimit-Remaining"]

    assert (first, second) == ("4499", "4498")


def test_asking_for_the_rate_limit_is_free(api: PlatformApi, controls: SimulatorControls) -> None:
    controls.set_rate_limit(remaining=0)

    reply = api.get("/account/rate-limits")

    assert (reply.status_code, reply.json()) == (200, {"remaining": 0})


def test_an_empty_bucket_answers_429_without_retry_after_and_without_applying(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.set_rate_limit(remaining=0)

    reply = api.patch({"FLAG_A": "true"})

    assert (reply.status_code, reply.json()["id"]) == (429, "rate_limit")
    assert reply.headers["RateLimit-Remaining"] == "0"
    assert "Retry-After" not in reply.headers
    assert controls.truth(APP)["patches"] == []


def test_the_bucket_refills_with_the_clock_up_to_its_brim(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.set_rate_limit(remaining=0)
    controls.advance_clock(60)
    after_a_minute = api.get("/account/rate-limits").json()["remaining"]
    controls.set_rate_limit(remaining=10, refill_per_minute=600)
    controls.advance_clock(1)
    after_a_second = api.get("/account/rate-limits").json()["remaining"]
    controls.advance_clock(24 * 3600)
    after_a_day = api.get("/account/rate-limits").json()["remaining"]

    assert (after_a_minute, after_a_second, after_a_day) == (75, 20, 4500)


def test_a_connection_serves_many_requests(api: PlatformApi) -> None:
    replies = [api.get(CONFIG), api.patch({"A-B": "refused"}), api.get(CONFIG)]

    assert [reply.status_code for reply in replies] == [200, 422, 200]
    assert all("Connection" not in reply.headers for reply in replies)


@pytest.mark.parametrize(
    "header", [("Content-Length", str(10**9)), ("Transfer-Encoding", "chunked")]
)
def test_a_body_beyond_measure_is_not_read(simulator: Simulator, header: tuple[str, str]) -> None:
    with contextlib.closing(HTTPConnection(urlsplit(simulator.url).netloc, timeout=5)) as client:
        client.putrequest("PATCH", CONFIG)
        client.putheader(*header)
        client.endheaders()
        reply = client.getresponse()

        assert (reply.status, json.load(reply)["id"]) == (400, "bad_request")
