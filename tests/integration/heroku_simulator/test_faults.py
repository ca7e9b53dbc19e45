"""Faults: what a client sees, and whether Heroku did what was asked."""

import time
from http.client import IncompleteRead

import pytest
import requests

from local.heroku import SimulatorControls

from .platform_api import APP, PlatformApi

CONFIG = f"/apps/{APP}/config-vars"
HOLD = 0.15

STATUSES = [
    (400, "bad_request"),
    (401, "unauthorized"),
    (402, "delinquent"),
    (403, "forbidden"),
    (403, "suspended"),
    (403, "two_factor"),
    (404, "not_found"),
    (406, "not_acceptable"),
    (409, "conflict"),
    (410, "gone"),
    (416, "requested_range_not_satisfiable"),
    (422, "invalid_params"),
    (422, "verification_needed"),
    (429, "rate_limit"),
    (500, "internal_server_error"),
    (503, "service_unavailable"),
]


def _is_applied(controls: SimulatorControls) -> bool:
    return "FLAG_A" in controls.app(APP)["stored"]


@pytest.mark.parametrize(("status", "error_id"), STATUSES)
def test_an_error_status_comes_with_its_json_and_applies_nothing(
    api: PlatformApi, controls: SimulatorControls, status: int, error_id: str
) -> None:
    controls.arm("status", route="config-vars", method="PATCH", status=status, error_id=error_id)

    reply = api.patch({"FLAG_A": "true"})

    assert (reply.status_code, reply.json()["id"]) == (status, error_id)
    assert reply.json()["message"]
    assert reply.headers["Request-Id"]
    assert not _is_applied(controls)


def test_a_503_of_the_router_is_html(api: PlatformApi, controls: SimulatorControls) -> None:
    controls.arm("html_503", route="config-vars")

    reply = api.get(CONFIG)

    assert reply.status_code == 503
    assert reply.headers["Content-Type"] == "text/html"
    assert reply.text.startswith("<!DOCTYPE html>")


def test_a_slow_answer_is_late_but_right(api: PlatformApi, controls: SimulatorControls) -> None:
    controls.arm("slow", seconds=HOLD)
    started = time.monotonic()

    reply = api.patch({"FLAG_A": "true"})

    assert time.monotonic() - started >= HOLD
    assert reply.json()["FLAG_A"] == "true"


def test_a_hang_runs_into_the_clients_timeout_and_applies_nothing(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("hang", seconds=10)

    with pytest.raises(requests.ReadTimeout):
        api.patch({"FLAG_A": "true"}, timeout=HOLD)

    assert not _is_applied(controls)


def test_a_hang_ends_with_a_closed_connection(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("hang", seconds=HOLD)

    with pytest.raises(requests.ConnectionError):
        api.patch({"FLAG_A": "true"})

    assert not _is_applied(controls)


def test_a_hang_after_applying_lets_a_client_time_out_on_what_took_effect(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("hang_after_apply", method="PATCH", seconds=10)

    with pytest.raises(requests.ReadTimeout):
        api.patch({"FLAG_A": "true"}, timeout=HOLD)

    assert _is_applied(controls)


def test_a_hang_after_applying_answers_in_the_end(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("hang_after_apply", method="PATCH", seconds=HOLD)

    reply = api.patch({"FLAG_A": "true"})

    assert reply.json()["FLAG_A"] == "true"


@pytest.mark.parametrize(
    ("kind", "is_applied"), [("reset_before_apply", False), ("reset_after_apply", True)]
)
def test_a_reset_comes_before_or_after_the_effect(
    api: PlatformApi, controls: SimulatorControls, *, kind: str, is_applied: bool
) -> None:
    controls.arm(kind, method="PATCH")

    with pytest.raises(requests.ConnectionError) as caught:
        api.patch({"FLAG_A": "true"})

    assert "Connection reset by peer" in str(caught.value)
    assert _is_applied(controls) is is_applied


def test_a_truncated_body_is_noticed_and_applied(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("truncated_body", method="PATCH")

    with pytest.raises(requests.exceptions.ChunkedEncodingError) as caught:
        api.patch({"FLAG_A": "true"})

    assert IncompleteRead.__name__ in str(caught.value)
    assert _is_applied(controls)


def test_a_fault_fires_on_the_nth_match_as_often_as_asked(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("status", status=500, route="config-vars", method="GET", nth=2, times=2)

    statuses = [api.get(CONFIG).status_code for _ in range(5)]

    assert statuses == [200, 500, 500, 200, 200]
    assert controls.faults() == []


def test_a_fault_may_last_until_it_is_cleared(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("status", status=503, times=None)
    during = [api.get(CONFIG).status_code for _ in range(3)]

    controls.clear_faults()

    assert during == [503, 503, 503]
    assert api.get(CONFIG).status_code == 200


def test_a_fault_touches_only_what_it_matches(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.create_app("another-app")
    controls.arm("status", method="PATCH", route="config-vars", app="another-app", times=None)

    statuses = (
        api.get("/apps/another-app/config-vars").status_code,
        api.patch({"FLAG_A": "true"}).status_code,
        api.request("PATCH", "/apps/another-app/config-vars", json={}).status_code,
    )

    assert statuses == (200, 200, 500)


def test_a_fault_on_an_app_is_met_by_name_and_by_uuid(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    uuid = controls.app(APP)["id"]
    controls.arm("status", app=uuid, times=None)

    statuses = [api.get(f"/apps/{app}/config-vars").status_code for app in (APP, uuid)]

    assert statuses == [500, 500]


def test_failed_requests_are_counted_too(api: PlatformApi, controls: SimulatorControls) -> None:
    controls.arm("reset_before_apply", method="PATCH")
    with pytest.raises(requests.ConnectionError):
        api.patch({"FLAG_A": "true"})

    api.patch({"FLAG_A": "true"})

    assert controls.request_count("PATCH", "config-vars", APP) == 2
    assert len(controls.truth(APP)["patches"]) == 1
