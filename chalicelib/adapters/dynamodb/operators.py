"""Operators in DynamoDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import and_
from typing import Any

from pynamodb.attributes import Attribute
from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action

from chalicelib.adapters.dynamodb.tables import (
    OperatorRow,
    Tables,
    code_of,
    condition_failed,
    read_time,
    translated,
)
from chalicelib.adapters.dynamodb.transaction import Transaction
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Operator, Role, SpentCode, proved
from chalicelib.domain.record import Revision
from chalicelib.ports import Clash

#: What changes without a new version: by a wrong code …
_COUNTERS = ("failures", "locks", "wrong_codes")
#: … and by a right one.
_LAST = "last_timecode"
#: All that a right code changes.
_PROVED = (_LAST, "failures", "locks", "locked_until")
#: A new version changes these, and more.
_SEALED = ("version", "token_sha256")
_BRAKE_KEPT = timedelta(days=1)
_IN_TRANSACTION = "TransactionConflictException"


@dataclass(frozen=True)
class DynamoDBOperators:
    """`Operators` in DynamoDB."""

    tables: Tables

    def get(self, name: str) -> Operator | None:
        """Read one operator, consistently."""
        with translated():
            try:
                row = self.tables.operators.get(name, consistent_read=True)
            except DoesNotExist:
                return None
        return _operator(row)

    def all(self) -> Sequence[Operator]:
        """Scan, consistently: operators are few, and read by people."""
        with translated():
            rows = list(self.tables.operators.scan(consistent_read=True))
        return sorted((_operator(row) for row in rows), key=lambda operator: operator.name)

    def count_failure(self, before: Operator, after: Operator) -> bool:
        """Set the counters, where the record is as it was read: one conditional update."""
        model = self.tables.operators
        actions: list[Action] = [
            model.failures.set(after.failures),
            model.wrong_codes.set(after.wrong_codes),
        ]
        if after.wrong_since:
            actions.append(model.wrong_since.set(spell(after.wrong_since)))
        with translated():
            try:
                model(before.name).update(actions, condition=_as_read(model, before, _LAST))
            except UpdateError as error:
                # A transaction in flight is a code being spent, or a new version.
                if condition_failed(error) or code_of(error) == _IN_TRANSACTION:
                    return False
                raise
        return True

    def write(self, revision: Revision[Operator], *, spend: SpentCode | None = None) -> None:
        """Set every attribute, where the record is as it was read, with the audit entry.

        An update, not a put: the API may do no more to operators than that.
        """
        model = self.tables.operators
        row = _row(model, revision.after)
        update = row.get_update_kwargs_from_instance(
            actions=[
                _become(getattr(model, name), getattr(row, name))
                for name in model.get_attributes()
                if name != "name"
            ],
            condition=_as_read(model, revision.before, _LAST),
        )
        transaction = Transaction(self.tables)
        transaction.add("update", Clash.RECORD, update)
        transaction.entry(revision.entry, Clash.RECORD)
        if spend:
            transaction.add("update", Clash.SECOND_FACTOR, spending(self.tables, spend))
        transaction.write()

    def count_wrong_code(self, now: datetime) -> int:
        """Add one to the hour's row, atomically. A repeat by botocore may count one too many."""
        model = self.tables.locks
        row = model(f"brake:{now:%Y-%m-%dT%H}")
        expires_at = int((now + _BRAKE_KEPT).timestamp())
        with translated():
            row.update([model.wrong_codes.add(1), model.expires_at.set(expires_at)])
        return int(row.wrong_codes)

    def put(self, operator: Operator) -> None:
        """Write the operator whole, whatever is stored, and unaudited: for demo data."""
        with translated():
            _row(self.tables.operators, operator).save()


def spending(tables: Tables, spend: SpentCode) -> dict[str, Any]:
    """The update by which a right code is spent.

    It is newer than the last one, and its operator's record has not moved since it was judged:
    no wrong code, no lock, no new token or TOTP secret; and nobody has disabled them.
    """
    model, operator = tables.operators, spend.operator
    newer = model.last_timecode < spend.timecode
    enabled = model.disabled == False  # noqa: E712 - PynamoDB builds the condition from ==
    row = _row(model, proved(operator, spend.timecode))
    update: dict[str, Any] = row.get_update_kwargs_from_instance(
        actions=[_become(getattr(model, name), getattr(row, name)) for name in _PROVED],
        condition=newer & enabled & _as_read(model, operator),
    )
    return update


def _as_read(model: type[OperatorRow], operator: Operator, *more: str) -> Condition:
    names = (*_SEALED, *_COUNTERS, *more)
    same = (_same(getattr(model, name), getattr(operator, name)) for name in names)
    return reduce(and_, same)


def _same(attribute: "Attribute[Any]", value: object) -> Condition:
    """The attribute has the value. One that is not there reads as nothing: 0, or no text."""
    equal = attribute == value
    return equal if value else attribute.does_not_exist() | equal


def _become(attribute: "Attribute[Any]", value: object) -> Action:
    return attribute.remove() if value is None else attribute.set(value)


def _row(model: type[OperatorRow], operator: Operator) -> OperatorRow:
    return model(
        operator.name,
        role=operator.role,
        token_sha256=operator.token_sha256,
        totp_reference=operator.totp_reference or None,
        up_to=operator.up_to,
        disabled=operator.disabled,
        last_timecode=operator.last_timecode,
        failures=operator.failures,
        locks=operator.locks,
        locked_until=operator.locked_until and spell(operator.locked_until),
        wrong_codes=operator.wrong_codes,
        wrong_since=operator.wrong_since and spell(operator.wrong_since),
        version=operator.version,
        audit_hash=operator.audit_hash,
    )


def _operator(row: OperatorRow) -> Operator:
    return Operator(
        name=row.name,
        role=Role(row.role),
        token_sha256=row.token_sha256,
        totp_reference=row.totp_reference or "",
        up_to=Role(row.up_to or Role.PROMOTER),
        disabled=row.disabled,
        last_timecode=int(row.last_timecode),
        failures=int(row.failures),
        locks=int(row.locks),
        locked_until=read_time(row.locked_until),
        wrong_codes=int(row.wrong_codes),
        wrong_since=read_time(row.wrong_since),
        version=int(row.version),
        audit_hash=row.audit_hash,
    )
