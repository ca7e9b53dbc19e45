"""No function fails, or stands still, without an alarm: by what then shows, not one for each."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

import pytest

import app
from infra.paths import ROOT
from tests.integration.measured import (
    SCHEDULE,
    Ear,
    Metric,
    metrics_of,
    of_a_day,
    of_function,
    of_queue,
    of_the_api,
    of_type,
    on_stage,
    spelled,
    the_api,
)


class Trouble(Enum):
    """What may be wrong with a function, for good."""

    FAILS = "it raises, runs out of time or is killed, each time"
    THROTTLED = "Lambda turns each call away"
    NOT_CALLED = "nobody calls it who should: its trigger is off, or may not call"


@dataclass(frozen=True)
class Sign:
    """What a metric does while a function is in trouble."""

    metric: Metric
    #: It is the metric's silence that tells.
    silence: bool = False


def signs(function: str, trouble: Trouble, template: dict[str, Any]) -> Iterator[Sign]:
    """How it shows that the function is in this trouble, by what the template connects it to."""
    if trouble is not Trouble.NOT_CALLED:
        # What Lambda turns away counts as no error, and the other way round.
        yield Sign(of_function("Errors" if trouble is Trouble.FAILS else "Throttles", function))
    if stands_behind_the_api(function, template):
        # 502 or 504 where it fails, 500 where Lambda turns the call away.
        # https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway-errors.html
        yield Sign(of_the_api("5XXError", template))
    for event in events_of(function, template):
        source = event["Properties"]
        match event["Type"]:
            case "Schedule":
                yield from (Sign(metric, silence=True) for metric in only_of(function))
            case "SQS":
                yield from _signs_of_a_queue(source["Queue"], trouble, template)
            case "DynamoDB":
                yield from _signs_of_a_stream(source, function, trouble)


def _signs_of_a_queue(
    arn: Mapping[str, Any], trouble: Trouble, template: dict[str, Any]
) -> Iterator[Sign]:
    """What is not taken off a queue ages; what was received too often dies."""
    queue = named_by(arn)
    yield Sign(of_queue("ApproximateAgeOfOldestMessage", queue))
    if trouble is Trouble.FAILS:
        redrive = of_type(template, "AWS::SQS::Queue")[queue]["RedrivePolicy"]
        dead = named_by(redrive["deadLetterTargetArn"])
        yield Sign(of_queue("ApproximateNumberOfMessagesVisible", dead))


def _signs_of_a_stream(
    source: Mapping[str, Any], function: str, trouble: Trouble
) -> Iterator[Sign]:
    """What has failed too often, or grown too old, dies. Unread, a stream shows nothing."""
    if trouble is Trouble.FAILS:
        # Told when a batch was processed, so perhaps never of one that Lambda turns away.
        # https://docs.aws.amazon.com/lambda/latest/dg/events-dynamodb-metrics.html
        yield Sign(of_function("IteratorAge", function))
    if trouble is not Trouble.NOT_CALLED:
        dead = named_by(source["DestinationConfig"]["OnFailure"]["Destination"])
        yield Sign(of_queue("ApproximateNumberOfMessagesVisible", dead))


def named_by(arn: Mapping[str, Any]) -> str:
    """The resource whose ARN it is."""
    name, attribute = arn["Fn::GetAtt"]
    assert attribute == "Arn"
    return str(name)


def events_of(function: str, template: dict[str, Any]) -> list[dict[str, Any]]:
    """What calls the function, but for API Gateway."""
    return [*of_type(template, "AWS::Serverless::Function")[function].get("Events", {}).values()]


def called_by(kind: str, template: dict[str, Any]) -> set[str]:
    """The functions that such events call."""
    functions = of_type(template, "AWS::Serverless::Function")
    return {
        function
        for function in functions
        if any(event["Type"] == kind for event in events_of(function, template))
    }


def stands_behind_the_api(function: str, template: dict[str, Any]) -> bool:
    """Does API Gateway call it, for an answer or to learn who asks?"""
    return f"${{{function}.Arn}}/invocations" in json.dumps(the_api(template)["DefinitionBody"])


def only_of(function: str) -> frozenset[Metric]:
    """The metrics that this function writes, and no other."""
    others = (metrics for name, metrics in of_a_day().items() if name != function)
    return frozenset(of_a_day().get(function, {})).difference(*others)


def rings_by(alarm: Mapping[str, Any]) -> set[Sign]:
    """What makes an alarm ring: much of its metrics, or their silence."""
    if alarm["TreatMissingData"] == "breaching":
        assert alarm["ComparisonOperator"] == "LessThanThreshold"
        assert alarm["Threshold"] > 0
        return {Sign(metric, silence=True) for metric in metrics_of(alarm)}
    assert alarm["ComparisonOperator"].startswith("GreaterThan")
    return {Sign(metric) for metric in metrics_of(alarm)}


BEHIND_THE_API = dict.fromkeys(Trouble, ("api-5xx",))
#: By which alarms each function's troubles are noticed. A new function needs a row of its own.
NOTICED: Mapping[str, Mapping[Trouble, tuple[str, ...]]] = {
    # Callers are answered a 5xx. While nobody calls, nobody is harmed.
    "APIHandler": BEHIND_THE_API,
    "Authorize": BEHIND_THE_API,
    # What it does not do climbs the ladder too; an hour and a half is for a queue nobody reads.
    "Work": {
        Trouble.FAILS: ("errors-work", "dead-wakes"),
        Trouble.THROTTLED: ("throttles-work", "oldest-wake"),
        Trouble.NOT_CALLED: ("oldest-wake",),
    },
    # Both tell of each run that gets to its end, and of no other.
    "Watch": dict.fromkeys(Trouble, ("watchdog-silent",)),
    "Drift": dict.fromkeys(Trouble, ("drift-silent",)),
    # What is tried again is late, and after an hour it is dead. An event source that somebody
    # switched off is noticed by nothing: a stream that is not read looks like one without news.
    "NotifyOnCall": {
        Trouble.FAILS: ("notices-late-on-call", "dead-notices"),
        Trouble.THROTTLED: ("dead-notices",),
        Trouble.NOT_CALLED: (),
    },
    "NotifySlack": {
        Trouble.FAILS: ("notices-late-slack", "dead-notices"),
        Trouble.THROTTLED: ("dead-notices",),
        Trouble.NOT_CALLED: (),
    },
}


def test_every_function_has_its_row_and_the_other_way_round(template: dict[str, Any]) -> None:
    functions = of_type(template, "AWS::Serverless::Function")

    assert NOTICED.keys() == functions.keys()
    assert all(troubles.keys() == set(Trouble) for troubles in NOTICED.values())


@pytest.mark.parametrize(
    ("function", "trouble", "alarm"),
    [
        pytest.param(function, trouble, alarm, id=f"{function}-{trouble.name}-{alarm}")
        for function, troubles in NOTICED.items()
        for trouble, names in troubles.items()
        for alarm in names
    ],
)
def test_an_alarm_rings_by_what_shows_a_functions_trouble(
    function: str,
    trouble: Trouble,
    alarm: str,
    alarms: dict[str, Any],
    template: dict[str, Any],
) -> None:
    shown = set(signs(function, trouble, template))

    assert rings_by(alarms[alarm]) & shown


def test_nothing_is_left_unnoticed_but_a_stream_that_is_not_read(template: dict[str, Any]) -> None:
    unnoticed = {
        (function, trouble)
        for function, troubles in NOTICED.items()
        for trouble, names in troubles.items()
        if not names
    }

    assert unnoticed == {
        (function, Trouble.NOT_CALLED) for function in called_by("DynamoDB", template)
    }


#: What is called by a schedule, and the use case that it calls in turn.
SCHEDULES: Mapping[str, tuple[Callable[..., object], str]] = {
    "Watch": (app.watch, "watch"),
    "Drift": (app.drift, "watch_drift"),
}


#: What reads the audit table's stream.
STREAMS = ("NotifyOnCall", "NotifySlack")


def test_what_holds_for_schedules_and_streams_is_asked_of_each(template: dict[str, Any]) -> None:
    assert called_by("Schedule", template) == SCHEDULES.keys()
    assert called_by("DynamoDB", template) == set(STREAMS)


def dies() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("function", SCHEDULES)
def test_a_run_that_dies_on_its_way_tells_nothing(function: str) -> None:
    handler, use_case = SCHEDULES[function]
    ear = Ear()

    with on_stage(), ear.at(function):
        setattr(app.hoist, use_case, dies)
        with pytest.raises(ZeroDivisionError):
            handler(SCHEDULE, None)

    assert ear.written == {function: {}}


STATISTICS: Mapping[str, Callable[[list[float]], float]] = {"Sum": sum, "SampleCount": len}


@pytest.mark.parametrize("function", SCHEDULES)
def test_a_run_that_has_nothing_to_tell_keeps_its_alarm_quiet(
    function: str, alarms: dict[str, Any]
) -> None:
    (name,) = NOTICED[function][Trouble.FAILS]
    alarm, ear = alarms[name], Ear()
    handler, _ = SCHEDULES[function]

    with on_stage(), ear.at(function):
        handler(SCHEDULE, None)

    (metric,) = metrics_of(alarm)
    value = STATISTICS[alarm["Statistic"]](ear.written[function][metric])
    assert value >= alarm["Threshold"]


@pytest.mark.parametrize("function", SCHEDULES)
def test_silence_is_longer_than_one_call_that_is_lost(
    function: str, alarms: dict[str, Any], template: dict[str, Any]
) -> None:
    (name,) = NOTICED[function][Trouble.FAILS]
    (event,) = events_of(function, template)
    every = re.fullmatch(r"rate\((\d+) minutes?\)", event["Properties"]["Schedule"])

    assert every is not None
    assert alarms[name]["Period"] == int(every[1]) * 60
    assert alarms[name]["DatapointsToAlarm"] == alarms[name]["EvaluationPeriods"]
    assert alarms[name]["EvaluationPeriods"] >= 2


@pytest.mark.parametrize("function", STREAMS)
def test_notices_are_late_long_before_they_are_given_up(
    function: str, alarms: dict[str, Any], template: dict[str, Any]
) -> None:
    (late,) = (alarms[name] for name in NOTICED[function][Trouble.FAILS] if "late" in name)
    (event,) = events_of(function, template)

    rings_after = late["Threshold"] / 1000 + late["EvaluationPeriods"] * late["Period"]

    assert rings_after <= event["Properties"]["MaximumRecordAgeInSeconds"] / 2


def test_where_a_function_does_not_answer_api_gateway_answers_a_5xx(
    template: dict[str, Any],
) -> None:
    # https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
    unanswered = {
        "API_CONFIGURATION_ERROR",
        "AUTHORIZER_CONFIGURATION_ERROR",
        "AUTHORIZER_FAILURE",
        "INTEGRATION_FAILURE",
        "INTEGRATION_TIMEOUT",
        "DEFAULT_5XX",
    }
    definition = the_api(template)["DefinitionBody"]
    responses = definition["x-amazon-apigateway-gateway-responses"]

    statuses = {name: each["statusCode"] for name, each in responses.items() if name in unanswered}

    assert {name: status for name, status in statuses.items() if status[0] != "5"} == {}
    assert len(statuses) >= 3


def test_the_runbook_says_by_what_each_function_is_noticed(
    alarms: dict[str, Any],
    template: dict[str, Any],
) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text()
    section = runbook.partition("### A function fails\n")[2].partition("\n### ")[0]
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*?) \|", section, re.MULTILINE))

    said = {name: set(re.findall(r"`(alarm-[\w-]+)`", row)) for name, row in rows.items()}

    assert said == {
        called_in_its_log(function, template): {
            entry_of(alarms[name]) for names in troubles.values() for name in names
        }
        for function, troubles in NOTICED.items()
    }


def entry_of(alarm: Mapping[str, Any]) -> str:
    """The runbook entry that an alarm leads to."""
    return spelled(alarm["AlarmDescription"]).rpartition("#")[2]


def called_in_its_log(function: str, template: dict[str, Any]) -> str:
    """What people call a function: the last word of its log group's name."""
    properties = of_type(template, "AWS::Serverless::Function")[function]
    group = of_type(template, "AWS::Logs::LogGroup")[properties["LoggingConfig"]["LogGroup"]["Ref"]]
    return spelled(group["LogGroupName"]).rpartition("/")[2]
