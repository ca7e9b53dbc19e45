"""Who comes first, where there may be no time for all."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
_T = TypeVar("_T")


def in_turn(items: Sequence[_T], at: datetime, *, every: timedelta, in_time: int) -> Sequence[_T]:
    """The same items, beginning `in_time` further on each time that this much time has passed.

    Who deals with at least that many of them each time has dealt with each after as few times as
    that takes, and need not remember where it stopped.
    """
    first = (at - _EPOCH) // every * in_time % max(1, len(items))
    return [*items[first:], *items[:first]]
