"""Write a change that a one-time code authorises: both in one transaction, or neither."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from chalicelib.domain.operator import Caller, SpentCode
from chalicelib.domain.promotion import Change, Promotion
from chalicelib.ports import Clash, Lost, PromotionStore
from chalicelib.usecases.lookup import contended, require_version, wanted
from chalicelib.usecases.step_up import StepUp

_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Order:
    """A request about one promotion that a code authorises."""

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
class Authorised:
    """Change a promotion on the word of a caller whose code is right.

    The promotion is judged before the code is: a request that cannot be carried out, or was
    carried out already, spends none and counts none.
    """

    store: PromotionStore
    step_up: StepUp

    def __call__(
        self,
        order: Order,
        change: Callable[[Promotion, SpentCode], Change],
        *,
        admit: Callable[[Promotion], Promotion | None],
    ) -> Promotion:
        """Write what `change` makes of the promotion.

        `admit` raises `Rejected` where it must not be changed, and answers the promotion where
        the change was made already, by the very same request. Raises `Rejected`: not found, stale
        version, second factor.
        """
        for _ in range(_ATTEMPTS):
            promotion = wanted(self.store, order.promotion_id)
            done = admit(promotion)
            if done:
                return done
            require_version(promotion, order.if_version)
            spend = self.step_up(order.caller, order.code)
            made = change(promotion, spend)
            if self.written(made, spend):
                return made.after
        raise contended()

    def written(self, change: Change, spend: SpentCode) -> bool:
        """Write; `False` where the world moved: read it again. Raises `Rejected`: code spent."""
        try:
            self.store.commit(change, spend=spend)
        except Lost as lost:
            if lost.clashes == {Clash.SECOND_FACTOR}:
                self.step_up.require_unspent(spend)
            return False
        return True
