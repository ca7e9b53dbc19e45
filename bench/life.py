"""A million things that may happen to Hoist, made up from a seed: what holds, and how often met.

The machine of `tests/life` in several processes. Exit status 1: something did not hold (the
shortest story that shows it is printed), or a fault or an end was not met in a million steps.
"""

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.reporting import with_reporter
from hypothesis.stateful import run_state_machine_as_test

from tests.life.machine import LifeMachine
from tests.life.story import Broken
from tests.life.tally import Tally, ends, faults

#: One batch is one seed: some ten thousand steps.
LIVES, STEPS_EACH = 100, 100
#: In fewer steps, what is rare may not be met.
ALL_IS_MET_IN = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Batch:
    """What came of one seed."""

    seed: int
    steps: int
    cpu_seconds: float
    counts: Counter[str]
    failure: str | None


def live(number: int) -> Batch:
    """Run the lives of one seed."""
    LifeMachine.tally = tally = Tally()
    began = time.process_time()
    failure = None
    with _quietly():
        try:
            _run(number)
        except Broken as broken:
            failure = str(broken)
        except Exception as error:  # noqa: BLE001 - told, with its seed, and not lost in the pool
            failure = repr(error)
    return Batch(
        seed=number,
        steps=tally.steps,
        cpu_seconds=time.process_time() - began,
        counts=tally.counts,
        failure=failure,
    )


def _run(number: int) -> None:
    machine = seed(number)(type("Lives", (LifeMachine,), {}))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS_EACH,
            phases=[Phase.generate, Phase.shrink],
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            print_blob=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """The story says it better than the calls do."""
    with with_reporter(lambda _: None):
        yield


def batches(steps: int, first_seed: int, processes: int) -> Iterator[Batch]:
    """Run batches, seed after seed, until there were that many steps, or one has failed."""
    done, next_seed, failed = 0, first_seed, False
    with ProcessPoolExecutor(processes) as pool:
        running = {pool.submit(live, next_seed + n) for n in range(processes)}
        next_seed += processes
        while running:
            finished = next(as_completed(running))
            running.remove(finished)
            batch = finished.result()
            done += batch.steps
            yield batch
            failed = failed or batch.failure is not None
            if not failed and done < steps:
                running.add(pool.submit(live, next_seed))
                next_seed += 1


def soak(steps: int, first_seed: int, processes: int) -> int:
    """Do it, and say what came of it."""
    began = time.monotonic()
    counts: Counter[str] = Counter()
    done, cpu, failures = 0, 0.0, []
    for batch in batches(steps, first_seed, processes):
        counts += batch.counts
        done, cpu = done + batch.steps, cpu + batch.cpu_seconds
        print(f"seed {batch.seed}: {done:,} steps so far", file=sys.stderr, flush=True)
        if batch.failure:
            failures.append(f"seed {batch.seed}: {batch.failure}")
    named = [*faults(), *ends()]
    for name in [*named, *sorted(counts.keys() - set(named))]:
        print(f"{counts[name]:>9,}  {name}")
    never = [name for name in named if not counts[name]]
    print("".join(f"\nNEVER MET: {name}" for name in never))
    for failure in failures:
        print(f"\nFAILED {failure}")
    seconds = time.monotonic() - began
    print(
        f"\nseed {first_seed}: {done:,} steps in {seconds:.0f} s ({done / seconds:,.0f} steps/s, "
        f"{done / cpu:,.0f} a core's second), {len(failures)} failures, {len(never)} never met"
    )
    missed = never if steps >= ALL_IS_MET_IN else []
    return 1 if failures or missed or done < steps else 0


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.life", description=__doc__)
    parser.add_argument("--steps", type=int, default=ALL_IS_MET_IN, help="at the least")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    return soak(arguments.steps, arguments.seed, arguments.processes)


if __name__ == "__main__":
    sys.exit(main())
