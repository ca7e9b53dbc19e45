"""The time of this machine."""

import time
from datetime import UTC, datetime, timedelta


class SystemClock:
    """`Clock` by the operating system."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        return datetime.now(UTC)  # noqa: TID251 - the one place that reads it

    def sleep(self, duration: timedelta) -> None:
        """Block this thread for `duration`."""
        time.sleep(duration.total_seconds())
