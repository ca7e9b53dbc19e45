"""Nothing ages unseen: what holds after every whole sweep of the watchdog."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from chalicelib.domain.audit import Action
from chalicelib.domain.ladder import DEFAULT_AFTER
from chalicelib.domain.promotion import Promotion, Rung, State
from tests.life.story import spelled

if TYPE_CHECKING:
    from tests.life.town import Town
    from tests.life.witness import Witness

RUNGS = list(Rung)


@dataclass
class Sweeps:
    """Judges what a sweep has left."""

    town: Town
    witness: Witness

    def over(self) -> None:
        """The watchdog has looked at everything: whatever takes long is told, and loudly enough."""
        now = self.town.clock.now()
        for promotion in self.town.store.promotions.values():
            self._begun(promotion, now)
            if promotion.state is not State.DEPLOYING or promotion.acknowledged(now):
                continue
            since = self.witness.lives[promotion.id].deploying_since or now
            due = [rung for rung, after in DEFAULT_AFTER.items() if now - since >= after]
            if due:
                self._told(promotion, due[-1])

    def _begun(self, promotion: Promotion, now: datetime) -> None:
        """What was let go for a time that has come has begun, or is held by what it says."""
        time, target = promotion.not_before, self.town.targets.targets[promotion.target]
        if not promotion.scheduled or time is None or now < time:
            return
        held = {
            "freeze": self.town.freezes.plan.hold(promotion.target, now),
            "approvals": target.min_approvals > len(promotion.approvers),
            "flag_allowed": not target.allows(promotion.flag),
        }
        self.witness.require(
            promotion.held_by and held[promotion.held_by],
            "what was let go begins by itself when its time has come",
            f"{spelled(promotion)} is {promotion.state}, held by {promotion.held_by}",
        )

    def _told(self, promotion: Promotion, due: Rung) -> None:
        told = [
            RUNGS.index(Rung(stored.entry.facts["rung"]))
            for stored in self.town.store.trail(promotion.id)
            if stored.entry.action == Action.ALERT and "rung" in stored.entry.facts
        ]
        # While our own release runs, the first rung is mere information.
        enough = RUNGS.index(Rung.INFO if due is Rung.SEV3 else due)
        self.witness.require(
            max(told, default=-1) >= enough,
            "whatever is open for 31 minutes has settled, or somebody was told",
            f"{spelled(promotion)} is deploying; {due} is due, told: {told}",
        )
