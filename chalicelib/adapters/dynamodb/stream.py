"""The audit table's stream: entries as they were written."""

from typing import Any

from chalicelib.adapters.dynamodb.rows import stored_entry
from chalicelib.adapters.dynamodb.tables import AuditRow
from chalicelib.domain.audit import AuditEntry


def streamed_entry(image: dict[str, Any]) -> AuditEntry:
    """The audit entry in a stream record's new image. Raises `ValueError` where it is none."""
    try:
        return stored_entry(AuditRow.from_raw_data(image)).entry
    except (AttributeError, KeyError, TypeError) as error:
        message = "not an audit entry"
        raise ValueError(message) from error
