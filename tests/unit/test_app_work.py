"""The queue's and the schedule's doors, over fakes."""

import json
from datetime import timedelta
from typing import Any

import pytest

import app
from chalicelib.domain.errors import AccessDenied, Unavailable
from chalicelib.domain.promotion import State
from tests.factories import TARGET
from tests.fakes import FakeHeartbeat
from tests.unit.test_app import WorldContainer
from tests.world import World

SCHEDULED = (
    "version",
    "account",
    "region",
    "detail",
    "detail-type",
    "source",
    "time",
    "id",
    "resources",
)


@pytest.fixture(autouse=True)
def _hoist(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    container = WorldContainer(world)
    container.apps = world.apps
    container.heartbeat = FakeHeartbeat(world.locks, world.clock)
    monkeypatch.setattr(app, "hoist", container)


def delivered(body: str) -> dict[str, Any]:
    """What the worker answers to a message with this body."""
    record = {"messageId": "m-1", "receiptHandle": "r-1", "body": body}
    answer: dict[str, Any] = app.work({"Records": [record]}, None)
    return answer


def a_wake() -> str:
    return json.dumps({"target": TARGET, "promotion_id": None})


def test_a_wake_that_is_worked_off_is_done_with(world: World) -> None:
    promotion = world.promoted()

    answer = delivered(a_wake())

    assert answer == {"batchItemFailures": []}
    assert world.now(promotion).state is State.DEPLOYED


def test_a_wake_that_only_time_can_help_is_put_back_and_is_not_an_error(world: World) -> None:
    world.apps.phase = None
    world.promoted()

    answer = delivered(a_wake())

    assert answer == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}
    assert world.wakes.held == [("r-1", timedelta(seconds=5))]


def test_a_wake_that_cannot_be_held_longer_is_put_back_all_the_same(
    world: World,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def away(_receipt: str, *, lasts: timedelta) -> None:  # noqa: ARG001 - the port's signature
        raise Unavailable

    world.apps.phase = None
    world.promoted()
    monkeypatch.setattr(world.wakes, "hold", away)

    assert delivered(a_wake()) == {"batchItemFailures": [{"itemIdentifier": "m-1"}]}


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "{}", '{"target": 7, "promotion_id": null}', '{"target": "x"}'],
)
def test_a_message_that_is_no_wake_is_dropped_and_blocks_nothing(body: str) -> None:
    assert delivered(body) == {"batchItemFailures": []}


def test_a_bug_is_not_swallowed_so_that_the_wake_comes_again(world: World) -> None:
    world.promoted()
    world.apps.failures["config_vars"] = [ZeroDivisionError()]

    with pytest.raises(ZeroDivisionError):
        delivered(a_wake())


def test_the_schedule_wakes_what_does_not_move(world: World) -> None:
    world.promoted()
    world.wakes.sent.clear()

    app.watch(dict.fromkeys(SCHEDULED, ""), None)

    assert world.wakes.sent == [(TARGET, None)]


def test_a_refused_token_is_an_error_in_the_log(
    world: World,
    caplog: pytest.LogCaptureFixture,
) -> None:
    world.apps.failures["config_vars"] = [AccessDenied("Heroku answered 401.")]
    world.promoted()

    delivered(a_wake())

    said = [(record.levelname, vars(record)["action"]) for record in caplog.records]
    assert ("ERROR", "heroku_access_denied") in said
