"""`python -m bench.kills --trials 300 --seed 1`: kill parts of the stack amid promotions.

Prints what came of it, and ends with status 1 where a promotion was lost, is stuck, or restarted
its target more than once, or fewer trials were made than asked for.
"""

import argparse
import queue
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.kills.errand import SETTLES_WITHIN_SECONDS, Errand
from bench.kills.place import Place, place
from bench.kills.plan import Kind, Phase, Trial, trials
from bench.kills.report import Outcome, tables
from bench.kills.trouble import TROUBLES

_TARGETS, _GLASS_TARGETS = 24, 4
_TOLD_WITHIN_SECONDS = 30


@dataclass(kw_only=True)
class Run:
    """All trials of one run, on one stack."""

    place: Place
    #: No trial is begun after that.
    most_minutes: float
    began: float = field(default_factory=time.monotonic)
    outcomes: list[Outcome] = field(default_factory=list)
    _targets: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)
    _glass: "queue.SimpleQueue[str]" = field(default_factory=queue.SimpleQueue)

    def prepare(self) -> None:
        """List the targets. Trials take turns at them; each flag is used once."""
        for n in range(_TARGETS):
            self._targets.put(self.place.target(f"killed-{n}"))
        for n in range(_GLASS_TARGETS):
            # Its policy gives a promote something to break.
            self._glass.put(self.place.target(f"glass-{n}", stage_first=True))

    def phase(self, phase: Phase, wanted: Sequence[Trial]) -> None:
        """Make the trials of one phase, some at once."""
        at_once = phase.lanes if phase.in_step else max(len(wanted), 1)
        with ThreadPoolExecutor(phase.lanes) as lanes:
            for first in range(0, len(wanted), at_once):
                for _ in lanes.map(self.trial, wanted[first : first + at_once]):
                    pass

    def trial(self, trial: Trial) -> None:
        """Make one trial, if there is time. Whatever goes wrong with it is its outcome."""
        if self.minutes > self.most_minutes:
            return
        pool = self._glass if trial.kind is Kind.NOTIFIER else self._targets
        dice = trial.dice()
        count = 3 if trial.kind in {Kind.ENGINE, Kind.HEROKU} else dice.randint(1, 2)
        targets = [pool.get() for _ in range(count if pool is self._targets else 1)]
        try:
            outcome = self._outcome(
                Errand(place=self.place, trial=trial, targets=targets, dice=dice)
            )
        except Exception:  # noqa: BLE001 - a trial that breaks must not hide the others
            outcome = Outcome(
                n=trial.n, kind=trial.kind, fates=(), repeats=0, broken=traceback.format_exc()
            )
        finally:
            for target in targets:
                pool.put(target)
        self._tell(outcome)
        self.outcomes.append(outcome)

    @property
    def minutes(self) -> float:
        """Since the run began."""
        return (time.monotonic() - self.began) / 60

    def report(self, wanted: int, seed: int) -> int:
        """Print the tables; return the exit status."""
        amiss = [outcome for outcome in self.outcomes if not outcome.well]
        print(
            f"\n{len(self.outcomes)} of {wanted} trials in {self.minutes:.0f} min, seed {seed}. "
            f"Stuck: not settled in {SETTLES_WITHIN_SECONDS} s. Amiss: {len(amiss)} trials.\n"
        )
        print("\n".join(tables(self.outcomes)))
        return 1 if amiss or len(self.outcomes) < wanted else 0

    def _outcome(self, errand: Errand) -> Outcome:
        kind = errand.trial.kind
        harmed_at = TROUBLES[kind](errand)
        errand.await_settled()
        return Outcome(
            n=errand.trial.n,
            kind=kind,
            fates=errand.fates(harmed_at),
            repeats=errand.repeats,
            untold=self._untold(errand) if kind is Kind.NOTIFIER else 0,
        )

    def _untold(self, errand: Errand) -> int:
        """How many broken glasses were not told on both channels in time."""
        ends = time.monotonic() + _TOLD_WITHIN_SECONDS
        while True:
            untold = sum(not all(self.place.told(each.id)) for each in errand.asked)
            if not untold or time.monotonic() > ends:
                return untold
            time.sleep(1)

    def _tell(self, outcome: Outcome) -> None:
        took, recovered = 60 * self.minutes, outcome.recovered_seconds
        said = "settled before" if recovered is None else f"{recovered:.1f} s"
        print(f"# {took:6.0f} s  {outcome.n:>4} {outcome.kind}: {said}", flush=True)
        if not outcome.well:
            print(f"# AMISS: {outcome}", flush=True)


def _kinds(text: str) -> tuple[Kind, ...]:
    return tuple(Kind[word] for word in text.split(","))


def main() -> int:
    """Make the trials and print the tables; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.kills", description=__doc__)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seed", type=int, default=20260509)
    parser.add_argument(
        "--kinds", type=_kinds, default=tuple(Kind), help=f"some of {','.join(Kind.__members__)}"
    )
    parser.add_argument("--minutes", type=float, default=90, help="no trial is begun after that")
    parser.add_argument("--keep", type=Path, help="keep the stack's data and logs in this folder")
    arguments = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        place(arguments.keep or Path(directory)) as here,
    ):
        run = Run(place=here, most_minutes=arguments.minutes)
        run.prepare()
        with suppress(KeyboardInterrupt):
            for phase, wanted in trials(arguments.trials, arguments.seed, arguments.kinds):
                run.phase(phase, wanted)
    return run.report(arguments.trials, arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
