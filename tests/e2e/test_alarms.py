"""Alarms ring here as in AWS, and whoever is on call hears them."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from local.on_call import Page
from tests.e2e.conftest import Town, wait_until

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_events import EventBridgeClient

#: The alarm's two minutes, and some seconds of ours.
SILENCE_IS_NOTICED_WITHIN_SECONDS = 135
SEEN_WITHIN_SECONDS = 20


def pages(town: Town, alarm: str) -> list[Page]:
    """What whoever is on call has heard of an alarm."""
    return [page for page in town.stack.on_call_messages() if page.name == f"hoist-local-{alarm}"]


def wait_for_state(town: Town, alarm: str, state: str, *, within_seconds: float) -> None:
    """Wait for an alarm, looking no more often than it is judged."""

    def reached() -> bool:
        time.sleep(1)
        return town.stack.alarms()[alarm] == state

    wait_until(reached, within_seconds=within_seconds)


@contextmanager
def silenced(town: Town) -> Iterator[None]:
    """The watchdog's rule, disabled."""
    aws = town.stack.ministack.aws
    events: EventBridgeClient = aws.session.client("events", endpoint_url=aws.endpoint_url)
    watch = f":function:{town.stack.outputs['WatchFunction']}"
    (rule,) = [
        rule["Name"]
        for rule in events.list_rules()["Rules"]
        for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
        if target["Arn"].endswith(watch)
    ]
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)


def test_a_silent_watchdog_is_noticed_and_its_return_too(town: Town) -> None:
    before = len(pages(town, "watchdog-silent"))

    with silenced(town):
        wait_for_state(
            town,
            "watchdog-silent",
            "ALARM",
            within_seconds=SILENCE_IS_NOTICED_WITHIN_SECONDS,
        )
        town.invoke("WatchFunction")
        wait_for_state(town, "watchdog-silent", "OK", within_seconds=SEEN_WITHIN_SECONDS)

    heard = pages(town, "watchdog-silent")[before:]
    assert [page.rings for page in heard][-2:] == [True, False]
    assert "docs/runbook.md#alarm-watchdog-silent" in heard[-2].message["AlarmDescription"]


def test_a_comparison_for_drift_that_ends_is_heard_by_the_alarm_on_its_silence(town: Town) -> None:
    town.invoke("DriftFunction")

    # Missing data are bad news there: only a comparison's end can make it OK.
    wait_for_state(town, "drift-silent", "OK", within_seconds=SEEN_WITHIN_SECONDS)


def test_something_in_a_queue_for_the_dead_rings_until_it_is_gone(town: Town) -> None:
    aws = town.stack.ministack.aws
    sqs = aws.session.client("sqs", endpoint_url=aws.endpoint_url)
    queue = town.stack.outputs["DeadNoticesQueueUrl"]

    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({"DDBStreamBatchInfo": {}}))
    wait_until(
        lambda: any(page.rings for page in pages(town, "dead-notices")),
        within_seconds=SEEN_WITHIN_SECONDS,
    )
    sqs.purge_queue(QueueUrl=queue)

    wait_for_state(town, "dead-notices", "OK", within_seconds=SEEN_WITHIN_SECONDS)
    assert town.stack.alarms()["dead-wakes"] == "OK"


def test_what_functions_measure_is_where_alarms_look(town: Town) -> None:
    aws = town.stack.ministack.aws
    cloudwatch: CloudWatchClient = aws.session.client("cloudwatch", endpoint_url=aws.endpoint_url)
    app, promoter = town.app("measured"), town.hire()
    marked = promoter.mark(app, "dark_mode")
    began = datetime.now(UTC)  # noqa: TID251 - CloudWatch has its own clock
    promoter.promote(marked["id"])

    promoter.settled(marked["id"])

    def latencies() -> float:
        found = cloudwatch.get_metric_statistics(
            Namespace="Hoist",
            MetricName="QueueLatency",
            Dimensions=[{"Name": "service", "Value": "hoist-local"}],
            StartTime=began - timedelta(seconds=1),
            EndTime=began + timedelta(minutes=5),
            Period=300,
            Statistics=["SampleCount"],
        )
        return sum(point["SampleCount"] for point in found["Datapoints"])

    wait_until(lambda: latencies() >= 1, within_seconds=SEEN_WITHIN_SECONDS)
