"""What app.py's functions write as metrics, and what the template's alarms make of metrics."""

import contextlib
import io
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

import app
from chalicelib.domain.errors import AccessDenied, TryAgain
from chalicelib.domain.notice import Notice
from chalicelib.ports import Undeliverable
from chalicelib.usecases.notify import Notify
from infra.package import package
from local.standins.emf import data_in
from tests.doors import Api
from tests.fakes import FakeHeartbeat
from tests.unit.test_app_work import SCHEDULED, a_wake, an_alert, delivered, records
from tests.world import Wired, World

#: How the run that is listened to calls its stage.
STAGE = "captured"
SCHEDULE = dict.fromkeys(SCHEDULED, "")


@dataclass(frozen=True)
class Metric:
    """One metric, as alarms and dashboard name it: `${Resource.Attribute}` stands for a name."""

    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]


#: What was written of each metric, by the function that wrote it.
Written = Mapping[str, Mapping[Metric, list[float]]]

# What a run writes


@dataclass(frozen=True)
class Ear:
    """Hears what each function writes."""

    lines: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @contextlib.contextmanager
    def at(self, function: str) -> Iterator[None]:
        """Whatever is written now is this function's, by its name in the template."""
        with io.StringIO() as out:
            try:
                with contextlib.redirect_stdout(out):
                    yield
            finally:
                self.lines[function] += out.getvalue().splitlines()

    @property
    def written(self) -> Written:
        """What CloudWatch would take out of it."""
        values: dict[str, dict[Metric, list[float]]] = {}
        for function, lines in self.lines.items():
            of_function = values.setdefault(function, defaultdict(list))
            for datum in (datum for line in lines for datum in data_in(line)):
                dimensions = frozenset(datum.dimensions.items())
                of_function[Metric(datum.namespace, datum.name, dimensions)] += datum.values
        return values


@contextlib.contextmanager
def on_stage() -> Iterator[World]:
    """Put fakes behind app.py's functions."""
    world = World()
    container = Wired(world)
    container.settings = replace(container.settings, hoist_stage=STAGE)
    container.apps = world.apps
    container.heartbeat = FakeHeartbeat(world.locks, world.clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "hoist", container)
        yield world


@cache
def of_a_day() -> Written:
    """What is written of all that metrics tell of: whatever may go well, and wrong."""
    ear = Ear()
    with on_stage() as world:
        _worked(world, ear)
        _cancelled_and_expired(world, ear)
        _told(ear)
    return ear.written


def _worked(world: World, ear: Ear) -> None:
    world.apps.left = 4000
    world.apps.phase = timedelta(seconds=9)
    world.promoted()
    with ear.at("Watch"):
        app.watch(SCHEDULE, None)
    with ear.at("Work"):
        delivered(a_wake())
    world.promoted("another")
    world.apps.failures["config"] = [AccessDenied("Heroku answered 401.")]
    with ear.at("Work"):
        delivered(a_wake())
    with ear.at("Drift"):
        app.drift(SCHEDULE, None)


def _cancelled_and_expired(world: World, ear: Ear) -> None:
    cancelled = world.mark("a_third").id
    with ear.at("APIHandler"):
        Api(world)("POST", f"/promotions/{cancelled}/cancel", {})
    world.mark("a_fourth")
    world.clock.advance(timedelta(days=8))
    with ear.at("Watch"):
        app.watch(SCHEDULE, None)


class Channel:
    """Raises what it is given to raise, once each; then takes everything."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)

    def deliver(self, notice: Notice) -> None:  # noqa: ARG002 - the port's signature
        if self.troubles:
            raise self.troubles.pop(0)


def _told(ear: Ear) -> None:
    app.hoist.notify_slack = Notify(channel=Channel(Undeliverable("Slack refuses.")))
    app.hoist.notify_on_call = Notify(channel=Channel(TryAgain()))
    functions = {"NotifySlack": app.notify_slack, "NotifyOnCall": app.notify_on_call}
    for function, notify in functions.items():
        with ear.at(function):
            for _ in range(2):
                notify(records(an_alert()), None)


# What the template says


def the_template() -> dict[str, Any]:
    """The template as it is deployed."""
    found: dict[str, Any] = json.loads(package("prod").template.read_text())
    return found


def of_type(template: dict[str, Any], kind: str) -> dict[str, Any]:
    """The properties of all resources of one type, by their names in the template."""
    found = template["Resources"]
    return {name: each["Properties"] for name, each in found.items() if each["Type"] == kind}


def alarms_of(template: dict[str, Any]) -> dict[str, Any]:
    """Every alarm's properties, by its name (without the stack's)."""
    found = of_type(template, "AWS::CloudWatch::Alarm").values()
    return {spelled(each["AlarmName"]).removeprefix("${AWS::StackName}-"): each for each in found}


def spelled(value: Any) -> str:  # noqa: ANN401 - a text or an intrinsic function
    """The value as `Fn::Sub` would spell it, for the stage that is listened to."""
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


def of_function(name: str, function: str) -> Metric:
    """What AWS measures of a function."""
    return Metric("AWS/Lambda", name, frozenset({("FunctionName", f"${{{function}}}")}))


def of_queue(name: str, queue: str) -> Metric:
    """What AWS measures of a queue."""
    return Metric("AWS/SQS", name, frozenset({("QueueName", f"${{{queue}.QueueName}}")}))


def of_the_api(name: str, template: dict[str, Any]) -> Metric:
    """What AWS measures of the API."""
    api = the_api(template)
    title, stage = spelled(api["DefinitionBody"]["info"]["title"]), spelled(api["StageName"])
    return Metric("AWS/ApiGateway", name, frozenset({("ApiName", title), ("Stage", stage)}))


def the_api(template: dict[str, Any]) -> Mapping[str, Any]:
    """The properties of the one API."""
    (api,) = of_type(template, "AWS::Serverless::Api").values()
    found: Mapping[str, Any] = api
    return found
