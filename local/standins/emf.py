"""CloudWatch's embedded metric format: metrics within a log line.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Datum:
    """What one log line says of one metric, under one set of dimensions."""

    namespace: str
    name: str
    dimensions: Mapping[str, str]
    unit: str
    values: tuple[float, ...]
    at: datetime


def data_in(line: str) -> Iterator[Datum]:
    """Yield what CloudWatch would take out of the line: nothing, if it is no EMF."""
    try:
        document = json.loads(line)
        directives = document["_aws"]["CloudWatchMetrics"]
        at = datetime.fromtimestamp(document["_aws"]["Timestamp"] / 1000, UTC)
    except (ValueError, TypeError, KeyError):
        return
    for directive in directives:
        for names in directive["Dimensions"]:
            dimensions = {name: str(document[name]) for name in names}
            for metric in directive["Metrics"]:
                yield Datum(
                    namespace=directive["Namespace"],
                    name=metric["Name"],
                    dimensions=dimensions,
                    unit=metric.get("Unit", "None"),
                    values=_values(document[metric["Name"]]),
                    at=at,
                )


def _values(found: Any) -> tuple[float, ...]:  # noqa: ANN401 - a number or a list of them
    return tuple(float(value) for value in (found if isinstance(found, list) else [found]))
