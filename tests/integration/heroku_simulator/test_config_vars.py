"""Config vars: the merge, the refusals, and the release each change makes."""

import pytest

from local.heroku import SimulatorControls

from .platform_api import APP, PlatformApi


def test_a_new_app_holds_secrets_that_are_obviously_fake(api: PlatformApi) -> None:
    config = api.config()

    assert {"DATABASE_URL", "SECRET_KEY_BASE"} <= config.keys()
    assert all("fake-secret" in value for value in config.values())


def test_an_app_is_found_by_name_and_by_uuid(api: PlatformApi) -> None:
    by_name = api.get(f"/apps/{APP}").json()

    assert api.get(f"/apps/{by_name['id']}").json() == by_name
    assert api.get(f"/apps/{by_name['id']}/config-vars").json() == api.config()


def test_a_patch_changes_only_the_keys_it_names(api: PlatformApi) -> None:
    before = api.config()

    api.patch({"FLAG_A": "true"})

    assert api.config() == before | {"FLAG_A": "true"}


def test_a_patch_answers_with_the_whole_config_secrets_included(api: PlatformApi) -> None:
    reply = api.patch({"FLAG_A": "true"})

    assert reply.status_code == 200
    assert reply.json() == api.config()
    assert "SECRET_KEY_BASE" in reply.json()


def test_null_deletes_a_key(api: PlatformApi) -> None:
    api.patch({"FLAG_A": "true"})

    api.patch({"FLAG_A": None})

    assert "FLAG_A" not in api.config()
    assert api.latest()["description"] == "Remove FLAG_A config vars"


def test_several_keys_in_one_patch_are_one_release(api: PlatformApi) -> None:
    before = api.latest()["version"]

    api.patch({"FLAG_A": "true", "FLAG_B": "false"})

    assert api.latest()["version"] == before + 1
    assert api.latest()["description"] == "Set FLAG_A, FLAG_B config vars"


def test_a_release_without_a_phase_has_succeeded_and_is_current(api: PlatformApi) -> None:
    old = api.latest()

    api.patch({"FLAG_A": "true"})

    new = api.latest()
    assert (new["status"], new["current"]) == ("succeeded", True)
    assert api.release(old["version"])["current"] is False


def test_each_release_keeps_its_own_config(api: PlatformApi) -> None:
    api.patch({"FLAG_A": "true"})
    first = api.latest()["version"]

    api.patch({"FLAG_A": "false"})

    assert api.release_config(first)["FLAG_A"] == "true"
    assert api.release_config(first + 1)["FLAG_A"] == "false"


def test_a_release_is_found_by_version_and_by_uuid(api: PlatformApi) -> None:
    release = api.latest()

    assert api.get(f"/apps/{APP}/releases/{release['id']}").json() == release
    assert api.release(release["version"]) == release


@pytest.mark.parametrize("value", [True, 1, 1.5, [], {}], ids=repr)
def test_a_value_that_is_no_string_is_refused_without_echoing_it(
    api: PlatformApi, value: object
) -> None:
    before = api.latest()["version"]

    reply = api.patch({"FLAG_A": value, "FLAG_B": "kept-to-yourself"})

    assert (reply.status_code, reply.json()["id"]) == (422, "invalid_params")
    assert "kept-to-yourself" not in reply.text
    assert api.latest()["version"] == before


@pytest.mark.parametrize("key", ["", "A-B", "A B", "É", "FLAG\n"])
def test_a_key_that_is_no_word_is_refused(api: PlatformApi, key: str) -> None:
    reply = api.patch({key: "true"})

    assert (reply.status_code, reply.json()["id"]) == (422, "invalid_params")


def test_a_config_of_64_kb_fits_and_one_byte_more_does_not(api: PlatformApi) -> None:
    used = sum(len(key) + len(value) for key, value in api.config().items())
    room = 64 * 1024 - used - len("FILLER")

    too_much = api.patch({"FILLER": "x" * (room + 1)})
    just_right = api.patch({"FILLER": "x" * room})

    assert (too_much.status_code, just_right.status_code) == (422, 200)


@pytest.mark.parametrize("body", [b"", b"{", b"FLAG_A=true", b"\xff", b"[" * 100_000])
def test_broken_json_is_a_bad_request(api: PlatformApi, body: bytes) -> None:
    reply = api.request("PATCH", f"/apps/{APP}/config-vars", data=body)

    assert (reply.status_code, reply.json()["id"]) == (400, "bad_request")


def test_a_body_that_is_no_object_is_refused(api: PlatformApi) -> None:
    reply = api.patch(["FLAG_A"])

    assert reply.status_code == 422


def test_half_a_surrogate_pair_is_stored_like_any_string(api: PlatformApi) -> None:
    reply = api.patch({"FLAG_A": "\ud800"})

    assert reply.json()["FLAG_A"] == "\ud800"


def test_by_default_a_value_that_is_there_already_makes_no_release(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    api.patch({"FLAG_A": "true"})
    before = api.latest()["version"]

    reply = api.patch({"FLAG_A": "true"})

    assert reply.status_code == 200
    assert api.latest()["version"] == before
    assert controls.truth(APP)["patches"][-1]["release"] is None


def test_a_switch_makes_a_release_of_a_value_that_is_there_already(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.behave(APP, same_value_releases=True)
    api.patch({"FLAG_A": "true"})
    before = api.latest()["version"]

    api.patch({"FLAG_A": "true"})

    assert api.latest()["version"] == before + 1
    assert api.latest()["description"] == "Set FLAG_A config vars"


def test_deleting_what_is_not_there_changes_nothing(api: PlatformApi) -> None:
    before = api.latest()["version"]

    reply = api.patch({"ABSENT": None})

    assert reply.status_code == 200
    assert api.latest()["version"] == before
