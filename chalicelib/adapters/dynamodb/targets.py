"""Targets in DynamoDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pynamodb.exceptions import DoesNotExist

from chalicelib.adapters.dynamodb.tables import Tables, TargetRow, translated
from chalicelib.adapters.dynamodb.transaction import Transaction
from chalicelib.domain.ladder import Ladder
from chalicelib.domain.promotion import Rung
from chalicelib.domain.record import Revision
from chalicelib.domain.target import MAX_FLAGS_PER_RELEASE, Target


@dataclass(frozen=True)
class DynamoDBTargets:
    """`Targets` in DynamoDB."""

    tables: Tables

    def get(self, app: str) -> Target | None:
        """Read one target, consistently."""
        with translated():
            try:
                return _target(self.tables.targets.get(app, consistent_read=True))
            except DoesNotExist:
                return None

    def all(self) -> Sequence[Target]:
        """Scan: targets are few, and read by people."""
        with translated():
            rows = list(self.tables.targets.scan())
        return sorted((_target(row) for row in rows), key=lambda target: target.app)

    def write(self, revision: Revision[Target]) -> None:
        """Put the row, where the version that was read is stored, with its audit entry."""
        transaction = Transaction(self.tables)
        transaction.revision(_row(self.tables.targets, revision.after), revision)
        transaction.write()


def _row(model: type[TargetRow], target: Target) -> TargetRow:
    return model(
        target.app,
        version=target.version,
        description=target.description,
        max_flags_per_release=target.max_flags_per_release,
        alert_after_seconds={
            rung: after.total_seconds() for rung, after in target.ladder.after.items()
        },
        flag_patterns=list(target.flag_patterns) or None,
        staging_app=target.staging_app,
        min_approvals=target.min_approvals,
        stage_first=target.stage_first,
        catalogue=target.catalogue,
        audit_hash=target.audit_hash,
    )


def _target(row: TargetRow) -> Target:
    return Target(
        app=row.app,
        version=int(row.version),
        description=row.description,
        max_flags_per_release=int(row.max_flags_per_release or MAX_FLAGS_PER_RELEASE),
        ladder=_ladder(row.alert_after_seconds),
        flag_patterns=tuple(row.flag_patterns or ()),
        staging_app=row.staging_app,
        min_approvals=int(row.min_approvals or 0),
        stage_first=bool(row.stage_first),
        catalogue=row.catalogue,
        audit_hash=row.audit_hash,
    )


def _ladder(seconds: dict[str, float] | None) -> Ladder:
    if seconds is None:
        return Ladder()
    return Ladder(after={Rung(rung): timedelta(seconds=s) for rung, s in seconds.items()})
