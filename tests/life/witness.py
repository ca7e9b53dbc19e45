"""What always holds, judged from what was written and from what only Heroku knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.domain.audit import Action, StoredEntry, verify
from chalicelib.domain.promotion import (
    NEXT,
    Change,
    Promotion,
    State,
)
from chalicelib.domain.record import verify_record
from tests.life.actors import Actor
from tests.life.ends import Ends
from tests.life.patches import Patches
from tests.life.story import Broken, spelled
from tests.life.sweeps import Sweeps

if TYPE_CHECKING:
    from tests.life.town import Town

#: What may be written about a promotion that has settled.
_WORDS = frozenset({"version", "audit_hash", "note", "rca_url"})


@dataclass
class Life:
    """What was seen of one promotion, apart from what it says of itself."""

    #: Every change of state, as the store showed it.
    moves: list[tuple[State | None, State]] = field(default_factory=list)
    #: How many releases had been current before the one that was when it was accepted.
    accepted_over: int = 0
    deploying_since: datetime | None = None
    #: The release that Heroku made of its PATCH.
    sent_as: int | None = None
    #: As it was settled.
    end: Promotion | None = None


@dataclass
class Witness:
    """Sees every write and every PATCH, and raises `Broken` where something does not hold."""

    town: Town
    lives: dict[str, Life] = field(default_factory=dict)
    #: Promotions that somebody was told of.
    promised: set[str] = field(default_factory=set)
    broken: Broken | None = None

    def __post_init__(self) -> None:
        self.ends, self.patches = Ends(self.town, self), Patches(self.town, self)
        self.sweeps = Sweeps(self.town, self)

    def require(self, held: object, invariant: str, seen: str = "") -> None:
        if not held:
            self.broken = self.broken or Broken(invariant, seen, self.town.story)
            raise self.broken

    # Every write

    def saw(self, change: Change, was: Promotion | None) -> None:
        """A transition was written; `was` is what was stored before it."""
        after, entry = change.after, change.entry
        self._tell(change)
        life = self.lives.setdefault(after.id, Life())
        self._pairs(change, was)
        if was is None or was.state is not after.state:
            life.moves.append((was.state if was else None, after.state))
            self._moved(life, after)
        if life.end:
            self._still_settled(life.end, after)
        elif after.state.terminal:
            life.end = after
            self.ends.settled(after, change)
        actor = self.town.actor
        if actor is not None:
            actor.commits += 1
            if entry.action == Action.RECORD_INTENT:
                actor.intents[after.config_var] = after.value
            self._by_worker(actor, change)

    def _pairs(self, change: Change, was: Promotion | None) -> None:
        """The entry says exactly what changed."""
        after, entry = change.after, change.entry
        says = (entry.subject, entry.version, entry.from_state, entry.to_state, entry.step)
        is_so = (
            after.id,
            (was.version if was else 0) + 1,
            was.state if was else None,
            after.state,
            after.step,
        )
        self.require(
            says == is_so and entry.hash == after.audit_hash and after.version == entry.version,
            "every transition pairs with one audit entry that says the same",
            f"{says} was written for {is_so}",
        )

    def _moved(self, life: Life, after: Promotion) -> None:
        self.town.tally.met(f"state {after.state}")
        if after.state is State.DEPLOYING:
            life.deploying_since = self.town.clock.now()
            life.accepted_over = len(self.town.heroku.apps[after.target].currents) - 1
        of_flag = [
            each.id
            for each in self.town.store.promotions.values()
            if (each.target, each.flag) == (after.target, after.flag) and not each.state.terminal
        ]
        self.require(
            len(of_flag) <= 1,
            "at most one promotion of a flag is open at a target",
            ", ".join(of_flag),
        )

    def _still_settled(self, was: Promotion, after: Promotion) -> None:
        moved = {
            name
            for name, value in vars(was).items()
            if getattr(after, name) != value and name not in _WORDS
        }
        self.require(
            not moved,
            "what has settled never changes",
            f"{spelled(after)} was {was.state}; changed: {', '.join(sorted(moved))}",
        )

    def _by_worker(self, actor: Actor, change: Change) -> None:
        """A worker writes only while nobody has taken its lease."""
        if change.entry.actor != "worker":
            return
        beat = actor.beat
        self.require(
            beat is not None and self.town.locks.newest(beat.lease),
            "a worker that lost its lease writes nothing",
            f"{actor.name} wrote {change.entry.action} of {spelled(change.after)}",
        )
        after = change.after
        baseline, release = after.baseline_version, after.release_version
        self.require(
            after.state is State.DEPLOYED or release is None or release > (baseline or 0),
            "a release at the baseline is not ours",
            f"{spelled(after)} names v{release} over v{baseline}",
        )

    # After every rule

    def look(self) -> None:
        """What holds between any two steps."""
        if self.broken:
            raise self.broken
        store = self.town.store
        open_ones = {
            (each.target, each.flag): each.id
            for each in store.promotions.values()
            if not each.state.terminal
        }
        self.require(
            open_ones == store.flag_locks,
            "no lock outlives its promotion, and none is missing",
            f"open: {open_ones}, locked: {store.flag_locks}",
        )
        self.require(
            self.promised <= store.promotions.keys(),
            "nothing is lost",
            ", ".join(sorted(self.promised - store.promotions.keys())),
        )

    # At the end

    def looks_back(self) -> None:
        """All trails are whole, and say what was seen."""
        for promotion in self.town.store.promotions.values():
            trail = self.town.store.trail(promotion.id)
            self._whole(promotion, trail)
            changes = [
                (each.entry.from_state, each.entry.to_state)
                for each in trail
                if each.entry.from_state != each.entry.to_state
            ]
            self.require(
                changes == self.lives[promotion.id].moves and _legal(changes),
                "each audit entry that changes the state pairs with one transition",
                f"{promotion.id}: audit {changes}, seen {self.lives[promotion.id].moves}",
            )
        plan = self.town.freezes.get()
        self.require(
            verify_record(plan, self.town.store.trail(plan.subject)).verified,
            "the audit chain verifies",
            "freezes",
        )

    def _whole(self, promotion: Promotion, trail: Sequence[StoredEntry]) -> None:
        # Hashes are kept once computed: entries that are read back have to compute theirs.
        read = [replace(each, entry=replace(each.entry)) for each in trail]
        found = verify(read, version=promotion.version, head=promotion.audit_hash)
        self.require(found.verified, "the audit chain verifies", f"{promotion.id}: {found.reason}")

    def all_is_over(self) -> None:
        """Nothing is open any more, and nothing is held."""
        self.look()
        left = [p for p in self.town.store.promotions.values() if not p.state.terminal]
        self.require(
            not left,
            "everything ends",
            ", ".join(f"{spelled(each)} is {each.state}" for each in left),
        )
        now = self.town.clock.now()
        held = [target for target, lock in self.town.locks.locks.items() if lock.held(now)]
        self.require(not held, "no lease outlives its work", ", ".join(held))

    def _tell(self, change: Change) -> None:
        after, entry = change.after, change.entry
        self.town.tally.met(f"action {entry.action}")
        if after.step:
            self.town.tally.met(f"step {after.step}")
        rung = entry.facts.get("rung")
        if rung:
            self.town.tally.met(f"rung {rung}")
        where = f"{after.state}" + (f"/{after.step}" if after.state is State.DEPLOYING else "")
        if after.effect and entry.from_state != after.state:
            where += f", effect {after.effect}" + (f": {after.reason}" if after.reason else "")
        self.town.tell(f"{entry.actor} writes {entry.action}: {spelled(after)} is {where}")


def _legal(changes: Sequence[tuple[str | None, str | None]]) -> bool:
    """Each state follows from the one before, as `NEXT` has it."""
    return all(was is None or State(is_now or "") in NEXT[State(was)] for was, is_now in changes)
