"""What happens in a life of Hoist among secrets, step by step: add yours to `STEPS`."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import requests

from chalicelib.adapters.parameters import heroku_token, slack_webhook_url
from chalicelib.adapters.totp import ParameterTotpSecrets
from chalicelib.domain.audit import Action
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import State
from chalicelib.usecases.mark import MarkOrder
from local.installation import STAGE
from tests.e2e.conftest import ANSWER_SECONDS, wait_for_step, wait_until
from tests.e2e.life import HTML, Careful, Life
from tests.fakes import FakeClock

JSON = "application/json"
LONG_AGO = timedelta(days=30)
#: Nothing listens there.
CLOSED = "http://127.0.0.1:9"
READERS = 4


def slack_cannot_be_reached(life: Life) -> None:
    """From the beginning, so that notices wait while all the rest goes on."""
    store_webhook(life, CLOSED)


def store_webhook(life: Life, slack: str) -> None:
    url = f"{slack}{life.seeds['webhook']}"
    life.store_secret(slack_webhook_url(STAGE), url, readers=("NotifySlackFunction",))


def a_promotion_goes_live(life: Life) -> None:
    app, person = life.app("goes-live"), life.hire()
    body = {"target": app, "flag": "dark_mode", "value": "true", "note": "as agreed"}
    key = {"Idempotency-Key": str(life.seeds["key"])}
    marked = person("POST", "/promotions", json=body, headers=key)
    life.done(marked, 201)
    life.done(person("POST", "/promotions", json=body, headers=key), 200)
    life.done(person("POST", "/promotions", json={**body, "value": "no"}, headers=key), 422)
    promotion_id = marked.json()["id"]
    headers = {"X-TOTP": person.code(), **key}
    for _ in ("once", "again"):
        life.done(person("POST", f"/promotions/{promotion_id}/promote", headers=headers), 202)
    life.expect(State.DEPLOYED, (person, promotion_id))


def releases_fail(life: Life) -> None:
    for value in ("kept", "dropped"):
        app = life.app(f"fails-{value}")
        life.controls.behave(
            app, release_phase=True, phase_result="failed", phase_seconds=1, failed_value=value
        )
        life.expect(State.FAILED, life.promoted(app))


def heroku_refuses_and_quotes(life: Life) -> None:
    life.gossip(life.app("refused"), 422, method="PATCH")
    life.gossip(life.app("bad-request"), 400, method="PATCH", content_type=HTML)
    life.gossip(life.app("gone"), 404, method="GET")
    for app in ("refused", "bad-request", "gone"):
        life.expect(State.FAILED, life.promoted(app))


def heroku_breaks_and_quotes(life: Life) -> None:
    elsewhere = {"Location": f"https://elsewhere.invalid/?{life.heroku_knows}"}
    life.gossip(life.app("broken-read"), 500, method="GET", content_type=HTML)
    life.gossip(life.app("broken-patch"), 500, method="PATCH", content_type=HTML)
    life.gossip(life.app("a-list"), 200, method="GET", body=json.dumps([life.heroku_knows]))
    life.gossip(life.app("half"), 200, method="GET", body=json.dumps([life.heroku_knows])[:-9])
    life.gossip(life.app("redirected"), 302, method="GET", headers=elsewhere)
    for app in ("broken-read", "broken-patch", "a-list", "half", "redirected"):
        life.expect(State.DEPLOYED, life.promoted(app))


def heroku_refuses_the_token_and_quotes(life: Life) -> None:
    """Both are looked at again after a minute only, and are not waited for."""
    challenge = {"WWW-Authenticate": f'Bearer error="{life.seeds["heroku token"]}"'}
    life.gossip(life.app("unauthorized"), 401, headers=challenge)
    life.gossip(life.app("forbidden"), 403, content_type=HTML)
    for app in ("unauthorized", "forbidden"):
        life.promoted(app)


def connections_break(life: Life) -> None:
    for kind, method, route in (
        ("reset_before_apply", "GET", "releases"),
        ("reset_after_apply", "PATCH", "config-vars"),
        ("truncated_body", "GET", "config-vars"),
        ("slow", "GET", "config-vars"),
        ("html_503", "GET", "releases"),
    ):
        app = life.app(kind.replace("_", "-"))
        life.controls.arm(kind, method=method, route=route, app=app, seconds=1)
        life.expect(State.DEPLOYED, life.promoted(app))


def a_worker_is_killed(life: Life) -> None:
    app = life.app("killed")
    life.controls.arm("hang_after_apply", method="PATCH", app=app, seconds=20)
    life.expect(State.DEPLOYED, life.promoted(app))
    wait_until(lambda: len(life.town.patches(app)) > 1)
    life.stack.kill_worker()


def nobody_calls(life: Life) -> None:
    wrong, session = life.seeds["wrong token"], life.record.session()
    for authorization in (
        f"Bearer {life.pat.name}.{wrong}",
        f"Bearer {wrong}",
        f"Bearer {wrong}.{wrong}",
        f"Basic {wrong}",
        str(wrong),
    ):
        answer = session.get(
            f"{life.stack.api}/promotions",
            headers={"Authorization": authorization},
            timeout=ANSWER_SECONDS,
        )
        life.done(answer, 401)


def codes_are_wrong(life: Life) -> None:
    app, person = life.app("codes"), life.hire()
    one, two = (person.mark(app, flag)["id"] for flag in ("one", "two"))
    right = person.code()
    life.done(person.promote(one, right), 202)
    life.expect(State.DEPLOYED, (person, one))
    life.done(person.promote(two, right), 403)
    for pasted in (person.totp_secret, person.token, str(life.seeds["pasted"])):
        life.done(person.promote(two, pasted), 400, 403)
    wrong = f"{(int(right) + 1) % 10**6:06}"
    person.codes.append(wrong)
    for _ in range(5):
        life.done(person.promote(two, wrong), 403, 429)
    life.done(person.promote(two, wrong), 429)


def bodies_are_malformed(life: Life) -> None:
    pasted = str(life.seeds["pasted"])
    whole = {"target": "goes-live", "flag": "x", "value": "true"}
    for body in (
        f'{{"target": "{pasted}", "value": ',
        json.dumps(pasted),
        json.dumps([pasted]),
        json.dumps({**whole, "totp": pasted}),
        json.dumps({**whole, "target": f"{pasted} "}),
        json.dumps({**whole, "flag": f"{pasted} "}),
        json.dumps({**whole, "value": [pasted]}),
        json.dumps({**whole, "note": {"of": pasted}}),
        json.dumps({**whole, "value": pasted * 2000}),
        f'{{"flag": "{pasted}", "flag": "{pasted}"}}',
    ):
        headers = {"Idempotency-Key": "k", "Content-Type": JSON}
        life.done(life.pat("POST", "/promotions", data=body, headers=headers), 400, 413)


def headers_paths_and_queries_are_malformed(life: Life) -> None:
    pasted = str(life.seeds["pasted"])
    for name in ("Content-Type", "Idempotency-Key", "If-Match"):
        headers = {"Idempotency-Key": "k", name: f"{pasted} {pasted}"}
        path = "/promotions" + ("/prm_01M812YT137VS8XSF168055NXP/ack" if name == "If-Match" else "")
        life.done(life.pat("POST", path, data="{}", headers=headers), 400, 415)
    for name in ("cursor", "limit", "state", "target", "token"):
        life.done(life.pat("GET", "/promotions", params={name: f"{pasted} "}), 400)
    for path in (f"/promotions/{pasted}", f"/promotions/prm_{pasted}/audit", f"/{pasted}"):
        life.done(life.pat("GET", path), 404)
    life.done(life.pat("GET", f"/targets/{pasted}%20"), 400)


def roles_do_not_admit_it(life: Life) -> None:
    mark = {"target": "goes-live", "flag": "x", "value": "true"}
    key = {"Idempotency-Key": "k"}
    life.done(life.viewer("POST", "/promotions", json=mark, headers=key), 403)
    life.done(life.pat("PUT", "/targets/goes-live", json={}), 403)


def one_expires(life: Life) -> None:
    hoist = life.town.backdoor()
    hoist.clock = FakeClock(time=hoist.clock.now() - LONG_AGO)
    order = MarkOrder(
        caller=Caller(name="pat", role=Role.PROMOTER),
        target=life.app("expires"),
        flag="dark_mode",
        value="true",
        note=None,
        key="of long ago",
    )
    promotion = hoist.mark(order).promotion
    life.town.invoke("WatchFunction")
    assert life.pat.read(promotion.id)["state"] == State.EXPIRED


def one_is_cancelled(life: Life) -> None:
    path = f"/promotions/{life.pat.mark(life.app('cancelled'), 'dark_mode')['id']}"
    life.done(life.pat("POST", f"{path}/cancel", headers={"If-Match": '"7"'}), 412)
    life.done(life.pat("POST", f"{path}/cancel", json={"reason": "not now"}))
    life.done(life.pat("POST", f"{path}/promote"), 409)
    life.done(life.pat("PATCH", path, json={"rca_url": "https://wiki.example/rca/7"}))


def one_drifts_under_the_word(life: Life) -> None:
    """The word is target, flag and value at once, so that it gets wherever any of them does."""
    mark = {"target": life.word, "flag": life.word, "value": life.word}
    life.done(life.pat("POST", "/promotions", json=mark, headers={"Idempotency-Key": "w"}), 422)
    person, promotion_id = life.promoted(life.app(life.word), life.word, life.word)
    person.settled(promotion_id)
    foreign = {f"FLAG_{life.word.upper()}": "false"}
    foreign["DATABASE_URL"] = str(life.seeds["old database"])
    life.controls.foreign_patch(life.word, foreign)
    life.town.invoke("DriftFunction")
    assert person.read(promotion_id)["drift"]["kind"] == "changed"
    for status, kind in ((500, HTML), (401, JSON)):
        life.gossip(life.word, status, content_type=kind)
        life.town.invoke("DriftFunction")


def another_stalls_under_the_word(life: Life) -> None:
    """Its release never ends: so its wake stays in the queue."""
    life.controls.behave(life.word, release_phase=True, phase_result="pending")
    promotion_id = life.accepted_without_a_wake(life.word, ago=timedelta(minutes=31))
    life.town.invoke("WatchFunction")
    wait_for_step(life.pat, promotion_id, "released")
    life.done(life.pat("POST", f"/promotions/{promotion_id}/ack", json={"minutes": 30}))


def hoist_has_a_bug(life: Life) -> None:
    """Somebody's second factor was entered wrongly: what comes of that is a traceback."""
    person, hoist = life.hire(), life.town.backdoor()
    operator = hoist.operators.get(person.name)
    assert operator is not None
    totp_secrets = ParameterTotpSecrets(client=lambda: hoist.aws.ssm, stage=STAGE)
    reference = totp_secrets.put(person.name, str(life.seeds["not base32"]))
    hoist.operators.put(replace(operator, totp_reference=reference))  # type: ignore[attr-defined]
    life.done(person.promote(person.mark(life.app("bug"), "dark_mode")["id"]), 500)


def one_is_approved_and_staged(life: Life) -> None:
    person, other = life.hire(), life.hire()
    path = f"/promotions/{person.mark(life.app('staged'), 'dark_mode')['id']}"
    approval = {"X-TOTP": other.code()}
    life.done(other("POST", f"{path}/approve", headers=approval, json={"note": "as agreed"}))
    life.gossip("staged", 500, method="GET", content_type=HTML)
    life.done(person("GET", f"{path}/preflight"))
    checks = person("GET", f"{path}/preflight").json()["checks"]
    known = {"acknowledge": [check["id"] for check in checks if check["outcome"] == "warn"]}
    life.done(person("POST", f"{path}/stage", json=known))
    later = spell(life.town.backdoor().clock.now() + timedelta(days=1))
    scheduled = {**known, "not_before": later}
    life.done(person("POST", f"{path}/stage", json=scheduled, headers={"X-TOTP": person.code()}))


def the_escape_hatch_is_used(life: Life) -> None:
    """It reads Heroku, which quotes; and what was seen of that is answered, and stored."""
    for verb, gossip in (("complete", (500, 401)), ("fail", (403,))):
        app, superadmin = life.app(f"hatch-{verb}"), life.hire(Role.SUPERADMIN)
        path = f"/promotions/{life.accepted_without_a_wake(app)}/{verb}"
        said, code = {"reason": "It was seen by eye."}, {"X-TOTP": superadmin.code()}
        for status in gossip:
            life.gossip(app, status, content_type=HTML)
            answer = superadmin("POST", path, json=said, headers=code)
            life.done(answer, 409 if verb == "complete" else 200)
        if verb == "complete":
            life.done(superadmin("POST", path, json={**said, "force": True}, headers=code))


def one_is_retried_and_one_taken_back(life: Life) -> None:
    for target, verb in (("refused", "retry"), ("goes-live", "rollback")):
        listed = life.viewer("GET", "/promotions", params={"target": target}).json()
        path = f"/promotions/{listed['promotions'][0]['id']}/{verb}"
        person = life.hire()
        code = {"X-TOTP": person.code()}
        if verb == "rollback":
            life.gossip(target, 500, method="GET", content_type=HTML)
            life.done(person("POST", path, headers=code), 409)
        renewed = person("POST", path, headers=code)
        life.done(renewed, 202)
        assert person.settled(renewed.json()["id"])["state"] == State.DEPLOYED


def a_freeze_holds_one_back(life: Life) -> None:
    reason = {"reason": "A freeze for a test."}
    starts = spell(life.town.backdoor().clock.now() - timedelta(hours=1))
    frozen = {**reason, "target": life.app("frozen"), "starts_at": starts}
    life.done(life.sam("PUT", "/freezes/test", json=frozen))
    person, promotion_id = life.promoted("frozen")
    life.done(life.viewer("GET", "/freezes"))
    life.done(life.viewer("GET", "/freezes/test"))
    life.town.invoke("WatchFunction")
    life.done(life.sam("DELETE", "/freezes/test", params=reason), 204)
    life.town.invoke("WatchFunction")
    life.expect(State.DEPLOYED, (person, promotion_id))


def a_catalogue_is_imported(life: Life) -> None:
    flags = [{"name": "dark_mode", "owner": "kim", "default": "false"}]
    life.done(life.sam("PUT", "/catalogues/test", json={"flags": flags}))
    life.done(life.viewer("GET", "/catalogues/test"))


def operators_are_looked_after(life: Life) -> None:
    """Whoever was locked out is unlocked."""
    listed = life.sam("GET", "/operators")
    life.done(listed)
    locked = [each["name"] for each in listed.json()["operators"] if each["locked_until"]]
    assert locked
    for name in locked:
        superadmin = life.hire(Role.SUPERADMIN)
        code, reason = {"X-TOTP": superadmin.code()}, {"reason": "They called about it."}
        path = f"/operators/{name}/unlock"
        life.done(superadmin("POST", path, json=reason, headers=code))
        life.done(superadmin("GET", f"/audit/operator:{name}"))


def a_service_acts_for_somebody(life: Life) -> None:
    service, somebody = life.hire(Role.SERVICE), life.hire()
    life.done(service("GET", "/me", headers={"X-On-Behalf-Of": somebody.name}))
    for pasted in (str(life.seeds["pasted"]), somebody.token, somebody.totp_secret):
        life.done(service("GET", "/me", headers={"X-On-Behalf-Of": pasted}), 400, 403)


def the_queue_is_poisoned(life: Life) -> None:
    poison = str(life.seeds["poison"])
    for body in (poison, json.dumps([poison]), json.dumps({"target": 1, "token": poison})):
        record = {"messageId": "m", "receiptHandle": "none", "body": body}
        life.town.invoke("WorkFunction", {"Records": [{**record, "eventSource": "aws:sqs"}]})


def all_settles(life: Life) -> None:
    for person, promotion_id, state in life.awaited:
        # A worker that was killed while it started leaves its wake hidden for 90 s.
        settled = person.settled(promotion_id, within_seconds=120)
        assert settled["state"] == state, (settled["target"], settled["reason"])


def the_heroku_token_is_stored_wrongly(life: Life) -> None:
    """After all has settled, for the worker is killed to forget the token that it knows."""
    token = str(life.seeds["heroku token"])
    readers = ("ApiFunction", "WorkFunction", "DriftFunction")
    for stored in (json.dumps({"token": token}), f"{token} {token}"):
        life.store_secret(heroku_token(STAGE), stored, readers=readers)
        person, promotion_id = life.promoted(life.app(f"no-token-{len(life.people)}"))
        wait_for_action(person, promotion_id, Action.ALERT)
        life.done(person("GET", f"/promotions/{promotion_id}/preflight"))
        life.town.invoke("DriftFunction")


def wait_for_action(person: Careful, promotion_id: str, action: Action) -> None:
    """Wait until this was done to a promotion."""

    def done() -> bool:
        trail = person("GET", f"/promotions/{promotion_id}/audit").json()["entries"]
        return action in {entry["action"] for entry in trail}

    wait_until(done)


def slack_is_back_and_refuses_and_quotes(life: Life) -> None:
    life.wait_for_log("NotifySlackFunction", "Slack did not answer")
    slack_fails(life, 404)
    store_webhook(life, life.stack.slack)


def slack_stumbles_and_quotes(life: Life) -> None:
    life.wait_for_log("NotifySlackFunction", "Slack refuses (404")
    slack_fails(life, 503)


def slack_has_heard_it_all(life: Life) -> None:
    life.wait_for_log("NotifySlackFunction", "Slack answered 503")
    wait_until(lambda: any(life.word in str(each["text"]) for each in life.stack.slack_messages()))


def slack_fails(life: Life, status: int) -> None:
    """Let Slack say more than it should, once."""
    trouble = {"status": status, "body": f"no_service {life.quote('webhook')}", "times": 1}
    answer = requests.post(f"{life.stack.slack}/fail", json=trouble, timeout=ANSWER_SECONDS)
    answer.raise_for_status()


def everything_is_read(life: Life) -> None:
    """All that can be read, by somebody who may do nothing else."""
    promotions = life.viewer("GET", "/promotions", params={"limit": 100}).json()["promotions"]
    ids = [each["id"] for each in promotions]
    targets = {each["target"] for each in promotions}
    paths = [
        *(f"/promotions/{each}{part}" for each in ids for part in ("", "/audit", "/timeline")),
        *(f"/targets/{each}/lock" for each in targets),
        *("/targets", f"/targets/{life.word}", f"/audit/target:{life.word}"),
        *("/me", "/audit/freezes", "/audit/catalogue:test"),
        *("/health", "/openapi.json", "/console", "/console/api.js"),
    ]
    with ThreadPoolExecutor(READERS) as pool:
        for answer in pool.map(lambda path: life.viewer("GET", path), paths):
            life.done(answer)


#: In this order. What a step sets going goes on while the next ones are taken, until `all_settles`.
STEPS: tuple[Callable[[Life], None], ...] = (
    slack_cannot_be_reached,
    a_promotion_goes_live,
    releases_fail,
    heroku_refuses_and_quotes,
    heroku_breaks_and_quotes,
    heroku_refuses_the_token_and_quotes,
    connections_break,
    a_worker_is_killed,
    slack_is_back_and_refuses_and_quotes,
    nobody_calls,
    codes_are_wrong,
    bodies_are_malformed,
    headers_paths_and_queries_are_malformed,
    roles_do_not_admit_it,
    one_expires,
    one_is_cancelled,
    slack_stumbles_and_quotes,
    one_drifts_under_the_word,
    another_stalls_under_the_word,
    hoist_has_a_bug,
    the_queue_is_poisoned,
    one_is_approved_and_staged,
    the_escape_hatch_is_used,
    a_freeze_holds_one_back,
    a_catalogue_is_imported,
    operators_are_looked_after,
    a_service_acts_for_somebody,
    all_settles,
    one_is_retried_and_one_taken_back,
    the_heroku_token_is_stored_wrongly,
    slack_has_heard_it_all,
    everything_is_read,
)
