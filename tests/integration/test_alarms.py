"""An alarm on a metric that nobody emits would never ring: each is proven to be emitted.

Hoist's own by what a run of app.py's functions writes; AWS's by AWS's documents, for a resource of
the template.
"""

import contextlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

import app
from chalicelib.domain.errors import AccessDenied, TryAgain
from chalicelib.domain.notice import Notice
from chalicelib.ports import Undeliverable
from chalicelib.usecases.notify import Notify
from infra.package import package
from infra.paths import ROOT
from local.standins.emf import data_in
from tests.doors import Api
from tests.fakes import FakeHeartbeat
from tests.unit.test_app_work import SCHEDULED, a_wake, an_alert, delivered, records
from tests.world import Wired, World

#: How the run that is captured calls its stage.
STAGE = "captured"


@dataclass(frozen=True)
class Metric:
    """One metric, as alarms and dashboard name it: `${Resource.Attribute}` stands for a name."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


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


class Channel:
    """Raises what it is given to raise, once each; then takes everything."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)

    def deliver(self, notice: Notice) -> None:  # noqa: ARG002 - the port's signature
        if self.troubles:
            raise self.troubles.pop(0)


@contextlib.contextmanager
def captured() -> Iterator[tuple[World, list[str]]]:
    """Run app.py's functions over fakes; afterwards the list holds what they wrote."""
    world, written = World(), list[str]()
    container = Wired(world)
    object.__setattr__(container.settings, "hoist_stage", STAGE)
    container.apps = world.apps
    container.heartbeat = FakeHeartbeat(world.locks, world.clock)
    with pytest.MonkeyPatch.context() as patch, io.StringIO() as out:
        patch.setattr(app, "hoist", container)
        with contextlib.redirect_stdout(out):
            yield world, written
        written += out.getvalue().splitlines()


def a_day(world: World) -> None:
    """Live through what the metrics tell of: all that may go well, and wrong."""
    schedule = dict.fromkeys(SCHEDULED, "")
    world.apps.left = 4000
    world.apps.phase = timedelta(seconds=9)
    world.promoted()
    app.watch(schedule, None)
    delivered(a_wake())
    world.promoted("another")
    world.apps.failures["config"] = [AccessDenied("Heroku answered 401.")]
    delivered(a_wake())
    app.drift(schedule, None)
    api = Api(world)
    api("POST", f"/promotions/{world.mark('a_third').id}/cancel", {})
    world.mark("a_fourth")
    world.clock.advance(timedelta(days=8))
    app.watch(schedule, None)
    app.hoist.notify_slack = Notify(channel=Channel(Undeliverable("Slack refuses.")))
    app.hoist.notify_on_call = Notify(channel=Channel(TryAgain()))
    for notify in (app.notify_slack, app.notify_on_call):
        for _ in range(2):
            notify(records(an_alert()), None)


@pytest.fixture(scope="module")
def emitted() -> frozenset[Metric]:
    """Every metric that a real run has written, discovered from its EMF."""
    with captured() as (world, written):
        a_day(world)
    return frozenset(
        Metric(datum.namespace, datum.name, frozenset(datum.dimensions.items()))
        for line in written
        for datum in data_in(line)
    )


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(package("prod").template.read_text())
    return found


@pytest.fixture(scope="module")
def alarms(template: dict[str, Any]) -> dict[str, Any]:
    """Every alarm's properties, by its name (without the stack's)."""
    found = of_type(template, "AWS::CloudWatch::Alarm").values()
    return {spelled(each["AlarmName"]).removeprefix("${AWS::StackName}-"): each for each in found}


def of_type(template: dict[str, Any], kind: str) -> dict[str, Any]:
    found = template["Resources"]
    return {name: each["Properties"] for name, each in found.items() if each["Type"] == kind}


def spelled(value: Any) -> str:  # noqa: ANN401 - a text or an intrinsic function
    """The value as `Fn::Sub` would spell it, for the captured stage."""
    match value:
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
        case {"Fn::Sub": text}:
            return str(text).replace("${Stage}", STAGE)
        case _:
            return str(value).replace("${Stage}", STAGE)


def metrics_of(alarm: Mapping[str, Any]) -> list[Metric]:
    """The metrics that an alarm looks at; several where it does sums with them."""
    stats = [
        each["MetricStat"]["Metric"]
        for each in alarm.get("Metrics", [])
        if "Expression" not in each
    ]
    return [
        Metric(
            each["Namespace"],
            each["MetricName"],
            frozenset((d["Name"], spelled(d["Value"])) for d in each.get("Dimensions", [])),
        )
        for each in (stats or [alarm])
    ]


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
    (api,) = of_type(template, "AWS::Serverless::Api").values()
    dimensions = {"ApiName": spelled(api["DefinitionBody"]["info"]["title"])}
    dimensions["Stage"] = spelled(api["StageName"])
    ours = metric.dimensions == frozenset(dimensions.items())
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
    assert len(alarms) >= 25


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
    assert len(shared) >= 16


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
    for queue in dead:
        name = frozenset({("QueueName", f"${{{queue}.QueueName}}")})
        assert Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", name) in watched


def test_every_function_is_watched_for_errors_and_throttles(
    alarms: dict[str, Any],
    template: dict[str, Any],
) -> None:
    watched = {metric for alarm in alarms.values() for metric in metrics_of(alarm)}
    functions = of_type(template, "AWS::Serverless::Function")

    unwatched = [
        (name, metric)
        for name, function in functions.items()
        for metric in ("Errors", "Throttles", *["IteratorAge"] * reads_a_stream(function))
        if Metric("AWS/Lambda", metric, frozenset({("FunctionName", f"${{{name}}}")}))
        not in watched
    ]

    assert unwatched == []


def test_only_the_silence_of_the_watchdog_is_an_alarm_and_silence_is_no_all_clear(
    alarms: dict[str, Any],
) -> None:
    missing = {name: alarm["TreatMissingData"] for name, alarm in alarms.items()}

    of_kind = {
        kind: {name for name, treated in missing.items() if treated == kind}
        for kind in set(missing.values())
    }

    assert of_kind["breaching"] == {"watchdog-silent"}
    # What the watchdog measures: without it, nobody knows any better.
    assert of_kind["ignore"] == {
        "oldest-deploying",
        "stalled-sev3",
        "stalled-warning",
        "stalled-critical",
    }
    assert set(of_kind) == {"breaching", "ignore", "notBreaching"}


def test_the_dashboard_shows_metrics_that_somebody_emits(
    template: dict[str, Any],
    emitted: frozenset[Metric],
) -> None:
    (dashboard,) = of_type(template, "AWS::CloudWatch::Dashboard").values()
    widgets = json.loads(spelled(dashboard["DashboardBody"]))["widgets"]
    shown = {metric for widget in widgets for metric in shown_in(widget["properties"])}

    complaints = {metric: complaint(metric, template, emitted) for metric in shown}

    assert {metric: said for metric, said in complaints.items() if said} == {}
    assert {metric for metric in emitted if metric not in shown} == set()


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
