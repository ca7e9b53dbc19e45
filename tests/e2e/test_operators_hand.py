"""What operators do by hand, over the deployed routes: also while everything else is down."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests

from chalicelib.domain.operator import Operator, Role, secret_digest
from local.directions import DemoOperator
from tests.e2e.conftest import Person, Town, wait_until

WHY = {"reason": "Looked at Heroku, and know what it holds."}


def post(person: Person, promotion_id: str, what: str, **body: object) -> requests.Response:
    """Send one request, with a code."""
    return person(
        "POST",
        f"/promotions/{promotion_id}/{what}",
        json=body,
        headers={"X-TOTP": person.code()},
    )


def superadmin(town: Town) -> Person:
    """One whose codes nobody has used."""
    return town.hire(Role.SUPERADMIN)


@contextmanager
def no_worker(town: Town) -> Iterator[None]:
    """Keep wakes from the worker, as where the queue or the worker is down."""
    aws = town.stack.ministack.aws
    client = aws.session.client("lambda", endpoint_url=aws.endpoint_url)
    function = town.stack.outputs["WorkFunction"]
    sources = client.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    for source in sources:
        client.update_event_source_mapping(UUID=source["UUID"], Enabled=False)
    try:
        yield
    finally:
        for source in sources:
            client.update_event_source_mapping(UUID=source["UUID"], Enabled=True)


def stuck(town: Town, app: str, flag: str = "dark_mode") -> tuple[Person, str]:
    """A promotion that was accepted, and at which nobody works."""
    promoter = town.hire()
    marked = promoter.mark(app, flag)
    accepted = promoter.promote(marked["id"])
    assert accepted.status_code == 202, accepted.text
    return promoter, marked["id"]


def test_the_incidents_row_is_resolved_in_one_call_while_the_worker_is_down(town: Town) -> None:
    app, sam = town.app("incident"), superadmin(town)
    with no_worker(town):
        promoter, promotion_id = stuck(town, app, "console_heroku_log_drain_alerting")
        # As in the incident: the value is live, and nobody has written so.
        town.heroku.foreign_patch(app, {"FLAG_CONSOLE_HEROKU_LOG_DRAIN_ALERTING": "true"})

        answer = post(sam, promotion_id, "complete", **WHY, rca_url="https://example.invalid/rca")

        settled = answer.json()
        assert (answer.status_code, settled["state"]) == (200, "deployed"), answer.text
        assert (settled["effect"], settled["settled_by"]) == ("live", "operator")
        assert settled["observed"]["finding"] == "live"
        # The next one of the flag may begin at once.
        promoter.mark(app, "console_heroku_log_drain_alerting", "false")
    trail = promoter("GET", f"/promotions/{promotion_id}/audit").json()
    assert trail["verified"] is True
    assert trail["entries"][-1]["facts"]["evidence"]["value"] == "true"
    time.sleep(3)
    assert promoter.read(promotion_id)["version"] == settled["version"], "a late worker wrote"


def test_heroku_that_contradicts_or_hangs_needs_force(town: Town) -> None:
    app, sam = town.app("contradicted"), superadmin(town)
    with no_worker(town):
        _, promotion_id = stuck(town, app)

        contradicted = post(sam, promotion_id, "complete", **WHY)
        town.heroku.arm("hang", app=app, times=1)
        began = time.monotonic()
        unseen = post(sam, promotion_id, "complete", **WHY)
        took = time.monotonic() - began
        town.heroku.clear_faults()
        forced = post(superadmin(town), promotion_id, "fail", **WHY)

    assert contradicted.json()["code"] == "evidence_contradicts", contradicted.text
    assert contradicted.json()["conflict"]["evidence"]["present"] is False
    assert unseen.json()["code"] == "evidence_missing", unseen.text
    assert took < 20
    assert (forced.json()["state"], forced.json()["effect"]) == ("failed", "none"), forced.text


def test_what_was_deployed_is_taken_back_and_what_failed_is_sent_again(town: Town) -> None:
    app, promoter = town.app("back-and-forth"), town.hire()
    marked = promoter.mark(app, "dark_mode")
    promoter.promote(marked["id"])
    promoter.settled(marked["id"])

    back = post(promoter, marked["id"], "rollback")

    assert back.status_code == 202, back.text
    assert back.headers["Location"] == f"../{back.json()['id']}"
    taken_back = promoter.settled(back.json()["id"])
    assert (taken_back["state"], taken_back["reverts"]) == ("deployed", marked["id"])
    assert town.patches(app)[-1]["changes"] == {"FLAG_DARK_MODE": None}

    town.heroku.behave(
        app, release_phase=True, phase_result="failed", phase_seconds=0.1, failed_value="dropped"
    )
    failing = promoter.mark(app, "bright_mode")
    promoter = town.hire()
    promoter.promote(failing["id"])
    assert promoter.settled(failing["id"])["state"] == "failed"
    town.heroku.behave(app, release_phase=False)

    again = post(promoter, failing["id"], "retry")

    assert again.status_code == 202, again.text
    assert promoter.settled(again.json()["id"])["state"] == "deployed"
    assert again.json()["retries"] == failing["id"]


def test_a_freeze_holds_what_is_promoted_until_it_is_lifted(town: Town) -> None:
    app, sam, promoter = town.app("frozen"), superadmin(town), town.hire()
    until = datetime.now(UTC) + timedelta(days=30)  # noqa: TID251 - a person's calendar
    terms = {"reason": "The quarter is being closed.", "target": app}
    terms |= {"starts_at": "2026-01-01T00:00:00Z", "ends_at": until.isoformat()}
    assert sam("PUT", "/freezes/quarter-end", json=terms).status_code == 200
    marked = promoter.mark(app, "dark_mode")

    held = promoter.promote(marked["id"])

    assert held.status_code == 202
    assert (held.json()["state"], held.json()["held_by"]) == ("staged", "freeze")
    assert held.json()["waiting_on"]["kind"] == "freeze"
    assert town.patches(app) == []
    assert sam("DELETE", "/freezes/quarter-end").status_code == 204
    town.invoke("WatchFunction")
    assert promoter.settled(marked["id"])["state"] == "deployed"


def test_a_target_that_asks_for_approvals_gets_nothing_without(town: Town) -> None:
    app, sam, promoter = town.app("approved"), superadmin(town), town.hire()
    policy = {"min_approvals": 1, "stage_first": True}
    assert sam("PUT", f"/targets/{app}", json=policy).status_code == 200
    marked = promoter.mark(app, "dark_mode")

    alone = town.hire().promote(marked["id"])
    own = post(promoter, marked["id"], "approve")
    staged = promoter("POST", f"/promotions/{marked['id']}/stage", json={})
    approved = post(sam, marked["id"], "approve")
    accepted = promoter.promote(marked["id"])

    assert alone.json()["code"] == "approvals_missing", alone.text
    assert own.json()["code"] == "own_approval", own.text
    assert staged.json()["state"] == "staged", staged.text
    assert approved.json()["approvals_missing"] == 0, approved.text
    assert accepted.status_code == 202, accepted.text
    assert promoter.settled(marked["id"])["state"] == "deployed"


def hire_console(town: Town, up_to: Role) -> DemoOperator:
    """A service that may act for others."""
    made = DemoOperator.invent(f"console-{up_to}")
    service = Operator(
        name=made.name,
        role=Role.SERVICE,
        token_sha256=secret_digest(made.token.partition(".")[2]),
        totp_reference="",
        up_to=up_to,
    )
    town.backdoor().operators.put(service)  # type: ignore[attr-defined]
    return made


def test_a_console_acts_for_an_operator_and_the_audit_shows_both(town: Town) -> None:
    app, promoter = town.app("console-app"), town.hire()
    name = promoter.token.partition(".")[0]
    console = Person(town.stack.api, hire_console(town, Role.PROMOTER).token, "")

    def through(method: str, path: str, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - arguments of `requests`
        headers = {"X-On-Behalf-Of": name, **kwargs.pop("headers", {})}
        return console(method, path, headers=headers, **kwargs)

    body = {"target": app, "flag": "dark_mode", "value": "true"}
    alone = console("POST", "/promotions", json=body, headers={"Idempotency-Key": "1"})
    marked = through("POST", "/promotions", json=body, headers={"Idempotency-Key": "1"})
    path = f"/promotions/{marked.json()['id']}/promote"
    wrong = through("POST", path, headers={"X-TOTP": "000000"})
    accepted = through("POST", path, headers={"X-TOTP": promoter.code()})

    assert alone.json()["code"] == "role_insufficient", alone.text
    assert wrong.json()["code"] == "totp_invalid", wrong.text
    assert accepted.status_code == 202, accepted.text
    assert through("GET", "/me").json() == {
        "name": name,
        "role": "promoter",
        "via": "console-promoter",
    }
    entries = promoter("GET", f"/promotions/{marked.json()['id']}/audit").json()["entries"]
    by = [(entry["actor"], entry["facts"].get("via")) for entry in entries[:2]]
    assert by == [(name, "console-promoter")] * 2


def test_five_wrong_codes_lock_are_told_and_a_superadmin_unlocks(town: Town) -> None:
    app, sam, promoter = town.app("guessed"), superadmin(town), town.hire()
    name = promoter.token.partition(".")[0]
    marked = promoter.mark(app, "dark_mode")

    codes = [promoter.promote(marked["id"], code=f"00000{n}").json()["code"] for n in range(6)]

    assert codes == ["totp_invalid"] * 5 + ["totp_locked"]
    wait_until(lambda: any(name in page.name for page in town.stack.on_call_messages()))
    unlocked = sam(
        "POST",
        f"/operators/{name}/unlock",
        json={"reason": "They called me, and it was them."},
        headers={"X-TOTP": sam.code()},
    )
    assert unlocked.status_code == 200, unlocked.text
    assert promoter.promote(marked["id"]).status_code == 202
    trail = sam("GET", f"/audit/operator:{name}").json()
    assert trail["verified"] is True
    assert [entry["action"] for entry in trail["entries"]] == ["lock_out", "unlock"]


def test_a_catalogue_refuses_flags_that_the_backend_does_not_know(town: Town) -> None:
    app, sam, promoter = town.app("catalogued"), superadmin(town), town.hire()
    flags = [{"name": "dark_mode", "description": "Dark colours", "owner": "web"}]
    assert sam("PUT", "/catalogues/backend", json={"flags": flags}).status_code == 200
    assert sam("PUT", f"/targets/{app}", json={"catalogue": "backend"}).status_code == 200

    typo = promoter(
        "POST",
        "/promotions",
        json={"target": app, "flag": "dark_mod", "value": "true"},
        headers={"Idempotency-Key": "typo"},
    )

    assert (typo.status_code, typo.json()["code"]) == (422, "flag_unknown"), typo.text
    assert "Did you mean dark_mode?" in typo.json()["detail"]
    assert promoter.mark(app, "dark_mode")["description"] == "Dark colours"


@pytest.mark.parametrize("role", ["viewer", "promoter"])
def test_only_a_superadmin_opens_the_hatch(town: Town, role: str) -> None:
    app = town.app(f"hatch-{role}")
    with no_worker(town):
        _, promotion_id = stuck(town, app)

        answer = town.person(role)("POST", f"/promotions/{promotion_id}/complete", json=WHY)

    assert answer.json()["code"] == "role_insufficient", json.dumps(answer.json())
