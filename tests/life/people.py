"""Kim, pat and sam: what they ask of Hoist, and that they ask again where no answer comes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import Any

from chalicelib.domain.actions import RULES
from chalicelib.domain.errors import Code
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import Promotion
from chalicelib.usecases.acknowledge import Acknowledge
from chalicelib.usecases.authorised import Order
from chalicelib.usecases.conclude import ConcludeOrder
from chalicelib.usecases.mark import MarkOrder
from chalicelib.usecases.promote import PromoteOrder
from chalicelib.usecases.renew import RenewOrder
from chalicelib.usecases.stage import StageOrder
from tests.factories import KIM, PAT, SAM
from tests.life.actors import Actor
from tests.life.faults import Mishap
from tests.life.story import spelled
from tests.life.town import FLAGS, TARGETS, Town

Place = tuple[str, str]
PLACES: tuple[Place, ...] = tuple(product(TARGETS, FLAGS))


class People:
    """Each request is about the `which`-th newest promotion that admits it."""

    def __init__(self, town: Town) -> None:
        self.town, self.hoist = town, town.hoist
        self.keys = 0

    def marks(self, place: Place, value: str | None, mishap: Mishap | None) -> Promotion | None:
        target, flag = self._free(place)
        order = MarkOrder(
            caller=KIM,
            target=target,
            flag=flag,
            value=value,
            note=None,
            key=self._new_key(),
        )
        says = f"marks {flag}={value or 'absent'} at {target}"
        actor = self._asks(KIM, says, lambda: self.hoist.mark_flag(order).promotion, mishap)
        return actor.result if actor.done else None

    def marks_and_promotes(self, place: Place, value: str | None, mishap: Mishap | None) -> None:
        made = self.marks(place, value, None)
        if made:
            self.promotes_this(made, mishap, glass=False)

    def stages(self, which: int, hours: int | None, mishap: Mishap | None) -> None:
        promotion = self._pick("stage", which)
        time = self.town.clock.now() + timedelta(hours=hours) if hours else None
        known: set[str] = set()

        def stage() -> Promotion:
            asked = self._asked(promotion, KIM, None)
            order = StageOrder(**asked, not_before=time, acknowledge=frozenset(known))
            return self.hoist.stage_it(order).promotion

        says = f"stages {spelled(promotion)}" + (f" for in {hours} h" if hours else "")
        refused = self._asks(KIM, says, stage, mishap).rejected
        if refused and refused.code is Code.WARNINGS_UNACKNOWLEDGED:
            checks = (refused.conflict or {})["checks"]
            known |= {check["id"] for check in checks}  # type: ignore[attr-defined]
            self._asks(KIM, f"{says}, and knows of the warnings", stage, None)

    def approves(self, which: int) -> None:
        promotion = self._pick("approve", which)
        order = Order(**self._asked(promotion, PAT, None))
        says = f"approves {spelled(promotion)}"
        self._asks(PAT, says, lambda: self.hoist.approve_it(order, note=None), None)

    def promotes(self, which: int, mishap: Mishap | None, *, glass: bool) -> None:
        self.promotes_this(self._pick("promote", which), mishap, glass=glass)

    def promotes_this(self, promotion: Promotion, mishap: Mishap | None, *, glass: bool) -> None:
        key = self._new_key()

        def promote() -> Promotion:
            asked = self._asked(promotion, KIM, key)
            order = PromoteOrder(**asked, break_glass="It burns." if glass else None)
            return self.hoist.promote_it(order).promotion

        says = f"promotes {spelled(promotion)}" + (", breaking the glass" if glass else "")
        self._asks(KIM, says, promote, mishap)

    def cancels(self, which: int) -> None:
        promotion = self._pick("cancel", which)

        def cancel() -> Promotion:
            done = self.hoist.cancel_it(promotion.id, caller=KIM, if_version=None, reason=None)
            return done.promotion

        self._asks(KIM, f"cancels {spelled(promotion)}", cancel, None)

    def concludes(self, verb: str, which: int, mishap: Mishap | None, *, force: bool) -> None:
        promotion = self._pick(verb, which)
        key = self._new_key()

        def say() -> Promotion:
            asked = self._asked(promotion, SAM, key)
            order = ConcludeOrder(**asked, reason="I have seen it.", force=force)
            said: Promotion = getattr(self.hoist.conclude, verb)(order).promotion
            return said

        by = " by force" if force else ""
        self._asks(SAM, f"says {verb} of {spelled(promotion)}{by}", say, mishap)

    def renews(self, verb: str, which: int, mishap: Mishap | None, *, force: bool) -> None:
        old = self._pick(verb, which)
        key = self._new_key()

        def renew() -> Promotion:
            asked = self._asked(old, KIM, key)
            order = RenewOrder(**asked, reason="Again." if force else None, force=force)
            made: Promotion = getattr(self.hoist.renew, verb)(order).promotion
            return made

        self._asks(KIM, f"asks for a {verb} of {spelled(old)}", renew, mishap)

    def acknowledges(self, which: int, hours: int) -> None:
        promotion = self._pick("ack", which)
        acknowledge = Acknowledge(store=self.hoist.store, clock=self.town.clock)

        def know() -> Promotion:
            lasts = timedelta(hours=hours)
            return acknowledge(promotion.id, caller=PAT, lasts=lasts, note=None, if_version=None)

        self._asks(PAT, f"acknowledges {spelled(promotion)} for {hours} h", know, None)

    # How they ask

    def _asks(
        self,
        caller: Caller,
        says: str,
        do: Callable[[], Promotion],
        mishap: Mishap | None,
    ) -> Actor:
        """One request; whoever gets no answer sends the same once more."""
        actor = self.town.act(caller.name, says, do, mishap)
        if actor.dead or actor.unanswered:
            actor = self.town.act(caller.name, "gets no answer, and sends the same again", do)
        if actor.done:
            self.town.witness.promised.add(actor.result.id)
        return actor

    def _asked(self, promotion: Promotion, caller: Caller, key: str | None) -> dict[str, Any]:
        return {
            "promotion_id": promotion.id,
            "caller": caller,
            "code": self.town.new_code(),
            "if_version": None,
            "key": key,
        }

    def _new_key(self) -> str:
        self.keys += 1
        return f"key-{self.keys}"

    def _pick(self, action: str, which: int) -> Promotion:
        """A promotion that admits the action; where there is none, a new one, or any."""
        promotions = self.town.store.promotions.values()
        fit = [p for p in promotions if p.state in RULES[action].states]
        if fit:
            return fit[-1 - which % min(len(fit), 6)]
        # Every policy takes this flag: where it cannot be marked, it is open already.
        made = self.marks((TARGETS[which % 2], FLAGS[-1]), "on", None)
        return made or next(reversed(promotions))

    def _free(self, place: Place) -> Place:
        """This place, or the next one without an open promotion; of none free, this."""
        at = PLACES.index(place)
        later = (*PLACES[at:], *PLACES[:at])
        busy = self.town.store.flag_locks
        return next((each for each in later if each not in busy), place)
