"""The account's request bucket.

Source: https://devcenter.heroku.com/articles/platform-api-reference#rate-limits
"""

from collections.abc import Callable
from datetime import datetime

CAPACITY = 4500
REFILL_PER_MINUTE = 75.0
_SECONDS_PER_MINUTE = 60


class Bucket:
    """Holds at most `CAPACITY` requests and refills evenly with the clock it is given."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._level = float(CAPACITY)
        self._at = now()
        self._refill_per_minute = REFILL_PER_MINUTE

    @property
    def remaining(self) -> int:
        """Requests that may be made right now."""
        self._refill()
        return int(self._level)

    @property
    def refill_per_minute(self) -> float:
        """How many requests come back per minute."""
        return self._refill_per_minute

    def take(self) -> bool:
        """Spend one request; False, and nothing spent, when the bucket is empty."""
        if self.remaining < 1:
            return False
        self._level -= 1
        return True

    def set(self, *, remaining: int | None = None, refill_per_minute: float | None = None) -> None:
        """Put the bucket where a test needs it; what is left out stays as it is."""
        self._refill()
        if remaining is not None:
            self._level = float(min(remaining, CAPACITY))
        if refill_per_minute is not None:
            self._refill_per_minute = refill_per_minute

    def _refill(self) -> None:
        now = self._now()
        minutes = max(0.0, (now - self._at).total_seconds()) / _SECONDS_PER_MINUTE
        self._level = min(float(CAPACITY), self._level + minutes * self._refill_per_minute)
        self._at = now
