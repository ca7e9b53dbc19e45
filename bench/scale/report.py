"""The figures, as tables."""

from bench.scale.tally import MINUTE, Tally, quantile

_SHARES = (0.5, 0.9, 0.99, 1.0)


def show(tally: Tally, days: float) -> None:
    """Print them."""
    counts = tally.counts
    print(f"\n{counts['promotions']:,} promotions in {days:g} days, digest {tally.digest}")
    print(f"stuck: {len(tally.stuck)}", *tally.stuck[:20], sep="\n  ")
    _latencies(tally)
    print("\n| Heroku, SQS, workers | |\n|---|---:|")
    for name, value in _resources(tally):
        print(f"| {name} | {value:,.2f} |".replace(".00 |", " |"))
    print("\n| count | |\n|---|---:|")
    for name in sorted(counts):
        print(f"| {name} | {counts[name]:,} |")
    for name in sorted(tally.peaks):
        print(f"| peak: {name} | {tally.peaks[name]:,} |")


def _latencies(tally: Tally) -> None:
    print("\n| seconds | n | p50 | p90 | p99 | most |\n|---|---:|---:|---:|---:|---:|")
    for name, values in (
        *(
            (f"promote to deployed: {name}", tally.latencies[name])
            for name in sorted(tally.latencies)
        ),
        ("wake to worker", tally.queued),
        ("a sweep, with something deploying", tally.sweeps),
    ):
        figures = " | ".join(f"{quantile(values, share):,.1f}" for share in _SHARES)
        print(f"| {name} | {len(values):,} | {figures} |")


def _resources(tally: Tally) -> list[tuple[str, float]]:
    counts = tally.counts
    promotions = max(1, counts["promotions"])
    deployed = max(1, counts["settled deployed"])
    return [
        ("releases per deployed promotion", counts["releases by Hoist"] / deployed),
        ("Heroku calls", sum(tally.calls.values())),
        ("Heroku calls per promotion, drift's included", sum(tally.calls.values()) / promotions),
        ("calls refused with 429", sum(tally.limited.values())),
        ("write units per promotion", counts["write units"] / promotions),
        ("read units per promotion", counts["read units x2"] / 2 / promotions),
        ("SQS requests per promotion", counts["SQS requests"] / promotions),
        ("SQS requests a second, busiest minute", max(tally.sqs.values(), default=0) / MINUTE),
        ("workers at once, most in a cell", max(tally.workers.values(), default=0)),
    ]
