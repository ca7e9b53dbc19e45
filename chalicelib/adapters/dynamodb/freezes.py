"""Freezes in DynamoDB: all of them in the one row `freezes` of the locks table."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pynamodb.exceptions import DoesNotExist

from chalicelib.adapters.dynamodb.tables import LockRow, Tables, translated
from chalicelib.adapters.dynamodb.transaction import Transaction
from chalicelib.domain.freeze import Freeze, FreezePlan
from chalicelib.domain.moment import spell
from chalicelib.domain.record import Revision

_NAME = "freezes"
_TIMES = ("starts_at", "ends_at", "set_at")


@dataclass(frozen=True)
class DynamoDBFreezes:
    """`Freezes` in DynamoDB."""

    tables: Tables

    def get(self) -> FreezePlan:
        """Read one row, consistently."""
        with translated():
            try:
                row = self.tables.locks.get(_NAME, consistent_read=True)
            except DoesNotExist:
                return FreezePlan()
        return _plan(row)

    def write(self, revision: Revision[FreezePlan]) -> None:
        """Put the row, where the version that was read is stored, with its audit entry."""
        plan = revision.after
        document = [_written(freeze) for freeze in plan.freezes.values()]
        row = self.tables.locks(
            _NAME,
            version=plan.version,
            audit_hash=plan.audit_hash,
            document=json.dumps(document, ensure_ascii=False),
        )
        transaction = Transaction(self.tables)
        transaction.revision(row, revision)
        transaction.write()


def _written(freeze: Freeze) -> dict[str, Any]:
    values = asdict(freeze)
    return values | {name: values[name] and spell(values[name]) for name in _TIMES}


def _plan(row: LockRow) -> FreezePlan:
    freezes = [_read(values) for values in json.loads(row.document or "[]")]
    return FreezePlan(
        freezes={freeze.id: freeze for freeze in freezes},
        version=int(row.version or 0),
        audit_hash=row.audit_hash,
    )


def _read(values: Mapping[str, Any]) -> Freeze:
    times = {name: values[name] and datetime.fromisoformat(values[name]) for name in _TIMES}
    return Freeze(**{**values, **times})
