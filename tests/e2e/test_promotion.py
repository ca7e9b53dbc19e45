"""A flag promoted over HTTPS routes, queue and worker, as in production."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.promotion import State, Step, advance
from tests.e2e.conftest import ANSWER_SECONDS, Person, Town, wait_for_step, wait_until


def test_a_flag_goes_live_with_one_release_and_a_verified_audit(town: Town) -> None:
    app = town.app("one-release")
    promoter = town.hire()
    marked = promoter.mark(app, "dark_mode")

    accepted = promoter.promote(marked["id"])

    assert accepted.status_code == 202
    settled = promoter.settled(marked["id"])
    assert (settled["state"], settled["effect"]) == ("deployed", "live")
    assert [patch["changes"] for patch in town.patches(app)] == [{"FLAG_DARK_MODE": "true"}]
    audit = promoter("GET", f"/promotions/{marked['id']}/audit").json()
    assert audit["verified"] is True
    assert [entry["action"] for entry in audit["entries"]] == [
        "mark",
        "promote",
        "record_intent",
        "confirm_patch",
        "settle",
    ]


def test_a_release_phase_is_waited_for_without_alarm(town: Town) -> None:
    app = town.app("release-phase")
    town.heroku.behave(app, release_phase=True, phase_result="pending")
    promoter = town.hire()
    marked = promoter.mark(app, "dark_mode")
    assert promoter.promote(marked["id"]).status_code == 202
    wait_for_step(promoter, marked["id"], "released")

    seen = promoter("GET", f"/promotions/{marked['id']}").json()
    town.heroku.finish_release(app, seen["evidence"]["release"], "succeeded")

    assert "Nothing is wrong" in seen["waiting_on"]["text"]
    assert promoter.settled(marked["id"])["state"] == "deployed"
    assert len(town.patches(app)) == 1


def test_a_hundred_promotions_at_once_cost_few_releases(town: Town) -> None:
    app = town.app("a-hundred")
    # The first release runs until all have been accepted, so that they do wait at once.
    town.heroku.behave(app, release_phase=True, phase_result="pending")
    people = [town.hire() for _ in range(100)]
    with ThreadPoolExecutor(4) as pool:
        marked = list(pool.map(lambda n: people[n].mark(app, f"flag_{n}"), range(100)))
        ids = [promotion["id"] for promotion in marked]
        people[0].promote(ids[0])
        release = wait_for_step(people[0], ids[0], "released")["evidence"]["release"]

        answers = list(pool.map(Person.promote, people[1:], ids[1:]))
    town.heroku.behave(app, release_phase=False)
    town.heroku.finish_release(app, release, "succeeded")

    assert {answer.status_code for answer in answers} == {202}
    wait_until(lambda: set(states(people[0], app)) == {"deployed"})
    assert len(states(people[0], app)) == 100
    assert len(town.patches(app)) <= 2 + 100 / 50


def states(person: Person, app: str) -> list[str]:
    listed = person("GET", "/promotions", params={"target": app, "limit": 100}).json()
    return [promotion["state"] for promotion in listed["promotions"]]


def test_a_worker_killed_after_the_patch_is_resumed_by_the_next(town: Town) -> None:
    app = town.app("killed-worker")
    promoter = town.hire()
    marked = promoter.mark(app, "dark_mode")
    town.heroku.arm("hang_after_apply", method="PATCH", app=app, seconds=20)
    assert promoter.promote(marked["id"]).status_code == 202
    wait_until(lambda: len(town.patches(app)) == 1)

    killed = town.stack.kill_worker()

    assert killed >= 1
    assert promoter.settled(marked["id"])["state"] == "deployed"
    assert len(town.patches(app)) == 1
    assert promoter("GET", f"/promotions/{marked['id']}/audit").json()["verified"] is True


def test_a_lost_wake_is_made_good_by_the_watchdog(town: Town) -> None:
    app = town.app("lost-wake")
    promoter = town.hire()
    marked = promoter.mark(app, "dark_mode")
    hoist = town.backdoor()
    promotion = hoist.store.get(marked["id"])
    assert promotion is not None
    act = Act(actor="kim", action=Action.PROMOTE, at=hoist.clock.now())

    # Accepted, and no wake: as if the API's Lambda had died right after its transaction.
    hoist.store.commit(advance(promotion, act, state=State.DEPLOYING, step=Step.QUEUED))

    assert promoter.settled(marked["id"], within_seconds=90)["state"] == "deployed"


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer nobody.secret", "Bearer vera.wrong", "Basic dmVyYTp4"],
)
def test_an_unknown_token_gets_a_problem(town: Town, authorization: str | None) -> None:
    answer = requests.get(
        f"{town.stack.api}/promotions",
        headers={} if authorization is None else {"Authorization": authorization},
        timeout=ANSWER_SECONDS,
    )

    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthenticated"


def test_an_unknown_route_gets_a_problem(town: Town) -> None:
    answer = town.person("viewer")("GET", "/promotion")

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


def test_headers_reach_the_use_case_whatever_their_case(town: Town) -> None:
    promoter = town.hire()
    app = town.app("header-case")
    marked = promoter.mark(app, "dark_mode")

    answer = promoter("POST", f"/promotions/{marked['id']}/cancel", headers={"IF-match": '"7"'})

    assert answer.status_code == 412


def test_a_demo_viewer_reads_and_may_do_nothing_else(town: Town) -> None:
    viewer = town.person("viewer")
    app = town.app("viewed")

    mark = viewer(
        "POST",
        "/promotions",
        json={"target": app, "flag": "x", "value": "1"},
        headers={"Idempotency-Key": "k"},
    )

    assert viewer("GET", "/promotions").status_code == 200
    assert (mark.status_code, mark.json()["code"]) == (403, "role_insufficient")
