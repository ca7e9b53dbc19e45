"""What a caller may do with a promotion now, and if not, why not."""

from collections.abc import Mapping
from dataclasses import dataclass

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Promotion, State


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Who may take an action, and in which states."""

    role: Role
    states: frozenset[State]
    second_factor: bool


#: Every action on an existing promotion.
RULES: Mapping[str, Rule] = {
    "promote": Rule(
        role=Role.PROMOTER,
        states=frozenset({State.PENDING, State.STAGED}),
        second_factor=True,
    ),
    "cancel": Rule(
        role=Role.PROMOTER,
        states=frozenset({State.PENDING, State.STAGED}),
        second_factor=False,
    ),
    "ack": Rule(
        role=Role.PROMOTER,
        states=frozenset({State.DEPLOYING}),
        second_factor=False,
    ),
}

_WHY_NOT: Mapping[State, str] = {
    State.PENDING: "It is only marked.",
    State.STAGED: "It is only staged.",
    State.DEPLOYING: "It is deploying already, and moves without you.",
    State.DEPLOYED: "It is deployed: that is final.",
    State.FAILED: "It failed: that is final. Mark the flag again to retry.",
    State.CANCELLED: "It was cancelled: that is final. Mark the flag again.",
    State.EXPIRED: "It expired: that is final. Mark the flag again.",
}


@dataclass(frozen=True, kw_only=True)
class ActionOffer:
    """One action as it is offered to one caller."""

    action: str
    allowed: bool
    second_factor: bool
    #: Why not, where it is not allowed.
    reason: str | None


def offers(promotion: Promotion, caller: Caller) -> tuple[ActionOffer, ...]:
    """Every action, and whether this caller may take it now."""
    return tuple(
        ActionOffer(
            action=action,
            allowed=(reason := _refusal(promotion, caller, rule)) is None,
            second_factor=rule.second_factor,
            reason=reason,
        )
        for action, rule in RULES.items()
    )


def require_state(promotion: Promotion, action: str) -> None:
    """Raise `Rejected` where the promotion's state does not admit the action."""
    if promotion.state not in RULES[action].states:
        raise Rejected(
            Code.STATE_FORBIDS,
            f"Cannot {action} {promotion.id}. {_WHY_NOT[promotion.state]}",
            conflict={
                "state": promotion.state,
                "version": promotion.version,
                "since": promotion.state_entered_at and spell(promotion.state_entered_at),
                "promoted_by": promotion.promoted_by,
            },
        )


def _refusal(promotion: Promotion, caller: Caller, rule: Rule) -> str | None:
    if promotion.state not in rule.states:
        return _WHY_NOT[promotion.state]
    if not caller.role.covers(rule.role):
        return f"You are a {caller.role}; this needs a {rule.role}."
    return None
