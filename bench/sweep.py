"""What one sweep of the watchdog costs, however many promotions have settled.

Runs on moto, and counts what DynamoDB bills by: requests, the rows that each reads, and what they
come to in read units. The time is the sweep's own CPU time over the answers that it got: moto's
grows with its tables, DynamoDB's does not.

Exit status 1: the sweep costs more for what has settled.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.dynamo_type import DynamoType

from bench.aws import REGION, Tape, cpu_of, served
from bench.site import CREDENTIALS
from bench.units import read_units
from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.dynamodb import (
    DynamoDBBaselines,
    DynamoDBCatalogues,
    DynamoDBPromotionStore,
    DynamoDBTargetLocks,
    TableNames,
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
SIZES = (1_000, 100_000, 1_000_000)


@dataclass
class Reads:
    """What was asked of DynamoDB."""

    requests: int = 0
    rows: int = 0
    units: float = 0
    by_operation: dict[str, int] = field(default_factory=dict)

    def note(self, parsed: dict[str, Any], model: Any, **_: Any) -> None:  # noqa: ANN401 - botocore's signature
        """Count one answer of DynamoDB."""
        self.requests += 1
        self.by_operation[model.name] = self.by_operation.get(model.name, 0) + 1
        self.rows += parsed.get("ScannedCount", 0)
        self.rows += sum(len(rows) for rows in parsed.get("Responses", {}).values())
        self.units += read_units(model.name, parsed)


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


def pour(names: TableNames, first: int, last: int) -> None:
    """Have so many settled promotions in moto's table at once: all alike but for the key.

    A hundred thousand writes take minutes, a million rows of their own several gigabytes.
    """
    table = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].get_table(names.promotions)
    row = table.items[next(iter(table.items))]
    for n in range(first, last):
        table.items[DynamoType({"S": f"settled-{n}"})] = row


def a_watch(tables: Tables) -> Watch:
    """The watchdog, over these tables."""
    return Watch(
        store=DynamoDBPromotionStore(tables),
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


@contextmanager
def ready(names: TableNames) -> Iterator[tuple[Reads, Watch, Tape]]:
    """A sweep whose answers are recorded, to be swept again over them; and what it read."""
    tape = Tape()
    with served(tape) as url, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", url)
        tables = Tables(names)
        # moto reads a million rows for each Query.
        tables.connection._read_timeout_seconds = 120  # noqa: SLF001 - set when it is made
        watch = a_watch(tables)
        with counted(tables) as reads:
            report = watch()
        if report.deploying != OPEN:
            message = f"the sweep saw {report.deploying} of {OPEN} open promotions"
            raise SystemExit(message)
        tape.records = False
        yield reads, watch, tape


def play(sweeps: Sequence[tuple[Reads, Watch, Tape]], times: int) -> Sequence[float]:
    """Milliseconds of CPU of each sweep, in turns: the median."""
    figures: list[list[float]] = [[] for _ in sweeps]
    for _ in range(times):
        for (_, watch, tape), each in zip(sweeps, figures, strict=True):
            each.append(cpu_of(watch, 5))
            tape.require_the_same(5)
    return [statistics.median(each) for each in figures]


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.sweep", description=main.__doc__)
    parser.add_argument("--most", type=int, default=SIZES[-1], help="settled promotions")
    parser.add_argument("--times", type=int, default=60, help="of five sweeps each")
    arguments = parser.parse_args()
    sizes = [size for size in SIZES if size <= arguments.most]
    with ExitStack() as running:
        running.enter_context(mock_aws())
        environment = running.enter_context(pytest.MonkeyPatch.context())
        for name, value in CREDENTIALS.items():
            environment.setenv(name, value)
        names = stock()
        sweeps = []
        for before, size in pairwise([1, *sizes]):
            pour(names, before, size)
            sweeps.append(running.enter_context(ready(names)))
        figures = play(sweeps, arguments.times)
    print(f"A sweep with {OPEN} open promotions at {OPEN} targets:\n")
    print("| settled promotions | requests | rows read | read units | CPU ms | ratio |")
    print("|---:|---:|---:|---:|---:|---:|")
    for size, (reads, _, _), milliseconds in zip(sizes, sweeps, figures, strict=True):
        print(
            f"| {size:,} | {reads.requests} | {reads.rows} | {reads.units:g} "
            f"| {milliseconds:.2f} | {milliseconds / figures[0]:.2f} |"
        )
    return 0 if all(reads == sweeps[0][0] for reads, _, _ in sweeps) else 1


def stock() -> TableNames:
    """Make tables with one settled promotion and the open ones."""
    client = boto3.client("dynamodb")
    tables = Tables(make_tables(client))
    fill(tables, client, 0, 1)
    for n in range(OPEN):
        promotion = deploying(target=f"app-{n}", state_entered_at=SystemClock().now())
        promotion_row(tables.promotions, promotion).save()
    return tables.names


if __name__ == "__main__":
    raise SystemExit(main())
