"""Strict reading of the control API's JSON: a typo in a test is an error, not a no-op."""

from enum import StrEnum
from typing import TypeVar

from local.heroku.errors import invalid
from local.heroku.releases import Changes

E = TypeVar("E", bound=StrEnum)

#: Thirty years in seconds; keeps every sum of a time and a number within `datetime`.
MAX_NUMBER = 1_000_000_000

_REQUIRED = object()


class Fields:
    """One object, read field by field. 422 for a field that is unknown, missing or wrong."""

    def __init__(self, body: object, *, known: frozenset[str]) -> None:
        if not isinstance(body, dict):
            message = "The body must be a JSON object."
            raise invalid(message)
        unknown = body.keys() - known
        if unknown:
            message = f"Unknown fields: {', '.join(sorted(unknown))}."
            raise invalid(message)
        self._body: dict[str, object] = body

    def _take(self, name: str, default: object) -> object:
        value = self._body.get(name, default)
        if value is _REQUIRED:
            message = f"{name} is missing."
            raise invalid(message)
        return value

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._body.get(name) is not None

    def is_null(self, name: str) -> bool:
        """Whether the field is there, and null."""
        return name in self._body and self._body[name] is None

    def anything(self, name: str) -> object:
        """Read a field of any type."""
        return self._take(name, _REQUIRED)

    def text(self, name: str, default: str | None = None) -> str:
        """Read a string; required unless it has a default."""
        value = self._take(name, _REQUIRED if default is None else default)
        if not isinstance(value, str):
            message = f"{name} must be a string."
            raise invalid(message)
        return value

    def optional_text(self, name: str) -> str | None:
        """Read a string that may be null or missing."""
        value = self._take(name, None)
        if not (value is None or isinstance(value, str)):
            message = f"{name} must be a string or null."
            raise invalid(message)
        return value

    def number(self, name: str, default: float | None = None) -> float:
        """Read a number from 0 to `MAX_NUMBER`; required unless it has a default."""
        value = self._take(name, _REQUIRED if default is None else default)
        # A bool is an int to Python, not to JSON. NaN compares false.
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= MAX_NUMBER
        ):
            message = f"{name} must be a number from 0 to {MAX_NUMBER}."
            raise invalid(message)
        return float(value)

    def whole(self, name: str, default: int | None = None) -> int:
        """Read a whole number of zero or more; required unless it has a default."""
        number = self.number(name, default)
        if not number.is_integer():
            message = f"{name} must be a whole number."
            raise invalid(message)
        return int(number)

    def flag(self, name: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self._take(name, default)
        if not isinstance(value, bool):
            message = f"{name} must be true or false."
            raise invalid(message)
        return value

    def choice(self, name: str, words: type[E], default: E | None = None) -> E:
        """Read one of some words; required unless it has a default."""
        return _word(name, self.text(name, default), words)

    def choices(self, name: str, words: type[E], default: E) -> frozenset[E]:
        """Read some of some words, with spaces between; at least one."""
        texts = self.text(name, default).split()
        return frozenset(_word(name, text, words) for text in texts or [""])

    def changes(self, name: str) -> Changes:
        """Read config changes; missing means none."""
        value = self._take(name, {})
        if not isinstance(value, dict) or not all(
            item is None or isinstance(item, str) for item in value.values()
        ):
            message = f"{name} must map names to strings or null."
            raise invalid(message)
        return value

    def wholes(self, name: str) -> list[int]:
        """Read a list of whole numbers."""
        value = self._take(name, _REQUIRED)
        if not isinstance(value, list) or not all(type(item) is int for item in value):
            message = f"{name} must be a list of whole numbers."
            raise invalid(message)
        return value


def _word(name: str, text: str, words: type[E]) -> E:
    try:
        return words(text)
    except ValueError:
        message = f"{name} must be one of: {', '.join(words)}."
        raise invalid(message) from None
