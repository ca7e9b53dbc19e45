"""What guessing codes is worth: how many guesses the lock-out lets through, and their odds.

Somebody holds an operator's token and guesses whenever the lock-out lets, beside the operator, who
enters a right code every working day. The rules are the product's own, the time is virtual, and
nothing is random: the odds follow from the number of guesses.
"""

import argparse
import heapq
import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.domain.errors import Rejected
from chalicelib.domain.operator import (
    BRAKE_AFTER,
    FAILURES_BEFORE_LOCK,
    PERIOD,
    WRONG_CODES_A_PERIOD,
    Operator,
    counted,
    proved,
)
from chalicelib.usecases.step_up import StepUp
from tests.factories import KIM, an_operator
from tests.fakes import START, FakeClock, FakeOperators, FakeSecondFactor

GUESSES = 1_000_000
#: Of the million codes, those of three time steps are right at any moment.
CHANCE = 3 / 1_000_000
#: What a year of guessing one operator's codes may be worth at the most.
ACCEPTABLE = 1 / 1_000
YEAR = timedelta(days=365.25)
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)

#: Operators behind one service, and how long its stolen token is watched.
OPERATORS, YEARS = 50, 3
#: Guesses after which one was as likely right as not.
EVEN = math.log(1 / 2) / math.log(1 - CHANCE)
#: Guesses that go through the real `StepUp`, to see that it does as the rules say.
CHECKED = 2_000


def odds(guesses: float) -> float:
    """How likely one of so many guesses is right."""
    return float(1 - (1 - CHANCE) ** guesses)


@dataclass
class Victim:
    """An operator whose token somebody else holds."""

    operator: Operator
    #: When their next right code comes; `None`: they are on leave.
    next_code_at: datetime | None

    def pass_time(self, now: datetime) -> None:
        """Enter the right codes that are due by now, those that meet a lock in vain."""
        while self.next_code_at and self.next_code_at <= now:
            if not self.operator.locked(self.next_code_at):
                self.operator = proved(self.operator, timecode=0)
            self.next_code_at = _next_working_day(self.next_code_at)


#: When to try the next guess: now, or not before the time that is returned.
Strategy = Callable[[Operator, datetime], datetime]


def at_once(_operator: Operator, now: datetime) -> datetime:
    """Guess whenever a code is looked at."""
    return now


def unnoticed(operator: Operator, now: datetime) -> datetime:
    """Never be the guess that locks: wait for the operator's right code, or the next period."""
    if operator.wrong_codes_at(now) == WRONG_CODES_A_PERIOD - 1:
        return _period_ends(operator)
    return now + DAY if operator.failures == FAILURES_BEFORE_LOCK - 1 else now


def at_both_ends(operator: Operator, now: datetime) -> datetime:
    """Guess all at the end of one period and at the beginning of the next: most in one year."""
    if operator.wrong_codes_at(now) == 1 and _period_number(now) % 2 == 0:
        return max(now, _period_ends(operator) - 6 * HOUR)
    return now


def when(strategy: Strategy, operator: Operator, now: datetime) -> datetime:
    """When the next guess is made: no sooner than a code is looked at."""
    until = operator.locked_until
    return max(strategy(operator, now), until if until and operator.locked(now) else now)


@dataclass
class Siege:
    """What came of guessing."""

    guesses: int = 0
    lasted: timedelta = timedelta(0)
    #: The most guesses in any one year.
    worst_year: int = 0
    locked_out: int = 0
    _within_a_year: deque[datetime] = field(default_factory=deque)

    @property
    def a_year(self) -> float:
        """Guesses a year, on average."""
        return self.guesses / (self.lasted / YEAR)

    def note(self, now: datetime, *, locked: bool) -> None:
        """One more guess was judged."""
        recent = self._within_a_year
        recent.append(now)
        while now - recent[0] >= YEAR:
            recent.popleft()
        self.guesses += 1
        self.worst_year = max(self.worst_year, len(recent))
        self.lasted = now - START
        self.locked_out += locked


def besiege(strategy: Strategy, *, at_work: bool, guesses: int) -> Siege:
    """Guess so often, by the rules alone."""
    victim, siege, now = _victim(at_work=at_work), Siege(), START
    while siege.guesses < guesses:
        at = when(strategy, victim.operator, now)
        if at == now:
            victim.operator = counted(victim.operator, now, braked=False)
            siege.note(now, locked=victim.operator.locked(now))
            at = now + SECOND
        now = at
        victim.pass_time(now)
    return siege


def besiege_step_up(strategy: Strategy, *, guesses: int) -> Siege:
    """Guess so often through the real `StepUp`; the operator is at work."""
    operators, clock = FakeOperators(), FakeClock()
    step_up = StepUp(operators=operators, second_factor=FakeSecondFactor(), clock=clock)
    victim, siege = _victim(at_work=True), Siege()
    while siege.guesses < guesses:
        at = when(strategy, victim.operator, clock.now())
        if at == clock.now():
            operators.put(victim.operator)
            # Right once in 347 days, and then for a minute and a half: not while this lasts.
            _try_wrong(step_up)
            victim.operator = operators.operators[KIM.name]
            siege.note(at, locked=victim.operator.locked(at))
            at += SECOND
        clock.time = at
        victim.pass_time(at)
    return siege


def besiege_all(strategy: Strategy, *, brake: bool, spread: timedelta) -> tuple[Siege, int]:
    """Guess for all operators, with a service's token; return the most of one hour, too.

    The first guess for each comes `spread` after the first for the one before.
    """
    victims = [_victim(at_work=True) for _ in range(OPERATORS)]
    turns = [(START + number * spread, number) for number in range(OPERATORS)]
    siege, by_hour = Siege(), Counter[datetime]()
    while turns[0][0] < START + YEARS * YEAR:
        now, number = heapq.heappop(turns)
        victim = victims[number]
        victim.pass_time(now)
        at = when(strategy, victim.operator, now)
        if at == now:
            hour = now.replace(minute=0, second=0, microsecond=0)
            by_hour[hour] += 1
            braked = brake and by_hour[hour] > BRAKE_AFTER
            victim.operator = counted(victim.operator, now, braked=braked)
            siege.note(now, locked=victim.operator.locked(now))
            at = now + SECOND
        heapq.heappush(turns, (at, number))
    return siege, max(by_hour.values())


def _victim(*, at_work: bool) -> Victim:
    first_code = START.replace(hour=9, minute=0) if at_work else None
    return Victim(an_operator(KIM), first_code)


def _try_wrong(step_up: StepUp) -> None:
    try:
        step_up(KIM, "000000")
    except Rejected:
        return
    message = "a guess was right: choose another one"
    raise SystemExit(message)


def _next_working_day(at: datetime) -> datetime:
    at += DAY
    return at + (7 - at.weekday()) * DAY if at.weekday() >= 5 else at  # noqa: PLR2004 - Saturday


def _period_ends(operator: Operator) -> datetime:
    return (operator.wrong_since or START) + PERIOD


def _period_number(now: datetime) -> int:
    return (now - START + DAY) // PERIOD


#: How; whether the operator is at work; and how often: the worst in full.
SIEGES: dict[str, tuple[Strategy, bool, int]] = {
    "at a period's end and the next one's beginning; operator at work": (
        at_both_ends,
        True,
        GUESSES,
    ),
    "the same; on leave": (at_both_ends, False, GUESSES // 10),
    "at once; at work": (at_once, True, GUESSES // 10),
    "at once; on leave": (at_once, False, GUESSES // 10),
    "never the guess that locks; at work": (unnoticed, True, GUESSES // 10),
}

SERVICE_SIEGES: dict[str, tuple[Strategy, timedelta]] = {
    "at once": (at_once, timedelta(0)),
    "never the guess that locks, all at the same time": (unnoticed, timedelta(0)),
    "never the guess that locks, spread over the day": (unnoticed, DAY / OPERATORS),
}


def main() -> None:
    """Print the tables; fail where a year is worth more than is acceptable."""
    argparse.ArgumentParser(prog="python -m bench.guesses", description=main.__doc__).parse_args()
    print("One operator's token:\n")
    print("| guessing | guesses | lock-outs | years | a year | worst year | odds of that year |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    worst = 0
    for name, (strategy, at_work, guesses) in SIEGES.items():
        siege = besiege(strategy, at_work=at_work, guesses=guesses)
        worst = max(worst, siege.worst_year)
        print(
            f"| {name} | {siege.guesses:,} | {siege.locked_out:,} | {siege.lasted / YEAR:,.0f} "
            f"| {siege.a_year:.1f} | {siege.worst_year} | 1 in {1 / odds(siege.worst_year):,.0f} |",
            flush=True,
        )
    _check(worst)
    forgiven = odds(WRONG_CODES_A_PERIOD)
    print(f"\nEach unlock while somebody else holds the token: 1 in {1 / forgiven:,.0f} more.")
    print(f"\nA service's token, {OPERATORS} operators at work, {YEARS} years:\n")
    print("| guessing | brake | most in one hour | a year | odds of a year | years to even odds |")
    print("|---|---|---:|---:|---:|---:|")
    for name, (strategy, spread) in SERVICE_SIEGES.items():
        for brake in (False, True):
            siege, most = besiege_all(strategy, brake=brake, spread=spread)
            print(
                f"| {name} | {'on' if brake else 'off'} | {most} | {siege.a_year:,.0f} "
                f"| {odds(siege.a_year):.1%} | {EVEN / siege.a_year:.0f} |",
                flush=True,
            )


def _check(worst_year: int) -> None:
    real = besiege_step_up(at_once, guesses=CHECKED)
    if real != besiege(at_once, at_work=True, guesses=CHECKED):
        message = "StepUp does not do as the rules say"
        raise SystemExit(message)
    if odds(worst_year) >= ACCEPTABLE:
        message = f"a year of guessing is worth {odds(worst_year):.2%}"
        raise SystemExit(message)


if __name__ == "__main__":
    main()
