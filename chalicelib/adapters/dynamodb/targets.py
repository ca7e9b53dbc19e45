"""Targets in DynamoDB."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from pynamodb.exceptions import DoesNotExist, PutError

from chalicelib.adapters.dynamodb.tables import Tables, TargetRow, condition_failed, translated
from chalicelib.domain.ladder import Ladder
from chalicelib.domain.promotion import Rung
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

    def put(self, target: Target) -> bool:
        """Write the target, where its predecessor is stored."""
        model = self.tables.targets
        follows = model.version == target.version - 1
        unlisted = model.app.does_not_exist()
        row = model(
            target.app,
            version=target.version,
            description=target.description,
            max_flags_per_release=target.max_flags_per_release,
            alert_after_seconds={
                rung: after.total_seconds() for rung, after in target.ladder.after.items()
            },
        )
        with translated():
            try:
                row.save(condition=unlisted if target.version == 1 else follows)
            except PutError as error:
                if condition_failed(error):
                    return False
                raise
        return True


def _target(row: TargetRow) -> Target:
    return Target(
        app=row.app,
        version=int(row.version),
        description=row.description,
        max_flags_per_release=int(row.max_flags_per_release or MAX_FLAGS_PER_RELEASE),
        ladder=_ladder(row.alert_after_seconds),
    )


def _ladder(seconds: dict[str, float] | None) -> Ladder:
    if seconds is None:
        return Ladder()
    return Ladder(after={Rung(rung): timedelta(seconds=s) for rung, s in seconds.items()})
