"""Accept a marked promotion: from here it moves by itself."""

import hashlib
from dataclasses import dataclass

from chalicelib.domain.actions import require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.errors import TryAgain
from chalicelib.domain.operator import Caller, Role, SpentCode
from chalicelib.domain.promotion import Act, Promotion, State, Step, advance
from chalicelib.ports import Clash, Clock, Lost, PromotionStore, Wakes
from chalicelib.usecases.lookup import contended, require_version, wanted
from chalicelib.usecases.step_up import StepUp, reused

_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class PromoteOrder:
    """Which promotion shall go, on whose word."""

    promotion_id: str
    caller: Caller
    code: str | None
    if_version: int | None
    key: str | None

    @property
    def fingerprint(self) -> str | None:
        """What is kept of the idempotency key, to recognise the same request."""
        if self.key is None:
            return None
        return hashlib.sha256(f"{self.caller.name}:{self.key}".encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The promotion is `deploying`, durably, whatever happens next."""

    promotion: Promotion
    replayed: bool
    #: Its wake is queued. If not, the watchdog wakes the target within a minute.
    woken: bool


@dataclass(frozen=True, kw_only=True)
class Promote:
    """Accept a promotion: state and spent code in one transaction, then a wake.

    A repeat with the same idempotency key is answered before a code is looked at.
    Raises `Rejected`: not found, role, state, stale version, second factor.
    """

    store: PromotionStore
    step_up: StepUp
    wakes: Wakes
    clock: Clock

    def __call__(self, order: PromoteOrder) -> Accepted:
        order.caller.require(Role.PROMOTER)
        for _ in range(_ATTEMPTS):
            promotion = wanted(self.store, order.promotion_id)
            if order.fingerprint and promotion.promote_key == order.fingerprint:
                return Accepted(promotion=promotion, replayed=True, woken=False)
            require_state(promotion, "promote")
            require_version(promotion, order.if_version)
            spend = self.step_up(order.caller, order.code)
            accepted = self._commit(promotion, order, spend)
            if accepted:
                return Accepted(promotion=accepted, replayed=False, woken=self._wake(accepted))
        raise contended()

    def _commit(
        self,
        promotion: Promotion,
        order: PromoteOrder,
        spend: SpentCode,
    ) -> Promotion | None:
        """The accepted promotion, or `None` where the world moved: read it again."""
        now = self.clock.now()
        change = advance(
            promotion,
            Act(
                actor=order.caller.name,
                action=Action.PROMOTE,
                at=now,
                facts={"value": promotion.value, "totp_timecode": spend.timecode},
            ),
            state=State.DEPLOYING,
            step=Step.QUEUED,
            promoted_by=order.caller.name,
            promoted_at=now,
            promote_key=order.fingerprint,
        )
        try:
            self.store.commit(change, spend=spend)
        except Lost as lost:
            if lost.clashes == {Clash.SECOND_FACTOR}:
                self._require_unspent(order, spend)
            return None
        return change.after

    def _require_unspent(self, order: PromoteOrder, spend: SpentCode) -> None:
        """Tell a spent code, which is final, from a record that moved for another reason."""
        operator = self.step_up.operators.get(order.caller.name)
        if operator is not None and spend.timecode <= operator.last_timecode:
            raise reused()

    def _wake(self, promotion: Promotion) -> bool:
        """Queue a wake. Losing it costs time, not the promotion: the intention is stored."""
        try:
            self.wakes.send(promotion.target, promotion_id=promotion.id)
        except TryAgain:
            return False
        return True
