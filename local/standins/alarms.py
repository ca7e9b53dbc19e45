"""The alarms that MiniStack leaves alone, judged by CloudWatch's rules.

MiniStack judges an alarm when data for its metric are put, and only then: so it never sees that
data are missing. Here, an alarm on metrics of Hoist's own is judged where its whole window is
empty, which is just where MiniStack does not. And it emits no metrics of queues: alarms on those
are judged here altogether, from the queues themselves.

Not as in AWS: MiniStack takes the statistic over the whole window at once (no M of N), and
CloudWatch looks back further than the window before it calls data missing, so it is slower.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.literals import StateValueType
    from mypy_boto3_cloudwatch.type_defs import MetricAlarmTypeDef

OWN_NAMESPACE = "Hoist"
QUEUES_NAMESPACE = "AWS/SQS"

#: What an empty window means; `None` leaves the alarm as it is.
_WHEN_MISSING: "Mapping[str, StateValueType | None]" = {
    "breaching": "ALARM",
    "notBreaching": "OK",
    "missing": "INSUFFICIENT_DATA",
    "ignore": None,
}
_EXCEEDS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": lambda value, threshold: value > threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "LessThanOrEqualToThreshold": lambda value, threshold: value <= threshold,
}


@dataclass(frozen=True, kw_only=True)
class AlarmJudge:
    """Judges the alarms of one stack. Each call looks once."""

    cloudwatch: "CloudWatchClient"
    #: Gives a queue's metric, by the queue's name and the metric's.
    measure: Callable[[str, str], float]
    now: Callable[[], datetime]
    #: No window is called empty that began before anybody filled it.
    since: datetime
    stack: str
    _readings: dict[str, deque[tuple[datetime, bool]]] = field(default_factory=dict)

    def __call__(self) -> None:
        """Set the state of each alarm that is not as it should be."""
        prefix = f"{self.stack}-"
        for page in self.cloudwatch.get_paginator("describe_alarms").paginate(
            AlarmNamePrefix=prefix
        ):
            for alarm in page["MetricAlarms"]:
                verdict = self._verdict(alarm)
                if verdict and verdict[0] != alarm["StateValue"]:
                    self.cloudwatch.set_alarm_state(
                        AlarmName=alarm["AlarmName"],
                        StateValue=verdict[0],
                        StateReason=verdict[1],
                    )

    def _verdict(self, alarm: "MetricAlarmTypeDef") -> "tuple[StateValueType, str] | None":
        match alarm.get("Namespace"):
            case str(name) if name == OWN_NAMESPACE:
                return self._if_missing(alarm)
            case str(name) if name == QUEUES_NAMESPACE:
                return self._of_queue(alarm)
            case _:
                return None

    def _if_missing(self, alarm: "MetricAlarmTypeDef") -> "tuple[StateValueType, str] | None":
        rule = alarm.get("TreatMissingData", "missing")
        state = _WHEN_MISSING[rule]
        began = self.now() - window(alarm)
        if state in {None, alarm["StateValue"]} or began < self.since or self._any(alarm, began):
            return None
        seconds = window(alarm).total_seconds()
        return state, f"No data for {seconds:.0f} s, which is treated as {rule}."

    def _any(self, alarm: "MetricAlarmTypeDef", began: datetime) -> bool:
        found = self.cloudwatch.get_metric_statistics(
            Namespace=alarm["Namespace"],
            MetricName=alarm["MetricName"],
            Dimensions=alarm["Dimensions"],
            StartTime=began,
            # The end is not part of it.
            EndTime=self.now() + timedelta(seconds=1),
            Period=alarm["Period"],
            Statistics=["SampleCount"],
        )
        return bool(found["Datapoints"])

    def _of_queue(self, alarm: "MetricAlarmTypeDef") -> "tuple[StateValueType, str]":
        """In alarm from when every reading of its window exceeds the threshold."""
        (dimension,) = alarm["Dimensions"]
        value = self.measure(dimension["Value"], alarm["MetricName"])
        exceeds = _EXCEEDS[alarm["ComparisonOperator"]](value, alarm["Threshold"])
        now = self.now()
        readings = self._readings.setdefault(alarm["AlarmName"], deque())
        readings.append((now, exceeds))
        # One period is judged at once; more have to pass.
        begins = now - window(alarm) + timedelta(seconds=alarm["Period"])
        while len(readings) > 1 and readings[1][0] <= begins:
            readings.popleft()
        lasted = readings[0][0] <= begins and all(each for _, each in readings)
        return ("ALARM" if lasted else "OK", f"{alarm['MetricName']} is {value:g}.")


def window(alarm: "MetricAlarmTypeDef") -> timedelta:
    """Return the time that an alarm looks at."""
    return timedelta(seconds=alarm["Period"] * alarm["EvaluationPeriods"])
