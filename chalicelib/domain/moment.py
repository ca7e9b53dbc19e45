"""How Hoist spells a time."""

from datetime import UTC, datetime


def spell(at: datetime) -> str:
    """ISO 8601 in UTC, always to the microsecond: sorts as text, and reads the same everywhere."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
