"""What happened, in plain sentences with virtual times."""

from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.domain.promotion import Promotion


@dataclass
class Story:
    """Lines, told as they happen; spelled only if somebody wants to read them."""

    lines: list[tuple[datetime, int, str]] = field(default_factory=list)

    def tell(self, at: datetime, depth: int, text: str) -> None:
        self.lines.append((at, depth, text))

    def __str__(self) -> str:
        told, day = [], None
        for at, depth, text in self.lines:
            if at.date() != day:
                day = at.date()
                told.append(f"{day:%Y-%m-%d}")
            told.append(f"  {at:%H:%M:%S} {'    ' * depth}{text}")
        return "\n".join(told)


class Broken(AssertionError):
    """Something that must always hold did not."""

    def __init__(self, invariant: str, seen: str, story: Story) -> None:
        super().__init__(f"broken: {invariant}: {seen}\n{story}")
        self.invariant, self.seen, self.story = invariant, seen, story


def spelled(promotion: Promotion) -> str:
    """A promotion in few words: number, flag, value, place."""
    value = "absent" if promotion.value is None else promotion.value
    return f"{promotion.id} ({promotion.flag}={value} at {promotion.target})"
