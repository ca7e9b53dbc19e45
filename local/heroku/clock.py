"""The simulator's one clock: real time plus an offset that a test moves by hand."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def utc_now() -> datetime:
    """Real time, the default behind the clock."""
    return datetime.now(UTC)  # noqa: TID251 - the clock itself


class Clock:
    """Aware UTC time that never runs backwards by its own doing: the offset only grows.

    Release phases, dyno grace periods, token expiry and the rate limit all read this clock,
    so one `advance` ages everything together.
    """

    def __init__(
        self, *, now: Callable[[], datetime] = utc_now, offset: timedelta = timedelta(0)
    ) -> None:
        self._now = now
        self.offset = offset

    def now(self) -> datetime:
        """Tell the simulator's present."""
        return self._now() + self.offset

    def advance(self, by: timedelta) -> None:
        """Move the present forward; a negative step is the caller's bug."""
        if by < timedelta(0):
            raise ValueError(by)
        self.offset += by
