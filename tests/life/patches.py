"""Every PATCH: by whom it may be sent, when, and with what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from chalicelib.domain.promotion import Promotion, State
from tests.life.actors import Actor
from tests.life.faults import Mood
from tests.life.story import spelled

if TYPE_CHECKING:
    from tests.life.heroku import HerokuApp
    from tests.life.town import Town
    from tests.life.witness import Witness


@dataclass
class Patches:
    """Judges every PATCH as it begins."""

    town: Town
    witness: Witness
    #: Who has one on its way, by target.
    under_way: dict[str, Actor] = field(default_factory=dict)

    def begins(self, actor: Actor, target: str, changes: Mapping[str, str | None]) -> None:
        app = self.town.heroku.apps[target]
        told = ", ".join(f"{name}={value}" for name, value in sorted(changes.items()))
        self.town.tell(f"{actor.name} PATCHes {told} at {target}")
        self._alone(actor, app, target)
        self._holds_lease(actor, target)
        self._waited(actor, app, target)
        self._on_record(actor, target, changes)
        self._first_time(app, target, changes)
        self.under_way[target] = actor

    def ends(self, target: str) -> None:
        self.under_way.pop(target, None)

    def _alone(self, actor: Actor, app: HerokuApp, target: str) -> None:
        """No condition guards what is on its way already: a PATCH may be late, and is counted."""
        rival = self.under_way.get(target)
        if app.late or (rival and rival.suspended):
            self.town.tally.met("a PATCH overtook one that was late")
            return
        self.witness.require(
            rival is None,
            "no two PATCHes of one target overlap",
            f"{actor.name} and {rival and rival.name} at {target}",
        )

    def _holds_lease(self, actor: Actor, target: str) -> None:
        beat, now = actor.beat, self.town.clock.now()
        lock = self.town.locks.get(target)
        self.witness.require(
            beat is not None and self.town.locks.newest(beat.lease) and lock.held(now),
            "whoever PATCHes holds the lease",
            f"{actor.name} at {target}",
        )

    def _waited(self, actor: Actor, app: HerokuApp, target: str) -> None:
        self.witness.require(
            not (app.running and actor.read.get(target) == app.moves),
            "nothing is sent while a release runs",
            f"{actor.name} at {target}, v{len(app.history)} runs",
        )

    def _on_record(self, actor: Actor, target: str, changes: Mapping[str, str | None]) -> None:
        """Whoever PATCHes has just put the intent on record: what is written was not settled."""
        unheard = changes.items() - actor.intents.items()
        self.witness.require(
            not unheard,
            "nothing is sent without its intent on record",
            f"{', '.join(sorted(name for name, _ in unheard))} at {target}",
        )

    def _first_time(self, app: HerokuApp, target: str, changes: Mapping[str, str | None]) -> None:
        for promotion in self._sent(target, changes):
            sent_as = self.witness.lives[promotion.id].sent_as
            if sent_as and app.mood is Mood.SHY:
                # Who cannot see a release cannot know of it: it costs a restart, and is counted.
                self.town.tally.met("a PATCH was sent again, its release not being shown")
                continue
            self.witness.require(
                sent_as is None,
                "what has made its release is not sent again",
                f"{spelled(promotion)} was sent as v{sent_as}",
            )

    def _sent(self, target: str, changes: Mapping[str, str | None]) -> Iterator[Promotion]:
        """The open promotions that a PATCH is about."""
        for promotion in self.town.store.promotions.values():
            if (
                promotion.target == target
                and promotion.state is State.DEPLOYING
                and promotion.config_var in changes
            ):
                yield promotion

    def took(self, target: str, changes: Mapping[str, str | None]) -> None:
        """Heroku took a PATCH: remember the release that it made, if it made one."""
        app = self.town.heroku.apps[target]
        newest = app.history[-1]
        for promotion in self._sent(target, changes):
            after_baseline = newest.release.version > (promotion.baseline_version or 0)
            if after_baseline and promotion.carried_by(newest.config_vars):
                self.witness.lives[promotion.id].sent_as = newest.release.version
