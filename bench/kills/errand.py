"""The promotions of one trial, and what came of them."""

import random
import time
from dataclasses import dataclass, field
from datetime import datetime

from bench.kills.client import Client, UnansweredError
from bench.kills.place import Place
from bench.kills.plan import Trial
from chalicelib.domain.promotion import Promotion, State

#: From the end of a trial's trouble. A wake that was lost waits for the watchdog's next sweep, and
#: other trials' troubles may hit that as well: five sweeps.
SETTLES_WITHIN_SECONDS = 300
_LEAST_PAUSE_SECONDS, _MOST_PAUSE_SECONDS = 0.3, 3.0


@dataclass(kw_only=True)
class Asked:
    """One promotion."""

    target: str
    flag: str
    client: Client
    id: str = ""
    #: The API said 202.
    accepted: bool = False
    #: Why the API was of no use, if so.
    unanswered: str = ""

    @property
    def config_var(self) -> str:
        """Where Heroku keeps the flag."""
        return f"FLAG_{self.flag.upper()}"

    def mark(self) -> None:
        """Mark it."""
        self.id = self.client.mark(self.target, self.flag)

    def promote(self, **body: object) -> None:
        """Promote it."""
        self.client.promote(self.id, **body)
        self.accepted = True

    def mark_and_promote(self) -> None:
        """Do both, and keep what went wrong."""
        try:
            self.mark()
            self.promote()
        except UnansweredError as error:
            self.unanswered = str(error)


@dataclass(frozen=True, kw_only=True)
class Fate:
    """What came of one promotion, by the API and by Heroku."""

    id: str
    #: `None`: Hoist does not know it.
    state: str | None
    #: The API said 202 to the promote. If not, its caller knows that nothing was promised.
    accepted: bool
    #: The app's dynos run with its value.
    live: bool
    releases: int
    patches: int
    verified: bool
    #: From the end of the trouble; `None` where it had settled before.
    recovered_seconds: float | None
    said: str = ""

    @property
    def stuck(self) -> bool:
        """It has not settled in time."""
        return self.state == State.DEPLOYING

    @property
    def lost(self) -> bool:
        """It was let go, and is gone, or not let go any more, or failed, or is not live."""
        if self.stuck or not (self.accepted or self.live):
            return False
        return self.state != State.DEPLOYED or not self.live

    @property
    def doubled(self) -> bool:
        """The target was restarted for it more than once."""
        return self.releases > 1

    @property
    def well(self) -> bool:
        """As promised."""
        whole = self.verified or self.state is None
        return whole and not (self.stuck or self.lost or self.doubled)


@dataclass(kw_only=True)
class Errand:
    """Several promotions at some targets, asked for by one trial."""

    place: Place
    trial: Trial
    targets: list[str]
    dice: random.Random
    asked: list[Asked] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Decide what is asked for, and how the targets behave."""
        for target in self.targets:
            for n in range(self.dice.randint(1, 2)):
                flag = f"t{self.trial.n}_{target.replace('-', '_')}_{n}"
                self.asked.append(Asked(target=target, flag=flag, client=self.place.hire()))

    def make_heroku_slow(self) -> None:
        """Spread the workers' visits over some seconds, so that a kill falls anywhere in them."""
        for target in self.targets:
            phase = self.dice.random() < 1 / 3
            self.place.heroku.behave(
                target, release_phase=phase, phase_seconds=self.dice.uniform(0.5, 3)
            )
            if self.dice.random() < 1 / 3:
                # Applied, and the answer held back: the gap that the incident fell into.
                self.place.heroku.arm(
                    "hang_after_apply",
                    method="PATCH",
                    app=target,
                    seconds=self.dice.uniform(1, 12),
                )
            else:
                self.place.heroku.arm(
                    "slow", app=target, seconds=self.dice.uniform(0.1, 0.7), times=8
                )

    def mark_all(self) -> None:
        """Mark all of them."""
        for each in self.asked:
            each.mark()

    def promote_all(self, **body: object) -> None:
        """Promote all of them, one after the other."""
        for each in self.asked:
            each.promote(**body)

    def await_settled(self) -> None:
        """Wait until all have settled, or too long."""
        ends, pause = time.monotonic() + SETTLES_WITHIN_SECONDS, _LEAST_PAUSE_SECONDS
        while not all(self._settled(each) for each in self.asked if not each.unanswered):
            if time.monotonic() > ends:
                return
            time.sleep(pause)
            pause = min(1.4 * pause, _MOST_PAUSE_SECONDS)

    def _settled(self, asked: Asked) -> bool:
        stored = self.stored(asked)
        return stored is not None and stored.state.terminal

    def stored(self, asked: Asked) -> Promotion | None:
        """The promotion as the table has it."""
        return self.place.office.promotions.get(asked.id) if asked.id else None

    def fates(self, harmed_at: datetime) -> list[Fate]:
        """What came of each."""
        return [self._fate(each, harmed_at) for each in self.asked]

    def _fate(self, asked: Asked, harmed_at: datetime) -> Fate:
        stored = self.stored(asked)
        patches = self.place.patches(asked.target, asked.config_var)
        settled_at = stored.settled_at if stored else None
        late = (settled_at - harmed_at).total_seconds() if settled_at else None
        return Fate(
            id=asked.id,
            state=asked.client.get(f"/promotions/{asked.id}")["state"] if stored else None,
            accepted=asked.accepted,
            live=self.place.live(asked.target, asked.config_var) == "true",
            releases=len({patch["release"] for patch in patches} - {None}),
            patches=len(patches),
            verified=stored is not None and self._verified(asked),
            recovered_seconds=late if late is not None and late > 0 else None,
            said=asked.unanswered,
        )

    def _verified(self, asked: Asked) -> bool:
        return bool(asked.client.get(f"/promotions/{asked.id}/audit")["verified"])

    @property
    def repeats(self) -> int:
        """Requests that their callers sent again."""
        return sum(each.client.repeats for each in self.asked)
