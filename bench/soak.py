"""What the contract promises, tried many thousand times on a local stack of its own.

Every caller at once sends requests that schemathesis makes up from the served contract; the seed
that is printed makes them up again. Exit status 1: something failed, or too little was tried.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from local.child import LocalStackError
from local.stack import local_stack
from tests.fuzz.fuzzing import Effort, fuzz
from tests.fuzz.plan import Report

#: Few, so that every operation gets its turn early, and many turns.
EXAMPLES = 20


def show(report: Report) -> None:
    """Print the answers of each operation, how often each check was made, and what failed."""
    answers: dict[str, Counter[str]] = {}
    for (_, label, answer), n in report.answers.items():
        answers.setdefault(label, Counter())[answer] += n
    for label, each in sorted(answers.items()):
        print(f"{label}: {', '.join(f'{answer} ({n})' for answer, n in sorted(each.items()))}")
    refused = [label for label, each in answers.items() if not any(a[0] in "23" for a in each)]
    print("always refused:", ", ".join(sorted(refused)))
    print("checks:", ", ".join(f"{name} {n}" for name, n in sorted(report.checks.items())))
    for error in report.errors:
        print(f"\nERROR {error}")
    for failure, times in report.failures.items():
        print(f"\nFAILED {times} times: {failure}")
    for bug, times in report.bugs.items():
        print(f"\nLOGGED {times} times: {bug}")


def soak(effort: Effort) -> int:
    """Do it, and say what came of it."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as state, local_stack(Path(state)) as stack:
        report = fuzz(stack, effort)
        stack.require_alive()
    show(report)
    failed = report.failures.total() + len(report.errors)
    seconds = time.monotonic() - began
    print(
        f"\nseed {effort.seed}: {report.cases} requests in {seconds:.0f} s, "
        f"{report.server_errors} server errors, {failed} failures"
    )
    return 0 if report.good and report.cases >= (effort.cases or 0) else 1


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000, help="requests, at the least")
    parser.add_argument("--minutes", type=int, default=60, help="time, at the most")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    effort = Effort(
        seed=arguments.seed,
        cases=arguments.cases,
        seconds=arguments.minutes * 60,
        examples=EXAMPLES,
    )
    try:
        return soak(effort)
    except LocalStackError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
