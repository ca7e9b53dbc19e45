"""What a run found, as tables for docs/performance.md."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.kills.errand import Fate
from bench.kills.plan import Kind

#: Upper ends of the histogram's bars, in seconds.
_BARS = (2, 4, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 300)
_WIDTH = 50


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one trial."""

    n: int
    kind: Kind
    fates: Sequence[Fate]
    #: Requests that callers sent again.
    repeats: int
    #: Notices that did not arrive on both channels, where there was something to tell.
    untold: int = 0
    #: What broke the trial itself, if anything did.
    broken: str = ""

    @property
    def well(self) -> bool:
        """Nothing of what was promised is amiss."""
        return not self.broken and not self.untold and all(fate.well for fate in self.fates)

    @property
    def recovered_seconds(self) -> float | None:
        """From the end of the trouble to the last promotion's end; `None`: it came too late."""
        late = [f.recovered_seconds for f in self.fates if f.recovered_seconds is not None]
        return max(late, default=None)


def tables(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the lines of all tables."""
    yield from _verdicts(outcomes)
    yield ""
    yield from _recoveries(outcomes)
    yield ""
    yield from _histogram(outcomes)


def _verdicts(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield (
        "| kind of trial | trials | promotions | under way | lost | stuck | doubled "
        "| PATCHes each | releases each, most | audit broken | unanswered | sent again |"
    )
    yield "|---|" + "---:|" * 11
    for title, some in _by_kind(outcomes):
        fates = [fate for outcome in some for fate in outcome.fates]
        cells = (
            len(some),
            len(fates),
            sum(fate.recovered_seconds is not None for fate in fates),
            sum(fate.lost for fate in fates),
            sum(fate.stuck for fate in fates),
            sum(fate.doubled for fate in fates),
            f"{sum(fate.patches for fate in fates) / max(len(fates), 1):.2f}",
            max((fate.releases for fate in fates), default=0),
            sum(not fate.verified and fate.state is not None for fate in fates),
            sum(not fate.accepted for fate in fates),
            sum(outcome.repeats for outcome in some),
        )
        yield f"| {title} | " + " | ".join(map(str, cells)) + " |"


def _recoveries(outcomes: Sequence[Outcome]) -> Iterator[str]:
    yield "| seconds from trouble to the last `deployed` | trials | p50 | p90 | p99 | most |"
    yield "|---|---:|---:|---:|---:|---:|"
    for title, some in _by_kind(outcomes):
        found = sorted(
            each.recovered_seconds for each in some if each.recovered_seconds is not None
        )
        if found:
            figures = (*(_percentile(found, p) for p in (50, 90, 99)), found[-1])
            shown = " | ".join(f"{each:.1f}" for each in figures)
            yield f"| {title} | {len(found)} | {shown} |"


def _by_kind(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    for kind in Kind:
        some = [outcome for outcome in outcomes if outcome.kind is kind]
        if some:
            yield kind, some
    yield "**all**", list(outcomes)


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """The smallest of them that so many percent do not exceed (nearest rank)."""
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def _histogram(outcomes: Sequence[Outcome]) -> Iterator[str]:
    found = [o.recovered_seconds for o in outcomes if o.recovered_seconds is not None]
    counts = [
        sum(least < each <= most for each in found)
        for least, most in zip((0, *_BARS), (*_BARS, math.inf), strict=False)
    ]
    longest = max(counts, default=0) or 1
    yield "seconds   trials"
    for least, most, count in zip((0, *_BARS), (*_BARS, math.inf), counts, strict=False):
        bar = "#" * math.ceil(_WIDTH * count / longest)
        yield f"{least:>3} - {most:<4} {count:>4} {bar}".rstrip()
