"""The queue's and the schedule's doors, over fakes."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

import app
from chalicelib.adapters.dynamodb import TableNames, Tables
from chalicelib.adapters.dynamodb.rows import audit_row
from chalicelib.domain.audit import Act, Action, AuditEntry
from chalicelib.domain.errors import AccessDenied, TryAgain, Unavailable
from chalicelib.domain.notice import Notice
from chalicelib.domain.promotion import Rung, State, advance
from chalicelib.metrics import NAMESPACE, UNITS
from chalicelib.usecases.notify import Notify
from tests.factories import TARGET, a_change, deploying
from tests.fakes import START, FakeHeartbeat
from tests.world import Wired, World

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
    container = Wired(world)
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
    world.apps.failures["config"] = [ZeroDivisionError()]

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
    world.apps.failures["config"] = [AccessDenied("Heroku answered 401.")]
    world.promoted()

    delivered(a_wake())

    said = [(record.levelname, vars(record)["action"]) for record in caplog.records]
    assert ("ERROR", "heroku_access_denied") in said


def metrics_of(text: str) -> dict[str, list[float]]:
    """The values in what was written in CloudWatch's embedded metric format."""
    values: dict[str, list[float]] = {}
    for line in text.splitlines():
        written = json.loads(line)
        for told in written.get("_aws", {}).get("CloudWatchMetrics", []):
            assert told["Namespace"] == NAMESPACE
            assert told["Dimensions"] == [["service"]]
            for metric in told["Metrics"]:
                assert metric["Unit"] == UNITS[metric["Name"]]
                values[metric["Name"]] = written[metric["Name"]]
    return values


def test_a_settled_promotion_tells_how_long_it_took_and_who_settled_it(
    world: World,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.apps.phase = timedelta(seconds=9)
    world.promoted()

    delivered(a_wake())

    told = metrics_of(capsys.readouterr().out)
    assert told["Settled"] == told["SettledByWorker"] == told["Patches"] == [1]
    # Thirty seconds pass between a promote and the next thing that a test does.
    assert told["TimeToPatch"] == [30]
    assert told["QueueLatency"][0] == told["TimeToPatch"][0] + told["ReleaseWait"][0]
    assert 9 <= told["ReleaseWait"][0] <= 13
    assert told["HerokuAccessDenied"] == [0]


def test_a_token_that_expires_while_nothing_is_promoted_is_seen_by_the_comparison(
    world: World,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.work(world.promoted())
    world.apps.failures["releases"] = [AccessDenied("Heroku answered 401.")]

    app.drift(dict.fromkeys(SCHEDULED, ""), None)

    assert metrics_of(capsys.readouterr().out)["HerokuAccessDenied"] == [1]


def test_every_sweep_is_a_heartbeat_with_gauges(
    world: World,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world.promoted()
    world.clock.advance(timedelta(hours=12, seconds=-30))

    app.watch(dict.fromkeys(SCHEDULED, ""), None)

    told = metrics_of(capsys.readouterr().out)
    assert told["WatchdogHeartbeat"] == told["Deploying"] == [1]
    assert told["OldestDeployingAge"] == [43_200]
    assert (told["RungSev3"], told["RungWarning"], told["RungCritical"]) == ([1], [1], [0])


def test_an_unknown_age_is_a_number_all_the_same(
    world: World,
    capsys: pytest.CaptureFixture[str],
) -> None:
    promotion = world.promoted()
    broken = replace(world.now(promotion), state_entered_at=None)
    world.store.promotions[promotion.id] = broken

    app.watch(dict.fromkeys(SCHEDULED, ""), None)

    told = metrics_of(capsys.readouterr().out)
    assert told["OldestDeployingAge"] == [365 * 86_400]
    assert told["RungCritical"] == [1]


class Channel:
    """Away as often as told, then there."""

    def __init__(self, away: int = 0) -> None:
        self.away = away
        self.told: list[Notice] = []

    def deliver(self, notice: Notice) -> None:
        if self.away:
            self.away -= 1
            raise TryAgain
        self.told.append(notice)


def records(*entries: AuditEntry) -> dict[str, Any]:
    """A batch of the audit table's stream."""
    model = Tables(TableNames(**dict.fromkeys(TABLES, "unused"))).audit
    return {
        "Records": [
            {
                "eventID": str(n),
                "eventName": "INSERT",
                "awsRegion": "eu-west-1",
                "eventSourceARN": "arn:aws:dynamodb:eu-west-1:0:table/audit/stream/x",
                "dynamodb": {
                    "Keys": {},
                    "ApproximateCreationDateTime": 0,
                    "StreamViewType": "NEW_IMAGE",
                    "SequenceNumber": f"sequence-{n}",
                    "NewImage": audit_row(model, entry).serialize(),
                },
            }
            for n, entry in enumerate(entries)
        ],
    }


TABLES = ("promotions", "audit", "locks", "operators", "targets")


def an_alert() -> AuditEntry:
    facts = {"alert": "stalled", "rung": "sev3", "minutes": 30}
    act = Act(actor="watchdog", action=Action.ALERT, at=START, facts=facts)
    return advance(deploying(), act, rung=Rung.SEV3).entry


@pytest.mark.parametrize("door", ["notify_slack", "notify_on_call"])
def test_what_is_audited_is_delivered(door: str, capsys: pytest.CaptureFixture[str]) -> None:
    channel = Channel()
    setattr(app.hoist, door, Notify(channel=channel))

    answer = getattr(app, door)(records(a_change().entry, an_alert()), None)

    assert answer == {"batchItemFailures": []}
    assert [notice.rung for notice in channel.told] == [Rung.SEV3]
    assert metrics_of(capsys.readouterr().out)["NoticesDelivered"] == [1]


def test_a_channel_that_is_away_is_tried_again_from_there_after_a_pause(world: World) -> None:
    channel = Channel(away=1)
    app.hoist.notify_slack = Notify(channel=channel)
    batch = records(a_change().entry, an_alert(), an_alert())
    began = world.clock.now()

    first = app.notify_slack(batch, None)
    second = app.notify_slack(batch, None)

    assert first == {"batchItemFailures": [{"itemIdentifier": "sequence-1"}]}
    assert second == {"batchItemFailures": []}
    assert len(channel.told) == 2
    assert world.clock.now() - began == timedelta(seconds=5)


def test_a_record_that_is_no_audit_entry_holds_nothing_up() -> None:
    channel = Channel()
    app.hoist.notify_slack = Notify(channel=channel)
    batch = records(an_alert(), an_alert())
    batch["Records"][0]["dynamodb"]["NewImage"] = {"promotion_id": {"S": "prm_x"}}

    answer = app.notify_slack(batch, None)

    assert answer == {"batchItemFailures": []}
    assert len(channel.told) == 1
