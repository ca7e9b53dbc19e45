"""Operators in DynamoDB, where the table is older than the rules, or contested."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from chalicelib.adapters.dynamodb import DynamoDBOperators, Tables
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.operator import Operator, SpentCode, counted
from chalicelib.domain.record import revise
from tests.factories import KIM, SAM, an_operator
from tests.fakes import START

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

#: What a row held before wrong codes were counted by the month, and versions were.
OLD_ROW: "dict[str, AttributeValueTypeDef]" = {
    "role": {"S": "promoter"},
    "token_sha256": {"S": an_operator(KIM).token_sha256},
    "totp_reference": {"S": "1:digest"},
    "disabled": {"BOOL": False},
    "last_timecode": {"N": "0"},
    "failures": {"N": "0"},
}


@pytest.fixture
def operators(tables: Tables) -> DynamoDBOperators:
    client = boto3.client("dynamodb")
    for name in ("kim", "sam"):
        client.put_item(TableName=tables.names.operators, Item={"name": {"S": name}, **OLD_ROW})
    return DynamoDBOperators(tables)


def kim(operators: DynamoDBOperators) -> Operator:
    operator = operators.get("kim")
    assert operator is not None
    return operator


def test_an_old_row_reads_as_an_operator_without_wrong_codes(operators: DynamoDBOperators) -> None:
    assert kim(operators) == an_operator(KIM)


def test_of_an_old_row_wrong_codes_are_counted(operators: DynamoDBOperators) -> None:
    before = kim(operators)

    assert operators.count_failure(before, counted(before, START, braked=False))
    assert kim(operators).wrong_codes == 1


def test_an_old_row_gets_its_first_version_and_its_code_is_spent(
    operators: DynamoDBOperators,
) -> None:
    before = kim(operators)
    act = Act(actor="kim", action=Action.LOCK_OUT, at=START)
    revision = revise(before, counted(before, START, braked=True), act)

    operators.write(revision, spend=SpentCode(operator=an_operator(SAM), timecode=1))

    assert kim(operators).version == 1


def test_the_hours_count_goes_away_by_itself_but_not_too_soon(
    operators: DynamoDBOperators,
) -> None:
    operators.count_wrong_code(START)

    row = operators.tables.locks.get("brake:2026-05-09T04")
    assert row.expires_at == (START + timedelta(days=1)).timestamp()


def test_a_wrong_code_that_meets_a_transaction_is_judged_again(
    operators: DynamoDBOperators,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def conflicting(operation: str, _kwargs: dict[str, Any]) -> None:
        error: Any = {"Error": {"Code": "TransactionConflictException", "Message": "stub"}}
        raise ClientError(error, operation)

    before = kim(operators)
    monkeypatch.setattr(operators.tables.connection.client, "_make_api_call", conflicting)

    assert not operators.count_failure(before, counted(before, START, braked=False))
