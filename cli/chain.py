"""Check an audit trail on this machine, believing nothing that the API says of it.

Each entry's `hash` is SHA-256 over all its other members as JSON with sorted keys and no white
space, non-ASCII escaped; `prev_hash` is the hash of the entry before, 64 zeros for the first.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

_BEGINNING = "0" * 64


def broken_because(
    entries: Sequence[Mapping[str, Any]], *, subject: str, version: int
) -> str | None:
    """Say how the chain breaks first; `None`: it is whole, of `subject`, and at `version`."""
    previous = _BEGINNING
    for number, entry in enumerate(entries, start=1):
        if entry.get("version") != number:
            return f"entry {number} is missing"
        if entry.get("subject") != subject:
            return f"entry {number} is of something else: {entry.get('subject')}"
        if entry.get("prev_hash") != previous:
            return f"entry {number} does not follow the one before it"
        previous = _hash(entry)
        if previous != entry.get("hash"):
            return f"the content of entry {number} was changed"
    if len(entries) != version:
        return f"it is at version {version}, and its trail has {len(entries)} entries"
    return None


def _hash(entry: Mapping[str, Any]) -> str:
    content = {name: value for name, value in entry.items() if name != "hash"}
    spelled = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(spelled.encode()).hexdigest()
