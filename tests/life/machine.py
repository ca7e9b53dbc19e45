"""The machine: whatever people, workers, Heroku and time may do, in any order."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from chalicelib.domain.target import Target
from chalicelib.usecases.work import Wake
from tests.life.doubles import Message
from tests.life.faults import (
    AT_REQUESTS,
    AT_SWEEPS,
    AT_WORK,
    DIES_AT_ONCE,
    HOUR,
    MINUTE,
    PHASES,
    SECOND,
    Asked,
    Foreign,
    Mishap,
    Mood,
    Phase,
    Wakes,
    What,
)
from tests.life.people import PLACES, People, Place
from tests.life.tally import Tally
from tests.life.town import FLAGS, TARGETS, Town

VALUES = ("on", "off", None)

place = st.sampled_from(PLACES)
value = st.sampled_from(VALUES)
which = st.sampled_from(range(6))
asking = st.sampled_from(AT_REQUESTS)
working = st.sampled_from(AT_WORK)
sweeping = st.sampled_from(AT_SWEEPS)
app = st.sampled_from(TARGETS)
yes = st.booleans()


class LifeMachine(RuleBasedStateMachine):
    """One life of a town. `tally` outlives it."""

    tally = Tally()

    def __init__(self) -> None:
        super().__init__()
        self.town = Town(tally=self.tally)
        self.people = people = People(self.town)
        self.town.befallings = {
            What.RIVAL: self._a_rival_comes,
            What.SUSPENDED: self._a_rival_comes,
            What.OVERTAKEN: lambda: self._a_rival_comes(DIES_AT_ONCE),
            What.SWEEP: self.town.sweeps,
            What.DRIFT: self.town.looks_for_drift,
            What.OTHER_VAR: lambda: self._others(self._here(), Foreign.OTHER_VAR),
            What.SAME_VAR: lambda: self._others(self._here(), Foreign.SAME_VAR),
            What.ROLLBACK: lambda: self._others(self._here(), Foreign.ROLLBACK),
            What.COMPLETE: lambda: people.concludes("complete", 0, None, force=True),
            What.FAIL: lambda: people.concludes("fail", 0, None, force=True),
            What.CANCEL: lambda: people.cancels(0),
            What.ACKNOWLEDGE: lambda: people.acknowledges(0, 1),
        }

    @invariant()
    def what_always_holds(self) -> None:
        self.tally.steps += 1
        self.town.witness.look()

    def teardown(self) -> None:
        # It was looked at before the first step, too.
        self.tally.steps -= 1
        if self.town.witness.broken is None:
            self.town.recovers()
            self.town.witness.looks_back()

    # People

    @rule(place=place, value=value, mishap=asking)
    def mark(self, place: Place, value: str | None, mishap: Mishap | None) -> None:
        self.people.marks(place, value, mishap)

    @rule(place=place, value=value, mishap=asking)
    def mark_and_promote(self, place: Place, value: str | None, mishap: Mishap | None) -> None:
        self.people.marks_and_promotes(place, value, mishap)

    @rule(place=place, value=value, mishap=working)
    def go_all_the_way(self, place: Place, value: str | None, mishap: Mishap | None) -> None:
        self.people.marks_and_promotes(place, value, None)
        self.town.delivers_newest(mishap)

    @rule(which=which, hours=st.sampled_from((None, 1, 5, 48)), mishap=asking)
    def stage(self, which: int, hours: int | None, mishap: Mishap | None) -> None:
        self.people.stages(which, hours, mishap)

    @rule(which=which)
    def approve(self, which: int) -> None:
        self.people.approves(which)

    @rule(which=which, glass=yes, mishap=asking)
    def promote(self, *, which: int, glass: bool, mishap: Mishap | None) -> None:
        self.people.promotes(which, mishap, glass=glass)

    @rule(which=which)
    def cancel(self, which: int) -> None:
        self.people.cancels(which)

    @rule(verb=st.sampled_from(("complete", "fail")), which=which, force=yes, mishap=asking)
    def conclude(self, *, verb: str, which: int, force: bool, mishap: Mishap | None) -> None:
        self.people.concludes(verb, which, mishap, force=force)

    @rule(verb=st.sampled_from(("retry", "rollback")), which=which, force=yes, mishap=asking)
    def renew(self, *, verb: str, which: int, force: bool, mishap: Mishap | None) -> None:
        self.people.renews(verb, which, mishap, force=force)

    @rule(which=which, hours=st.sampled_from((1, 14)))
    def acknowledge(self, which: int, hours: int) -> None:
        self.people.acknowledges(which, hours)

    # Workers, wakes and the watchdog

    @rule(which=which, mishap=working)
    def a_wake_is_delivered(self, which: int, mishap: Mishap | None) -> None:
        self.town.delivers(which, mishap)

    @rule(which=which, mishap=working)
    def another_wake_is_delivered(self, which: int, mishap: Mishap | None) -> None:
        self.town.delivers(which, mishap)

    @rule(what=st.sampled_from(Wakes), which=which)
    def wakes_suffer(self, what: Wakes, which: int) -> None:
        self.tally.met(f"wakes: {what}")
        self.town.tell(what)
        queue = self.town.queue
        messages = queue.messages
        match what:
            case Wakes.LOST if messages:
                del messages[which % len(messages)]
            case Wakes.DOUBLED if messages:
                double = messages[which % len(messages)]
                messages.append(Message(double.wake, double.visible_at))
            case Wakes.QUEUE_AWAY:
                queue.away = True
            case _:
                queue.away = False

    @rule(mishap=sweeping)
    def the_watchdog_sweeps(self, mishap: Mishap | None) -> None:
        self.town.sweeps(mishap)

    @rule(mishap=sweeping)
    def drift_is_looked_for(self, mishap: Mishap | None) -> None:
        self.town.looks_for_drift(mishap)

    @rule()
    def the_indexes_lag(self) -> None:
        self.town.tell("the indexes lag")
        self.town.store.lag()

    # Heroku, and others who use it

    @rule(app=app, mood=st.sampled_from((Mood.WELL, *Mood)))
    def heroku_is(self, app: str, mood: Mood) -> None:
        self.town.tell(f"from now on Heroku {mood} ({app})")
        at = self.town.heroku.apps[app]
        at.mood = mood
        at.unacceptable = frozenset({"FLAG_ALPHA"} if mood is Mood.PICKY else ())

    @rule(app=app, phase=st.sampled_from(PHASES), makes=yes, keeps=yes)
    def the_app_has(self, *, app: str, phase: Phase, makes: bool, keeps: bool) -> None:
        said = f"same values make {'a' if makes else 'no'} release"
        kept = f"failed releases {'keep' if keeps else 'drop'} their values"
        self.town.tell(f"{app} has {phase}; {said}; {kept}")
        at = self.town.heroku.apps[app]
        at.phase, at.phase_ends = phase.lasts, phase.ends
        at.same_value_makes_release, at.failed_keeps_value = makes, keeps

    @rule(app=app, what=st.sampled_from(Foreign))
    def others_are_at_it(self, app: str, what: Foreign) -> None:
        self._others(app, what)

    # Freezes, policies and time

    @rule(hours=st.sampled_from((None, 1, 30)))
    def sam_freezes(self, hours: int | None) -> None:
        ends_at = self.town.clock.now() + hours * HOUR if hours else None
        self.town.tell(f"sam freezes all targets {f'for {hours} h' if hours else 'until lifted'}")
        self.town.freeze(ends_at=ends_at)

    @rule()
    def sam_lifts(self) -> None:
        self.town.thaws()

    @rule(app=app, asked=st.sampled_from(Asked))
    def the_policy_asks(self, app: str, asked: Asked) -> None:
        self.town.tell(f"{app}'s policy {asked}")
        self.town.targets.put(
            Target(
                app=app,
                version=1,
                min_approvals=1 if asked is Asked.APPROVAL else 0,
                max_flags_per_release=1 if asked is Asked.SINGLY else 50,
                flag_patterns=("beta", "gamma") if asked is Asked.NOT_ALPHA else (),
            )
        )

    @rule(lasts=st.sampled_from((SECOND, 5 * SECOND, MINUTE, HOUR, 13 * HOUR, 150 * HOUR)))
    def all_stands_still(self, lasts: timedelta) -> None:
        self.town.tell(f"nothing happens for {lasts}, no sweep either")
        self.town.clock.advance(lasts)
        if lasts >= HOUR:
            self.town.minute()

    @rule(minutes=st.sampled_from((1, 1, 2, 31)))
    def minutes_pass(self, minutes: int) -> None:
        for _ in range(minutes):
            self.town.minute()

    # What befalls

    def _a_rival_comes(self, mishap: Mishap | None = None) -> None:
        self.town.works(Wake(target=self._here()), mishap)

    def _here(self) -> str:
        """The target that is being worked at."""
        leases = [actor.beat.lease.target for actor in self.town.actors if actor.beat]
        return leases[-1] if leases else TARGETS[0]

    def _others(self, target: str, what: Foreign) -> None:
        self.tally.met(f"others: {what}")
        self.town.tell(f"{what} ({target})")
        at = self.town.heroku.apps[target]
        value = ("else", "on", "off")[at.moves % 3]
        at.is_done_to(what, {f"FLAG_{flag.upper()}": value for flag in FLAGS})
