"""Rollback copies code and config, and only what still exists can be rolled back to."""

from local.heroku import SimulatorControls

from .platform_api import APP, PlatformApi


def test_a_rollback_copies_slug_and_config_vars_into_a_new_release(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    target = api.latest()
    api.patch({"FLAG_A": "true"})
    controls.foreign_deploy(APP)

    reply = api.roll_back(target["id"])

    new = reply.json()
    assert reply.status_code == 201
    assert new["description"] == f"Rollback to v{target['version']}"
    assert new["slug"] == target["slug"]
    assert new["version"] == target["version"] + 3
    assert api.release_config(new["version"]) == api.release_config(target["version"])


def test_a_rollback_silently_reverts_flags(api: PlatformApi) -> None:
    target = api.latest()
    api.patch({"FLAG_A": "true"})

    api.roll_back(target["id"])

    assert "FLAG_A" not in api.config()


def test_an_unknown_release_cannot_be_rolled_back_to(api: PlatformApi) -> None:
    reply = api.roll_back("01234567-89ab-cdef-0123-456789abcdef")

    assert (reply.status_code, reply.json()["id"]) == (404, "not_found")


def test_a_release_that_is_no_string_is_refused(api: PlatformApi) -> None:
    reply = api.roll_back(3)

    assert (reply.status_code, reply.json()["id"]) == (422, "invalid_params")


def test_a_failed_release_cannot_be_rolled_back_to(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.behave(APP, release_phase=True, phase_result="pending")
    api.patch({"FLAG_A": "true"})
    failed = api.latest()
    controls.finish_release(APP, failed["version"], "failed")

    reply = api.roll_back(failed["id"])

    assert reply.status_code == 422
    assert api.latest()["eligible_for_rollback"] is False


def test_old_releases_expire_and_can_no_longer_be_rolled_back_to(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    old = api.latest()
    api.patch({"FLAG_A": "true"})

    controls.expire_releases(APP, [old["version"]])

    expired = api.release(old["version"])
    assert (expired["status"], expired["eligible_for_rollback"]) == ("expired", False)
    assert api.latest()["current"] is True
    assert api.roll_back(old["id"]).status_code == 422


def test_an_existing_slug_is_released_under_a_description_of_the_clients(api: PlatformApi) -> None:
    old = api.latest()

    reply = api.request(
        "POST",
        f"/apps/{APP}/releases",
        json={"slug": old["slug"]["id"], "description": "Retry of v3: Deploy 0a1b2c3"},
    )

    assert reply.status_code == 201
    assert reply.json()["description"] == "Retry of v3: Deploy 0a1b2c3"
    assert reply.json()["slug"] == old["slug"]


def test_a_release_of_nothing_is_refused(api: PlatformApi) -> None:
    reply = api.request("POST", f"/apps/{APP}/releases", json={})

    assert reply.status_code == 422
