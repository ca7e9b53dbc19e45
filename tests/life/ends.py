"""What a settled promotion says of itself is true, by what only Heroku knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.domain.audit import Action
from chalicelib.domain.promotion import Change, Effect, Promotion, SettledBy, State
from chalicelib.domain.release import ReleaseStatus
from tests.life.faults import Mood
from tests.life.story import spelled
from tests.life.tally import REASONS

if TYPE_CHECKING:
    from tests.life.heroku import HerokuApp
    from tests.life.town import Town
    from tests.life.witness import Witness


@dataclass
class Ends:
    """Judges every end as it is written."""

    town: Town
    witness: Witness

    def settled(self, after: Promotion, change: Change) -> None:
        tally, app = self.town.tally, self.town.heroku.apps[after.target]
        tally.met(f"{after.state} by {after.settled_by}, effect {after.effect}")
        for reason in REASONS:
            if after.reason and reason in after.reason:
                tally.met(f"reason: {reason}")
        self.witness.require(after.effect, "every end has an effect", spelled(after))
        self.witness.require(
            after.state is not State.FAILED or after.reason,
            "every failure has a reason",
            spelled(after),
        )
        if after.state is State.DEPLOYED:
            self._truly_deployed(after, change, app)
        if after.effect is Effect.LIVE:
            self._was_live(after, app)
        if self._seen_as_it_is(after, app):
            self._truly_told(after, app)
        if after.state is State.FAILED and after.settled_by is SettledBy.WORKER:
            self._truly_failed(after, app)

    def _truly_failed(self, after: Promotion, app: HerokuApp) -> None:
        """What went wrong is known, but where Heroku refuses or hides; nothing goes live."""
        actor = self.town.actor
        if app.mood in {Mood.GONE, Mood.BLIND} or actor is None or actor.befallen:
            return
        sent = self.witness.lives[after.id].sent_as
        runs = sent and app.history[sent - 1].release.status is ReleaseStatus.PENDING
        current = app.current
        # What the next release would take away again does not count.
        lasts = after.carried_by(app.stored)
        live = lasts and current and after.carried_by(current.config_vars)
        self.witness.require(
            after.effect is not Effect.UNKNOWN and not runs and not live,
            "nothing is called failed that may go live",
            f"{spelled(after)}, effect {after.effect}; its release runs: {bool(runs)}, "
            f"live: {bool(live)}",
        )

    def _truly_deployed(self, after: Promotion, change: Change, app: HerokuApp) -> None:
        forced = after.settled_by is SettledBy.OPERATOR and change.entry.facts["forced"]
        self.witness.require(
            forced or self._was_live(after, app),
            "deployed means that a succeeded release carried the value",
            spelled(after),
        )
        if forced:
            self.witness.require(
                change.entry.action == Action.COMPLETE and after.observed,
                "what was completed by force says so",
                spelled(after),
            )

    def _was_live(self, after: Promotion, app: HerokuApp) -> bool:
        """Its release carries the value, has succeeded, and was current since the promote."""
        n = after.release_version or 0
        # While Heroku shows releases late, the one before still looks like the current one.
        since = 0 if app.mood is Mood.SHY else self.witness.lives[after.id].accepted_over
        made = app.history[n - 1] if 0 < n <= len(app.history) else None
        held = (
            made is not None
            and made.release.status is ReleaseStatus.SUCCEEDED
            and after.carried_by(made.config_vars)
            and n in app.currents[since:]
        )
        self.witness.require(
            held,
            "deployed means that a succeeded release carried the value",
            f"{spelled(after)} names release v{n}: {made and made.release.status}",
        )
        return held

    def _seen_as_it_is(self, after: Promotion, app: HerokuApp) -> bool:
        """Whoever settled it has read Heroku, and nothing has changed there since."""
        actor = self.town.actor
        return actor is not None and actor.read.get(after.target) == app.moves

    def _truly_told(self, after: Promotion, app: HerokuApp) -> None:
        current = app.current
        live = current is not None and after.carried_by(current.config_vars)
        stored = after.carried_by(app.stored)
        held = {
            Effect.LIVE: live and (stored or _ours(after)),
            Effect.STORED_NOT_LIVE: stored and not live,
            Effect.NONE: not stored or after.settled_by is SettledBy.WATCHDOG,
            Effect.UNKNOWN: True,
            None: False,
        }
        if after.state in {State.DEPLOYED, State.FAILED}:
            self.witness.require(
                held[after.effect],
                "the effect is what Heroku shows",
                f"{spelled(after)} ended with effect {after.effect}; stored: {stored}, "
                f"live: {live}",
            )


def _ours(after: Promotion) -> bool:
    """Its release came after its baseline: what an older one shows may be about to go."""
    baseline = after.baseline_version
    return baseline is not None and (after.release_version or 0) > baseline
