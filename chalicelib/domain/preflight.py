"""What is checked before a promotion may begin by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from chalicelib.domain.promotion import Promotion
from chalicelib.domain.target import Target


class Outcome(StrEnum):
    """What a check says."""

    PASS = "pass"  # noqa: S105 - a word of the API, not a password
    WARN = "warn"
    BLOCK = "block"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check, with what was seen."""

    name: str
    outcome: Outcome
    seen: str


def preflight(promotion: Promotion, target: Target | None) -> Sequence[Check]:
    """Every check of this promotion; `target` is its target, if that is listed."""
    return [_target_listed(promotion, target)]


def blocked_by(checks: Sequence[Check]) -> Check | None:
    """The first check that does not let the promotion begin."""
    return next((check for check in checks if check.outcome is Outcome.BLOCK), None)


def _target_listed(promotion: Promotion, target: Target | None) -> Check:
    listed = target is not None
    return Check(
        name="target_listed",
        outcome=Outcome.PASS if listed else Outcome.BLOCK,
        seen=f"{promotion.target} is {'a' if listed else 'no'} listed target.",
    )
