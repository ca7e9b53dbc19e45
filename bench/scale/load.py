"""Who asks for what: people who promote, release trains, people who help, and foreign writers."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from bench.scale.heroku import Heroku
from bench.scale.tally import Tally
from bench.scale.virtual import Hub, Killed, Process, VirtualClock
from bench.scale.weather import DAY, HOUR
from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, Rejected, TryAgain
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Change, Promotion, Rung
from chalicelib.domain.release import ReleaseStatus
from chalicelib.usecases.cancel import Cancel
from chalicelib.usecases.conclude import Conclude, ConcludeOrder
from chalicelib.usecases.freezes import FreezeTerms, PutFreeze
from chalicelib.usecases.mark import Mark, MarkOrder
from chalicelib.usecases.promote import Promote, PromoteOrder
from tests.factories import SAM
from tests.fakes import code_of

#: API Gateway hangs up; the person tries again within a minute or so, for a day at the most.
_ANSWERED_WITHIN, _TRIES = 29.0, 1500
#: What becomes of a mark that nobody promotes.
_CANCELLED, _FORGOTTEN = 0.01, 0.003
_FLAGS = 60


@dataclass(frozen=True, kw_only=True)
class Doors:
    """What people may ask for."""

    mark: Mark
    promote: Promote
    cancel: Cancel
    conclude: Conclude
    put_freeze: PutFreeze


@dataclass(kw_only=True)
class People:
    """All who call the API of one stack."""

    hub: Hub
    clock: VirtualClock
    chance: random.Random
    heroku: Heroku
    doors: Doors
    tally: Tally
    callers: list[Caller]
    open_flags: Callable[[], dict[tuple[str, str], str]]
    _serial: int = 0
    _wanted: dict[tuple[str, str], str] = field(default_factory=dict)
    helped: set[str] = field(default_factory=set)

    def ask(self, request: Callable[[], bool], *, tries: int = _TRIES) -> None:
        """Send a request until it is answered: `False` and `TryAgain` are answered once more."""

        def body() -> None:
            try:
                answered = request()
            except (TryAgain, Killed):
                self.tally.counts["requests sent again"] += 1
                answered = False
            if not answered and tries:
                pause = self.chance.uniform(30, 90)
                self.hub.at(self.hub.now + pause, lambda: self.ask(request, tries=tries - 1))
            elif not answered:
                self.tally.counts["requests given up"] += 1

        self.hub.start(Process(deadline=self.hub.now + _ANSWERED_WITHIN), body)

    def caller(self) -> Caller:
        """The next promoter: each can let one promotion go every half minute."""
        self._serial += 1
        return self.callers[self._serial % len(self.callers)]

    def flag(self, target: str) -> str:
        """One that is not on its way already, if luck has it."""
        flag = f"flag_{self.chance.randrange(_FLAGS):02d}"
        for _ in range(5):
            if (target, flag) not in self.open_flags():
                break
            flag = f"flag_{self.chance.randrange(_FLAGS):02d}"
        return flag

    def want(self, target: str, flag: str, then: Callable[[Promotion], None]) -> None:
        """Mark a flag with another value than it was last wanted to have, most often."""
        self._serial += 1
        caller, key = self.caller(), f"key-{self._serial}"
        on = self._wanted.get((target, flag)) == "true"
        value = "true" if on == (self.chance.random() < 0.03) else "false"  # noqa: PLR2004 - 3 % are no change
        self._wanted[target, flag] = value

        def request() -> bool:
            order = MarkOrder(
                caller=caller, target=target, flag=flag, value=value, note=None, key=key
            )
            try:
                marked = self.doors.mark(order)
            except Rejected as rejected:
                self.tally.counts[f"marks refused: {rejected.code}"] += 1
                return True
            self.tally.counts["marks"] += 1
            then(marked.promotion)
            return True

        self.ask(request)

    def promote(self, promotion: Promotion, *, at: float) -> None:
        """Let it go at this time, by whoever is there."""
        self._serial += 1
        caller, key = self.caller(), f"key-{self._serial}"

        def request() -> bool:
            order = PromoteOrder(
                promotion_id=promotion.id, caller=caller, code=self.code(), if_version=None, key=key
            )
            try:
                self.doors.promote(order)
            except Rejected as rejected:
                self.tally.counts[f"promotes refused: {rejected.code}"] += 1
                return rejected.code not in {Code.TOTP_REUSED, Code.CONTENTION}
            self.tally.counts["promotes"] += 1
            return True

        self.hub.at(at, lambda: self.ask(request))

    def code(self) -> str:
        """What an authenticator app shows now."""
        return code_of(int(self.clock.now().timestamp()) // 30)

    def ordinary(self, target: str, flags: int) -> None:
        """Somebody marks some flags of a target, and promotes them a minute or so later."""
        for _ in range(flags):
            self.want(target, self.flag(target), self._afterwards)

    def _afterwards(self, promotion: Promotion) -> None:
        luck, after = self.chance.random(), self.chance.lognormvariate(4, 1)
        at = self.hub.now + min(after, DAY)
        if luck < _CANCELLED:
            self.hub.at(at, lambda: self.ask(lambda: self._cancelled(promotion)))
        elif luck < _CANCELLED + _FORGOTTEN:
            self.tally.counts["left to expire"] += 1
        else:
            self.promote(promotion, at=at)

    def _cancelled(self, promotion: Promotion) -> bool:
        self.doors.cancel(promotion.id, caller=SAM, if_version=None, reason="Not today.")
        self.tally.counts["cancelled"] += 1
        return True

    # Release trains

    def train(self, targets: list[str], flags: int, at: float, *, frozen: bool) -> None:
        """Promote so many flags at all these targets in one minute, or at a freeze's end.

        Marks come in the hour before. The minute's promotes are those of as many people as it
        takes, for each has one code every half minute.
        """
        if frozen:
            self.hub.at(at - HOUR, lambda: self.ask(lambda: self._freeze(at)))
        every = [(target, n) for n in range(flags) for target in targets]
        for i, (target, n) in enumerate(every):
            share = i / len(every)
            promoted = at - 60 - HOUR / 2 * (1 - share) if frozen else at + 60 * share
            then = self._boarding(promoted)
            marked = at - HOUR + 60 + share * HOUR / 3
            self.hub.at(marked, self._marking(target, f"train_{n:02d}", then))

    def _boarding(self, at: float) -> Callable[[Promotion], None]:
        return lambda promotion: self.promote(promotion, at=at)

    def _marking(
        self, target: str, flag: str, then: Callable[[Promotion], None]
    ) -> Callable[[], None]:
        return lambda: self.want(target, flag, then)

    def _freeze(self, until: float) -> bool:
        now = self.clock.now()
        ends = now + timedelta(seconds=until - self.hub.now)
        terms = FreezeTerms(reason="The train waits.", target=None, starts_at=now, ends_at=ends)
        self.doors.put_freeze("train", terms, if_version=None, caller=SAM)
        return True

    # Help

    def see(self, change: Change) -> None:
        """Somebody reads an alert in earnest, and sees to the target, soon or after a day."""
        facts = change.entry.facts
        earnest = change.entry.action == Action.ALERT and facts["alert"] == "stalled"
        if not earnest or change.after.rung is Rung.INFO or change.after.target in self.helped:
            return
        self.helped.add(change.after.target)
        late = self.chance.random() < 0.1  # noqa: PLR2004 - one in ten is seen to after a day
        after = self.chance.uniform(24, 26) * HOUR if late else self.chance.lognormvariate(7.5, 0.6)
        promotion = change.after
        self.hub.at(self.hub.now + after, lambda: self._help(promotion))

    def _help(self, promotion: Promotion) -> None:
        """End the release that runs for ever; in three of ten cases fail the promotion first."""
        self.helped.discard(promotion.target)
        if self.chance.random() < 0.3:  # noqa: PLR2004
            self.ask(lambda: self._failed(promotion))
        app = self.heroku.apps[promotion.target]
        newest = app.releases[-1]
        started = newest.created_at
        old = started and (self.clock.now() - started).total_seconds() > HOUR
        if newest.status is ReleaseStatus.PENDING and old:
            self.tally.counts["releases ended by hand"] += 1
            self.hub.at(
                self.hub.now + 120,
                lambda: self.heroku.end(app, newest.version, ReleaseStatus.FAILED),
            )

    def _failed(self, promotion: Promotion) -> bool:
        order = ConcludeOrder(
            promotion_id=promotion.id,
            caller=SAM,
            code=self.code(),
            if_version=None,
            key=f"fail-{promotion.id}",
            reason="It runs for ever.",
            force=True,
        )
        try:
            self.doors.conclude.fail(order)
        except Rejected as rejected:
            return rejected.code is not Code.TOTP_REUSED
        self.tally.counts["failed by hand"] += 1
        return True


def promoters(n: int) -> list[Caller]:
    """Enough people for a train's minute."""
    return [Caller(name=f"promoter-{i}", role=Role.PROMOTER) for i in range(n)]


def arrivals(chance: random.Random, n: int, days: float) -> list[float]:
    """So many times, more by day than by night, few at weekends."""
    times: list[float] = []
    while len(times) < n:
        at = chance.uniform(0, days * DAY)
        by_day = 0.5 + 0.5 * math.sin(2 * math.pi * (at / DAY - 0.1))
        weekend = days > 7 and int(at / DAY) % 7 in {5, 6}  # noqa: PLR2004
        if chance.random() < (0.1 + 0.9 * by_day) * (0.3 if weekend else 1):
            times.append(at)
    return sorted(times)
