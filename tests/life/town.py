"""Hoist over fakes that go wrong: two targets, three people, a queue, and everybody's fate."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.domain.errors import Ambiguous, Rejected, TryAgain, Unavailable
from chalicelib.domain.lease import LEASE_LASTS
from chalicelib.domain.promotion import State
from chalicelib.domain.target import Target
from chalicelib.usecases.work import Wake, WorkReport
from tests.life.actors import Actor, Killed, LifeClock
from tests.life.doubles import INDEX_LAGS, Message, Queue, WitnessedLocks, WitnessedStore
from tests.life.faults import MINUTE, PATCH, SECOND, Mishap, What
from tests.life.heroku import Heroku, HerokuApp
from tests.life.story import Broken, Story, spelled
from tests.life.tally import Tally
from tests.life.turnstiled import Turnstiled
from tests.life.witness import Witness
from tests.world import World

TARGETS = ("shop", "blog")
FLAGS = ("alpha", "beta", "gamma")
_SUSPENDED_FOR = LEASE_LASTS + 3 * SECOND


@dataclass
class Town(World):
    """Everybody acts through turnstiles, where whatever may befall them does."""

    clock: LifeClock = field(default_factory=LifeClock)
    store: WitnessedStore = field(init=False)
    tally: Tally = field(default_factory=Tally)
    story: Story = field(default_factory=Story)

    def __post_init__(self) -> None:
        self.locks = WitnessedLocks(tally=self.tally)
        super().__post_init__()
        self.witness = Witness(self)
        self.store = WitnessedStore(
            self.operators, self.locks, entries=self.store.entries, town=self
        )
        self.queue = Queue(self.clock)
        self.heroku = Heroku(
            self.clock, self.tally, {target: HerokuApp(self.clock) for target in TARGETS}
        )
        self.heroku.took = self.witness.patches.took
        self.targets.targets.clear()
        for target in TARGETS:
            self.targets.put(Target(app=target, version=1))
        #: Hoist, through turnstiles.
        self.hoist = Turnstiled(self)
        self.codes = self.workers = 0
        #: Befalls whoever meets it; set by the machine.
        self.befallings: Mapping[What, Callable[[], object]] = {}

    @property
    def actors(self) -> list[Actor]:
        return self.clock.actors

    @property
    def actor(self) -> Actor | None:
        return self.actors[-1] if self.actors else None

    def tell(self, text: str) -> None:
        self.story.tell(self.clock.now(), len(self.actors), text)

    # Those who act

    def act(
        self, name: str, says: str, do: Callable[[], object], mishap: Mishap | None = None
    ) -> Actor:
        """Have somebody do something, whatever befalls them."""
        self.tell(f"{name} {says}" + (f" ({mishap})" if mishap else ""))
        actor = Actor(name, mishap)
        with self._on_stage(actor):
            actor.result = do()
        self._left_tidy(actor)
        return actor

    @contextmanager
    def _on_stage(self, actor: Actor) -> Iterator[None]:
        self.actors.append(actor)
        try:
            yield
        except Killed:
            actor.dead = True
        except Rejected as rejected:
            actor.rejected = rejected
            self.tally.met(f"rejected: {rejected.code}")
        except Unavailable:
            actor.unanswered = True
        except Broken:
            raise
        except Exception as bug:  # noqa: BLE001 - whatever it is, the story belongs to it
            self.witness.require(False, "nothing ends in a bug", f"{actor.name}: {bug!r}")  # noqa: FBT003 - it did not hold
        finally:
            self.actors.pop()
        if actor.rejected:
            self.tell(f"    refused: {actor.rejected.detail}")

    def _left_tidy(self, actor: Actor) -> None:
        require = self.witness.require
        require(
            not (actor.rejected and actor.commits), "what is refused changes nothing", actor.name
        )
        lease = actor.beat.lease if actor.beat else None
        require(
            actor.befallen or lease is None or not self.locks.newest(lease),
            "a worker that leaves gives its lease back",
            actor.name,
        )

    def befall(self, actor: Actor, mishap: Mishap, call: str) -> None:
        """Let a mishap happen at a call of theirs."""
        actor.befallen = True
        self.tally.met(f"mishap {mishap.what}, {mishap.when}")
        self.tell(f"! {actor.name}: {mishap.what}, {mishap.when} {call}")
        match mishap.what:
            case What.KILLED:
                actor.dead = True
                raise Killed
            case What.AWAY:
                raise _unanswered(call)
            case What.SLOW:
                self.clock.advance(9 * SECOND)
            case What.SUSPENDED | What.OVERTAKEN:
                actor.suspended = True
                self.clock.advance(_SUSPENDED_FOR)
                self.befallings[mishap.what]()
                actor.suspended = False
            case What.LAG:
                self.store.lag()
            case _:
                self.befallings[mishap.what]()

    def works(self, wake: Wake, mishap: Mishap | None = None) -> Actor:
        self.workers += 1
        name = f"worker {self.workers}"
        worker = self.hoist.worker_named(name)
        return self.act(name, f"is woken at {wake.target}", lambda: worker(wake), mishap)

    def sweeps(self, mishap: Mishap | None = None) -> Actor:
        actor = self.act("watchdog", "sweeps", self.hoist.watchdog, mishap)
        if actor.done:
            broken = {**actor.result.broken}
            self.witness.require(
                not broken or actor.befallen, "a sweep deals with everything", f"{broken}"
            )
        return actor

    def looks_for_drift(self, mishap: Mishap | None = None) -> Actor:
        return self.act("drift watch", "compares", self.hoist.drift_watch, mishap)

    def deliver(self, message: Message, mishap: Mishap | None = None) -> None:
        """Hand a wake to a worker, and do with it what the queue does."""
        messages = self.queue.messages
        messages.remove(message)
        visit = self.works(message.wake, mishap)
        now = self.clock.now()
        report = visit.result
        if isinstance(report, WorkReport) and visit.done:
            if report.look_again:
                messages.append(Message(message.wake, now + report.look_again.after))
        else:
            messages.append(Message(message.wake, now + LEASE_LASTS))

    def delivers(self, which: int, mishap: Mishap | None = None) -> None:
        """One of the wakes, in any order; where none is due, time passes until one is."""
        messages = sorted(self.queue.messages, key=lambda each: each.visible_at)
        if messages:
            message = messages[which % len(messages)]
            self._wait_until(message.visible_at)
            self.deliver(message, mishap)
        else:
            self.works(Wake(target=TARGETS[which % len(TARGETS)]), mishap)

    def delivers_newest(self, mishap: Mishap | None = None) -> None:
        """The wake that was sent last."""
        if self.queue.messages:
            self.deliver(self.queue.messages[-1], mishap)

    def minute(self) -> None:
        """One minute as it always passes: a sweep, and every wake that is due."""
        ends = self.clock.now() + MINUTE
        # What has lagged shows by now.
        self.clock.advance(INDEX_LAGS)
        self.sweeps()
        self.witness.sweeps.over()
        due = [message for message in self.queue.messages if message.visible_at < ends]
        for message in sorted(due, key=lambda each: each.visible_at):
            self._wait_until(message.visible_at)
            self.deliver(message)
        self._wait_until(ends)

    def _wait_until(self, time: datetime) -> None:
        self.clock.time = max(self.clock.time, time)

    def thaws(self) -> None:
        """No freeze is left."""
        for freeze_id in self.freezes.plan.freezes:
            self.tell("sam lifts the freeze")
            self.lift(freeze_id)

    def recovers(self) -> None:
        """When all is well again, what was begun ends within minutes, and the rest in its time."""
        self.tell("all is well again")
        self.queue.away = False
        for app in self.heroku.apps.values():
            app.recover()
        self._until_nothing_deploys(minutes=6)
        self.thaws()
        self.clock.advance(timedelta(days=40))
        self._until_nothing_deploys(minutes=3)
        self.clock.advance(LEASE_LASTS)
        self.witness.all_is_over()

    def _until_nothing_deploys(self, *, minutes: int) -> None:
        for _ in range(minutes):
            self.minute()
        left = [p for p in self.store.promotions.values() if p.state is State.DEPLOYING]
        self.witness.require(
            not left,
            "nothing is stuck once all is well again",
            ", ".join(f"{spelled(p)} is at {p.step}" for p in left),
        )

    def new_code(self) -> str:
        self.codes += 1
        return str(100_000 + self.codes)


def _unanswered(call: str) -> TryAgain:
    """What it looks like where no answer comes: from Heroku, or from a part of Hoist."""
    if call == PATCH:
        return Ambiguous()
    heroku = call in {"config", "releases", "release_config_vars"}
    return TryAgain("No answer.") if heroku else Unavailable()
