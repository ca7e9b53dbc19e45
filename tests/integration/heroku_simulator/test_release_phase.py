"""The release phase: pending, then succeeded or failed, and which values show meanwhile."""

import pytest

from local.heroku import SimulatorControls

from .platform_api import APP, PlatformApi

SECONDS = 60


@pytest.fixture
def phase(controls: SimulatorControls) -> SimulatorControls:
    """Give the app a release phase of a minute."""
    controls.behave(APP, release_phase=True, phase_seconds=SECONDS)
    return controls


def test_a_release_is_pending_and_not_current_until_its_phase_ends(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    old = api.latest()["version"]

    api.patch({"FLAG_A": "true"})
    phase.advance_clock(SECONDS - 1)

    assert (api.latest()["status"], api.latest()["current"]) == ("pending", False)
    assert api.release(old)["current"] is True


def test_old_values_show_until_the_release_succeeds(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    reply = api.patch({"FLAG_A": "true"})
    while_pending = api.config()
    phase.advance_clock(SECONDS)

    assert "FLAG_A" not in reply.json()
    assert "FLAG_A" not in while_pending
    assert api.config()["FLAG_A"] == "true"
    assert (api.latest()["status"], api.latest()["current"]) == ("succeeded", True)


def test_a_switch_shows_new_values_while_pending(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    phase.behave(APP, pending_shows="new")

    reply = api.patch({"FLAG_A": "true"})

    assert reply.json()["FLAG_A"] == "true"
    assert api.latest()["status"] == "pending"


def test_a_warning_header_tells_of_the_running_phase(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    running = api.patch({"FLAG_A": "true"})
    phase.advance_clock(SECONDS)
    over = api.get(f"/apps/{APP}/config-vars")

    assert running.headers["X-Heroku-Warning"] == running.headers["Warning-Message"]
    assert "X-Heroku-Warning" not in over.headers


def test_the_config_of_a_pending_release_already_carries_its_values(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    phase.behave(APP, phase_result="pending")
    api.patch({"FLAG_A": "true"})

    assert api.release_config(api.latest()["version"])["FLAG_A"] == "true"


def test_a_failed_release_leaves_the_old_one_current(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    old = api.latest()["version"]
    phase.behave(APP, phase_result="failed")

    api.patch({"FLAG_A": "true"})
    phase.advance_clock(SECONDS)

    assert (api.latest()["status"], api.latest()["current"]) == ("failed", False)
    assert api.release(old)["current"] is True
    assert phase.truth(APP)["restarts"] == []


def test_a_failed_releases_value_is_kept_and_goes_live_with_the_next_release(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    phase.behave(APP, phase_result="failed", failed_value="kept")
    api.patch({"FLAG_A": "true"})
    phase.advance_clock(SECONDS)
    stored, live = api.config(), phase.app(APP)["live"]

    phase.behave(APP, release_phase=False)
    phase.foreign_deploy(APP)

    assert stored["FLAG_A"] == "true"
    assert "FLAG_A" not in live
    assert phase.app(APP)["live"]["FLAG_A"] == "true"


def test_a_switch_drops_a_failed_releases_value(api: PlatformApi, phase: SimulatorControls) -> None:
    phase.behave(APP, phase_result="failed", failed_value="dropped")
    api.patch({"FLAG_A": "true"})
    phase.advance_clock(SECONDS)
    phase.behave(APP, release_phase=False)

    phase.foreign_deploy(APP)

    assert "FLAG_A" not in api.config()
    assert "FLAG_A" not in phase.app(APP)["live"]


def test_a_release_may_stay_pending_for_days(api: PlatformApi, phase: SimulatorControls) -> None:
    phase.behave(APP, phase_result="pending")
    api.patch({"FLAG_A": "true"})

    phase.advance_clock(12 * 24 * 3600)

    assert api.latest()["status"] == "pending"


@pytest.mark.parametrize("result", ["succeeded", "failed"])
def test_a_pending_release_is_finished_by_hand(
    api: PlatformApi, phase: SimulatorControls, result: str
) -> None:
    phase.behave(APP, phase_result="pending")
    api.patch({"FLAG_A": "true"})

    phase.finish_release(APP, api.latest()["version"], result)

    assert api.latest()["status"] == result


def test_two_releases_are_pending_at_once_and_the_later_builds_on_the_earlier(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    phase.behave(APP, phase_result="pending")

    api.patch({"FLAG_A": "true"})
    api.patch({"FLAG_B": "true"})

    newest, older = api.releases()[:2]
    assert (newest["status"], older["status"]) == ("pending", "pending")
    assert api.release_config(newest["version"]).keys() >= {"FLAG_A", "FLAG_B"}


def test_a_later_release_is_current_while_an_earlier_one_is_still_pending(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    phase.behave(APP, phase_result="pending")
    api.patch({"FLAG_A": "true"})
    phase.behave(APP, release_phase=False)

    api.patch({"FLAG_B": "true"})

    newest, older = api.releases()[:2]
    assert (newest["current"], older["status"]) == (True, "pending")


def test_a_release_that_succeeds_after_a_later_one_does_not_become_current(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    phase.behave(APP, phase_result="pending")
    api.patch({"FLAG_A": "true"})
    phase.behave(APP, release_phase=False)
    api.patch({"FLAG_B": "true"})
    newest, older = api.releases()[:2]

    phase.finish_release(APP, older["version"])

    assert api.release(older["version"])["status"] == "succeeded"
    assert api.release(older["version"])["current"] is False
    assert api.release(newest["version"])["current"] is True


def test_a_retry_runs_the_phase_again_under_a_new_version(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    phase.behave(APP, phase_result="failed")
    api.patch({"FLAG_A": "true"})
    failed = api.latest()["version"]
    phase.advance_clock(SECONDS)
    phase.behave(APP, phase_result="succeeded")

    phase.retry_release(APP, failed)
    phase.advance_clock(SECONDS)

    retried = api.latest()
    assert retried["version"] == failed + 1
    assert retried["description"] == f"Retry of v{failed}: Set FLAG_A config vars"
    assert api.release_config(retried["version"])["FLAG_A"] == "true"
    assert phase.app(APP)["live"]["FLAG_A"] == "true"


def test_releases_settle_in_the_order_in_which_their_phases_end(
    api: PlatformApi, phase: SimulatorControls
) -> None:
    api.patch({"FLAG_A": "true"})
    phase.behave(APP, phase_seconds=SECONDS / 2)
    api.patch({"FLAG_B": "true"})
    newest = api.latest()["version"]

    phase.advance_clock(SECONDS)

    assert api.release(newest)["current"] is True
    assert [restart["release"] for restart in phase.truth(APP)["restarts"]] == [newest]
