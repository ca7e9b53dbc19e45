"""What Hoist measures of itself: reports as metric values, by name.

Names are said here and nowhere else; alarms and dashboard use them. No id, flag or target is ever
a dimension: each would be a metric of its own, paid and looked at by nobody.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from chalicelib.domain.promotion import Promotion, Rung, SettledBy
from chalicelib.usecases.drift import DriftReport
from chalicelib.usecases.notify import Notified
from chalicelib.usecases.watch import WatchReport
from chalicelib.usecases.work import WorkReport

NAMESPACE = "Hoist"
#: An age that is not known counts as infinitely old; a metric has to be a number.
_UNKNOWN_AGE = timedelta(days=365)


class Unit(StrEnum):
    """CloudWatch's units that we use."""

    SECONDS = "Seconds"
    COUNT = "Count"


#: Every metric and its unit.
UNITS: Mapping[str, Unit] = MappingProxyType(
    {
        # Of a promotion: from accepted to settled, to the confirmed PATCH, and from there on.
        "QueueLatency": Unit.SECONDS,
        "TimeToPatch": Unit.SECONDS,
        "ReleaseWait": Unit.SECONDS,
        "Patches": Unit.COUNT,
        "Settled": Unit.COUNT,
        "SettledByWorker": Unit.COUNT,
        "SettledByWatchdog": Unit.COUNT,
        "SettledByOperator": Unit.COUNT,
        # Of each sweep.
        "WatchdogHeartbeat": Unit.COUNT,
        "SweepFailures": Unit.COUNT,
        "Deploying": Unit.COUNT,
        "OldestDeployingAge": Unit.SECONDS,
        "RungInfo": Unit.COUNT,
        "RungSev3": Unit.COUNT,
        "RungWarning": Unit.COUNT,
        "RungCritical": Unit.COUNT,
        # Of each comparison with what was deployed.
        "DriftingFlags": Unit.COUNT,
        # Of Heroku.
        "HerokuCalls": Unit.COUNT,
        "HerokuErrors": Unit.COUNT,
        "HerokuCallsLeft": Unit.COUNT,
        "HerokuAccessDenied": Unit.COUNT,
        # Of notices.
        "NoticesDelivered": Unit.COUNT,
        # Refused for good: somebody has to act …
        "DeliveryFailures": Unit.COUNT,
        # … and away just now: it is delivered again.
        "DeliveryRetries": Unit.COUNT,
    },
)

_BY = {
    SettledBy.WORKER: "SettledByWorker",
    SettledBy.WATCHDOG: "SettledByWatchdog",
    SettledBy.OPERATOR: "SettledByOperator",
}
_RUNGS = {
    Rung.INFO: "RungInfo",
    Rung.SEV3: "RungSev3",
    Rung.WARNING: "RungWarning",
    Rung.CRITICAL: "RungCritical",
}

#: A metric's name and one value of it; a name may come several times.
Values = Iterator[tuple[str, float]]


def of_settled(promotion: Promotion) -> Values:
    """What the end of a promotion tells."""
    yield "Settled", 1
    if promotion.settled_by:
        yield _BY[promotion.settled_by], 1
    yield from _durations(promotion)


def _durations(promotion: Promotion) -> Values:
    accepted, patched, ended = promotion.promoted_at, promotion.patched_at, promotion.settled_at
    yield from _between("QueueLatency", accepted, ended)
    yield from _between("TimeToPatch", accepted, patched)
    yield from _between("ReleaseWait", patched, ended)


def _between(name: str, begin: datetime | None, end: datetime | None) -> Values:
    if begin and end:
        yield name, (end - begin).total_seconds()


def of_work(report: WorkReport) -> Values:
    """What a worker's visit tells."""
    for promotion in report.settled:
        yield from of_settled(promotion)
    yield "Patches", report.patches
    yield "HerokuCalls", report.usage.calls
    yield "HerokuErrors", report.usage.errors
    yield "HerokuAccessDenied", 1 if report.access_denied else 0
    if report.usage.left is not None:
        yield "HerokuCallsLeft", report.usage.left


def of_sweep(report: WatchReport) -> Values:
    """What a sweep tells; that it tells anything is the watchdog's heartbeat."""
    yield "WatchdogHeartbeat", 1
    yield "SweepFailures", len(report.broken) + len(report.unreached)
    yield "Deploying", report.deploying
    yield "OldestDeployingAge", min(report.oldest, _UNKNOWN_AGE).total_seconds()
    for rung, name in _RUNGS.items():
        yield name, report.rungs[rung]
    for _ in report.expired:
        yield "Settled", 1
        yield _BY[SettledBy.WATCHDOG], 1


def of_drift(report: DriftReport) -> Values:
    """What a comparison of all targets tells."""
    yield "DriftingFlags", sum(len(flags) for flags in report.drifting.values())
    # A token that expires while nothing is promoted is seen here first.
    yield "HerokuAccessDenied", 1 if report.access_denied else 0


def of_notice(notified: Notified) -> Values:
    """What the delivery of an audit entry tells; most entries concern nobody."""
    if notified.undeliverable:
        yield "DeliveryFailures", 1
    elif notified.notice:
        yield "NoticesDelivered", 1
        yield "DeliveryFailures", 0
