"""A service acts for an operator as far as both may, and for nobody else."""

from dataclasses import replace

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller, Role
from chalicelib.usecases.act_for import ActFor
from tests.factories import KIM, SAM, VERA, an_operator
from tests.fakes import FakeOperators

CONSOLE = Caller(name="console", role=Role.SERVICE)


@pytest.fixture
def operators() -> FakeOperators:
    found = FakeOperators()
    for caller in (KIM, VERA, SAM, CONSOLE):
        found.put(an_operator(caller))
    return found


def refused(operators: FakeOperators, on_behalf_of: str, caller: Caller = CONSOLE) -> Rejected:
    with pytest.raises(Rejected) as rejected:
        ActFor(operators=operators)(caller, on_behalf_of)
    return rejected.value


@pytest.mark.parametrize("caller", [KIM, CONSOLE])
def test_who_names_nobody_calls_for_themselves(operators: FakeOperators, caller: Caller) -> None:
    assert ActFor(operators=operators)(caller, None) == caller


@pytest.mark.parametrize(
    ("operator", "role"),
    [(KIM, Role.PROMOTER), (VERA, Role.VIEWER), (SAM, Role.PROMOTER)],
)
def test_a_service_may_for_an_operator_what_both_may(
    operators: FakeOperators,
    operator: Caller,
    role: Role,
) -> None:
    acting = ActFor(operators=operators)(CONSOLE, operator.name)

    assert acting == Caller(name=operator.name, role=role, via="console")


def test_a_service_that_was_lowered_since_the_token_was_checked_may_do_less(
    operators: FakeOperators,
) -> None:
    operators.put(an_operator(CONSOLE, up_to=Role.VIEWER))

    assert ActFor(operators=operators)(CONSOLE, "kim").role is Role.VIEWER


@pytest.mark.parametrize("name", ["nobody", "", "kim lee", "kim\n", "k" * 65, "operator:kim"])
def test_a_service_may_not_act_for_who_is_unknown(operators: FakeOperators, name: str) -> None:
    operators.put(replace(an_operator(KIM), name="kim lee"))

    rejected = refused(operators, name)

    assert rejected.code is Code.ON_BEHALF_REFUSED


def test_a_service_may_not_act_for_who_is_disabled(operators: FakeOperators) -> None:
    operators.put(an_operator(KIM, disabled=True))

    assert refused(operators, "kim").code is Code.ON_BEHALF_REFUSED


@pytest.mark.parametrize("name", ["console", "other"])
def test_a_service_may_not_act_for_a_service(operators: FakeOperators, name: str) -> None:
    operators.put(an_operator(Caller(name="other", role=Role.SERVICE)))

    assert refused(operators, name).code is Code.ON_BEHALF_REFUSED


def test_a_refusal_does_not_tell_which_names_there_are(operators: FakeOperators) -> None:
    operators.put(an_operator(KIM, disabled=True))

    assert refused(operators, "kim").detail == refused(operators, "nobody").detail


def test_a_service_that_was_disabled_may_not_call(operators: FakeOperators) -> None:
    operators.put(an_operator(CONSOLE, disabled=True))

    assert refused(operators, "kim").code is Code.UNAUTHENTICATED


def test_a_service_that_is_gone_may_not_call(operators: FakeOperators) -> None:
    del operators.operators["console"]

    assert refused(operators, "kim").code is Code.UNAUTHENTICATED


@pytest.mark.parametrize("name", ["vera", "sam", ""])
def test_a_person_calls_for_themselves_only(operators: FakeOperators, name: str) -> None:
    rejected = refused(operators, name, KIM)

    assert rejected.code is Code.INVALID_REQUEST
    assert [error.field for error in rejected.errors] == ["X-On-Behalf-Of"]
