"""Operators in DynamoDB."""

from dataclasses import dataclass
from datetime import datetime

from pynamodb.exceptions import DoesNotExist, UpdateError
from pynamodb.expressions.update import Action

from chalicelib.adapters.dynamodb.tables import (
    OperatorRow,
    Tables,
    condition_failed,
    read_time,
    translated,
)
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Operator, Role


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

    def record_failure(self, operator: Operator, *, locked_until: datetime | None) -> bool:
        """Count one more, where the count and the last code are as they were read."""
        model = self.tables.operators
        same_failures = model.failures == operator.failures
        same_timecode = model.last_timecode == operator.last_timecode
        actions: list[Action] = [model.failures.set(operator.failures + 1)]
        if locked_until:
            actions.append(model.locked_until.set(spell(locked_until)))
        with translated():
            try:
                model(operator.name).update(actions, condition=same_failures & same_timecode)
            except UpdateError as error:
                if condition_failed(error):
                    return False
                raise
        return True

    def put(self, operator: Operator) -> None:
        """Write the operator whole."""
        with translated():
            self.tables.operators(
                operator.name,
                role=operator.role,
                token_sha256=operator.token_sha256,
                totp_ciphertext=operator.totp_ciphertext,
                disabled=operator.disabled,
                last_timecode=operator.last_timecode,
                failures=operator.failures,
                locked_until=operator.locked_until and spell(operator.locked_until),
            ).save()


def _operator(row: OperatorRow) -> Operator:
    return Operator(
        name=row.name,
        role=Role(row.role),
        token_sha256=row.token_sha256,
        totp_ciphertext=row.totp_ciphertext,
        disabled=row.disabled,
        last_timecode=int(row.last_timecode),
        failures=int(row.failures),
        locked_until=read_time(row.locked_until),
    )
