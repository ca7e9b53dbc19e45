"""Run the simulation, and print what came of it."""

import argparse
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from bench.scale.cell import Cell, Plan
from bench.scale.report import show
from bench.scale.tally import Tally

#: Cells whose trains leave in the same minute: 500 targets.
_A_TRAIN, _CELLS_TO_A_TRAIN = 5, 12


def plans(arguments: argparse.Namespace) -> Iterator[Plan]:
    """The cells: so many targets each, and their share of the promotions."""
    size = round(arguments.cell * arguments.scale)
    cells = max(1, round(arguments.targets * arguments.scale / size))
    each = round(arguments.promotions * arguments.scale / cells)
    for n in range(cells):
        on_board = n % _CELLS_TO_A_TRAIN < _A_TRAIN
        frozen = n // _CELLS_TO_A_TRAIN % 2 == 1
        yield Plan(
            seed=arguments.seed,
            cell=n,
            targets=size,
            promotions=each,
            days=arguments.days,
            outages=not arguments.fair,
            train=frozen if on_board else None,
            train_flags=min(50, each // (2 * size)),
            limited=not arguments.unlimited,
            workers=arguments.workers,
            drift=not arguments.no_drift,
            admit=arguments.admit,
            lost=arguments.lost,
        )


def lived(plan: Plan) -> Tally:
    """One cell's month. What it leaves is collected at its end, not while it lives."""
    gc.disable()
    tally = Cell(plan).run()
    gc.collect()
    return tally


def parsed() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("--targets", type=int, default=10_000)
    parser.add_argument("--promotions", type=int, default=1_000_000)
    parser.add_argument("--days", type=float, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cell", type=int, default=100, help="targets of one stack and account")
    parser.add_argument("--scale", type=float, default=1, help="times the targets of each cell")
    parser.add_argument("--workers", type=int, default=20, help="MaximumConcurrency")
    parser.add_argument("--fair", action="store_true", help="no outages")
    parser.add_argument("--unlimited", action="store_true", help="Heroku without a rate limit")
    parser.add_argument("--no-drift", action="store_true", help="nobody compares")
    parser.add_argument(
        "--admit", type=int, default=0, help="what if workers began only with so many calls left"
    )
    parser.add_argument("--lost", type=float, default=0.001, help="how many of the wakes get lost")
    parser.add_argument("--minutes", type=float, default=30, help="no cell begins after that")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="also every count, as JSON")
    return parser.parse_args()


def lived_until(wanted: list[Plan], processes: int, deadline: float) -> Iterator[Tally]:
    """Cells as they come to their end; none begins after the deadline."""
    waiting = deque(wanted)
    with ProcessPoolExecutor(processes) as pool:
        running: set[Future[Tally]] = set()
        while running or (waiting and time.monotonic() < deadline):
            while waiting and len(running) < processes and time.monotonic() < deadline:
                running.add(pool.submit(lived, waiting.popleft()))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in done)


def main() -> int:
    """Do what the command line says. Exit status 1: something got stuck, or was not true."""
    arguments = parsed()
    print(f"seed {arguments.seed}", flush=True)
    began, tally = time.monotonic(), Tally()
    wanted = list(plans(arguments))
    deadline = began + 60 * arguments.minutes
    for done, each in enumerate(lived_until(wanted, arguments.processes, deadline), start=1):
        tally.add(each)
        seconds = time.monotonic() - began
        print(f"{done} of {len(wanted)} cells, {seconds:.0f} s", file=sys.stderr, flush=True)
    print(f"{len(tally.digests)} of {len(wanted)} cells of {wanted[0].targets} targets")
    show(tally, arguments.days)
    if arguments.json:
        print(json.dumps({**tally.counts, **tally.peaks}, indent=1, sort_keys=True))
    return 1 if tally.stuck or tally.counts["deployed, and not live"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
