"""The Range grammar of Heroku's lists: `field ]start..end; order=desc,max=N`.

Grammar: https://devcenter.heroku.com/articles/platform-api-reference#ranges
Clients spell it loosely (`; max=15, order=desc`, a trailing `;`, an empty option), so parsing is.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from local.heroku.errors import ApiError

DEFAULT_PAGE = 200
MAX_PAGE = 1000

T = TypeVar("T")
#: What a list may be ordered by: a field's name and how to read it from an item.
SortFields = Mapping[str, Callable[[T], "str | int"]]

_HEAD = re.compile(r"(?P<field>\w+)\s+(?P<exclusive>\]?)(?P<start>[^.;\s]*)\.\.(?P<end>[^.;\s]*)")
_OPTION = re.compile(r"(?P<name>order|max)\s*=\s*(?P<value>asc|desc|\d{1,9})")


@dataclass(frozen=True, kw_only=True)
class Range:
    """A parsed Range header. `start` and `end` are in the order of travel, also when descending."""

    field: str
    start: str = ""
    end: str = ""
    exclusive: bool = False
    descending: bool = False
    size: int = DEFAULT_PAGE

    def after(self, value: str | int) -> str:
        """Write the Next-Range header of a page that ended at `value`."""
        order = ", order=desc" if self.descending else ""
        return f"{self.field} ]{value}..{self.end}; max={self.size}{order}"


@dataclass(frozen=True, kw_only=True)
class Page(Generic[T]):
    """One page: 206 with `next_range` while more follows, 200 without."""

    items: Sequence[T]
    content_range: str | None
    next_range: str | None


def parse(header: str | None, *, fields: Sequence[str]) -> Range:
    """Read a Range header; without one, the whole list by its first field. 416 for nonsense."""
    if header is None or not header.strip():
        return Range(field=fields[0])
    head_text, *tail = header.split(";")
    head = _HEAD.fullmatch(head_text.strip())
    if head is None or head["field"] not in fields:
        raise ApiError(416)
    options = _options(tail)
    size = int(options.get("max", DEFAULT_PAGE))
    if not 1 <= size <= MAX_PAGE:
        raise ApiError(416)
    return Range(
        field=head["field"],
        start=head["start"],
        end=head["end"],
        exclusive=bool(head["exclusive"]),
        descending=options.get("order") == "desc",
        size=size,
    )


def _options(segments: Sequence[str]) -> dict[str, str]:
    options = {}
    for text in (option.strip() for segment in segments for option in segment.split(",")):
        if not text:
            continue
        option = _OPTION.fullmatch(text)
        if option is None or option["value"].isdigit() != (option["name"] == "max"):
            raise ApiError(416)
        options[option["name"]] = option["value"]
    return options


def cut(items: Sequence[T], header: str | None, fields: SortFields[T]) -> Page[T]:
    """Order, bound and page `items` as the header asks; the default order is the first field's."""
    wanted = parse(header, fields=list(fields))
    value_of = fields[wanted.field]
    ordered = sorted(items, key=value_of, reverse=wanted.descending)
    inside = [item for item in ordered if _is_inside(value_of(item), wanted)]
    shown = inside[: wanted.size]
    if not shown:
        return Page(items=[], content_range=None, next_range=None)
    first, last = value_of(shown[0]), value_of(shown[-1])
    return Page(
        items=shown,
        content_range=f"{wanted.field} {first}..{last}",
        next_range=wanted.after(last) if len(inside) > len(shown) else None,
    )


def _is_inside(value: str | int, wanted: Range) -> bool:
    sign = -1 if wanted.descending else 1
    if wanted.start:
        position = sign * _compare(value, wanted.start)
        if position < 0 or (position == 0 and wanted.exclusive):
            return False
    return not (wanted.end and sign * _compare(value, wanted.end) > 0)


def _compare(value: str | int, bound: str) -> int:
    """Negative, zero or positive; numbers by size, everything else by text."""
    if isinstance(value, str):
        return (value > bound) - (value < bound)
    if not bound.isascii() or not bound.isdigit():
        raise ApiError(416)
    return (value > int(bound)) - (value < int(bound))
