"""What is counted, and how cells' counts become one."""

import hashlib
from array import array
from collections import Counter, defaultdict
from dataclasses import dataclass, field

HOUR, MINUTE = 3600, 60


def _floats() -> "array[float]":
    return array("d")


@dataclass(kw_only=True)
class Tally:
    """Counts of one cell, or of all of them."""

    counts: Counter[str] = field(default_factory=Counter)
    #: Heroku calls that were answered, and refused with 429, by hour.
    calls: Counter[int] = field(default_factory=Counter)
    limited: Counter[int] = field(default_factory=Counter)
    #: Write units of an index's partition, by second: only the fullest counts.
    partitions: Counter[tuple[str, int]] = field(default_factory=Counter)
    #: Requests to SQS, by minute.
    sqs: Counter[int] = field(default_factory=Counter)
    #: Most workers at once, by minute.
    workers: Counter[int] = field(default_factory=Counter)
    #: From promote to `deployed`, in seconds, by what it was: see `cell.py`.
    latencies: "dict[str, array[float]]" = field(default_factory=lambda: defaultdict(_floats))
    #: From wake to the worker's start, and what one sweep takes, in seconds.
    queued: "array[float]" = field(default_factory=_floats)
    sweeps: "array[float]" = field(default_factory=_floats)
    last_limited: int = -1
    peaks: Counter[str] = field(default_factory=Counter)
    #: Promotions that nobody was told of, or that end up nowhere: what must not be.
    stuck: list[str] = field(default_factory=list)
    digests: dict[int, str] = field(default_factory=dict)

    def call(self, now: float, *, limited: bool, calls: int = 1) -> None:
        """Count Heroku calls."""
        (self.limited if limited else self.calls)[int(now // HOUR)] += calls
        if limited and int(now // MINUTE) != self.last_limited:
            self.last_limited = int(now // MINUTE)
            self.counts["minutes with a 429, of one account"] += 1

    def peak(self, name: str, value: float) -> None:
        """Keep the highest value seen."""
        self.peaks[name] = max(self.peaks[name], round(value))

    def settle_seconds(self) -> None:
        """Keep of each partition its fullest second, and how many were full."""
        for (name, _), units in self.partitions.items():
            # Keys that are one of many share a line.
            self.peak(f"write units a second, {name.split(' app-')[0]}", units)
        self.partitions.clear()

    def add(self, other: "Tally") -> None:
        """Take another cell's counts in."""
        self.counts += other.counts
        for hour, calls in other.calls.items():
            self.peak("Heroku calls an hour, of one account", calls)
            self.calls[hour] += calls
        self.limited += other.limited
        self.sqs += other.sqs
        self.workers += other.workers
        for mine, theirs in (
            *((self.latencies[name], theirs) for name, theirs in other.latencies.items()),
            (self.queued, other.queued),
            (self.sweeps, other.sweeps),
        ):
            mine.extend(theirs)
        for name, value in other.peaks.items():
            self.peak(name, value)
        self.stuck += other.stuck
        self.digests |= other.digests

    @property
    def digest(self) -> str:
        """The same for the same outcome of every promotion."""
        spelled = " ".join(self.digests[cell] for cell in sorted(self.digests))
        return hashlib.sha256(spelled.encode()).hexdigest()[:16]


def quantile(values: "array[float]", share: float) -> float:
    """The value that this share of all lies at or below; 0 for none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0
