"""What AWS delivers by itself, as values: messages of the queue and records of a table's stream."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.usecases.work import Wake


def wake(body: str, *, receipt: str) -> Wake | None:
    """A queue message; `None` for one that is none of ours, and so says nothing."""
    try:
        parsed = json.loads(body)
    except ValueError:
        return None
    match parsed:
        case {"target": str(target), "promotion_id": str() | None as promotion_id}:
            return Wake(target=target, promotion_id=promotion_id, receipt=receipt)
        case _:
            return None


@dataclass(frozen=True, kw_only=True)
class Inserted:
    """A row that was added to a table, as its stream tells."""

    sequence_number: str
    image: dict[str, Any]


def inserted(event: Mapping[str, Any]) -> Iterator[Inserted]:
    """The rows that a batch of a table's stream adds, in order.

    Not those that `infra/restore.py` put back: they were added, and told, before.
    """
    for record in event["Records"]:
        if record.get("eventName") != "INSERT":
            continue
        row = record["dynamodb"]
        image = row.get("NewImage", {})
        if "restored_at" not in image:
            yield Inserted(sequence_number=row["SequenceNumber"], image=image)
