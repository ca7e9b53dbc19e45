"""What a caller may do with a promotion now, and if not, why not."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Promotion, State
from chalicelib.domain.waiting import Gate


@dataclass(frozen=True, kw_only=True)
class Rule:
    """Who may take an action, and in which states."""

    role: Role
    states: frozenset[State]
    second_factor: bool


_BEFORE_IT_BEGINS = frozenset({State.PENDING, State.STAGED})

#: Every action on an existing promotion.
RULES: Mapping[str, Rule] = {
    # A code is needed where it gets a time: from then on it begins by itself.
    "stage": Rule(role=Role.PROMOTER, states=_BEFORE_IT_BEGINS, second_factor=False),
    "approve": Rule(role=Role.PROMOTER, states=_BEFORE_IT_BEGINS, second_factor=True),
    "promote": Rule(role=Role.PROMOTER, states=_BEFORE_IT_BEGINS, second_factor=True),
    # A promote that says so, over what stands in its way; people are told at once.
    "break_glass": Rule(role=Role.PROMOTER, states=_BEFORE_IT_BEGINS, second_factor=True),
    "cancel": Rule(role=Role.PROMOTER, states=_BEFORE_IT_BEGINS, second_factor=False),
    "ack": Rule(role=Role.PROMOTER, states=frozenset({State.DEPLOYING}), second_factor=False),
    # The escape hatch.
    "complete": Rule(
        role=Role.SUPERADMIN,
        states=frozenset({State.DEPLOYING}),
        second_factor=True,
    ),
    "fail": Rule(role=Role.SUPERADMIN, states=frozenset({State.DEPLOYING}), second_factor=True),
    "retry": Rule(role=Role.PROMOTER, states=frozenset({State.FAILED}), second_factor=True),
    "rollback": Rule(role=Role.PROMOTER, states=frozenset({State.DEPLOYED}), second_factor=True),
}

_WHY_NOT: Mapping[State, str] = {
    State.PENDING: "It is only marked.",
    State.STAGED: "It is only staged.",
    State.DEPLOYING: "It is deploying already, and moves without you.",
    State.DEPLOYED: "It is deployed: that is final.",
    State.FAILED: "It failed: that is final. Retry it, or mark the flag again.",
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


def offers(promotion: Promotion, caller: Caller, gate: Gate) -> tuple[ActionOffer, ...]:
    """Every action, and whether this caller may take it now."""
    return tuple(
        ActionOffer(
            action=action,
            allowed=(reason := _refusal(promotion, caller, action, gate)) is None,
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
            conflict=_as_it_stands(promotion),
        )


def require_approver(promotion: Promotion, caller: Caller) -> None:
    """Raise `Rejected` where the caller would approve what is their own."""
    if promotion.created_by == caller.name:
        raise Rejected(
            Code.OWN_APPROVAL,
            "You marked it: somebody else has to approve it. Nothing was changed.",
        )


def require_begun(promotion: Promotion) -> None:
    """Raise `Rejected` where it is not on record what the promotion replaced."""
    if _changed_nothing(promotion):
        raise Rejected(
            Code.STATE_FORBIDS,
            f"Cannot rollback {promotion.id}. {_NOTHING_TO_TAKE_BACK}",
            conflict=_as_it_stands(promotion),
        )


def require_gate_open(promotion: Promotion, gate: Gate) -> None:
    """Raise `Rejected` where more has to be done before it may be promoted.

    A freeze does not refuse it: it holds it back.
    """
    missing = gate.approvals_missing_now(promotion)
    if missing:
        raise Rejected(
            Code.APPROVALS_MISSING,
            f"{_approvals_needed(missing)} Nothing was changed, and no code was spent.",
            conflict={"approvals": sorted(promotion.approvers), "missing": missing},
        )
    if _unstaged(promotion, gate):
        raise Rejected(
            Code.STAGE_FIRST,
            f"{_STAGE_FIRST} Nothing was changed, and no code was spent.",
        )


def in_the_way(promotion: Promotion, gate: Gate) -> Sequence[str]:
    """What keeps it from beginning now, in words: what breaking the glass would pass over."""
    missing = gate.approvals_missing_now(promotion)
    found = [f"{missing} missing {'approvals' if missing > 1 else 'approval'}"] if missing else []
    if _unstaged(promotion, gate):
        found.append("a missing stage")
    if gate.hold:
        found.append(f"the freeze {gate.hold.freeze.id}")
    return found


_STAGE_FIRST = "The target's policy asks that it is staged, and so passes preflight, first."
_NOTHING_TO_TAKE_BACK = (
    "It is not on record what it replaced, for it settled without a PATCH: there is nothing to "
    "take back. Mark the flag with the value that it shall have."
)


def _refusal(promotion: Promotion, caller: Caller, action: str, gate: Gate) -> str | None:
    return next(_refusals(promotion, caller, action, gate), None)


def _refusals(promotion: Promotion, caller: Caller, action: str, gate: Gate) -> Iterator[str]:
    rule = RULES[action]
    if promotion.state not in rule.states:
        yield _WHY_NOT[promotion.state]
    if not caller.role.covers(rule.role):
        yield f"You are a {caller.role}; this needs a {rule.role}."
    missing = gate.approvals_missing_now(promotion)
    match action:
        case "approve" if promotion.created_by == caller.name:
            yield "You marked it: somebody else has to approve it."
        case "approve" if caller.name in promotion.approvers:
            yield "You have approved it."
        case "promote" if missing:
            yield _approvals_needed(missing)
        case "promote" if _unstaged(promotion, gate):
            yield _STAGE_FIRST
        case "break_glass" if not in_the_way(promotion, gate):
            yield "Nothing stands in its way: promote it."
        case "rollback" if _changed_nothing(promotion):
            yield _NOTHING_TO_TAKE_BACK
        case _:
            return


def _approvals_needed(missing: int) -> str:
    more = "1 more approval" if missing == 1 else f"{missing} more approvals"
    return (
        f"The target's policy asks for {more} by others than its author, for this value at this "
        "time."
    )


def _unstaged(promotion: Promotion, gate: Gate) -> bool:
    asked = gate.target is not None and gate.target.stage_first
    return asked and promotion.state is State.PENDING


def _changed_nothing(promotion: Promotion) -> bool:
    return promotion.baseline_version is None


def _as_it_stands(promotion: Promotion) -> dict[str, object]:
    return {
        "state": promotion.state,
        "version": promotion.version,
        "since": promotion.state_entered_at and spell(promotion.state_entered_at),
        "promoted_by": promotion.promoted_by,
    }
