"""Approve somebody else's promotion."""

from dataclasses import dataclass

from chalicelib.domain.actions import require_approver, require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Role, SpentCode, act_of
from chalicelib.domain.promotion import Approval, Change, Promotion, advance
from chalicelib.ports import Clock
from chalicelib.usecases.authorised import Authorised, Order


@dataclass(frozen=True, kw_only=True)
class Approve:
    """Approve a value and its time; is idempotent. Nobody approves their own.

    Raises `Rejected`: not found, role, state, one's own, stale version, second factor.
    """

    authorised: Authorised
    clock: Clock

    def __call__(self, order: Order, *, note: str | None) -> Promotion:
        order.caller.require(Role.PROMOTER)

        def admit(promotion: Promotion) -> Promotion | None:
            if order.caller.name in promotion.approvers:
                return promotion
            require_state(promotion, "approve")
            require_approver(promotion, order.caller)
            return None

        def approved(promotion: Promotion, spend: SpentCode) -> Change:
            now, time = self.clock.now(), promotion.not_before
            facts = {
                "value": promotion.value,
                "not_before": time and spell(time),
                "totp_timecode": spend.timecode,
                "note": note,
            }
            approval = Approval(by=order.caller.name, at=now)
            return advance(
                promotion,
                act_of(order.caller, Action.APPROVE, now, facts),
                approvals=(*promotion.approvals, approval),
            )

        return self.authorised(order, approved, admit=admit)
