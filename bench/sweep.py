"""What one sweep of the watchdog reads, however many promotions have settled.

Runs on moto in this process, and counts what DynamoDB bills by: requests, and the rows that each
reads. Time is left out: moto's own grows with its tables, DynamoDB's does not.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.dynamodb import (
    DynamoDBBaselines,
    DynamoDBCatalogues,
    DynamoDBPromotionStore,
    DynamoDBTargetLocks,
    Tables,
)
from chalicelib.adapters.dynamodb.rows import promotion_row
from chalicelib.adapters.ids import UlidPromotionIds
from chalicelib.domain.promotion import Effect, Promotion, SettledBy, State
from chalicelib.usecases.preflight import Policies
from chalicelib.usecases.watch import Watch
from tests.factories import a_promotion, deploying
from tests.fakes import FakeFreezes, FakeOperators, FakeTargets, FakeWakes
from tests.integration.tables import make_tables

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OPEN = 20
SIZES = (1_000, 100_000)


@dataclass
class Reads:
    """What was asked of DynamoDB."""

    requests: int = 0
    rows: int = 0
    by_operation: dict[str, int] = field(default_factory=dict)

    def note(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:  # noqa: ANN401 - botocore's signature
        """Count one answer of DynamoDB."""
        self.requests += 1
        self.by_operation[model.name] = self.by_operation.get(model.name, 0) + 1
        self.rows += parsed.get("ScannedCount", 0)
        self.rows += sum(len(rows) for rows in parsed.get("Responses", {}).values())


def settled(n: int) -> Promotion:
    """One of the promotions that are done with."""
    return a_promotion(
        id=UlidPromotionIds().new(a_promotion().created_at + timedelta(seconds=n)),
        state=State.DEPLOYED,
        effect=Effect.LIVE,
        settled_by=SettledBy.WORKER,
    )


def fill(tables: Tables, client: "DynamoDBClient", first: int, last: int) -> None:
    """Put settled promotions into the table, 25 a request."""
    for start in range(first, last, 25):
        rows = [
            promotion_row(tables.promotions, settled(n)).serialize(null_check=False)
            for n in range(start, min(start + 25, last))
        ]
        client.batch_write_item(
            RequestItems={
                tables.names.promotions: [{"PutRequest": {"Item": row}} for row in rows],
            },
        )


@contextmanager
def counted(tables: Tables) -> Iterator[Reads]:
    """Count what is read meanwhile."""
    reads = Reads()
    events = tables.connection.client.meta.events
    events.register("after-call.dynamodb.*", reads.note, unique_id="reads")
    try:
        yield reads
    finally:
        events.unregister("after-call.dynamodb.*", unique_id="reads")


def main() -> None:
    """Print the table."""
    print(f"A sweep with {OPEN} open promotions at {OPEN} targets:\n")
    print("| settled promotions | requests | rows read |\n|---:|---:|---:|")
    with mock_aws(), pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
            environment.setenv(name, "eu-west-1")
        client = boto3.client("dynamodb")
        tables = Tables(make_tables(client))
        store = DynamoDBPromotionStore(tables)
        for n in range(OPEN):
            promotion = deploying(target=f"app-{n}", state_entered_at=SystemClock().now())
            promotion_row(tables.promotions, promotion).save()
        watch = Watch(
            store=store,
            locks=DynamoDBTargetLocks(tables),
            targets=FakeTargets(),
            freezes=FakeFreezes(),
            policies=Policies(
                catalogues=DynamoDBCatalogues(tables),
                baselines=DynamoDBBaselines(tables),
            ),
            operators=FakeOperators(),
            wakes=FakeWakes(),
            clock=SystemClock(),
        )
        before = 0
        for size in SIZES:
            fill(tables, client, before, size)
            before = size
            with counted(tables) as reads:
                report = watch()
            if report.deploying != OPEN:
                message = f"the sweep saw {report.deploying} of {OPEN} open promotions"
                raise SystemExit(message)
            print(f"| {size:,} | {reads.requests} | {reads.rows} |", flush=True)


if __name__ == "__main__":
    main()
