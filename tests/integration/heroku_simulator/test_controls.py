"""The controls: strict about what they are told, closed to browsers, honest in the truth log."""

from collections.abc import Callable

import pytest
import requests

from local.heroku import Simulator, SimulatorControls

from .platform_api import APP, PlatformApi

Misuse = Callable[[SimulatorControls], object]

MISUSES: dict[str, Misuse] = {
    "unknown field": lambda c: c.behave(APP, phase_secs=1),
    "wrong word": lambda c: c.behave(APP, phase_result="maybe"),
    "wrong type": lambda c: c.behave(APP, release_phase="yes"),
    "not a number": lambda c: c.behave(APP, phase_seconds=True),
    "negative": lambda c: c.advance_clock(-1),
    "beyond all time": lambda c: c.advance_clock(10**12),
    "unknown kind": lambda c: c.arm("meteor"),
    "unknown route": lambda c: c.arm("slow", route="/apps"),
    "unknown status": lambda c: c.arm("status", status=418),
    "error id of another status": lambda c: c.arm("status", status=403, error_id="gone"),
    "hold without bound": lambda c: c.arm("hang", seconds=601),
    "foreign fault without an act": lambda c: c.arm("foreign_before"),
    "unknown field in an act": lambda c: c.arm("foreign_before", foreign={"verb": "patch", "x": 1}),
    "value that is no string": lambda c: c.foreign_patch(APP, {"A": 1}),  # type: ignore[dict-item]
    "name of no app": lambda c: c.create_app("Not A Name"),
    "unknown scope": lambda c: c.add_token("HRKU-x", scope="root"),
    "unknown scope among others": lambda c: c.add_token("HRKU-x", scope="read root"),
    "no scope": lambda c: c.add_token("HRKU-x", scope=""),
    "versions that are none": lambda c: c.expire_releases(APP, ["1"]),  # type: ignore[list-item]
    "expiry of the current release": lambda c: c.expire_releases(APP, [3]),
    "end of a release that is over": lambda c: c.finish_release(APP, 3),
    "end that is none": lambda c: c.finish_release(APP, 3, "pending"),
}


@pytest.mark.parametrize("misuse", MISUSES.values(), ids=MISUSES.keys())
def test_a_misuse_is_refused_and_changes_nothing(
    controls: SimulatorControls, misuse: Misuse
) -> None:
    before = (controls.app(APP), controls.faults(), controls.clock())

    with pytest.raises(requests.HTTPError, match="422"):
        misuse(controls)

    assert (controls.app(APP), controls.faults(), controls.clock()) == before


ABSENT: dict[str, Misuse] = {
    "app": lambda c: c.app("nobody-knows"),
    "release": lambda c: c.finish_release(APP, 99),
    "release to roll back to": lambda c: c.foreign_rollback(APP, 99),
}


@pytest.mark.parametrize("misuse", ABSENT.values(), ids=ABSENT.keys())
def test_what_is_not_there_is_not_found(controls: SimulatorControls, misuse: Misuse) -> None:
    with pytest.raises(requests.HTTPError, match="404"):
        misuse(controls)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 400),
        ({"Content-Type": "application/json", "Host": "rebound.example.com"}, 403),
    ],
)
def test_a_web_page_cannot_steer(
    simulator: Simulator, headers: dict[str, str], status: int
) -> None:
    reply = requests.post(
        f"{simulator.url}/_simulator/reset", data="{}", headers=headers, timeout=5
    )

    assert reply.status_code == status
    assert simulator.controls.app(APP)["name"] == APP


def test_an_app_that_is_created_again_starts_anew(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    api.patch({"FLAG_A": "true"})

    controls.create_app(APP, {"FLAG_B": "false"})

    assert "FLAG_A" not in api.config()
    assert api.config()["FLAG_B"] == "false"
    assert api.latest()["version"] == 3


def test_a_deleted_app_is_gone(api: PlatformApi, controls: SimulatorControls) -> None:
    controls.delete_app(APP)

    assert api.get(f"/apps/{APP}").status_code == 404


def test_a_reset_forgets_everything_but_the_time(
    api: PlatformApi, controls: SimulatorControls, simulator: Simulator
) -> None:
    api.patch({"FLAG_A": "true"})
    controls.arm("status", times=None)
    controls.revoke_token(simulator.token)
    controls.advance_clock(60)

    controls.reset()
    controls.create_app(APP)

    assert api.latest()["version"] == 3
    assert controls.truth()["patches"] == []
    assert controls.clock()["offset_seconds"] == 60


def test_the_truth_log_tells_each_patch_with_its_release(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    api.patch({"FLAG_A": "true", "FLAG_B": None})
    controls.foreign_patch(APP, {"FLAG_C": "x"})

    ours, theirs = controls.truth(APP)["patches"]
    assert ours["changes"] == {"FLAG_A": "true", "FLAG_B": None}
    assert (ours["release"], theirs["release"]) == (4, 5)
    assert ours["user"] == "operator@example.com"
    assert theirs["user"] == "somebody.else@example.com"
    assert ours["at"].startswith("2026-05-09T04:28:00")


def test_a_refused_patch_is_not_in_the_truth_log(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    api.patch({"FLAG_A": True})

    assert controls.truth(APP)["patches"] == []
    assert controls.request_count("PATCH", "config-vars", APP) == 1


def test_the_truth_log_is_narrowed_to_one_app(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.create_app("another-app")
    controls.foreign_patch("another-app", {"FLAG_A": "true"})
    api.patch({"FLAG_A": "true"})

    assert {patch["app"] for patch in controls.truth(APP)["patches"]} == {APP}
    assert {patch["app"] for patch in controls.truth()["patches"]} == {APP, "another-app"}


def test_requests_are_counted_by_verb_route_and_app(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    api.config()
    api.config()
    api.get("/account")

    assert controls.request_count("GET", "config-vars", APP) == 2
    assert controls.request_count("GET", "account") == 1
    assert controls.request_count("PATCH", "config-vars") == 0


def test_an_app_shows_stored_visible_and_live_config(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.behave(APP, release_phase=True, phase_result="pending")
    api.patch({"FLAG_A": "true"})

    app = controls.app(APP)
    assert ["FLAG_A" in app[name] for name in ("stored", "visible", "live")] == [True, False, False]
