"""Which trials a run makes, by a seed."""

import random
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a trial does to the stack while its promotions are under way."""

    #: SIGKILL of every process of the worker's Lambda, at a random moment.
    WORKER = "worker killed"
    #: SIGKILL of every process of the API's Lambda while it is asked; the client repeats itself.
    API = "API killed while it is asked"
    #: Two or three workers are given a wake each at the same moment, beside the queue's own.
    TWINS = "several workers at once"
    #: SIGKILL of the Lambdas that tell people, while they have something to tell.
    NOTIFIER = "notifiers killed"
    #: As WORKER, and all wakes are purged: only the watchdog is left.
    WAKE = "worker killed, wakes lost"
    #: As WAKE, and the watchdog is SIGKILLed amid the sweep that would help.
    WATCHDOG = "watchdog killed too"
    #: MiniStack is stopped (SIGTERM: it writes its state) and started again.
    ENGINE = "all of AWS restarted"
    #: SIGSTOP of the Heroku simulator for a while, and SIGCONT.
    HEROKU = "Heroku frozen"


#: Of a hundred trials.
SHARES: Mapping[Kind, int] = {
    Kind.WORKER: 40,
    Kind.API: 17,
    Kind.TWINS: 10,
    Kind.NOTIFIER: 4,
    Kind.WAKE: 13,
    Kind.WATCHDOG: 4,
    Kind.ENGINE: 7,
    Kind.HEROKU: 5,
}


@dataclass(frozen=True, kw_only=True)
class Phase:
    """Kinds that may run side by side, and how many trials at once.

    A trial's kill hits the others' promotions too, as it would in production. Kept apart are
    those whose trouble would be all that the others measure.
    """

    kinds: frozenset[Kind]
    lanes: int
    #: All at once wait for the slowest. They purge all wakes: whoever begins later would purge
    #: those that the watchdog has just sent for the others, again and again.
    in_step: bool = False


PHASES = (
    Phase(kinds=frozenset({Kind.WORKER, Kind.API, Kind.TWINS, Kind.NOTIFIER}), lanes=6),
    Phase(kinds=frozenset({Kind.WAKE, Kind.WATCHDOG}), lanes=8, in_step=True),
    Phase(kinds=frozenset({Kind.HEROKU}), lanes=1),
    Phase(kinds=frozenset({Kind.ENGINE}), lanes=1),
)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One trouble, and what it needs to be made again."""

    n: int
    kind: Kind
    seed: int

    def dice(self) -> random.Random:
        """The same for the same trial of the same run."""
        return random.Random(f"{self.seed} {self.n}")  # noqa: S311 - no secret


def trials(
    count: int, seed: int, kinds: Collection[Kind] = tuple(Kind)
) -> Iterator[tuple[Phase, list[Trial]]]:
    """Yield each phase's trials of these kinds, in an order of the seed's."""
    dice = random.Random(seed)  # noqa: S311 - no secret
    wanted = _wanted(count, kinds)
    n = 0
    for phase in PHASES:
        some = [kind for kind in wanted if kind in phase.kinds for _ in range(wanted[kind])]
        dice.shuffle(some)
        yield phase, [Trial(n=n + i, kind=kind, seed=seed) for i, kind in enumerate(some)]
        n += len(some)


def _wanted(count: int, kinds: Collection[Kind]) -> dict[Kind, int]:
    """How many of each; what does not divide goes to the first."""
    shares = {kind: share for kind, share in SHARES.items() if kind in kinds}
    wanted = {kind: count * share // sum(shares.values()) for kind, share in shares.items()}
    wanted[next(iter(wanted))] += count - sum(wanted.values())
    return wanted
