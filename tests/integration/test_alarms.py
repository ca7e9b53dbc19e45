"""An alarm on a metric that nobody emits would never ring: each is proven to be emitted.

Hoist's own by what a run of app.py's functions writes; AWS's by AWS's documents, for a resource of
the template. That no trouble goes unnoticed is test_noticed.py's.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from infra.paths import ROOT
from tests.integration.measured import (
    Metric,
    metrics_of,
    of_a_day,
    of_function,
    of_queue,
    of_the_api,
    of_type,
    spelled,
)


@dataclass(frozen=True)
class AwsMetrics:
    """What AWS emits in one namespace, and for what."""

    names: frozenset[str]
    #: The dimension that names the resource, the resource's type, and how it is named.
    dimension: str
    resource: str
    spelled: str


#: No more than what we use: an alarm on another one has to be looked up first.
AWS_METRICS = {
    # https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
    "AWS/SQS": AwsMetrics(
        names=frozenset(
            {
                "ApproximateAgeOfOldestMessage",
                "ApproximateNumberOfMessagesNotVisible",
                "ApproximateNumberOfMessagesVisible",
            }
        ),
        dimension="QueueName",
        resource="AWS::SQS::Queue",
        spelled="${%s.QueueName}",
    ),
    # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
    "AWS/Lambda": AwsMetrics(
        names=frozenset({"Errors", "IteratorAge", "Throttles"}),
        dimension="FunctionName",
        resource="AWS::Serverless::Function",
        spelled="${%s}",
    ),
}
#: https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-metrics-and-dimensions.html
API_METRICS = frozenset({"4XXError", "5XXError", "Count", "Latency"})


@pytest.fixture(scope="module")
def emitted() -> frozenset[Metric]:
    """Every metric that a real run has written, discovered from its EMF."""
    return frozenset(metric for metrics in of_a_day().values() for metric in metrics)


def complaint(metric: Metric, template: dict[str, Any], emitted: frozenset[Metric]) -> str | None:
    """Why nobody will ever emit this metric; `None` where somebody does."""
    if metric in emitted:
        return None
    if metric.namespace == "AWS/ApiGateway":
        return _not_of_the_api(metric, template)
    known = AWS_METRICS.get(metric.namespace)
    if known is None:
        return "no run of app.py has written it"
    if metric.name not in known.names:
        return f"AWS emits no such metric, as far as is known here: {metric.name}"
    resources = of_type(template, known.resource)
    if metric.name == "IteratorAge":
        resources = {name: each for name, each in resources.items() if reads_a_stream(each)}
    of_ours = {frozenset({(known.dimension, known.spelled % name)}) for name in resources}
    return None if metric.dimensions in of_ours else "AWS emits it for no resource of the template"


def _not_of_the_api(metric: Metric, template: dict[str, Any]) -> str | None:
    if metric.name not in API_METRICS:
        return f"AWS emits no such metric, as far as is known here: {metric.name}"
    ours = metric == of_the_api(metric.name, template)
    return None if ours else "API Gateway emits it for no API of the template"


def reads_a_stream(function: Mapping[str, Any]) -> bool:
    return any(event["Type"] == "DynamoDB" for event in function.get("Events", {}).values())


def test_every_alarm_is_on_metrics_that_somebody_emits(
    alarms: dict[str, Any],
    template: dict[str, Any],
    emitted: frozenset[Metric],
) -> None:
    complaints = {
        name: said
        for name, alarm in alarms.items()
        for metric in metrics_of(alarm)
        if (said := complaint(metric, template, emitted))
    }

    assert complaints == {}
    assert len(alarms) >= 15


SERVICE = [{"Name": "service", "Value": {"Fn::Sub": "hoist-${Stage}"}}]
WAKES = [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["WakesQueue", "QueueName"]}}]
WORK = [{"Name": "FunctionName", "Value": {"Ref": "Work"}}]
MADE_UP = {
    "a name that nobody writes": ("Hoist", "QueueLatencies", SERVICE),
    "another dimension": ("Hoist", "QueueLatency", [{"Name": "target", "Value": "x"}]),
    "no dimension": ("Hoist", "QueueLatency", []),
    "another service": ("Hoist", "QueueLatency", [{"Name": "service", "Value": "hoist"}]),
    "another namespace": ("hoist", "QueueLatency", SERVICE),
    "a queue that is not there": (
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        [{"Name": "QueueName", "Value": {"Fn::GetAtt": ["Wakes", "QueueName"]}}],
    ),
    "a queue by its URL": (
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        [{"Name": "QueueName", "Value": {"Ref": "WakesQueue"}}],
    ),
    "a metric that queues do not have": ("AWS/SQS", "Errors", WAKES),
    "a function without a stream": ("AWS/Lambda", "IteratorAge", WORK),
    "another API": ("AWS/ApiGateway", "5XXError", [{"Name": "ApiName", "Value": "hoist"}]),
}


@pytest.mark.parametrize("made_up", MADE_UP.values(), ids=MADE_UP.keys())
def test_an_alarm_on_what_nobody_emits_is_found_out(
    made_up: tuple[str, str, list[Any]],
    template: dict[str, Any],
    emitted: frozenset[Metric],
) -> None:
    alarm = dict(zip(("Namespace", "MetricName", "Dimensions"), made_up, strict=True))

    (metric,) = metrics_of(alarm)

    assert complaint(metric, template, emitted) is not None


def test_every_alarm_tells_whoever_is_on_call_when_it_rings_and_when_it_ends(
    alarms: dict[str, Any],
) -> None:
    on_call = [{"Ref": "OnCallTopic"}]

    told = {name: (alarm["AlarmActions"], alarm["OKActions"]) for name, alarm in alarms.items()}

    assert told == dict.fromkeys(alarms, (on_call, on_call))


def test_every_alarm_has_its_runbook_entry_and_the_other_way_round(
    alarms: dict[str, Any],
) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    entries = re.findall(r"^### (alarm-[\w-]+)$", runbook, re.MULTILINE)
    sentence = re.compile(r"\S.+\. \$\{RunbookUrl\}#(alarm-[\w-]+)")
    links = {
        name: sentence.fullmatch(spelled(alarm["AlarmDescription"]))
        for name, alarm in alarms.items()
    }

    assert [name for name, link in links.items() if link is None] == []
    assert {link[1] for link in links.values() if link} == set(entries)
    assert len(entries) == len(set(entries))


def test_an_entry_that_several_alarms_share_names_each(alarms: dict[str, Any]) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    entries = {entry.partition("\n")[0]: entry for entry in runbook.split("\n### ")}
    linked = {name: spelled(alarm["AlarmDescription"]) for name, alarm in alarms.items()}
    shared = {
        name: entries[text.rpartition("#")[2]]
        for name, text in linked.items()
        if not text.endswith(f"#alarm-{name}")
    }

    unnamed = [name for name, entry in shared.items() if f"`hoist-prod-{name}`" not in entry]

    assert unnamed == []
    assert len(shared) >= 2


def test_every_queue_for_the_dead_is_watched(
    alarms: dict[str, Any],
    template: dict[str, Any],
) -> None:
    queues = of_type(template, "AWS::SQS::Queue").values()
    functions = of_type(template, "AWS::Serverless::Function").values()
    dead = {
        each["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for each in queues
        if "RedrivePolicy" in each
    } | {
        event["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]["Fn::GetAtt"][0]
        for each in functions
        for event in each.get("Events", {}).values()
        if "DestinationConfig" in event["Properties"]
    }
    watched = {metric for alarm in alarms.values() for metric in metrics_of(alarm)}

    assert dead == {"DeadWakesQueue", "DeadNoticesQueue"}
    assert {of_queue("ApproximateNumberOfMessagesVisible", queue) for queue in dead} <= watched


def test_only_what_runs_by_a_schedule_rings_by_silence_and_silence_is_no_all_clear(
    alarms: dict[str, Any],
) -> None:
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms.items()}

    of_kind = {
        kind: {name for name, treated in missing.items() if treated == kind}
        for kind in set(missing.values())
    }

    assert of_kind["breaching"] == {"watchdog-silent", "drift-silent"}
    # What the watchdog measures: without it, nobody knows any better.
    assert of_kind["ignore"] == {
        "oldest-deploying",
        "stalled-sev3",
        "stalled-warning",
        "stalled-critical",
    }
    assert set(of_kind) == {"breaching", "ignore", "notBreaching"}


@pytest.fixture(scope="module")
def shown(template: dict[str, Any]) -> frozenset[Metric]:
    """Every metric on the dashboard."""
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(spelled(dashboard["DashboardBody"]))["widgets"]
    return frozenset(metric for widget in widgets for metric in shown_in(widget["properties"]))


def test_the_dashboard_shows_metrics_that_somebody_emits(
    template: dict[str, Any],
    emitted: frozenset[Metric],
    shown: frozenset[Metric],
) -> None:
    complaints = {metric: complaint(metric, template, emitted) for metric in shown}

    assert {metric: said for metric, said in complaints.items() if said} == {}
    assert {metric for metric in emitted if metric not in shown} == set()


def test_the_dashboard_shows_the_errors_and_throttles_of_every_function(
    template: dict[str, Any], shown: frozenset[Metric]
) -> None:
    functions = of_type(template, "AWS::Serverless::Function")

    wanted = {
        of_function(count, function) for function in functions for count in ("Errors", "Throttles")
    }

    assert wanted - shown == set()


def shown_in(properties: Mapping[str, Any]) -> Iterator[Metric]:
    """The metrics of a widget, with its shorthands written out.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Metric-Widget-Structure.html
    """
    before: list[str] = []
    for row in properties.get("metrics", []):
        words = [word for word in row if isinstance(word, str)]
        if words[0] == "...":
            words = [*before[: len(before) - len(words) + 1], *words[1:]]
        words = [before[n] if word == "." else word for n, word in enumerate(words)]
        before = words
        namespace, name, *pairs = words
        dimensions = frozenset(zip(pairs[::2], pairs[1::2], strict=True))
        yield Metric(namespace, name, dimensions)


def test_the_dashboard_shows_the_state_of_every_alarm(
    template: dict[str, Any],
) -> None:
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    shown = set(re.findall(r"\$\{(\w+)\.Arn\}", dashboard["DashboardBody"]["Fn::Sub"]))

    assert shown == of_type(template, "AWS::CloudWatch::Alarm").keys()
