"""One stack with one Heroku account: targets, people, workers, watchdog, drift, and a month."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from bench.scale.heroku import Account, App, Heroku, VirtualApps
from bench.scale.load import Doors, People, arrivals, promoters
from bench.scale.queue import WORKERS, Slot, VirtualHeartbeat, VirtualWakes
from bench.scale.tables import (
    Meter,
    VirtualBaselines,
    VirtualFreezes,
    VirtualLocks,
    VirtualOperators,
    VirtualStore,
    VirtualTargets,
)
from bench.scale.tally import Tally
from bench.scale.virtual import Hub, Killed, Process, VirtualClock, seconds_of
from bench.scale.weather import DAY, HOUR, Storm, Weather, fair, forecast
from chalicelib.domain.audit import Action
from chalicelib.domain.drift import Baseline
from chalicelib.domain.errors import TryAgain
from chalicelib.domain.lease import Waiting
from chalicelib.domain.promotion import Change, Promotion, State
from chalicelib.domain.target import Target
from chalicelib.domain.waiting import waiting_on
from chalicelib.usecases.authorised import Authorised
from chalicelib.usecases.cancel import Cancel
from chalicelib.usecases.conclude import Conclude
from chalicelib.usecases.drift import LASTS, WatchDrift
from chalicelib.usecases.freezes import PutFreeze
from chalicelib.usecases.gates import Gates
from chalicelib.usecases.mark import Mark
from chalicelib.usecases.observe import Observe
from chalicelib.usecases.preflight import Policies
from chalicelib.usecases.promote import Promote
from chalicelib.usecases.step_up import StepUp
from chalicelib.usecases.watch import Watch
from chalicelib.usecases.work import Work
from tests.factories import SAM, an_operator
from tests.fakes import FakeCatalogues, FakeSecondFactor

#: As in .chalice/config.json; Lambda tries a schedule's invocation twice more where it fails.
WATCH_TIMEOUT, DRIFT_TIMEOUT = 50.0, 60.0
RETRIES_AFTER = (60.0, 120.0)
DRIFT_EVERY = 900.0
#: Releases, config vars, and those of the current release.
_READS_TO_COMPARE = 3
#: Told by then, or stuck: the first rung's half hour, a minute to the next sweep, and the sweep,
#: which writes one alert after the other.
TOLD_WITHIN = 31 * 60.0 + WATCH_TIMEOUT
#: After the last promotion: time for what runs for ever to be seen to.
DRAIN = 1.5 * DAY
_SKEW, _SKEWED = 3.0, 0.05
_FOREIGN_A_DAY = 0.5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one cell is put through."""

    seed: int
    cell: int
    targets: int
    promotions: int
    days: float
    outages: bool = True
    #: `None`: no train; else whether it waits for a freeze's end.
    train: bool | None = None
    train_flags: int = 50
    #: Whether Heroku's rate limit is enforced, and how many work at once.
    limited: bool = True
    workers: int = WORKERS
    drift: bool = True
    #: What if a worker began only while the account has so many calls left? It may ask for free.
    admit: int = 0
    #: How many of the wakes get lost.
    lost: float = 0.001


@dataclass(kw_only=True)
class _Ids:
    n: int = 0

    def new(self, at: object) -> str:  # noqa: ARG002 - the port's signature; counted in order of time
        self.n += 1
        return f"prm_{self.n:026d}"


class Cell:
    """One stack in virtual time."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.tally = Tally()
        self.hub = Hub()
        self.chance = random.Random(f"{plan.seed} {plan.cell}")  # noqa: S311 - no secret
        self.weather: Weather = forecast(plan.seed, plan.days) if plan.outages else fair()
        self.clock = VirtualClock(self.hub)
        self._make_ports()
        self._make_apps()
        self.people = self._people()
        self.store.watchers += [self.people.see, self._measure]
        self.told: dict[str, float] = {}
        #: When drift last saw each target.
        self.compared: dict[str, float] = {}
        self.accepted: dict[str, float] = {}

    def _make_ports(self) -> None:
        hub, weather, chance, tally = self.hub, self.weather, self.chance, self.tally
        self.meter = Meter(hub=hub, weather=weather, chance=chance, tally=tally)
        account = Account(hub=hub, weather=weather, limited=self.plan.limited)
        self.heroku = Heroku(hub=hub, weather=weather, chance=chance, account=account, tally=tally)
        self.operators = VirtualOperators(meter=self.meter)
        self.locks = VirtualLocks(meter=self.meter)
        self.store = VirtualStore(self.operators, self.locks, meter=self.meter, heroku=self.heroku)
        self.baselines = VirtualBaselines(self.store, meter=self.meter)
        self.targets = VirtualTargets(meter=self.meter)
        self.freezes = VirtualFreezes(meter=self.meter)
        self.policies = Policies(catalogues=FakeCatalogues(), baselines=self.baselines)
        self.wakes = VirtualWakes(
            hub=hub, meter=self.meter, chance=chance, admits=self._admits, lost=self.plan.lost
        )
        self.wakes.slots = [self._slot(n) for n in range(self.plan.workers)]

    def _slot(self, n: int) -> Slot:
        work = Work(
            store=self.store,
            locks=self.locks,
            targets=self.targets,
            policies=self.policies,
            apps=VirtualApps(heroku=self.heroku),
            heartbeat=VirtualHeartbeat(hub=self.hub, locks=self.locks, wakes=self.wakes),
            clock=self.clock,
            holder=partial(self._holder, n),
        )
        skewed = self.chance.random() < _SKEWED
        return Slot(work=work, skew=self.chance.choice([-_SKEW, _SKEW]) if skewed else 0.0)

    def _admits(self) -> bool:
        return self.heroku.account.left >= self.plan.admit

    def _holder(self, n: int) -> str:
        self.tally.counts["holders"] += 1
        return f"worker-{n}-{self.tally.counts['holders']}"

    def _make_apps(self) -> None:
        """Nine in ten have no release phase; of the others one in ten has one of 20 minutes."""
        for n in range(self.plan.targets):
            name = f"app-{n:05d}"
            phase = 0.0
            if n % 10 == 3:  # noqa: PLR2004
                phase = 1200.0 if n % 100 == 3 else 40.0  # noqa: PLR2004
            app = App(phase=phase)
            self.heroku.apps[name] = app
            self.heroku.release(app, "Initial release")
            self.targets.put(Target(app=name, version=1))

    def _people(self) -> People:
        plan, clock, store = self.plan, self.clock, self.store
        train = plan.targets * plan.train_flags if plan.train is not None else 0
        callers = promoters(20 + train)
        for caller in [*callers, SAM]:
            self.operators.put(an_operator(caller, token_sha256=""))
        step_up = StepUp(operators=self.operators, second_factor=FakeSecondFactor(), clock=clock)
        authorised = Authorised(store=store, step_up=step_up)
        gates = Gates(targets=self.targets, freezes=self.freezes)
        observe = Observe(apps=VirtualApps(heroku=self.heroku), clock=clock)
        doors = Doors(
            mark=Mark(
                store=store,
                targets=self.targets,
                catalogues=FakeCatalogues(),
                ids=_Ids(),
                clock=clock,
            ),
            promote=Promote(authorised=authorised, gates=gates, wakes=self.wakes, clock=clock),
            cancel=Cancel(store=store, clock=clock),
            conclude=Conclude(
                authorised=authorised, observe=observe, wakes=self.wakes, clock=clock
            ),
            put_freeze=PutFreeze(freezes=self.freezes, targets=self.targets, clock=clock),
        )
        return People(
            hub=self.hub,
            clock=clock,
            chance=self.chance,
            heroku=self.heroku,
            doors=doors,
            tally=self.tally,
            callers=callers,
            open_flags=lambda: store.flag_locks,
        )

    # The month

    def run(self) -> Tally:
        """Live through it, and say what came of it."""
        plan = self.plan
        ends = plan.days * DAY
        self._arrive(ends)
        self._foreign(ends)
        for spell in self.weather.spells:
            self.hub.at(spell.ends, self.wakes.pump)
        self._every(60.0, self._sweep, ends + DRAIN)
        if plan.drift:
            self._every(DRIFT_EVERY, self._drift, ends + DRAIN)
        self.hub.run(ends + DRAIN)
        self._judge()
        self.tally.settle_seconds()
        return self.tally

    def _every(self, seconds: float, start: Callable[[], None], ends: float) -> None:
        def again() -> None:
            if not self.weather.during(Storm.LAMBDA, self.hub.now):
                start()
            if self.hub.now + seconds < ends:
                self.hub.at(self.hub.now + seconds, again)

        self.hub.at(self.chance.uniform(0, seconds), again)

    def _arrive(self, ends: float) -> None:
        plan, names = self.plan, sorted(self.heroku.apps)
        train = 0
        if plan.train is not None:
            train = len(names) * plan.train_flags
            at = round(plan.days * 0.6 * DAY / HOUR) * HOUR
            self.people.train(names, plan.train_flags, at, frozen=plan.train)
        rest = plan.promotions - train
        sizes: list[int] = []
        while sum(sizes) < rest:
            sizes.append(min(self.chance.choice((1, 1, 1, 2, 4)), rest - sum(sizes)))
        times = arrivals(self.chance, len(sizes), ends / DAY)
        visits = zip(times, sizes, strict=True)

        def come() -> None:
            at, size = next(visits, (None, 0))
            if at is not None:
                target = self.chance.choice(names)
                self.hub.at(at, partial(self.people.ordinary, target, size))
                self.hub.at(at, come)

        come()

    def _foreign(self, ends: float) -> None:
        names = sorted(self.heroku.apps)
        a_second = len(names) * _FOREIGN_A_DAY / DAY

        def write() -> None:
            if self.hub.now >= ends:
                return
            self.heroku.foreign(self.chance.choice(names))
            self.hub.at(self.hub.now + self.chance.expovariate(a_second), write)

        self.hub.at(self.chance.expovariate(a_second), write)

    # The schedules

    def _sweep(self) -> None:
        process = Process(deadline=self.hub.now + WATCH_TIMEOUT)
        self.hub.start(process, lambda: self._swept(self._watch, process))

    @property
    def _watch(self) -> Watch:
        return Watch(
            store=self.store,
            locks=self.locks,
            targets=self.targets,
            freezes=self.freezes,
            policies=self.policies,
            operators=self.operators,
            wakes=self.wakes,
            clock=self.clock,
        )

    def _swept(self, watch: Watch, process: Process) -> None:
        began, counts = self.hub.now, self.tally.counts
        counts["sweeps"] += 1
        try:
            report = watch()
        except Killed:
            counts["sweeps cut off"] += 1
        except TryAgain:
            counts["sweeps that met a storm"] += 1
        else:
            counts["wakes by the watchdog"] += len(report.woken)
            counts["expired"] += len(report.expired)
            for kind in report.broken.values():
                counts[f"sweep failures: {kind}"] += 1
            self.tally.peak("deploying in a sweep", report.deploying)
        if self.store.in_state[State.DEPLOYING] or process.dead:
            self.tally.sweeps.append(self.hub.now - began)
        self.tally.peak("open at once", sum(map(len, self.store.in_state.values())))

    def _drift(self, retries: tuple[float, ...] = RETRIES_AFTER) -> None:
        process = Process(deadline=self.hub.now + DRIFT_TIMEOUT)
        self.hub.start(process, lambda: self._compared(retries))

    def _compared(self, retries: tuple[float, ...]) -> None:
        began, counts = self.hub.now, self.tally.counts
        apps = VirtualApps(heroku=self.heroku)
        compare = WatchDrift(
            store=self.store,
            baselines=_Compared(
                self.store,
                self.baselines.drifts,
                meter=self.meter,
                apps=apps,
                compared=self.compared,
                until=began + LASTS.total_seconds(),
            ),
            targets=self.targets,
            apps=apps,
            clock=self.clock,
        )
        counts["comparisons"] += 1
        try:
            report = compare()
        except Killed:
            counts["comparisons cut off"] += 1
            if retries:
                self.hub.at(self.hub.now + retries[0], lambda: self._drift(retries[1:]))
            return
        counts["targets unread by drift"] += len(report.unread)
        counts["targets left for later by drift"] += len(report.later)
        for unread in report.unread:
            self.compared.pop(unread, None)
        self.tally.peak("seconds of a comparison", self.hub.now - began)

    # What is measured

    def _measure(self, change: Change) -> None:
        before, after, now = change.before, change.after, self.hub.now
        if after.state is State.DEPLOYING and (before is None or before.state is not after.state):
            self.accepted[after.id] = now
        if after.rung and (before is None or after.rung is not before.rung):
            self.tally.counts[f"rung {after.rung}"] += 1
            if after.id not in self.told:
                self.told[after.id] = now
                self._late(after, now)
        if change.entry.action == Action.ALERT and change.entry.facts["alert"] == "drift":
            self.tally.counts["drift told"] += 1
        if change.settles:
            self._settled(after, now)

    def _late(self, promotion: Promotion, told: float) -> None:
        """Hold against the clock when somebody was told.

        The watchdog's own absence is told by the alarm on its heartbeat.
        """
        began = self.accepted[promotion.id]
        away = self.weather.lost(Storm.LAMBDA, began, told)
        away += self.weather.lost(Storm.DYNAMODB, began, told)
        self.tally.peak(
            "seconds from accepted to told, the watchdog's absence aside", told - began - away
        )
        if told - began <= TOLD_WITHIN:
            return
        self.tally.counts["told late, while the watchdog was away"] += 1
        if told - began - away > TOLD_WITHIN:
            self.tally.stuck.append(
                f"{promotion.id} of cell {self.plan.cell} was told after {told - began:.0f} s"
            )

    def _settled(self, promotion: Promotion, now: float) -> None:
        self.tally.counts[f"settled {promotion.state}"] += 1
        self.tally.counts[f"settled by {promotion.settled_by}"] += 1
        began = self.accepted.pop(promotion.id, None)
        if began is None:
            return
        self._untold(promotion, began, now)
        if promotion.state is State.DEPLOYED:
            self.tally.latencies[self._kind(promotion, began, now)].append(now - began)

    def _kind(self, promotion: Promotion, began: float, ended: float) -> str:
        app = self.heroku.apps[promotion.target]
        kind = "of a train" if promotion.flag.startswith("train_") else "ordinary"
        phase = ", with a release phase" if app.phase else ""
        storm = ", in or after an outage" if self.weather.touches(began, ended) else ""
        return f"{kind}{phase}{storm}"

    def _untold(self, promotion: Promotion, began: float, now: float) -> None:
        """Nobody was told in time of what took so long."""
        away = self.weather.lost(Storm.LAMBDA, began, now)
        away += self.weather.lost(Storm.DYNAMODB, began, now)
        if promotion.id not in self.told and now - began - away > TOLD_WITHIN:
            self.tally.stuck.append(
                f"{promotion.id} of cell {self.plan.cell} took {now - began:.0f} s, and nobody "
                "was told"
            )

    def _judge(self) -> None:
        """At the end: whatever is open says why, and was told of."""
        now, spelled = self.hub.now, hashlib.sha256()
        for promotion in self.store.promotions.values():
            ended = promotion.settled_at and seconds_of(promotion.settled_at)
            outcome = (promotion.id, promotion.state, promotion.audit_hash, ended)
            spelled.update(repr(outcome).encode())
            if not promotion.state.terminal:
                self._open(promotion, now)
        self.tally.digests[self.plan.cell] = spelled.hexdigest()
        self.tally.counts["promotions"] += len(self.store.promotions)

    def _open(self, promotion: Promotion, now: float) -> None:
        lock = self.locks.get(promotion.target)
        of_target = list(self.store.at_target.get(promotion.target, {}).values())
        word = waiting_on(promotion, lock=lock, deploying=of_target, now=self.hub.clock())
        kind = word.kind if word else "nothing"
        self.tally.counts[f"open at the end: {promotion.state}, waits for {kind}"] += 1
        if promotion.state is State.DEPLOYING:
            self._untold(promotion, self.accepted[promotion.id], now)
            self._left_behind(promotion, kind)
        elif word is None:
            self.tally.stuck.append(f"{promotion.id} of cell {self.plan.cell} does not say why")

    def _left_behind(self, promotion: Promotion, kind: str) -> None:
        """Long after the last outage, only a release that runs keeps anything open."""
        if kind not in {Waiting.OWN_RELEASE, Waiting.FOREIGN_RELEASE, Waiting.QUEUE}:
            self.tally.stuck.append(
                f"{promotion.id} of cell {self.plan.cell} was told of, and still waits for {kind}"
            )


@dataclass
class _Compared(VirtualBaselines):
    """`Baselines` for drift.

    Of a target that is as it was compared last, the comparison is charged but not made, for it
    would tell the same again.
    """

    apps: VirtualApps = field(kw_only=True)
    compared: dict[str, float] = field(kw_only=True)
    #: From then on, targets are left for later: what is known of them is read, and no more.
    until: float = field(kw_only=True)

    def get(self, target: str) -> Baseline:
        if self.meter.hub.now > self.until:
            return super().get(target)
        app = self.apps.heroku.apps[target]
        last, now = self.compared.pop(target, -1.0), self.meter.hub.now
        if app.changed < last and target in self.store.declared:
            self.apps.read_again(_READS_TO_COMPARE)
            self.compared[target] = now
            return Baseline(target=target)
        self.compared[target] = now
        return super().get(target)
