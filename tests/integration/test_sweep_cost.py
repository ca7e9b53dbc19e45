"""A sweep costs what the open promotions cost, however many have settled."""

import boto3

from bench.sweep import counted, fill
from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.dynamodb import (
    DynamoDBBaselines,
    DynamoDBPromotionStore,
    DynamoDBTargetLocks,
    Tables,
)
from chalicelib.adapters.dynamodb.rows import promotion_row
from chalicelib.usecases.preflight import Policies
from chalicelib.usecases.watch import Watch
from tests.factories import deploying
from tests.fakes import FakeCatalogues, FakeFreezes, FakeOperators, FakeTargets, FakeWakes


def test_a_sweep_reads_the_same_with_and_without_a_thousand_settled_promotions(
    tables: Tables,
) -> None:
    for n in range(3):
        fresh = deploying(target=f"app-{n}", state_entered_at=SystemClock().now())
        promotion_row(tables.promotions, fresh).save()
    watch = Watch(
        store=DynamoDBPromotionStore(tables),
        locks=DynamoDBTargetLocks(tables),
        targets=FakeTargets(),
        freezes=FakeFreezes(),
        policies=Policies(catalogues=FakeCatalogues(), baselines=DynamoDBBaselines(tables)),
        operators=FakeOperators(),
        wakes=FakeWakes(),
        clock=SystemClock(),
    )
    with counted(tables) as before:
        watch()
    fill(tables, boto3.client("dynamodb"), 0, 1_000)

    with counted(tables) as after:
        report = watch()

    assert report.deploying == 3
    assert (before.requests, before.rows) == (4, 3)
    assert after == before
