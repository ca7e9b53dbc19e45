"""Foreign writers: somebody else changes the app between two steps of a client."""

import pytest
import requests

from local.heroku import SimulatorControls

from .platform_api import APP, PlatformApi


def test_a_foreign_writer_comes_between_a_read_and_the_next_write(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm(
        "foreign_before",
        route="config-vars",
        method="PATCH",
        foreign={"verb": "patch", "changes": {"FLAG_B": "theirs"}},
    )

    api.patch({"FLAG_A": "ours"})

    ours, theirs = api.releases()[:2]
    assert ours["version"] == theirs["version"] + 1
    assert ours["user"] != theirs["user"]
    assert api.config().items() >= {"FLAG_A": "ours", "FLAG_B": "theirs"}.items()


def test_a_foreign_deploy_comes_between_a_write_and_its_answer(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("foreign_after", method="PATCH", foreign={"verb": "deploy"})

    api.patch({"FLAG_A": "ours"})

    theirs, ours = api.releases()[:2]
    assert theirs["description"] == "Deploy 1a2b3c4"
    assert ours["description"] == "Set FLAG_A config vars"
    assert (ours["status"], ours["current"]) == ("succeeded", False)


def test_a_foreign_rollback_reverts_a_write_before_its_answer_leaves(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    controls.arm("foreign_after", method="PATCH", foreign={"verb": "rollback"})

    reply = api.patch({"FLAG_A": "ours"})

    assert reply.json()["FLAG_A"] == "ours"
    assert "FLAG_A" not in api.config()
    assert api.latest()["description"].startswith("Rollback to v")


def test_a_foreign_writer_may_come_on_the_kth_read(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    change = {"verb": "patch", "changes": {"FLAG_A": "theirs"}}
    controls.arm("foreign_before", method="GET", route="config-vars", nth=2, foreign=change)

    seen = [api.config().get("FLAG_A") for _ in range(3)]

    assert seen == [None, "theirs", "theirs"]


def test_a_foreign_writer_and_a_reset_fire_on_one_request(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    change = {"verb": "patch", "changes": {"FLAG_B": "theirs"}}
    controls.arm("foreign_after", method="PATCH", foreign=change)
    controls.arm("reset_after_apply", method="PATCH")

    with pytest.raises(requests.ConnectionError):
        api.patch({"FLAG_A": "ours"})

    assert api.config().items() >= {"FLAG_A": "ours", "FLAG_B": "theirs"}.items()


def test_a_foreign_writer_may_act_on_another_app_than_the_requests(
    api: PlatformApi, controls: SimulatorControls
) -> None:
    other = controls.create_app("another-app")
    controls.arm("foreign_after", foreign={"verb": "deploy"}, foreign_app=other["id"])

    api.config()

    assert controls.app("another-app")["releases"][-1]["description"] == "Deploy 1a2b3c4"
    assert len(controls.app(APP)["releases"]) == 3
