"""The implementations that every contract is tested against."""

from dataclasses import dataclass

import pytest

from chalicelib.adapters.dynamodb import (
    DynamoDBOperators,
    DynamoDBPromotionStore,
    DynamoDBTargetLocks,
    DynamoDBTargets,
    Tables,
)
from chalicelib.ports import PromotionStore, TargetLocks, Targets
from tests.factories import KIM, an_operator
from tests.fakes import FakeOperators, FakePromotionStore, FakeTargetLocks, FakeTargets


@dataclass
class Stores:
    """One implementation of everything that is stored."""

    promotions: PromotionStore
    locks: TargetLocks
    operators: FakeOperators | DynamoDBOperators
    targets: Targets


@pytest.fixture(params=["fake", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Each implementation in turn, holding nothing but the operator kim."""
    made = _fakes() if request.param == "fake" else _dynamodb(request.getfixturevalue("tables"))
    made.operators.put(an_operator(KIM))
    return made


def _fakes() -> Stores:
    operators, locks = FakeOperators(), FakeTargetLocks()
    return Stores(
        promotions=FakePromotionStore(operators, locks),
        locks=locks,
        operators=operators,
        targets=FakeTargets(),
    )


def _dynamodb(tables: Tables) -> Stores:
    return Stores(
        promotions=DynamoDBPromotionStore(tables),
        locks=DynamoDBTargetLocks(tables),
        operators=DynamoDBOperators(tables),
        targets=DynamoDBTargets(tables),
    )
