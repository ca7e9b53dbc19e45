"""A code is judged once, counted when it is wrong, and never looked at while somebody is locked."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Operator, SpentCode, lock_after
from chalicelib.usecases.authorize import Authorize
from chalicelib.usecases.step_up import StepUp
from tests.factories import KIM, an_operator
from tests.fakes import START, FakeClock, FakeOperators, FakeSecondFactor, code_of

STEP = int(START.timestamp()) // 30
RIGHT, WRONG = code_of(STEP), "000000"


@dataclass
class ContestedOperators(FakeOperators):
    """Operators of whom somebody else moves the record whenever a failure is to be recorded."""

    asked: int = 0

    def record_failure(self, operator: Operator, *, locked_until: datetime | None) -> bool:  # noqa: ARG002 - the port's signature
        self.asked += 1
        return False


@dataclass
class WatchedSecondFactor(FakeSecondFactor):
    """A second factor that remembers which codes it was asked to judge."""

    judged: list[str] = field(default_factory=list)

    def timecode(self, operator: Operator, code: str, *, at: datetime) -> int | None:
        self.judged.append(code)
        return super().timecode(operator, code, at=at)


@dataclass
class Desk:
    """Where Kim shows a code."""

    operators: FakeOperators = field(default_factory=FakeOperators)
    second_factor: WatchedSecondFactor = field(default_factory=WatchedSecondFactor)
    clock: FakeClock = field(default_factory=FakeClock)

    def kim_is(self, **fields: object) -> Operator:
        operator = an_operator(KIM, **fields)
        self.operators.put(operator)
        return operator

    @property
    def kim(self) -> Operator:
        return self.operators.operators["kim"]

    @property
    def step_up(self) -> StepUp:
        return StepUp(
            operators=self.operators,
            second_factor=self.second_factor,
            clock=self.clock,
        )

    def spends(self, code: str | None = RIGHT) -> SpentCode:
        return self.step_up(KIM, code)

    def refuses(self, code: str | None = RIGHT) -> Rejected:
        with pytest.raises(Rejected) as rejected:
            self.step_up(KIM, code)
        return rejected.value


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_right_code_is_to_be_spent_on_the_record_that_it_was_judged_by(desk: Desk) -> None:
    operator = desk.kim_is(failures=3)

    assert desk.spends() == SpentCode(operator=operator, timecode=STEP)


def test_a_right_code_is_not_spent_yet(desk: Desk) -> None:
    operator = desk.kim_is(failures=3)

    desk.spends()

    assert desk.kim == operator


def test_a_code_that_is_newer_than_the_last_one_is_right(desk: Desk) -> None:
    desk.kim_is(last_timecode=STEP - 1)

    assert desk.spends().timecode == STEP


@pytest.mark.parametrize("last_timecode", [STEP, STEP + 1])
def test_a_code_that_is_not_newer_than_the_last_one_is_refused(
    desk: Desk,
    last_timecode: int,
) -> None:
    desk.kim_is(last_timecode=last_timecode)

    rejected = desk.refuses()

    assert rejected.code is Code.TOTP_REUSED


def test_a_code_that_was_used_says_when_the_next_one_comes(desk: Desk) -> None:
    desk.kim_is(last_timecode=STEP)

    rejected = desk.refuses()

    assert rejected.retry_after == timedelta(seconds=30)
    assert "at most 30 seconds" in rejected.detail


def test_a_code_that_was_used_is_refused_before_anything_is_written(desk: Desk) -> None:
    operator = desk.kim_is(last_timecode=STEP, failures=2)

    desk.refuses()

    assert desk.kim == operator


@pytest.mark.parametrize(
    ("failures", "consequence"),
    [
        (0, "4 more lock you out."),
        (1, "3 more lock you out."),
        (2, "2 more lock you out."),
        (3, "1 more lock you out."),
        (4, "You are locked out for a while."),
        (5, "4 more lock you out."),
        (6, "3 more lock you out."),
        (7, "2 more lock you out."),
        (8, "1 more lock you out."),
        (9, "You are locked out for a while."),
    ],
)
def test_a_wrong_code_says_how_many_more_lock(
    desk: Desk,
    failures: int,
    consequence: str,
) -> None:
    desk.kim_is(failures=failures)

    rejected = desk.refuses(WRONG)

    assert rejected.code is Code.TOTP_INVALID
    assert rejected.detail == (
        f"Wrong code. Nothing was changed. {consequence} "
        "Check that the clock of your phone is right."
    )


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(0, None), (3, None), (4, 15), (5, None), (8, None), (9, 30)],
)
def test_every_fifth_wrong_code_is_recorded_with_its_lock(
    desk: Desk,
    failures: int,
    minutes: int | None,
) -> None:
    desk.kim_is(failures=failures)

    desk.refuses(WRONG)

    until = None if minutes is None else START + timedelta(minutes=minutes)
    assert (desk.kim.failures, desk.kim.locked_until) == (failures + 1, until)


def test_who_is_locked_out_hears_until_when_and_for_how_long(desk: Desk) -> None:
    desk.kim_is(failures=5, locked_until=START + timedelta(minutes=7, seconds=30))

    rejected = desk.refuses()

    assert rejected.code is Code.TOTP_LOCKED
    assert rejected.retry_after == timedelta(minutes=7, seconds=30)
    assert "until 2026-05-09T04:35:30Z" in rejected.detail


def test_while_somebody_is_locked_out_no_code_is_judged_or_counted(desk: Desk) -> None:
    operator = desk.kim_is(failures=5, locked_until=START + timedelta(microseconds=1))

    desk.refuses(WRONG)

    assert desk.second_factor.judged == []
    assert desk.kim == operator


def test_the_moment_the_lock_ends_a_right_code_is_taken(desk: Desk) -> None:
    desk.kim_is(failures=5, locked_until=START)

    assert desk.spends().timecode == STEP


def test_a_wrong_code_that_loses_to_another_is_judged_by_the_record_as_it_is_then(
    desk: Desk,
) -> None:
    desk.kim_is(failures=4)
    record_failure = desk.operators.record_failure

    def after_the_other(operator: Operator, *, locked_until: datetime | None) -> bool:
        lasts = desk.clock.now() + timedelta(minutes=15)
        record_failure(desk.kim, locked_until=lasts)
        return record_failure(operator, locked_until=locked_until)

    desk.operators.record_failure = after_the_other  # type: ignore[method-assign]

    rejected = desk.refuses(WRONG)

    assert rejected.code is Code.TOTP_LOCKED
    assert desk.kim.failures == 5


def test_where_others_win_five_times_nothing_is_decided() -> None:
    operators = ContestedOperators()
    desk = Desk(operators=operators)
    operator = desk.kim_is()

    rejected = desk.refuses(WRONG)

    assert rejected.code is Code.CONTENTION
    assert operators.asked == 5
    assert desk.kim == operator


def test_an_operator_who_is_gone_may_not_call(desk: Desk) -> None:
    rejected = desk.refuses()

    assert rejected.code is Code.UNAUTHENTICATED


@pytest.mark.parametrize("code", [RIGHT, WRONG])
def test_an_operator_who_is_disabled_may_not_call_whatever_the_code(desk: Desk, code: str) -> None:
    operator = desk.kim_is(disabled=True)

    rejected = desk.refuses(code)

    assert rejected.code is Code.UNAUTHENTICATED
    assert desk.kim == operator


def test_without_a_code_one_is_asked_for_before_anybody_is_looked_up(desk: Desk) -> None:
    assert desk.refuses(None).code is Code.TOTP_REQUIRED


@pytest.mark.parametrize(
    "code",
    ["", "12345", "1234567", " 123456", "123456\n", "12345a", "١٢٣٤٥٦"],
)
def test_a_malformed_code_is_refused_before_anybody_is_looked_up(desk: Desk, code: str) -> None:
    rejected = desk.refuses(code)

    assert rejected.code is Code.INVALID_REQUEST
    assert [error.field for error in rejected.errors] == ["X-TOTP"]


# How long a lock lasts


def test_no_wrong_code_is_no_lock() -> None:
    assert lock_after(0) is None


@pytest.mark.parametrize(
    ("failures", "doublings"),
    [(50, 9), (55, 10), (60, 10), (65, 10), (5_000_000, 10)],
)
def test_a_lock_doubles_ten_times_and_no_more(failures: int, doublings: int) -> None:
    assert lock_after(failures) == timedelta(minutes=15) * 2**doublings


# Who calls


@pytest.mark.parametrize("scheme", ["Digest ", "Bearer\t", "Bearer.", "Bearers"])
def test_another_scheme_of_the_same_length_is_nobodys(scheme: str) -> None:
    operators = FakeOperators({"kim": an_operator(KIM)})

    assert Authorize(operators=operators)(f"{scheme}kim.secret") is None


def test_spaces_around_a_token_are_not_part_of_it() -> None:
    operators = FakeOperators({"kim": an_operator(KIM)})

    assert Authorize(operators=operators)("Bearer   kim.secret ") == KIM


@pytest.mark.parametrize("name", ["", "kim lee", "kim/lee", "kim\n", "kïm", "k" * 65])
def test_a_name_that_no_operator_can_have_is_not_looked_up(name: str) -> None:
    operators = FakeOperators({name: replace(an_operator(KIM), name=name)})

    assert Authorize(operators=operators)(f"Bearer {name}.secret") is None


@pytest.mark.parametrize("name", ["k", "K-1_m", "k" * 64])
def test_a_name_of_letters_digits_dashes_and_underscores_is_looked_up(name: str) -> None:
    operators = FakeOperators({name: replace(an_operator(KIM), name=name)})

    found = Authorize(operators=operators)(f"Bearer {name}.secret")

    assert found is not None
    assert found.name == name


def test_a_name_without_a_secret_is_nobody_even_where_the_secret_is_empty() -> None:
    empty = hashlib.sha256(b"").hexdigest()
    operators = FakeOperators({"kim": an_operator(KIM, token_sha256=empty)})

    assert Authorize(operators=operators)("Bearer kim") is None


def test_a_secret_may_hold_dots() -> None:
    dotted = hashlib.sha256(b"a.b.c").hexdigest()
    operators = FakeOperators({"kim": an_operator(KIM, token_sha256=dotted)})

    assert Authorize(operators=operators)("Bearer kim.a.b.c") == KIM
