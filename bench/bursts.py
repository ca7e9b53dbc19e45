"""Bursts of promotions: releases, Heroku calls and time, against one PATCH a promotion.

The real use cases in virtual time: promotions arrive at the API fifty a second, wakes are
delivered as SQS FIFO and Lambda do it (a target's one after the other, twenty targets at once),
and every call takes its time. The baseline, in the same world, is what such systems do: it reads
the old value, PATCHes one flag, looks at the releases every two seconds until its own has
succeeded, and reads the value back; then comes the next promotion.

`--local` does it once more on the local stack, in real time, where MiniStack makes one delivery
after the other. There promotes are accepted by the use case in this process: MiniStack's API takes
longer for a request than the worker for a promotion, so that no burst would come together.
Exit status 1: a goal is missed.
"""

import argparse
import heapq
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import requests

from chalicelib.adapters.heroku import HerokuApps
from chalicelib.bootstrap import Container
from chalicelib.domain.lease import Lease
from chalicelib.domain.operator import Caller, Role, SpentCode
from chalicelib.domain.promotion import Change, Promotion, State
from chalicelib.ports import UsedKey
from chalicelib.usecases.mark import MarkOrder
from chalicelib.usecases.promote import PromoteOrder
from chalicelib.usecases.work import Wake
from local.ministack import REGION, ROOT_KEY
from local.stack import HEROKU_TOKEN, local_stack
from tests.e2e.conftest import Person, Town, wait_until
from tests.factories import TARGET, an_operator
from tests.fakes import START, FakeApps, FakeBaselines, FakeClock, FakePromotionStore
from tests.world import World

SECOND = timedelta(seconds=1)
#: What things take: a call of Heroku's API, a transaction, what Lambda adds to each delivery.
HEROKU_CALL, TRANSACTION, DELIVERY = 0.2 * SECOND, 0.02 * SECOND, 0.05 * SECOND
#: Between two promotions that arrive.
ARRIVAL = 0.02 * SECOND
#: Targets worked on at once: `MaximumConcurrency` in infra/template/functions.yaml.
AT_ONCE = 20
NAIVE_POLL = 2 * SECOND
SETTLED_WITHIN_SECONDS = 300
#: On the local stack. One by one, a hundred would take a quarter of an hour.
LOCAL_PHASE_SECONDS, NAIVE_AT_MOST = 5, 10

RELEASES_GOAL, CALLS_GOAL, TIME_GOAL = 0.05, 0.5, 1.5


class Clock(FakeClock):
    """One target's time. What is due meanwhile happens when it is due."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda: list[tuple[datetime, int, Callable[[], None]]] = []

    def advance(self, duration: timedelta) -> None:
        ends = self.time + duration
        while self.agenda and self.agenda[0][0] <= ends:
            due, _, happen = heapq.heappop(self.agenda)
            self.time = max(self.time, due)
            happen()
        self.time = ends


@dataclass
class Heroku(FakeApps):
    """An app at Heroku, at a distance."""

    calls: int = 0

    def _fail(self, call: str) -> None:
        if not call.endswith("_answer"):
            self.calls += 1
            self.clock.advance(HEROKU_CALL)
        super()._fail(call)


@dataclass
class Store(FakePromotionStore):
    """Promotions, at a distance from the worker."""

    clock: FakeClock = field(default_factory=FakeClock)

    def commit(
        self,
        change: Change,
        *,
        key: UsedKey | None = None,
        spend: SpentCode | None = None,
        fence: Lease | None = None,
    ) -> None:
        if fence:
            self.clock.advance(TRANSACTION)
        super().commit(change, key=key, spend=spend, fence=fence)


class Place(World):
    """One target of many, with a time of its own: nothing that it does touches another."""

    clock: Clock
    apps: Heroku

    def __init__(self, phase: timedelta) -> None:
        super().__init__(clock=Clock())
        self.phase = phase
        self.store = Store(self.operators, self.locks, clock=self.clock)
        self.baselines = FakeBaselines(self.store)
        self.apps = Heroku(self.clock, phase=phase)
        self.free_at = START
        #: Between two looks, where only time could help.
        self.pauses: list[timedelta] = []
        self.settled: dict[str, datetime] = {}

    def expect(self, at: datetime, number: int) -> None:
        """Have somebody promote a flag at that time."""
        heapq.heappush(self.clock.agenda, (at, number, lambda: self.arrive(number)))

    def arrive(self, number: int) -> None:
        """A mark and a promote, by one who has not used the code of this half minute."""
        caller = Caller(name=f"promoter-{number}", role=Role.PROMOTER)
        self.operators.put(an_operator(caller))
        marked = self.mark(f"flag_{number}", caller=caller)
        self.promote_it(
            PromoteOrder(
                promotion_id=marked.id, caller=caller, code=self.code, if_version=None, key=None
            )
        )

    @property
    def due(self) -> datetime | None:
        """When the next wake can be delivered, if one is there or to come."""
        if self.wakes.sent:
            return max(self.free_at, self.clock.time)
        return max(self.free_at, self.clock.agenda[0][0]) if self.clock.agenda else None

    @property
    def sent(self) -> Iterator[int]:
        """The flags' numbers, PATCH by PATCH; those of one PATCH come at once."""
        for patch in self.apps.patches:
            yield from sorted(int(name.rpartition("_")[2]) for name in patch)


def hoist(place: Place) -> None:
    """Deliver a wake to the worker; it is done with unless the worker wants it again."""
    target, promotion_id = place.wakes.sent[0]
    report = place.worker(Wake(target=target, promotion_id=promotion_id))
    place.settled |= {each.id: place.clock.time for each in report.settled}
    place.free_at = place.clock.time
    if report.look_again:
        place.pauses.append(report.look_again.after)
        place.free_at += report.look_again.after
    else:
        place.wakes.sent.pop(0)


def naive(place: Place) -> None:
    """Work on one promotion until it is live."""
    _, promotion_id = place.wakes.sent.pop(0)
    promotion = place.store.promotions[str(promotion_id)]
    apps = place.apps
    apps.config(TARGET)
    apps.set_config_vars(TARGET, {promotion.config_var: promotion.value})
    version = len(apps.history)
    while not any(r.version == version and r.current for r in apps.releases(TARGET, after=None)):
        place.clock.advance(NAIVE_POLL)
    apps.config(TARGET)
    place.settled[promotion.id] = place.free_at = place.clock.time


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a burst came to."""

    promotions: int
    releases: int
    calls: int
    #: From the first promote until all is settled.
    seconds: float
    #: What the slowest target's releases took at Heroku, and the longest pause between two looks.
    releasing: float = 0
    poll: float = 0

    def __str__(self) -> str:
        """Releases and calls a promotion, seconds, promotions a second."""
        n = self.promotions
        each = f"{self.releases / n:.3f} | {self.calls / n:.2f}"
        return f"{each} | {self.seconds:,.1f} | {n / self.seconds:.2f}"


def burst(
    promotions: int,
    targets: int,
    phase: Callable[[int], timedelta],
    worker: Callable[[Place], None],
) -> Outcome:
    """Let them arrive, and deliver wakes until all is done."""
    places = [Place(phase(number)) for number in range(targets)]
    for number in range(promotions):
        places[number % targets].expect(START + number * ARRIVAL, number)
    workers = [START] * AT_ONCE
    while waiting := [(due, n) for n, place in enumerate(places) if (due := place.due)]:
        due, number = min(waiting)
        place = places[number]
        begins = max(due, heapq.heappop(workers))
        place.clock.advance(begins - place.clock.time + DELIVERY)
        worker(place)
        heapq.heappush(workers, place.clock.time)
    _require_whole(places, promotions)
    return _outcome(places, promotions)


def _require_whole(places: Sequence[Place], promotions: int) -> None:
    """Raise SystemExit where a flag overtook another of its target, or was lost."""
    for place in places:
        if list(place.sent) != sorted(place.sent):
            message = f"out of order: {list(place.sent)}"
            raise SystemExit(message)
    settled = sum(len(place.settled) for place in places)
    if settled != promotions:
        message = f"{settled} of {promotions} settled"
        raise SystemExit(message)


def _outcome(places: Sequence[Place], promotions: int) -> Outcome:
    ends = max(max(place.settled.values()) for place in places if place.settled)
    pauses = (pause for place in places for pause in place.pauses)
    return Outcome(
        promotions=promotions,
        releases=sum(len(place.apps.patches) for place in places),
        calls=sum(place.apps.calls for place in places),
        seconds=(ends - START) / SECOND,
        releasing=max(len(place.apps.patches) * place.phase for place in places) / SECOND,
        poll=max(pauses, default=SECOND) / SECOND,
    )


def show(title: str, phase: Callable[[int], timedelta], sizes: Sequence[int]) -> bool:
    """Print one table; tell whether the goals are met."""
    print(f"\n{title}\n")
    print("| promotions | targets | | releases each | Heroku calls each | seconds | a second |")
    print("|---:|---:|---|---:|---:|---:|---:|")
    good = True
    for targets, promotions in itertools.product((1, 50), sizes):
        before = burst(promotions, targets, phase, naive)
        after = burst(promotions, targets, phase, hoist)
        print(f"| {promotions:,} | {targets} | one by one | {before} |")
        print(f"| | | Hoist | {after} |", flush=True)
        good = good and _good(after, targets)
    return good


def _good(after: Outcome, targets: int) -> bool:
    if (after.promotions, targets) == (1_000, 50) and after.releasing:
        bound = TIME_GOAL * after.releasing + after.poll
        print(
            f"# the slowest target's releases took {after.releasing:.0f} s, the longest pause "
            f"{after.poll:.0f} s: the goal is {bound:.0f} s"
        )
        return after.seconds <= bound
    if (after.promotions, targets) == (100, 1):
        each = after.promotions
        return after.releases / each <= RELEASES_GOAL and after.calls / each <= CALLS_GOAL
    return True


# On the local stack


def show_local(sizes: Sequence[tuple[int, int]]) -> None:
    """Print the table of the local stack, in real time."""
    print(f"\nThe local stack, in real time, with a release phase of {LOCAL_PHASE_SECONDS} s:\n")
    print("| promotions | targets | | releases each | Heroku calls each | seconds | a second |")
    print("|---:|---:|---|---:|---:|---:|---:|")
    with (
        tempfile.TemporaryDirectory() as state,
        pytest.MonkeyPatch.context() as environment,
        local_stack(Path(state)) as stack,
    ):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, ROOT_KEY)
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        environment.setenv("AWS_ENDPOINT_URL", stack.ministack.url)
        town = Town(stack)
        for promotions, targets in sizes:
            people = [town.hire() for _ in range(promotions)]
            local = _Local(town=town, people=people, targets=targets)
            if promotions <= NAIVE_AT_MOST:
                print(f"| {promotions} | {targets} | one by one | {local.naive()} |")
            print(f"| {promotions} | {targets} | Hoist | {local.hoist()} |", flush=True)


@dataclass(frozen=True, kw_only=True)
class _Local:
    """A burst on the local stack: each promotion by somebody of their own."""

    town: Town
    people: Sequence[Person]
    targets: int

    @property
    def name(self) -> str:
        """What its apps' names begin with."""
        return f"burst-{len(self.people)}-{self.targets}"

    def hoist(self) -> Outcome:
        """Mark all, promote all, and wait."""
        apps = [self.town.app(f"{self.name}-{n}") for n in range(self.targets)]
        self._slow(apps)
        hoist = self.town.backdoor()
        marked = [
            self._marked(hoist, person, apps[number % self.targets], number)
            for number, person in enumerate(self.people)
        ]
        began = time.monotonic()
        for person, promotion in zip(self.people, marked, strict=True):
            order = PromoteOrder(
                promotion_id=promotion.id,
                caller=_caller(person),
                code=person.code(),
                if_version=None,
                key=None,
            )
            hoist.promote(order)
        wait_until(
            lambda: not any(hoist.store.deploying(app) for app in apps),
            within_seconds=SETTLED_WITHIN_SECONDS,
        )
        seconds = time.monotonic() - began
        states = {found.state for each in marked if (found := hoist.store.get(each.id))}
        if states != {State.DEPLOYED}:
            message = f"they ended {states}"
            raise SystemExit(message)
        return self._outcome(apps, seconds)

    @staticmethod
    def _marked(hoist: Container, person: Person, app: str, number: int) -> Promotion:
        order = MarkOrder(
            caller=_caller(person),
            target=app,
            flag=f"flag_{number}",
            value="true",
            note=None,
            key=f"{app}-{number}",
        )
        return hoist.mark(order).promotion

    def _slow(self, apps: Sequence[str]) -> None:
        for app in apps:
            self.town.heroku.behave(app, release_phase=True, phase_seconds=LOCAL_PHASE_SECONDS)

    def naive(self) -> Outcome:
        """The same at Heroku alone, by Hoist's own client of it."""
        apps = [f"naive-{self.name}-{n}" for n in range(self.targets)]
        for app in apps:
            self.town.heroku.create_app(app)
        self._slow(apps)
        client = HerokuApps(
            base_url=self.town.stack.heroku,
            token=_Token(),
            session=requests.Session,
        )
        began = time.monotonic()
        for number in range(len(self.people)):
            _one(client, apps[number % self.targets], f"FLAG_{number}")
        return self._outcome(apps, time.monotonic() - began)

    def _outcome(self, apps: Sequence[str], seconds: float) -> Outcome:
        truths = [self.town.heroku.truth(app) for app in apps]
        return Outcome(
            promotions=len(self.people),
            releases=sum(len(truth["patches"]) for truth in truths),
            calls=sum(each["count"] for truth in truths for each in truth["requests"]),
            seconds=seconds,
        )


def _caller(person: Person) -> Caller:
    return Caller(name=person.token.partition(".")[0], role=Role.PROMOTER)


class _Token:
    """The simulator's."""

    def __call__(self) -> str:
        return HEROKU_TOKEN

    def forget(self) -> None:
        """It is never refused."""


def _one(client: HerokuApps, app: str, config_var: str) -> None:
    client.config(app)
    before = client.releases(app, after=None)[0].version
    client.set_config_vars(app, {config_var: "true"})
    ends = time.monotonic() + SETTLED_WITHIN_SECONDS
    while not any(r.version > before and r.current for r in client.releases(app, after=before)):
        if time.monotonic() > ends:
            message = "its release did not succeed"
            raise SystemExit(message)
        time.sleep(NAIVE_POLL / SECOND)
    client.config(app)


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.bursts", description=main.__doc__)
    parser.add_argument("--most", type=int, default=1_000, help="promotions in the biggest burst")
    parser.add_argument("--local", action="store_true", help="on the local stack, too (2 minutes)")
    arguments = parser.parse_args()
    sizes = [size for size in (1, 10, 100, 1_000) if size <= arguments.most]
    good = [
        show("No release phase:", lambda _: 0 * SECOND, sizes),
        show(
            "A release phase of 60 s; of 50 targets', 6 to 60 s:",
            lambda number: (60 - 6 * (number % 10)) * SECOND,
            sizes,
        ),
    ]
    if arguments.local:
        show_local([(1, 1), (10, 1), (100, 1), (100, 10)])
    return 0 if all(good) else 1


if __name__ == "__main__":
    raise SystemExit(main())
