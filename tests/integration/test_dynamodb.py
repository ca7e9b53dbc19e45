"""What DynamoDB answers beside success and lost conditions, which moto does not: by stub."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from chalicelib.adapters.dynamodb import (
    DynamoDBOperators,
    DynamoDBPromotionStore,
    DynamoDBTargetLocks,
    Tables,
)
from chalicelib.adapters.dynamodb import transaction as adapter
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.lease import Lease
from chalicelib.domain.promotion import State, Step, advance
from tests.factories import TARGET, a_change
from tests.fakes import START

SIX = timedelta(seconds=6)


def failing(code: str, *reasons: str, times: int = 1000) -> Callable[..., Any]:
    """Stand in for botocore's call: raise this so often, then go through."""
    left = [times]

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def api_call(operation: str, kwargs: dict[str, Any]) -> Any:  # noqa: ANN401 - botocore's answer
            if left[0] == 0:
                return call(operation, kwargs)
            left[0] -= 1
            answer: Any = {
                "Error": {"Code": code, "Message": "stub"},
                "CancellationReasons": [{"Code": reason} for reason in reasons],
            }
            raise ClientError(answer, operation)

        return api_call

    return wrap


def stub(
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    wrap: Callable[..., Any],
) -> None:
    client = tables.connection.client
    monkeypatch.setattr(client, "_make_api_call", wrap(client._make_api_call))  # noqa: SLF001 - what PynamoDB calls


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "_FIRST_PAUSE_SECONDS", 0)


PASSING = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"]


@pytest.mark.parametrize("reason", PASSING)
def test_a_transaction_that_met_what_passes_is_tried_again(
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
) -> None:
    reasons = (reason, "None", "None")
    stub(tables, monkeypatch, failing("TransactionCanceledException", *reasons, times=3))
    change = a_change()

    DynamoDBPromotionStore(tables).commit(change)

    assert DynamoDBPromotionStore(tables).get(change.after.id) == change.after


@pytest.mark.parametrize("reason", PASSING)
def test_a_transaction_that_never_gets_through_is_not_taken_for_a_bug(
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    reason: str,
) -> None:
    stub(tables, monkeypatch, failing("TransactionCanceledException", reason, "None", "None"))

    with pytest.raises(Unavailable):
        DynamoDBPromotionStore(tables).commit(a_change())


def test_a_lease_is_renewed_though_a_transaction_names_its_row(
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    locks = DynamoDBTargetLocks(tables)
    lease = locks.acquire(TARGET, holder="w", now=START, until=START + SIX)
    assert isinstance(lease, Lease)
    stub(tables, monkeypatch, failing("TransactionConflictException", times=2))

    locks.renew(lease, until=START + 2 * SIX)

    held = locks.get(TARGET).lease
    assert held is not None
    assert held.until == START + 2 * SIX


@pytest.mark.parametrize(
    "code",
    ["TransactionConflictException", "ThrottlingException", "InternalServerError"],
)
def test_what_passes_is_told_from_a_bug(
    tables: Tables,
    monkeypatch: pytest.MonkeyPatch,
    code: str,
) -> None:
    stub(tables, monkeypatch, failing(code))
    locks, operators = DynamoDBTargetLocks(tables), DynamoDBOperators(tables)

    with pytest.raises(Unavailable):
        locks.acquire(TARGET, holder="w", now=START, until=START + SIX)
    with pytest.raises(Unavailable):
        operators.get("kim")
    with pytest.raises(Unavailable):
        DynamoDBPromotionStore(tables).get("prm_x")


def test_a_lease_whose_answer_was_lost_is_known_as_ones_own(tables: Tables) -> None:
    locks = DynamoDBTargetLocks(tables)
    first = locks.acquire(TARGET, holder="w", now=START, until=START + SIX)

    # What botocore does where the first answer was lost.
    again = locks.acquire(TARGET, holder="w", now=START, until=START + SIX)

    assert again == first


def test_an_unreadable_end_of_a_lease_does_not_block_its_target(tables: Tables) -> None:
    locks = DynamoDBTargetLocks(tables)
    locks.acquire(TARGET, holder="w", now=START, until=START + SIX)
    tables.locks(f"target:{TARGET}").update([tables.locks.until.set("never")])

    lease = locks.acquire(TARGET, holder="x", now=START, until=START + SIX)

    assert isinstance(lease, Lease)


def test_a_promotion_that_was_damaged_by_hand_hides_no_other(
    tables: Tables,
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = DynamoDBPromotionStore(tables)
    changes = [a_change(flag="whole"), a_change(flag="damaged")]
    act = Act(actor="kim", action=Action.PROMOTE, at=START)
    for change in changes:
        store.commit(change)
        store.commit(advance(change.after, act, state=State.DEPLOYING, step=Step.QUEUED))
    row = tables.promotions.get(changes[1].after.id)
    row.update([tables.promotions.state.set("deplyoing")])

    found = store.open(State.DEPLOYING)

    assert [promotion.flag for promotion in found] == ["whole"]
    assert changes[1].after.id in caplog.text
