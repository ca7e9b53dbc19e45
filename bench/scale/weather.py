"""What goes wrong, and when: the same for every stack, for outages are regional."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

HOUR, DAY = 3600.0, 86400.0


class Storm(StrEnum):
    """What is away."""

    HEROKU_503 = "Heroku answers 503"
    #: Somebody else with the same account uses its calls up.
    HEROKU_429 = "Heroku's rate limit is used up by others"
    SQS = "SQS is down"
    DYNAMODB = "DynamoDB throttles three calls in ten"
    LAMBDA = "no queue or schedule invokes a Lambda"


#: How long each lasts, and how many days there are to one.
_LASTS = {
    Storm.HEROKU_503: (2 * HOUR, 10),
    Storm.HEROKU_429: (1 * HOUR, 10),
    Storm.SQS: (HOUR / 2, 15),
    Storm.DYNAMODB: (HOUR / 6, 10),
    Storm.LAMBDA: (HOUR / 3, 15),
}


@dataclass(frozen=True)
class Spell:
    """One outage."""

    storm: Storm
    begins: float
    ends: float


class Weather:
    """All outages of a run."""

    def __init__(self, spells: Iterable[Spell]) -> None:
        self.spells = sorted(spells, key=lambda spell: spell.begins)
        self._by = {s: [x for x in self.spells if x.storm is s] for s in Storm}

    def during(self, storm: Storm, at: float) -> Spell | None:
        """The outage of this kind at this time."""
        for spell in self._by[storm]:
            if spell.begins <= at < spell.ends:
                return spell
        return None

    def touches(self, begin: float, end: float) -> bool:
        """Tell whether any outage falls into this stretch, or ended less than an hour before it."""
        return any(x.begins < end and begin < x.ends + HOUR for x in self.spells)

    def lost(self, storm: Storm, begin: float, end: float) -> float:
        """How much of this stretch such outages take."""
        return sum(max(0.0, min(end, x.ends) - max(begin, x.begins)) for x in self._by[storm])


def fair() -> Weather:
    """Nothing goes wrong."""
    return Weather(())


def forecast(seed: int, days: float) -> Weather:
    """At least one of each kind, more in more days; by daylight or not."""
    chance = random.Random(f"weather {seed}")  # noqa: S311 - no secret
    spells = []
    for storm, (lasts, every) in _LASTS.items():
        for _ in range(max(1, round(days / every))):
            begins = chance.uniform(0.1, 0.85) * days * DAY
            spells.append(Spell(storm, begins, begins + lasts))
    return Weather(spells)
