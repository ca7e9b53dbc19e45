"""What stands in for AWS and Slack on a developer's machine keeps their rules."""

import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from moto import mock_aws

from local.slack import WEBHOOK_PATH, Server, Sink
from local.standins.alarms import AlarmJudge
from local.standins.emf import data_in
from local.standins.streams import Delivery, Failed, Record, Rules

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
RULES = Rules(
    function="notify",
    stream="arn:aws:dynamodb:eu-west-1:0:table/audit/stream/x",
    batch_size=10,
    event_names=frozenset({"INSERT"}),
    attempts=3,
    max_age_seconds=3600,
    bisects=True,
    reports_failures=True,
    on_failure="arn:aws:sqs:eu-west-1:0:dead",
)


class Function:
    """Does records until it meets one of `poison`; names it, or raises where it names nothing."""

    def __init__(self, *poison: int, names: bool = True, passes_after: int = 10**6) -> None:
        self.poison, self.names, self.passes_after = poison, names, passes_after
        self.calls: list[list[int]] = []

    def __call__(self, batch: Sequence[Record]) -> Failed | None:
        numbers = [record["n"] for record in batch]
        self.calls.append(numbers)
        if len(self.calls) > self.passes_after:
            return None
        met = [n for n, number in enumerate(numbers) if number in self.poison]
        if not met:
            return None
        return Failed(met[0]) if self.names else Failed()


def delivery(function: Function, *, age: float = 0) -> tuple[Delivery, list[tuple[list[int], str]]]:
    """A delivery to the function, and what it gives up."""
    dead: list[tuple[list[int], str]] = []
    made = Delivery(
        rules=RULES,
        invoke=function,
        give_up=lambda batch, why: dead.append(([record["n"] for record in batch], why)),
        now=lambda: 1000 + age,
        wait=lambda _: False,
    )
    return made, dead


def batch(*numbers: int) -> list[Record]:
    return [{"n": n, "dynamodb": {"ApproximateCreationDateTime": 1000}} for n in numbers]


def test_a_batch_that_is_done_is_delivered_once() -> None:
    function = Function()
    deliver, dead = delivery(function)

    deliver(batch(1, 2, 3))

    assert function.calls == [[1, 2, 3]]
    assert dead == []


def test_what_a_function_names_is_tried_again_from_there_until_it_is_given_up() -> None:
    function = Function(2)
    deliver, dead = delivery(function)

    deliver(batch(1, 2, 3))

    assert function.calls == [[1, 2, 3], [2, 3], [2, 3], [2, 3]]
    assert dead == [([2, 3], "RetryAttemptsExhausted")]


def test_a_channel_that_comes_back_in_time_gets_everything() -> None:
    function = Function(2, passes_after=3)
    deliver, dead = delivery(function)

    deliver(batch(1, 2, 3))

    assert function.calls[-1] == [2, 3]
    assert dead == []


def test_a_function_that_raises_has_its_batch_halved_until_the_guilty_one_is_alone() -> None:
    function = Function(3, names=False)
    deliver, dead = delivery(function)

    deliver(batch(1, 2, 3, 4))

    assert dead == [([3], "RetryAttemptsExhausted")]
    assert [1, 2] in function.calls
    assert [4] in function.calls


def test_what_is_too_old_is_given_up_at_its_first_failure() -> None:
    function = Function(1)
    deliver, dead = delivery(function, age=3601)

    deliver(batch(1, 2))

    assert function.calls == [[1, 2]]
    assert dead == [([1, 2], "MaxRecordAgeExceeded")]


@pytest.fixture
def slack() -> Iterator[Callable[..., Any]]:
    """A stand-in for Slack; called, it POSTs to it and gives the answer."""
    server = Server(0, Sink(pace_seconds=0))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"

    def post(path: str, **body: object) -> requests.Response:
        return requests.post(url + path, json=body, timeout=5)

    post.messages = lambda: requests.get(f"{url}/messages", timeout=5).json()  # type: ignore[attr-defined]
    yield post
    server.shutdown()
    server.server_close()
    thread.join()


def test_slack_keeps_what_it_is_told(slack: Any) -> None:  # noqa: ANN401 - a function with an attribute
    answer = slack(WEBHOOK_PATH, text="one")

    assert (answer.status_code, answer.text) == (200, "ok")
    assert slack.messages() == {"messages": [{"text": "one"}], "refused": 0}


def test_slack_refuses_as_often_as_it_is_told_to(slack: Any) -> None:  # noqa: ANN401 - a function with an attribute
    slack("/fail", status=503, times=2)

    answers = [slack(WEBHOOK_PATH, text="x").status_code for _ in range(3)]

    assert answers == [503, 503, 200]


def test_slack_refuses_the_same_share_for_one_seed(slack: Any) -> None:  # noqa: ANN401 - a function with an attribute
    seen = []
    for _ in range(2):
        slack("/fail", status=503, rate=0.3, seed=7)
        seen.append([slack(WEBHOOK_PATH, text="x").status_code for _ in range(50)])

    assert seen[0] == seen[1]
    assert 5 < seen[0].count(503) < 25


def test_slack_says_why_it_refuses_for_good(slack: Any) -> None:  # noqa: ANN401 - a function with an attribute
    slack("/fail", status=404, body="no_active_hooks")

    assert slack(WEBHOOK_PATH, text="x").text == "no_active_hooks"
    slack("/fail")
    assert slack(WEBHOOK_PATH, text="x").text == "ok"


def test_slack_takes_one_message_a_second(slack: Any) -> None:  # noqa: ANN401 - a function with an attribute
    slack("/pace", seconds=60)
    slack(WEBHOOK_PATH, text="one")

    answer = slack(WEBHOOK_PATH, text="two")

    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "60")


@pytest.mark.parametrize("body", [{}, {"blocks": []}, {"text": 1}])
def test_slack_takes_nothing_without_a_text(slack: Any, body: dict[str, Any]) -> None:  # noqa: ANN401 - a function with an attribute
    assert slack(WEBHOOK_PATH, **body).text == "invalid_payload"


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '{"_aws": 1}', "START RequestId: x"])
def test_a_line_that_is_no_emf_holds_no_metrics(line: str) -> None:
    assert list(data_in(line)) == []


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator["CloudWatchClient"]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("cloudwatch", region_name="eu-west-1")


def an_alarm(cloudwatch: "CloudWatchClient", **different: Any) -> None:  # noqa: ANN401 - arguments of `put_metric_alarm`
    alarm: dict[str, Any] = {
        "AlarmName": "hoist-local-x",
        "Namespace": "Hoist",
        "MetricName": "WatchdogHeartbeat",
        "Dimensions": [{"Name": "service", "Value": "hoist-local"}],
        "Statistic": "Sum",
        "Period": 60,
        "EvaluationPeriods": 2,
        "ComparisonOperator": "LessThanThreshold",
        "Threshold": 1,
        "TreatMissingData": "breaching",
    }
    cloudwatch.put_metric_alarm(**(alarm | different))
    # As AWS and MiniStack begin; moto begins with OK.
    cloudwatch.set_alarm_state(
        AlarmName="hoist-local-x", StateValue="INSUFFICIENT_DATA", StateReason="new"
    )


def judged(
    cloudwatch: "CloudWatchClient",
    *readings: float,
    after: timedelta = timedelta(minutes=3),
) -> str:
    """The alarm's state, judged each minute with one reading, `after` the stack's start."""
    values, now = list(readings or [0]), [NOW]
    judge = AlarmJudge(
        cloudwatch=cloudwatch,
        measure=lambda _queue, _metric: values.pop(0),
        now=lambda: now[0],
        since=NOW - after,
        stack="hoist-local",
    )
    for _ in range(len(values)):
        judge()
        now[0] += timedelta(minutes=1)
    return cloudwatch.describe_alarms()["MetricAlarms"][0]["StateValue"]


@pytest.mark.parametrize(
    ("rule", "state"),
    [
        ("breaching", "ALARM"),
        ("notBreaching", "OK"),
        ("missing", "INSUFFICIENT_DATA"),
        ("ignore", "INSUFFICIENT_DATA"),
    ],
)
def test_missing_data_are_what_the_alarm_says_they_are(
    cloudwatch: "CloudWatchClient", rule: str, state: str
) -> None:
    an_alarm(cloudwatch, TreatMissingData=rule)

    assert judged(cloudwatch) == state


def test_no_window_is_called_empty_before_it_has_passed(cloudwatch: "CloudWatchClient") -> None:
    an_alarm(cloudwatch)

    assert judged(cloudwatch, after=timedelta(seconds=119)) == "INSUFFICIENT_DATA"


def test_where_there_are_data_the_alarm_is_left_to_ministack(
    cloudwatch: "CloudWatchClient",
) -> None:
    an_alarm(cloudwatch)
    cloudwatch.put_metric_data(
        Namespace="Hoist",
        MetricData=[
            {
                "MetricName": "WatchdogHeartbeat",
                "Dimensions": [{"Name": "service", "Value": "hoist-local"}],
                "Timestamp": NOW - timedelta(seconds=90),
                "Value": 1,
            },
        ],
    )

    assert judged(cloudwatch) == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("periods", "readings", "state"),
    [
        (1, [1], "ALARM"),
        (1, [1, 0], "OK"),
        (3, [1, 1], "OK"),
        (3, [1, 1, 1], "ALARM"),
        (3, [1, 0, 1, 1], "OK"),
        (3, [0, 1, 1, 1], "ALARM"),
    ],
)
def test_a_queue_rings_when_every_reading_of_the_window_exceeds(
    cloudwatch: "CloudWatchClient", periods: int, readings: list[float], state: str
) -> None:
    an_alarm(
        cloudwatch,
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[{"Name": "QueueName", "Value": "dead"}],
        Statistic="Maximum",
        EvaluationPeriods=periods,
        ComparisonOperator="GreaterThanThreshold",
        Threshold=0,
        TreatMissingData="notBreaching",
    )

    assert judged(cloudwatch, *readings) == state
