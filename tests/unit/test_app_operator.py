"""The doors that operators use when things go wrong, and those that say who may do what."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import app
from chalicelib.domain.errors import Ambiguous, Unavailable
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.target import Target
from tests.doors import Answer, Api, conforms
from tests.factories import CONFIG_VAR, FLAG, PAT, SAM, TARGET, VERA, an_operator
from tests.world import World

WHY = "The console was killed by the restart."
CONSOLE = Caller(name="console", role=Role.SERVICE)
FOR_KIM = {"X-On-Behalf-Of": "kim"}
FOR_SAM = {"X-On-Behalf-Of": "sam"}
FLAGS = {"flags": [{"name": FLAG, "description": "Alerts on log drains."}, {"name": "dark_mode"}]}
FREEZE = {"reason": "Quiet days at the end.", "starts_at": "2026-05-09T04:00:00Z"}


def sent(world: World) -> Promotion:
    """Live at Heroku, and nobody has written that down."""
    world.apps.failures["set_config_vars_answer"] = [Ambiguous()]
    promotion = world.promoted()
    world.work(promotion)
    return promotion


def failed(world: World) -> Promotion:
    world.apps.unacceptable = frozenset({CONFIG_VAR})
    promotion = world.promoted()
    world.work(promotion)
    world.apps.unacceptable = frozenset()
    return promotion


def deployed(world: World, value: str = "true") -> Promotion:
    promotion = world.promoted(value=value)
    world.work(promotion)
    return promotion


def of_sam(api: Api, promotion: Promotion, action: str, **body: object) -> Answer:
    return api.act(promotion.id, action, {"reason": WHY} | body, caller=SAM)


def last_entry(api: Api, promotion_id: str) -> dict[str, Any]:
    entry: dict[str, Any] = api("GET", f"/promotions/{promotion_id}/audit").body["entries"][-1]
    return entry


# The escape hatch


def test_a_completed_promotion_shows_what_heroku_showed(api: Api, world: World) -> None:
    promotion = sent(world)

    answer = of_sam(api, promotion, "complete", rca_url="https://wiki.example/rca/7")

    assert answer.status == 200
    assert (answer.body["state"], answer.body["effect"]) == ("deployed", "live")
    assert (answer.body["settled_by"], answer.body["reason"]) == ("operator", WHY)
    assert answer.body["observed"]["finding"] == "live"
    assert answer.body["evidence"]["release"] == 2
    assert answer.body["rca_url"] == "https://wiki.example/rca/7"
    assert answer.headers["ETag"] == f'"{answer.body["version"]}"'


def test_a_failed_promotion_shows_that_it_had_no_effect(api: Api, world: World) -> None:
    answer = of_sam(api, world.promoted(), "fail")

    assert answer.status == 200
    assert (answer.body["state"], answer.body["effect"]) == ("failed", "none")
    assert answer.body["observed"]["finding"] == "not_live"


def test_what_heroku_contradicts_is_answered_with_what_it_shows(api: Api, world: World) -> None:
    answer = of_sam(api, world.promoted(), "complete")

    assert answer.problem == (409, "evidence_contradicts")
    assert answer.fields == ["force"]
    conforms(answer.body["conflict"]["evidence"], "Observed")
    assert answer.body["conflict"]["evidence"]["finding"] == "not_live"


def test_what_heroku_does_not_show_is_answered_with_that(api: Api, world: World) -> None:
    promotion = sent(world)
    world.apps.failures["releases"] = [Unavailable()]

    answer = of_sam(api, promotion, "complete")

    assert answer.problem == (409, "evidence_missing")
    assert answer.fields == ["force"]
    conforms(answer.body["conflict"]["evidence"], "Observed")


@pytest.mark.parametrize("action", ["complete", "fail"])
def test_queue_and_heroku_may_be_down(api: Api, world: World, action: str) -> None:
    promotion = sent(world)
    world.apps.failures["releases"] = [Unavailable()]
    world.wakes.failure = Unavailable()

    answer = of_sam(api, promotion, action, force=True)

    assert (answer.status, answer.body["effect"]) == (200, "unknown")


@pytest.mark.parametrize("action", ["complete", "fail"])
def test_the_end_by_hand_is_counted_once(
    api: Api,
    world: World,
    capsys: pytest.CaptureFixture[str],
    action: str,
) -> None:
    promotion, body = world.promoted(), {"reason": WHY, "force": True}
    for _ in range(2):
        api.act(promotion.id, action, body, caller=SAM, headers={"Idempotency-Key": "one"})

    assert capsys.readouterr().out.count('"SettledByOperator":[1.0]') == 1


def test_a_cancel_is_counted_once(
    api: Api,
    world: World,
    capsys: pytest.CaptureFixture[str],
) -> None:
    promotion = world.mark()
    for _ in range(2):
        assert api.act(promotion.id, "cancel", {"reason": WHY}).status == 200

    assert capsys.readouterr().out.count('"SettledByOperator":[1.0]') == 1


@pytest.mark.parametrize("action", ["complete", "fail"])
def test_the_same_key_again_needs_no_code(api: Api, world: World, action: str) -> None:
    promotion, key = world.promoted(), {"Idempotency-Key": "one"}
    first = api.act(promotion.id, action, {"reason": WHY, "force": True}, caller=SAM, headers=key)

    again = api(
        "POST",
        f"/promotions/{promotion.id}/{action}",
        {"reason": WHY, "force": True},
        caller=SAM,
        headers=key,
    )

    assert (again.status, again.body) == (200, first.body)


@pytest.mark.parametrize("action", ["complete", "fail"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": "too short"}, "reason"),
        ({"reason": WHY, "rca_url": "javascript:alert(1)"}, "rca_url"),
        ({"reason": WHY, "force": "yes"}, "force"),
        ({"reason": WHY, "effect": "live"}, "effect"),
        ([], "body"),
    ],
)
def test_a_bad_word_is_named(
    api: Api,
    world: World,
    action: str,
    body: object,
    field: str,
) -> None:
    answer = api.act(world.promoted().id, action, body, caller=SAM)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == [field]


@pytest.mark.parametrize("action", ["complete", "fail"])
def test_a_promoter_may_not(api: Api, world: World, action: str) -> None:
    answer = api.act(world.promoted().id, action, {"reason": WHY, "force": True})

    assert answer.problem == (403, "role_insufficient")


# Retry and rollback


@pytest.mark.parametrize("action", ["retry", "rollback"])
def test_a_new_promotion_is_answered_with_where_it_is(
    api: Api,
    world: World,
    action: str,
) -> None:
    old = failed(world) if action == "retry" else deployed(world)

    answer = api.act(old.id, action)

    assert answer.status == 202
    assert answer.headers["Location"] == f"../{answer.body['id']}"
    assert answer.body["id"] != old.id
    assert answer.body[{"retry": "retries", "rollback": "reverts"}[action]] == old.id
    assert (answer.body["state"], answer.body["version"]) == ("deploying", 1)


def test_a_rollback_to_nothing_removes_the_config_var(api: Api, world: World) -> None:
    answer = api.act(deployed(world).id, "rollback")
    world.work()

    shown = api("GET", f"/promotions/{answer.body['id']}").body
    assert (shown["value"], shown["state"]) == (None, "deployed")
    assert CONFIG_VAR not in world.apps.stored


@pytest.mark.parametrize("action", ["retry", "rollback"])
def test_the_same_key_again_answers_the_same_new_promotion(
    api: Api,
    world: World,
    action: str,
) -> None:
    old, key = failed(world) if action == "retry" else deployed(world), {"Idempotency-Key": "one"}
    first = api.act(old.id, action, headers=key)

    again = api("POST", f"/promotions/{old.id}/{action}", headers=key)

    assert (again.status, again.body["id"]) == (202, first.body["id"])
    assert again.headers["Location"] == first.headers["Location"]


@pytest.mark.parametrize("action", ["retry", "rollback"])
def test_an_open_promotion_in_the_way_is_named(api: Api, world: World, action: str) -> None:
    old = failed(world) if action == "retry" else deployed(world)
    open_one = world.mark()

    answer = api.act(old.id, action)

    assert answer.problem == (409, "flag_busy")
    assert answer.body["conflict"] == {"promotion_id": open_one.id}


def test_a_value_that_changed_since_is_shown(api: Api, world: World) -> None:
    old = deployed(world)
    world.apps.foreign_write(**{CONFIG_VAR: "somebody's"})

    answer = api.act(old.id, "rollback")

    assert answer.problem == (409, "value_changed")
    assert answer.fields == ["force"]
    conforms(answer.body["conflict"]["evidence"], "Observed")
    assert answer.body["conflict"]["evidence"]["value"] == "somebody's"


def test_a_freeze_asks_a_rollback_for_its_reason(api: Api, world: World) -> None:
    old = deployed(world)
    api("PUT", "/freezes/year-end", FREEZE, caller=SAM)

    without = api.act(old.id, "rollback")
    with_one = api.act(old.id, "rollback", {"reason": "customers cannot log in"})

    assert without.problem == (409, "frozen")
    assert without.fields == ["reason"]
    assert (with_one.status, with_one.body["state"]) == (202, "deploying")


def test_a_freeze_holds_a_retry_back_and_says_until_when(api: Api, world: World) -> None:
    old = failed(world)
    ends = FREEZE | {"ends_at": "2026-05-09T08:00:00Z"}
    api("PUT", "/freezes/year-end", ends, caller=SAM)

    answer = api.act(old.id, "retry")

    assert (answer.status, answer.body["state"], answer.body["held_by"]) == (
        202,
        "staged",
        "freeze",
    )
    assert answer.body["waiting_on"]["kind"] == "freeze"
    assert "until 2026-05-09 08:00Z" in answer.body["waiting_on"]["text"]


def test_what_a_freeze_holds_back_is_not_logged_as_a_lost_wake(
    api: Api,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = failed(world)
    api("PUT", "/freezes/year-end", FREEZE, caller=SAM)

    with caplog.at_level(logging.WARNING, logger="hoist"):
        api.act(old.id, "retry")

    assert caplog.records == []


def test_a_wake_that_was_lost_is_logged(
    api: Api,
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    old = failed(world)
    world.wakes.failure = Unavailable()

    with caplog.at_level(logging.WARNING, logger="hoist"):
        api.act(old.id, "retry")

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_a_retry_without_its_approvals_says_how_many_are_missing(api: Api, world: World) -> None:
    old = failed(world)
    world.targets.put(Target(app=TARGET, version=2, min_approvals=2))

    answer = api.act(old.id, "retry")

    assert answer.problem == (409, "approvals_missing")
    assert answer.body["conflict"] == {"approvals": [], "missing": 2}


# Stage, approve and preflight


def test_a_staged_promotion_shows_what_preflight_saw(api: Api, world: World) -> None:
    promotion = world.mark()

    answer = api("POST", f"/promotions/{promotion.id}/stage")

    assert (answer.status, answer.body["state"]) == (200, "staged")
    assert {check["outcome"] for check in answer.body["checks"]} == {"pass"}


def test_preflight_shows_the_worst_of_its_checks(api: Api, world: World) -> None:
    promotion = world.mark()
    world.apps.failures["releases"] = [Unavailable()]

    answer = api("GET", f"/promotions/{promotion.id}/preflight", caller=VERA)

    assert (answer.status, answer.body["outcome"]) == (200, "block")


def test_an_approval_shows_who_and_what_is_still_missing(api: Api, world: World) -> None:
    world.targets.put(Target(app=TARGET, version=2, min_approvals=2))
    promotion = world.mark()

    own = api.act(promotion.id, "approve")
    other = api.act(promotion.id, "approve", {"note": "Looks right."}, caller=PAT)

    assert own.problem == (403, "own_approval")
    assert [each["by"] for each in other.body["approvals"]] == ["pat"]
    assert other.body["approvals_missing"] == 1


# Catalogues


def test_a_catalogue_is_imported_and_shown(api: Api) -> None:
    put = api("PUT", "/catalogues/backend", FLAGS, caller=SAM)
    shown = api("GET", "/catalogues/backend", caller=VERA)

    assert (put.status, put.headers["ETag"]) == (200, '"1"')
    assert shown.body == put.body
    assert [flag["name"] for flag in put.body["flags"]] == [FLAG, "dark_mode"]


def test_the_same_import_again_changes_nothing(api: Api) -> None:
    first = api("PUT", "/catalogues/backend", FLAGS, caller=SAM)

    again = api("PUT", "/catalogues/backend", FLAGS, caller=SAM)

    assert again.body == first.body


def test_a_stale_import_is_refused(api: Api) -> None:
    api("PUT", "/catalogues/backend", FLAGS, caller=SAM)

    stale = {"If-Match": '"0"'}
    answer = api("PUT", "/catalogues/backend", {"flags": []}, caller=SAM, headers=stale)

    assert answer.problem == (412, "version_stale")
    assert answer.fields == ["If-Match"]


def test_a_flag_that_the_catalogue_does_not_know_is_answered_with_near_ones(api: Api) -> None:
    api("PUT", "/catalogues/backend", FLAGS, caller=SAM)
    api("PUT", f"/targets/{TARGET}", {"catalogue": "backend"}, caller=SAM)

    answer = api.mark({"target": TARGET, "flag": "dark_modes", "value": "true"})

    assert answer.problem == (422, "flag_unknown")
    assert answer.fields == ["flag"]
    assert answer.body["conflict"] == {"near": ["dark_mode"]}


def test_a_flag_outside_the_targets_patterns_is_refused_alike(api: Api) -> None:
    api("PUT", f"/targets/{TARGET}", {"flag_patterns": ["billing_*"]}, caller=SAM)

    answer = api.mark()

    assert answer.problem == (422, "flag_unknown")
    assert answer.fields == ["flag"]


def test_what_the_catalogue_says_of_a_flag_is_shown(api: Api) -> None:
    api("PUT", "/catalogues/backend", FLAGS, caller=SAM)
    api("PUT", f"/targets/{TARGET}", {"catalogue": "backend"}, caller=SAM)

    assert api.mark().body["description"] == "Alerts on log drains."


def test_an_unknown_catalogue_is_not_found(api: Api) -> None:
    assert api("GET", "/catalogues/backend").problem == (404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_id_that_no_catalogue_can_have_is_named(api: Api, method: str) -> None:
    answer = api(method, "/catalogues/Back_End", FLAGS, caller=SAM)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["id"]


# Freezes


def test_a_freeze_is_set_shown_listed_and_lifted(api: Api) -> None:
    put = api("PUT", "/freezes/year-end", FREEZE, caller=SAM)
    shown = api("GET", "/freezes/year-end", caller=VERA)
    listed = api("GET", "/freezes", caller=VERA)
    lifted = api("DELETE", "/freezes/year-end", caller=SAM, query={"reason": ["It is over."]})

    assert (put.status, put.headers["ETag"], put.body["in_force"]) == (200, '"1"', True)
    assert shown.body == put.body
    assert listed.body == {"freezes": [put.body]}
    assert (lifted.status, lifted.body) == (204, "")
    assert api("GET", "/freezes/year-end").problem == (404, "not_found")


def test_a_target_shows_what_holds_it_back(api: Api) -> None:
    api("PUT", "/freezes/year-end", FREEZE, caller=SAM)

    hold = api("GET", f"/targets/{TARGET}").body["hold"]

    assert (hold["freeze"], hold["until"]) == ("year-end", None)
    assert hold["text"].endswith("until somebody lifts it.")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"reson": ["x"]}, "reson"),
        ({"reason": ["x", "y"]}, "reason"),
        ({"reason": ["x" * 501]}, "reason"),
    ],
)
def test_a_bad_reason_to_lift_is_named(api: Api, query: dict[str, list[str]], field: str) -> None:
    api("PUT", "/freezes/year-end", FREEZE, caller=SAM)

    answer = api("DELETE", "/freezes/year-end", caller=SAM, query=query)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == [field]


# Operators


def test_operators_are_listed_without_a_secret(api: Api, world: World) -> None:
    world.operators.put(an_operator(CONSOLE, up_to=Role.PROMOTER))

    answer = api("GET", "/operators", caller=SAM)

    assert answer.status == 200
    names = [operator["name"] for operator in answer.body["operators"]]
    assert names == ["console", "kim", "pat", "sam", "vera"]
    shown = {key for operator in answer.body["operators"] for key in operator}
    assert shown == {"name", "role", "disabled", "locked_until", "wrong_codes", "up_to"}


def test_an_unlocked_operator_is_shown_without_a_secret(api: Api, world: World) -> None:
    kim = world.operators.operators["kim"]
    later = world.clock.now() + timedelta(minutes=15)
    world.operators.put(replace(kim, locks=1, locked_until=later))

    answer = api(
        "POST",
        "/operators/kim/unlock",
        {"reason": "They mistyped it."},
        caller=SAM,
        headers={"X-TOTP": world.code},
    )

    assert answer.status == 200
    assert answer.body == {
        "name": "kim",
        "role": "promoter",
        "disabled": False,
        "locked_until": None,
        "wrong_codes": 0,
        "up_to": None,
    }


# Records and their audit


def test_every_kind_of_record_shows_its_trail(api: Api, world: World) -> None:
    world.operators.put(replace(world.operators.operators["kim"], failures=2))
    api("PUT", "/targets/new-app", {}, caller=SAM)
    api("PUT", "/catalogues/backend", FLAGS, caller=SAM)
    api("PUT", "/freezes/year-end", FREEZE, caller=SAM)
    code = {"X-TOTP": world.code}
    api("POST", "/operators/kim/unlock", {"reason": WHY}, caller=SAM, headers=code)

    subjects = ["operator:kim", "target:new-app", "catalogue:backend", "freezes", "operator%3Akim"]
    answers = [api("GET", f"/audit/{subject}", caller=VERA) for subject in subjects]

    assert [answer.body["verified"] for answer in answers] == [True] * 5
    done = [[entry["action"] for entry in answer.body["entries"]] for answer in answers]
    assert done == [
        ["unlock"],
        ["set_policy"],
        ["import_catalogue"],
        ["set_freeze"],
        ["unlock"],
    ]


@pytest.mark.parametrize("subject", ["operator:nobody", "target:no-such-app", "freeze:x", "kim"])
def test_a_record_that_there_is_not_is_not_found(api: Api, subject: str) -> None:
    assert api("GET", f"/audit/{subject}").problem == (404, "not_found")


@pytest.mark.parametrize("subject", ["operator:%00", "target:" + "x" * 3000])
def test_a_subject_that_no_record_can_have_is_named(api: Api, subject: str) -> None:
    answer = api("GET", f"/audit/{subject}")

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["subject"]


# Services


def serve(world: World, up_to: Role = Role.PROMOTER, **fields: object) -> None:
    """A console may call, for others up to this role."""
    world.operators.put(an_operator(CONSOLE, up_to=up_to, **fields))


def test_you_are_told_who_you_are(api: Api, world: World) -> None:
    serve(world)

    alone = api("GET", "/me", caller=VERA).body
    service = api("GET", "/me", caller=CONSOLE).body
    for_kim = api("GET", "/me", caller=CONSOLE, headers=FOR_KIM).body

    assert alone == {"name": "vera", "role": "viewer", "via": None}
    assert service == {"name": "console", "role": "service", "via": None}
    assert for_kim == {"name": "kim", "role": "promoter", "via": "console"}


def test_what_a_service_does_for_somebody_shows_both(api: Api, world: World) -> None:
    serve(world)

    marked = api(
        "POST",
        "/promotions",
        {"target": TARGET, "flag": FLAG, "value": "true"},
        caller=CONSOLE,
        headers=FOR_KIM | {"Idempotency-Key": "one"},
    )

    assert (marked.status, marked.body["created_by"]) == (201, "kim")
    entry = last_entry(api, marked.body["id"])
    assert (entry["actor"], entry["facts"]["via"]) == ("kim", "console")


@pytest.mark.parametrize(
    ("up_to", "status"),
    [(Role.VIEWER, 403), (Role.PROMOTER, 403), (Role.SUPERADMIN, 200)],
)
def test_a_service_may_do_what_both_may_do(
    api: Api,
    world: World,
    up_to: Role,
    status: int,
) -> None:
    serve(world, up_to)
    promotion = world.promoted()

    answer = api.act(promotion.id, "fail", {"reason": WHY}, caller=CONSOLE, headers=FOR_SAM)

    assert answer.status == status


def test_the_code_is_the_operators_own_whatever_stands_between(api: Api, world: World) -> None:
    serve(world, Role.SUPERADMIN)

    api.act(world.promoted().id, "fail", {"reason": WHY}, caller=CONSOLE, headers=FOR_SAM)

    assert world.operators.operators["sam"].last_timecode > 0
    assert world.operators.operators["console"].last_timecode == 0


def test_a_service_alone_may_look(api: Api, world: World) -> None:
    serve(world)
    promotion = world.mark()

    for path in ("/promotions", f"/promotions/{promotion.id}", "/targets", "/freezes"):
        assert api("GET", path, caller=CONSOLE).status == 200


def test_a_service_alone_may_do_nothing(api: Api, world: World) -> None:
    serve(world, Role.SUPERADMIN)
    api.caller = CONSOLE

    assert api.mark().problem == (403, "role_insufficient")
    assert "X-On-Behalf-Of" in api.answered[-1].body["detail"]


@pytest.mark.parametrize("name", ["nobody", "console", "", "kim\n", "véra", "x" * 500])
def test_a_service_may_not_act_for_just_anybody(api: Api, world: World, name: str) -> None:
    serve(world)

    answer = api("GET", "/me", caller=CONSOLE, headers={"X-On-Behalf-Of": name})

    assert answer.problem == (403, "on_behalf_refused")


def test_a_person_may_not_act_for_another(api: Api) -> None:
    answer = api("GET", "/me", caller=SAM, headers=FOR_KIM)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["X-On-Behalf-Of"]


def test_a_service_that_was_disabled_meanwhile_may_not_call(api: Api, world: World) -> None:
    serve(world, disabled=True)

    answer = api("GET", "/me", caller=CONSOLE, headers=FOR_KIM)

    assert answer.problem == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


# What holds for all of them


def test_every_door_asks_who_calls_but_those_of_page_health_and_contract() -> None:
    open_to_all = {
        path
        for path, methods in app.app.routes.items()
        for entry in methods.values()
        if entry.authorizer is None
    }

    assert open_to_all == {"/health", "/openapi.json", "/console", "/console/{file}"}


def test_nothing_that_is_answered_may_be_kept(api: Api, world: World) -> None:
    promotion = world.mark()

    for path in ("/me", f"/promotions/{promotion.id}", "/promotions/nobodys"):
        assert api("GET", path).headers["Cache-Control"] == "no-store"


def test_no_secret_of_an_operator_or_an_app_is_in_any_answer(api: Api, world: World) -> None:
    serve(world)
    promotion = sent(world)
    of_sam(api, promotion, "fail")
    of_sam(api, promotion, "complete")
    api.act(promotion.id, "rollback")
    api("GET", "/operators", caller=SAM)
    api("GET", f"/promotions/{promotion.id}/audit")

    told = json.dumps([answer.body for answer in api.answered])
    kim = world.operators.operators["kim"]
    for secret in ("postgres://secret", kim.totp_reference, kim.token_sha256):
        assert secret not in told
