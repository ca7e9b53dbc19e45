"""What DynamoDB bills: units, from what is read and written.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/read-write-operations.html
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
"""

import math
from collections.abc import Mapping
from typing import Any

_READ_BYTES, _WRITE_BYTES = 4096, 1024

#: An item or a value, as DynamoDB's JSON or botocore has it.
Item = Mapping[str, Any]


def size(item: Item) -> int:
    """Bytes of an item: its attributes' names and values."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def _value(value: Item) -> int:
    ((kind, held),) = value.items()
    if kind in {"BOOL", "NULL"}:
        return 1
    if kind == "N":
        # Two digits a byte, and one more.
        return (len(str(held).lstrip("-").replace(".", "")) + 1) // 2 + 1
    if kind in {"L", "M"}:
        parts = held if kind == "L" else held.values()
        names = sum(len(name.encode()) for name in held) if kind == "M" else 0
        return 3 + names + sum(1 + _value(part) for part in parts)
    return len(held if isinstance(held, bytes) else str(held).encode())


def read_units(operation: str, answer: Mapping[str, Any], *, consistent: bool = False) -> float:
    """What a read costs: a Query the sum of its rows, everything else each item apart."""
    if operation == "Query":
        return _read(sum(map(size, answer.get("Items", ()))), consistent=consistent)
    if operation == "BatchGetItem":
        found = [item for items in answer["Responses"].values() for item in items]
        return sum(_read(size(item), consistent=consistent) for item in found)
    if operation == "GetItem":
        return _read(size(answer.get("Item", {})), consistent=consistent)
    return 0


def _read(bytes_read: int, *, consistent: bool) -> float:
    units = max(1, math.ceil(bytes_read / _READ_BYTES))
    return units if consistent else units / 2


def write_units(before: Item, after: Item, *, indexes: Mapping[str, str], transaction: bool) -> int:
    """What a write costs; `before` and `after` are empty where there is no item.

    Each index that projects the whole item costs its own write, and two where the item moves
    within it. `indexes` gives each one's hash key and range key. Index writes follow a
    transaction, and are not doubled by it.
    """
    item = max(1, math.ceil(max(size(before), size(after)) / _WRITE_BYTES))
    return (2 if transaction else 1) * item + sum(
        _index_units(before, after, keys) for keys in indexes.items()
    )


def _index_units(before: Item, after: Item, keys: tuple[str, str]) -> int:
    old, new = (_place(item, keys) for item in (before, after))
    if (old is None and new is None) or dict(before) == dict(after):
        return 0
    moved = old is not None and new is not None and old != new
    return sum(
        math.ceil(size(item) / _WRITE_BYTES)
        for item, counts in ((before, moved or new is None), (after, new is not None))
        if counts
    )


def _place(item: Item, keys: tuple[str, str]) -> tuple[Any, ...] | None:
    return tuple(item[key] for key in keys) if all(key in item for key in keys) else None
