"""Who may do what, and how long wrong codes lock."""

from datetime import timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller, Role, lock_after
from tests.factories import KIM, an_operator
from tests.fakes import START


@pytest.mark.parametrize(
    ("role", "covered"),
    [
        (Role.VIEWER, {Role.VIEWER}),
        (Role.PROMOTER, {Role.VIEWER, Role.PROMOTER}),
        (Role.SUPERADMIN, {Role.VIEWER, Role.PROMOTER, Role.SUPERADMIN}),
    ],
)
def test_a_role_covers_itself_and_those_below(role: Role, covered: set[Role]) -> None:
    assert {needed for needed in Role if role.covers(needed)} == covered


def test_a_role_that_does_not_suffice_is_named_with_the_one_that_would() -> None:
    with pytest.raises(Rejected) as rejected:
        Caller(name="vera", role=Role.VIEWER).require(Role.PROMOTER)

    assert rejected.value.code is Code.ROLE_INSUFFICIENT
    assert "vera is a viewer; this needs a promoter" in rejected.value.detail


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(1, None), (4, None), (5, 15), (6, None), (10, 30), (15, 60), (20, 120)],
)
def test_every_fifth_wrong_code_locks_twice_as_long(failures: int, minutes: int | None) -> None:
    expected = None if minutes is None else timedelta(minutes=minutes)

    assert lock_after(failures) == expected


def test_a_lock_ends() -> None:
    operator = an_operator(KIM, locked_until=START)

    assert operator.locked(START - timedelta(seconds=1))
    assert not operator.locked(START)


def test_a_token_is_owned_by_its_secret_alone() -> None:
    operator = an_operator(KIM)

    assert operator.owns("secret")
    assert not operator.owns("Secret")
    assert not operator.owns("")
