"""The HTTP doors: what a caller sends and what comes back, over fakes."""

import json

import pytest

import app
from chalicelib.domain.errors import Code, Unavailable
from tests.doors import BODY, CONTRACT, Api, conforms, contract_path
from tests.factories import FLAG, SAM, TARGET, VERA
from tests.world import World


def test_health_touches_nothing(api: Api) -> None:
    answer = api("GET", "/health")

    assert answer.status == 200
    conforms(answer.body, "Health")


def test_the_contract_is_served_as_it_is_kept(api: Api) -> None:
    assert api("GET", "/openapi.json").body == CONTRACT


def test_a_mark_answers_created_with_location_and_entity_tag(api: Api) -> None:
    answer = api.mark()

    assert answer.status == 201
    conforms(answer.body, "Promotion")
    assert answer.headers["Location"] == f"promotions/{answer.body['id']}"
    assert answer.headers["ETag"] == '"1"'


def test_a_repeated_mark_answers_200_with_the_same_promotion(api: Api) -> None:
    first = api.mark(**{"Idempotency-Key": "one"})

    again = api.mark(**{"Idempotency-Key": "one"})

    assert again.status == 200
    assert again.body["id"] == first.body["id"]


def test_a_promotion_shows_ages_waiting_and_actions(api: Api) -> None:
    promotion = api.mark().body

    answer = api("GET", f"/promotions/{promotion['id']}")

    assert answer.status == 200
    conforms(answer.body, "Promotion")
    assert (answer.body["age_seconds"], answer.body["state_age_seconds"]) == (0, 0)
    assert answer.body["waiting_on"]["kind"] == "operator"
    assert answer.body["evidence"] is None


def test_an_accepted_promote_answers_202_and_where_to_look(api: Api) -> None:
    promotion = api.mark().body

    answer = api.promote(promotion["id"])

    assert answer.status == 202
    conforms(answer.body, "Promotion")
    assert answer.headers["Location"] == f"../{promotion['id']}"
    assert answer.body["state"] == "deploying"


def test_where_the_wake_is_lost_the_answer_is_still_202(api: Api, world: World) -> None:
    promotion = api.mark().body
    world.wakes.failure = Unavailable()

    assert api.promote(promotion["id"]).status == 202


def test_a_deployed_promotion_shows_its_evidence(api: Api, world: World) -> None:
    promotion = api.mark().body
    api.promote(promotion["id"])
    world.work()

    answer = api("GET", f"/promotions/{promotion['id']}")

    conforms(answer.body, "Promotion")
    assert (answer.body["state"], answer.body["effect"]) == ("deployed", "live")
    assert answer.body["evidence"]["previous_absent"] is True
    assert (answer.body["evidence"]["baseline_release"], answer.body["evidence"]["release"]) == (
        1,
        2,
    )


def test_the_audit_is_verified_and_complete(api: Api, world: World) -> None:
    promotion = api.mark().body
    api.promote(promotion["id"])
    world.work()

    answer = api("GET", f"/promotions/{promotion['id']}/audit")

    conforms(answer.body, "AuditTrail")
    assert answer.body["verified"] is True
    assert [entry["version"] for entry in answer.body["entries"]] == [1, 2, 3, 4, 5]


def test_a_long_trail_is_read_in_stretches_and_verified_as_a_whole(api: Api, world: World) -> None:
    promotion = api.mark().body
    api.promote(promotion["id"])
    world.work()
    path, query = f"/promotions/{promotion['id']}/audit", {"limit": ["2"]}

    first = api("GET", path, query=query).body
    second = api("GET", path, query=query | {"cursor": [first["next_cursor"]]}).body
    last = api("GET", path, query=query | {"cursor": [second["next_cursor"]]}).body
    beyond = api("GET", path, query={"cursor": ["999999999"]}).body

    stretches = [first, second, last, beyond]
    for stretch in stretches:
        conforms(stretch, "AuditTrail")
    shown = [[entry["version"] for entry in each["entries"]] for each in stretches]
    assert shown == [[1, 2], [3, 4], [5], []]
    assert [each["verified"] for each in stretches] == [True] * 4
    assert (last["next_cursor"], beyond["next_cursor"]) == (None, None)
    # What is broken is so in each stretch, the others too.
    world.store.entries[promotion["id"]].pop()
    broken = api("GET", path, query=query).body
    assert (broken["verified"], broken["broken_at"], len(broken["entries"])) == (False, 5, 2)


@pytest.mark.parametrize(("most_bytes", "lengths"), [(1, [1] * 5), (1_500, [2, 2, 1])])
def test_a_stretch_of_a_trail_fits_into_an_answer(
    api: Api,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    most_bytes: int,
    lengths: list[int],
) -> None:
    monkeypatch.setattr("chalicelib.wire.represent.MAX_TRAIL_BYTES", most_bytes)
    promotion = api.mark().body
    api.promote(promotion["id"])
    world.work()
    path, cursor = f"/promotions/{promotion['id']}/audit", "0"
    shown: list[int] = []

    while cursor is not None and len(shown) < 9:
        stretch = api("GET", path, query={"cursor": [cursor]}).body
        shown.append(len(stretch["entries"]))
        cursor = stretch["next_cursor"]

    assert shown == lengths


@pytest.mark.parametrize("path", ["/promotions/{id}/audit", "/audit/operator:kim"])
@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"limit": ["0"]}, "limit"),
        ({"limit": ["2001"]}, "limit"),
        ({"cursor": ["-1"]}, "cursor"),
        ({"cursor": ["٣"]}, "cursor"),
        ({"cursor": ["1234567890"]}, "cursor"),
        ({"cursor": ["1", "2"]}, "cursor"),
        ({"page": ["2"]}, "page"),
    ],
)
def test_a_bad_stretch_of_a_trail_is_named(
    api: Api, path: str, query: dict[str, list[str]], name: str
) -> None:
    marked = api.mark().body["id"]

    answer = api("GET", path.format(id=marked), query=query)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == [name]


def test_a_cancel_answers_with_the_cancelled_promotion(api: Api) -> None:
    promotion = api.mark().body

    answer = api("POST", f"/promotions/{promotion['id']}/cancel", {"reason": "not today"})

    assert (answer.status, answer.body["state"], answer.body["reason"]) == (
        200,
        "cancelled",
        "not today",
    )


def test_a_list_is_paged_by_cursor(api: Api) -> None:
    for n in range(3):
        api.mark(BODY | {"flag": f"flag_{n}"})

    first = api("GET", "/promotions", query={"limit": ["2"]})
    second = api(
        "GET",
        "/promotions",
        query={"limit": ["2"], "cursor": [first.body["next_cursor"]]},
    )

    conforms(first.body, "PromotionPage")
    ids = [p["id"] for p in first.body["promotions"] + second.body["promotions"]]
    assert len(set(ids)) == 3
    assert second.body["next_cursor"] is None


def test_targets_are_listed_shown_and_set(api: Api) -> None:
    put = api("PUT", "/targets/new-app", {"description": "new"}, caller=SAM)
    shown = api("GET", "/targets/new-app", caller=VERA)
    listed = api("GET", "/targets", caller=VERA)

    conforms(put.body, "Target")
    assert put.body | {"drift": [], "hold": None} == shown.body
    assert put.body["max_flags_per_release"] == 50
    conforms(listed.body, "TargetList")


def test_a_targets_lock_is_shown(api: Api) -> None:
    answer = api("GET", f"/targets/{TARGET}/lock", caller=VERA)

    conforms(answer.body, "TargetLock")
    assert answer.body["held"] is False


MARK_ERRORS: list[tuple[object, list[str]]] = [
    ({}, ["target", "flag", "value"]),
    (BODY | {"valeu": "true"}, ["valeu"]),
    (BODY | {"value": True}, ["value"]),
    (BODY | {"value": 1}, ["value"]),
    (BODY | {"value": None}, ["value"]),
    (BODY | {"value": ""}, ["value"]),
    (BODY | {"value": {"nested": "x"}}, ["value"]),
    (BODY | {"value": "x" * 4097}, ["value"]),
    (BODY | {"flag": "Dark-Mode"}, ["flag"]),
    (BODY | {"flag": "dark_mode\n"}, ["flag"]),
    (BODY | {"flag": "\uff44ark"}, ["flag"]),
    (BODY | {"flag": "x" * 101}, ["flag"]),
    (BODY | {"target": "no"}, ["target"]),
    (BODY | {"target": "../etc"}, ["target"]),
    (BODY | {"note": 7}, ["note"]),
    (BODY | {"flag": 7, "value": 7}, ["flag", "value"]),
    ([BODY], ["body"]),
    ("true", ["body"]),
    ('{"target": "raxx', ["body"]),
    ('{"value": "a", "value": "b"}', ["body"]),
    ('{"value": NaN}', ["body"]),
    ("[" * 5000, ["body"]),
    ('{"target": "\\ud800"', ["body"]),
    (BODY | {"value": "\ud800"}, ["body"]),
]


@pytest.mark.parametrize(("body", "fields"), MARK_ERRORS)
def test_a_bad_body_names_every_field_that_is_wrong(
    api: Api,
    world: World,
    body: object,
    fields: list[str],
) -> None:
    answer = api.mark(body)

    assert answer.problem == (400, "invalid_request")
    assert sorted(answer.fields) == sorted(fields)
    assert world.store.promotions == {}


def test_a_misspelled_field_is_answered_with_the_near_one(api: Api) -> None:
    answer = api.mark(BODY | {"valeu": "true"})

    assert answer.body["errors"] == [
        {"field": "valeu", "detail": "is not known here; did you mean value?"},
    ]


def test_a_problem_never_repeats_a_value_that_was_sent(api: Api) -> None:
    answer = api.mark(BODY | {"value": ["hunter2"], "note": {"hunter2": "hunter2"}})

    assert "hunter2" not in json.dumps(answer.body)


def test_a_body_that_is_too_large_is_refused_before_it_is_parsed(api: Api) -> None:
    answer = api.mark("[" + " " * 20_000)

    assert answer.problem == (413, "body_too_large")
    assert answer.fields == ["body"]


def test_a_body_that_is_not_json_by_its_type_is_refused(api: Api) -> None:
    answer = api.mark("value=true", **{"content-type": "application/x-www-form-urlencoded"})

    assert answer.problem == (415, "unsupported_media_type")
    assert answer.fields == ["Content-Type"]


@pytest.mark.parametrize("key", ["", " ", "a b", "schlüssel", "x" * 256, "a\tb"])
def test_a_malformed_idempotency_key_is_named(api: Api, key: str) -> None:
    answer = api.mark(**{"Idempotency-Key": key})

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["Idempotency-Key"]


def test_a_missing_idempotency_key_is_named(api: Api) -> None:
    answer = api("POST", "/promotions", BODY)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["Idempotency-Key"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"limit": ["0"]}, "limit"),
        ({"limit": ["101"]}, "limit"),
        ({"limit": ["ten"]}, "limit"),
        ({"limit": ["٣"]}, "limit"),
        ({"limit": ["1", "2"]}, "limit"),
        ({"state": ["open"]}, "state"),
        ({"target": ["UPPER"]}, "target"),
        ({"flag": ["UPPER"]}, "flag"),
        ({"stat": ["pending"]}, "stat"),
        ({"cursor": ["forged"]}, "cursor"),
        ({"cursor": [""]}, "cursor"),
        ({"cursor": ["cHJtXzAxSkQzWks3UThWNVc5WDJZNFo2QThCMEMxLmZvcmdlZA=="]}, "cursor"),
    ],
)
def test_a_bad_parameter_is_named(api: Api, query: dict[str, list[str]], name: str) -> None:
    answer = api("GET", "/promotions", query=query)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == [name]


def test_a_cursor_of_other_filters_is_refused(api: Api) -> None:
    for n in range(2):
        api.mark(BODY | {"flag": f"flag_{n}"})
    cursor = api("GET", "/promotions", query={"limit": ["1"]}).body["next_cursor"]

    answer = api("GET", "/promotions", query={"cursor": [cursor], "state": ["pending"]})

    assert answer.problem == (400, "invalid_request")


@pytest.mark.parametrize("tag", ['"2"', 'W/"1"', '"other"'])
def test_a_stale_entity_tag_is_refused(api: Api, tag: str) -> None:
    promotion = api.mark().body

    answer = api.promote(promotion["id"], **{"If-Match": tag})

    assert answer.problem == (412, "version_stale")
    assert answer.fields == ["If-Match"]
    assert answer.body["conflict"]["version"] == 1


@pytest.mark.parametrize("tag", ['"1"', "*"])
def test_a_fresh_entity_tag_is_accepted(api: Api, tag: str) -> None:
    promotion = api.mark().body

    assert api.promote(promotion["id"], **{"If-Match": tag}).status == 202


@pytest.mark.parametrize("tag", ["1", "", '"1', '"1", "2"'])
def test_a_malformed_entity_tag_is_named(api: Api, tag: str) -> None:
    promotion = api.mark().body

    answer = api.promote(promotion["id"], **{"If-Match": tag})

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["If-Match"]


@pytest.mark.parametrize("code", ["12345", "\uff11\uff12\uff13\uff14\uff15\uff16"])
def test_a_malformed_code_is_named(api: Api, code: str) -> None:
    promotion = api.mark().body

    answer = api.promote(promotion["id"], code)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["X-TOTP"]


def test_a_missing_code_is_asked_for(api: Api) -> None:
    promotion = api.mark().body

    answer = api("POST", f"/promotions/{promotion['id']}/promote")

    assert answer.problem == (403, "totp_required")
    assert answer.fields == ["X-TOTP"]


def test_a_lock_out_says_when_to_come_back(api: Api) -> None:
    promotion = api.mark().body
    for _ in range(5):
        api.promote(promotion["id"], "000000")

    answer = api.promote(promotion["id"])

    assert answer.problem == (429, "totp_locked")
    assert answer.headers["Retry-After"] == "900"


@pytest.mark.parametrize(
    "promotion_id",
    ["x", "prm_", "prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1", "prm_%00", "prm_01jd3zk7q8v5w9x2y4z6a8b0c1"],
)
def test_an_unknown_promotion_is_not_found(api: Api, promotion_id: str) -> None:
    assert api("GET", f"/promotions/{promotion_id}").problem == (404, "not_found")


def test_an_unlisted_target_is_not_found_and_not_marked_for(api: Api) -> None:
    assert api("GET", "/targets/nobodys-app").problem == (404, "not_found")
    answer = api.mark(BODY | {"target": "nobodys-app"})
    assert answer.problem == (422, "target_unlisted")
    assert answer.fields == ["target"]


def test_a_reused_key_is_named(api: Api) -> None:
    api.mark(**{"Idempotency-Key": "one"})

    answer = api.mark(BODY | {"value": "other"}, **{"Idempotency-Key": "one"})

    assert answer.problem == (422, "key_reused")
    assert answer.fields == ["Idempotency-Key"]


@pytest.mark.parametrize("value", [0, 101, "5", 1.5, None])
def test_a_bad_policy_is_named(api: Api, value: object) -> None:
    body = {"max_flags_per_release": value}

    answer = api("PUT", "/targets/new-app", body, caller=SAM)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["max_flags_per_release"]


def test_a_busy_flag_names_the_promotion_in_the_way(api: Api) -> None:
    first = api.mark()

    answer = api.mark()

    assert answer.problem == (409, "flag_busy")
    assert answer.body["conflict"] == {"promotion_id": first.body["id"]}


def test_a_role_that_does_not_suffice_is_told_so(api: Api) -> None:
    promotion = api.mark().body
    api.caller = VERA

    assert api.promote(promotion["id"]).problem == (403, "role_insufficient")


def test_part_of_hoist_being_away_is_retryable_and_says_what_is_not_known(
    api: Api,
    world: World,
) -> None:
    def away(app: str) -> None:  # noqa: ARG001 - the port's signature
        raise Unavailable

    world.targets.get = away  # type: ignore[method-assign]

    answer = api.mark()

    assert answer.problem == (503, "unavailable")
    assert (answer.body["retryable"], answer.body["safe_now"]) == (True, "wait")
    assert "not known" in answer.body["detail"]
    assert answer.headers["Retry-After"] == "5"


def test_a_bug_is_answered_without_its_inside(api: Api, world: World) -> None:
    def bug(app: str) -> None:  # noqa: ARG001 - the port's signature
        inside = "hunter2"
        raise ZeroDivisionError(inside)

    world.targets.get = bug  # type: ignore[method-assign]

    answer = api.mark()

    assert answer.problem == (500, "internal")
    assert "hunter2" not in json.dumps(answer.body)


def test_every_code_that_there_is_is_in_the_contract() -> None:
    codes = CONTRACT["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]

    assert sorted(codes) == sorted(Code)


def test_every_route_is_in_the_contract_and_the_other_way_round() -> None:
    served = {
        (contract_path(path), method.lower())
        for path, methods in app.app.routes.items()
        for method in methods
    }
    promised = {(path, method) for path, item in CONTRACT["paths"].items() for method in item}

    assert served == promised


def test_an_acknowledgement_lasts_an_hour_unless_said(api: Api) -> None:
    promotion = api.mark().body
    api.promote(promotion["id"])

    short = api("POST", f"/promotions/{promotion['id']}/ack")
    longer = api("POST", f"/promotions/{promotion['id']}/ack", {"minutes": 90, "note": "looking"})

    conforms(short.body, "Promotion")
    assert short.body["acknowledged_until"] == "2026-05-09T05:28:00.000000Z"
    assert longer.body["acknowledged_until"] == "2026-05-09T05:58:00.000000Z"
    assert longer.body["acknowledged_by"] == "kim"


def test_only_what_is_deploying_is_acknowledged(api: Api) -> None:
    promotion = api.mark().body

    answer = api("POST", f"/promotions/{promotion['id']}/ack")

    assert answer.problem == (409, "state_forbids")


@pytest.mark.parametrize("minutes", [0, 1441, "60", 1.5, None])
def test_a_bad_acknowledgement_is_named(api: Api, minutes: object) -> None:
    promotion = api.mark().body

    answer = api("POST", f"/promotions/{promotion['id']}/ack", {"minutes": minutes})

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["minutes"]


def test_a_retrospective_can_be_linked_after_the_end(api: Api, world: World) -> None:
    promotion = api.mark().body
    api.promote(promotion["id"])
    world.work()
    link = {"rca_url": "https://wiki.example/rca/7"}

    answer = api("PATCH", f"/promotions/{promotion['id']}", link)

    assert (answer.status, answer.body["rca_url"]) == (200, "https://wiki.example/rca/7")
    assert answer.body["state"] == "deployed"
    audit = api("GET", f"/promotions/{promotion['id']}/audit").body
    assert audit["verified"] is True
    assert audit["entries"][-1]["action"] == "edit"


def test_the_same_words_again_change_nothing(api: Api) -> None:
    promotion = api.mark().body
    link = {"rca_url": "https://wiki.example/rca/7"}
    api("PATCH", f"/promotions/{promotion['id']}", link)

    again = api("PATCH", f"/promotions/{promotion['id']}", link)

    assert again.body["version"] == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"rca_url": "javascript:alert(1)"}, "rca_url"),
        ({"rca_url": "https://a b"}, "rca_url"),
        ({"rca_url": "https://a/><img src=x>"}, "rca_url"),
        ({"rca_url": "https://a/><img/src=x>"}, "rca_url"),
        ({"rca_url": 7}, "rca_url"),
        ({"state": "deployed"}, "state"),
        ({"value": "other"}, "value"),
    ],
)
def test_nothing_but_words_can_be_edited(api: Api, body: object, field: str) -> None:
    promotion = api.mark().body

    answer = api("PATCH", f"/promotions/{promotion['id']}", body)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == [field]


def test_a_targets_ladder_is_set_and_shown(api: Api) -> None:
    minutes = {"sev3": 10, "warning": 60, "critical": 120}

    answer = api("PUT", "/targets/new-app", {"alert_after_minutes": minutes}, caller=SAM)

    conforms(answer.body, "Target")
    assert answer.body["alert_after_minutes"] == minutes


@pytest.mark.parametrize(
    ("minutes", "field"),
    [
        ({"sev3": 60, "warning": 10, "critical": 120}, "alert_after_minutes"),
        ({"sev3": 10, "warning": 60}, "alert_after_minutes.critical"),
        ({"sev3": 0, "warning": 10, "critical": 120}, "alert_after_minutes.sev3"),
    ],
)
def test_a_ladder_that_does_not_climb_is_named(api: Api, minutes: object, field: str) -> None:
    answer = api("PUT", "/targets/new-app", {"alert_after_minutes": minutes}, caller=SAM)

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == [field]


def test_a_timeline_is_markdown(api: Api, world: World) -> None:
    promotion = api.mark().body
    api.promote(promotion["id"])
    world.work()

    text = api.text(f"/promotions/{promotion['id']}/timeline")

    assert text.startswith(f"# {FLAG} at {TARGET}\n")
    assert "- State: `deployed`, effect `live`" in text
    assert "- Audit trail: verified" in text


@pytest.mark.parametrize("path", ["/promotions", "/targets", f"/targets/{TARGET}", "/health"])
def test_a_read_does_not_care_for_a_content_type(api: Api, path: str) -> None:
    assert api("GET", path, headers={"content-type": "text/plain"}).status == 200


def test_an_app_name_that_cannot_be_one_is_named(api: Api) -> None:
    answer = api("GET", "/targets/UPPER")

    assert answer.problem == (400, "invalid_request")
    assert answer.fields == ["app"]


def test_setting_the_same_policy_again_changes_nothing(api: Api) -> None:
    first = api("PUT", "/targets/new-app", {"max_flags_per_release": 7}, caller=SAM)

    again = api("PUT", "/targets/new-app", {"max_flags_per_release": 7.0}, caller=SAM)

    assert again.body == first.body
    assert isinstance(again.body["max_flags_per_release"], int)
