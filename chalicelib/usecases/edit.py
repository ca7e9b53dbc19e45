"""Change what is written about a promotion; never what it does."""

from dataclasses import dataclass

from chalicelib.domain.audit import Action
from chalicelib.domain.operator import Caller, Role, act_of
from chalicelib.domain.promotion import Change, Promotion, annotate
from chalicelib.ports import Clock, PromotionStore
from chalicelib.usecases.lookup import changed


@dataclass(frozen=True, kw_only=True)
class Edit:
    """Set the link to a retrospective, or the note, in any state; is idempotent.

    What is not named stays. Raises `Rejected`: not found, role, stale version.
    """

    store: PromotionStore
    clock: Clock

    def __call__(
        self,
        promotion_id: str,
        *,
        caller: Caller,
        words: dict[str, str | None],
        if_version: int | None,
    ) -> Promotion:
        caller.require(Role.PROMOTER)

        def edited(promotion: Promotion) -> Change | None:
            news = {name: text for name, text in words.items() if getattr(promotion, name) != text}
            if not news:
                return None
            act = act_of(caller, Action.EDIT, self.clock.now(), news)
            return annotate(promotion, act, **news)

        return changed(self.store, promotion_id, edited, if_version=if_version)
