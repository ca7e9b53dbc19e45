"""Drift, acknowledgement and retrospective over the deployed routes and roles."""

from tests.e2e.conftest import Town, wait_for_step, wait_until


def test_a_change_from_outside_is_told_and_shown_until_it_is_over(town: Town) -> None:
    app = town.app("drifts")
    promoter = town.hire()
    marked = promoter.mark(app, "dark_mode")
    promoter.promote(marked["id"])
    promoter.settled(marked["id"])
    town.heroku.foreign_patch(app, {"FLAG_DARK_MODE": "false"})

    town.invoke("DriftFunction")

    assert promoter.read(marked["id"])["drift"]["kind"] == "changed"
    shown = promoter("GET", f"/targets/{app}").json()
    assert [drift["flag"] for drift in shown["drift"]] == ["dark_mode"]
    wait_until(lambda: any("is not as it was deployed" in text for text in told(town, app)))
    town.heroku.foreign_patch(app, {"FLAG_DARK_MODE": "true"})
    town.invoke("DriftFunction")
    assert promoter.read(marked["id"])["drift"] is None
    wait_until(lambda: any("[RESOLVED]" in text for text in told(town, app)))
    assert len(town.patches(app)) == 3


def told(town: Town, app: str) -> list[str]:
    """What Slack was told of the app."""
    texts = [str(message["text"]) for message in town.stack.slack_messages()]
    return [text for text in texts if app in text]


def test_a_running_promotion_is_acknowledged_and_its_end_written_up(town: Town) -> None:
    app = town.app("written-up")
    town.heroku.behave(app, release_phase=True, phase_result="pending")
    promoter = town.hire()
    marked = promoter.mark(app, "dark_mode")
    promoter.promote(marked["id"])
    release = wait_for_step(promoter, marked["id"], "released")["evidence"]["release"]

    ack = promoter("POST", f"/promotions/{marked['id']}/ack", json={"minutes": 30})
    town.heroku.finish_release(app, release, "succeeded")
    promoter.settled(marked["id"])
    link = promoter(
        "PATCH",
        f"/promotions/{marked['id']}",
        json={"rca_url": "https://wiki.example/rca/7"},
    )
    timeline = promoter("GET", f"/promotions/{marked['id']}/timeline")

    assert ack.status_code == link.status_code == 200
    assert timeline.headers["Content-Type"].startswith("text/markdown")
    assert "- Retrospective: <https://wiki.example/rca/7>" in timeline.text
    assert "- Audit trail: verified" in timeline.text
