"""The implementations that every contract is tested against."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from chalicelib.adapters.dynamodb import (
    DynamoDBBaselines,
    DynamoDBCatalogues,
    DynamoDBOperators,
    DynamoDBPromotionStore,
    DynamoDBTargetLocks,
    DynamoDBTargets,
    Tables,
)
from chalicelib.domain.promotion import Promotion
from chalicelib.ports import Baselines, Catalogues, PromotionStore, TargetLocks, Targets
from tests.factories import KIM, an_operator
from tests.fakes import (
    FakeBaselines,
    FakeCatalogues,
    FakeOperators,
    FakePromotionStore,
    FakeTargetLocks,
    FakeTargets,
)


@dataclass
class Stores:
    """One implementation of everything that is stored."""

    promotions: PromotionStore
    locks: TargetLocks
    operators: FakeOperators | DynamoDBOperators
    targets: Targets
    catalogues: Catalogues
    baselines: Baselines
    #: Take the promotion's flag lock away behind its back.
    give_flag_lock_back: Callable[[Promotion], object]


@pytest.fixture(params=["fake", "dynamodb"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Each implementation in turn, holding nothing but the operator kim."""
    made = _fakes() if request.param == "fake" else _dynamodb(request.getfixturevalue("tables"))
    made.operators.put(an_operator(KIM))
    return made


def _fakes() -> Stores:
    operators, locks = FakeOperators(), FakeTargetLocks()
    promotions = FakePromotionStore(operators, locks, entries=operators.entries)
    return Stores(
        promotions=promotions,
        locks=locks,
        operators=operators,
        targets=FakeTargets(entries=promotions.entries),
        catalogues=FakeCatalogues(entries=promotions.entries),
        baselines=FakeBaselines(promotions),
        give_flag_lock_back=lambda p: promotions.flag_locks.pop((p.target, p.flag), None),
    )


def _dynamodb(tables: Tables) -> Stores:
    return Stores(
        promotions=DynamoDBPromotionStore(tables),
        locks=DynamoDBTargetLocks(tables),
        operators=DynamoDBOperators(tables),
        targets=DynamoDBTargets(tables),
        catalogues=DynamoDBCatalogues(tables),
        baselines=DynamoDBBaselines(tables),
        give_flag_lock_back=lambda p: tables.locks(f"flag:{p.target}:{p.flag}").delete(),
    )
