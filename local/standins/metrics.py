"""From the functions' logs into CloudWatch, as AWS does it with the embedded metric format."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from local.standins.emf import Datum, data_in

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_cloudwatch.literals import StandardUnitType
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient

#: A line is looked for this long after its time: several functions write at once.
_OVERLAP_MILLISECONDS = 5000
#: What PutMetricData takes at once.
_BATCH = 100


@dataclass(kw_only=True)
class LogTail:
    """The lines of all functions, each once."""

    logs: "CloudWatchLogsClient"
    #: Log groups whose names begin so.
    prefix: str
    #: Milliseconds since 1970; what is older is old news.
    since: int
    _seen: dict[tuple[str, str, int, str], int] = field(default_factory=dict)

    def new_lines(self) -> list[str]:
        """Return the lines that were written since the last call."""
        groups = self.logs.describe_log_groups(logGroupNamePrefix=self.prefix)["logGroups"]
        fresh = [line for group in groups for line in self._of(group["logGroupName"])]
        newest = max(self._seen.values(), default=self.since)
        self.since = max(self.since, newest - _OVERLAP_MILLISECONDS)
        self._seen = {key: at for key, at in self._seen.items() if at >= self.since}
        return fresh

    def _of(self, group: str) -> list[str]:
        lines = []
        found = self.logs.filter_log_events(logGroupName=group, startTime=self.since)
        for event in found["events"]:
            at, line = event["timestamp"], event["message"]
            key = (group, event["logStreamName"], at, line)
            if key not in self._seen:
                self._seen[key] = at
                lines.append(line)
        return lines


@dataclass(frozen=True, kw_only=True)
class Forwarder:
    """Puts the metrics within the logs where alarms look for them."""

    tail: LogTail
    cloudwatch: "CloudWatchClient"

    def __call__(self) -> int:
        """Forward what has come since the last call; return how many data that were."""
        data = [datum for line in self.tail.new_lines() for datum in data_in(line)]
        for namespace in {datum.namespace for datum in data}:
            self._put(namespace, [_spelled(d) for d in data if d.namespace == namespace])
        return len(data)

    def _put(self, namespace: str, data: "list[MetricDatumTypeDef]") -> None:
        for begin in range(0, len(data), _BATCH):
            self.cloudwatch.put_metric_data(
                Namespace=namespace, MetricData=data[begin : begin + _BATCH]
            )


def _spelled(datum: Datum) -> "MetricDatumTypeDef":
    return {
        "MetricName": datum.name,
        "Dimensions": [{"Name": name, "Value": value} for name, value in datum.dimensions.items()],
        "Timestamp": datum.at,
        "Unit": cast("StandardUnitType", datum.unit),
        "Values": datum.values,
    }
