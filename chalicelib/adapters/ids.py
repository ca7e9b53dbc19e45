"""Promotion ids: `prm_` and a ULID, which sorts by the time it was made.

https://github.com/ulid/spec
"""

from datetime import UTC, datetime

from ulid import ULID

_PREFIX = "prm_"


class UlidPromotionIds:
    """`PromotionIds` from the clock and 80 random bits."""

    def new(self, at: datetime) -> str:
        """Make an id never given before."""
        return f"{_PREFIX}{ULID.from_datetime(at)}"


def made_at(promotion_id: str) -> datetime:
    """When the id was made, to the millisecond. Raises `ValueError` where it is none."""
    return ULID.from_str(promotion_id.removeprefix(_PREFIX)).datetime.astimezone(UTC)


def first_id(at: datetime) -> str:
    """The lowest id that can be made at this millisecond: all earlier ones are less."""
    milliseconds = int(at.timestamp() * 1000)
    return f"{_PREFIX}{ULID.from_bytes(milliseconds.to_bytes(6, 'big') + bytes(10))}"
