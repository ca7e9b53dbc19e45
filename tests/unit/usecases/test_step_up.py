"""A code is judged once, counted when it is wrong, and never looked at while somebody is locked."""

import hashlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import BRAKE_AFTER, PERIOD, Caller, Operator, Role, SpentCode
from chalicelib.domain.record import Revision, verify_record
from chalicelib.usecases.authorize import Authorize
from chalicelib.usecases.step_up import StepUp
from tests.factories import KIM, SAM, an_operator
from tests.fakes import START, FakeClock, FakeOperators, FakeSecondFactor, code_of

STEP = int(START.timestamp()) // 30
RIGHT, WRONG = code_of(STEP), "000000"
VIA_CONSOLE = replace(KIM, via="console")


@dataclass
class ContestedOperators(FakeOperators):
    """Operators of whom somebody else moves the record whenever a wrong code is to be counted."""

    asked: int = 0

    def count_failure(self, before: Operator, after: Operator) -> bool:  # noqa: ARG002 - the port's signature
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
    caller: Caller = KIM

    def kim_is(self, **fields: object) -> Operator:
        operator = an_operator(KIM, **fields)
        self.operators.put(operator)
        return operator

    def others_try(self, wrong_codes: int) -> None:
        for _ in range(wrong_codes):
            self.operators.count_wrong_code(self.clock.now())

    @property
    def kim(self) -> Operator:
        return self.operators.operators["kim"]

    @property
    def told(self) -> list[dict[str, object]]:
        """The facts of Kim's audit entries."""
        stored = self.operators.entries.get("operator:kim", [])
        assert verify_record(self.kim, stored).verified
        return [dict(each.entry.facts) for each in stored]

    @property
    def step_up(self) -> StepUp:
        return StepUp(
            operators=self.operators,
            second_factor=self.second_factor,
            clock=self.clock,
        )

    def spends(self, code: str | None = RIGHT) -> SpentCode:
        return self.step_up(self.caller, code)

    def refuses(self, code: str | None = RIGHT) -> Rejected:
        with pytest.raises(Rejected) as rejected:
            self.step_up(self.caller, code)
        return rejected.value


@pytest.fixture
def desk() -> Desk:
    return Desk()


# Right codes


def test_a_right_code_is_to_be_spent_on_the_record_that_it_was_judged_by(desk: Desk) -> None:
    operator = desk.kim_is(failures=3)

    assert desk.spends() == SpentCode(operator=operator, timecode=STEP)


def test_a_right_code_is_not_spent_yet_and_nowhere_counted(desk: Desk) -> None:
    operator = desk.kim_is(failures=3)

    desk.spends()

    assert desk.kim == operator
    assert desk.operators.wrong_codes == {}


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


@pytest.mark.parametrize("last_timecode", [STEP, STEP + 1])
def test_a_code_that_was_spent_meanwhile_is_told_from_a_record_that_moved(
    desk: Desk,
    last_timecode: int,
) -> None:
    spend = SpentCode(operator=desk.kim_is(), timecode=STEP)
    desk.step_up.require_unspent(spend)
    desk.kim_is(last_timecode=last_timecode)

    with pytest.raises(Rejected) as rejected:
        desk.step_up.require_unspent(spend)

    assert rejected.value.code is Code.TOTP_REUSED


# Wrong codes


@pytest.mark.parametrize(
    ("failures", "consequence"),
    [
        (0, "4 more lock you out."),
        (1, "3 more lock you out."),
        (2, "2 more lock you out."),
        (3, "One more locks you out."),
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


def test_near_the_end_of_a_period_fewer_lock(desk: Desk) -> None:
    desk.kim_is(wrong_codes=18, wrong_since=START)

    assert "One more locks you out." in desk.refuses(WRONG).detail


def test_a_wrong_code_that_locks_nobody_is_counted_without_an_audit_entry(desk: Desk) -> None:
    operator = desk.kim_is(failures=3)

    desk.refuses(WRONG)

    assert desk.kim == replace(operator, failures=4, wrong_codes=1, wrong_since=START)
    assert desk.told == []
    assert desk.operators.count_wrong_code(START) == 2


def test_the_fifth_wrong_code_locks_out_and_is_audited(desk: Desk) -> None:
    desk.kim_is(failures=4, wrong_codes=7, wrong_since=START)

    desk.refuses(WRONG)

    until = START + timedelta(minutes=15)
    assert (desk.kim.failures, desk.kim.locks, desk.kim.locked_until) == (0, 1, until)
    assert desk.told == [{"until": spell(until), "wrong_codes": 8, "braked": False}]


def test_a_lock_out_is_the_operators_own_act(desk: Desk) -> None:
    desk.kim_is(failures=4)

    desk.refuses(WRONG)

    entry = desk.operators.entries["operator:kim"][0].entry
    assert (entry.actor, entry.action, entry.at) == ("kim", "lock_out", START)


def test_a_lock_out_through_a_service_shows_the_service(desk: Desk) -> None:
    desk.kim_is(failures=4)
    desk.caller = VIA_CONSOLE

    rejected = desk.refuses(WRONG)

    assert desk.told[0]["via"] == "console"
    assert "somebody holds your token or that of console" in rejected.detail


def test_the_wrong_code_that_locks_says_until_when_and_what_to_do(desk: Desk) -> None:
    desk.kim_is(failures=4)

    rejected = desk.refuses(WRONG)

    assert rejected.code is Code.TOTP_INVALID
    assert rejected.detail == (
        "Wrong code. Nothing was changed. No code of yours is looked at until "
        "2026-05-09T04:43:00Z: wait, or ask a superadmin to unlock you. If these were not all "
        "your codes, somebody holds your token: have it rotated. "
        "Check that the clock of your phone is right."
    )


def test_the_twentieth_of_a_period_locks_until_it_is_over(desk: Desk) -> None:
    since = START - timedelta(days=1)
    desk.kim_is(wrong_codes=19, wrong_since=since)

    desk.refuses(WRONG)

    assert desk.kim.locked_until == since + PERIOD


@pytest.mark.parametrize(("others", "braked"), [(BRAKE_AFTER - 1, False), (BRAKE_AFTER, True)])
def test_while_many_codes_are_wrong_a_single_one_locks(
    desk: Desk,
    others: int,
    *,
    braked: bool,
) -> None:
    desk.kim_is()
    desk.others_try(others)

    rejected = desk.refuses(WRONG)

    assert desk.kim.locked(START) == braked
    assert [facts["braked"] for facts in desk.told] == [True] * braked
    assert ("so a single one locks" in rejected.detail) == braked


def test_the_next_hour_is_judged_by_its_own_wrong_codes(desk: Desk) -> None:
    desk.kim_is()
    desk.others_try(BRAKE_AFTER)
    desk.clock.advance(timedelta(minutes=32))

    desk.refuses(WRONG)

    assert desk.kim.failures == 1


def test_a_right_code_is_taken_however_many_codes_of_others_are_wrong(desk: Desk) -> None:
    desk.kim_is()
    desk.others_try(BRAKE_AFTER + 1)

    assert desk.spends().timecode == STEP


# Locked out


def test_who_is_locked_out_hears_until_when_and_what_to_do(desk: Desk) -> None:
    desk.kim_is(locked_until=START + timedelta(minutes=7, seconds=30))

    rejected = desk.refuses()

    assert rejected.code is Code.TOTP_LOCKED
    assert rejected.retry_after == timedelta(minutes=7, seconds=30)
    assert rejected.detail == (
        "Too many wrong codes. Nothing was changed. No code of yours is looked at until "
        "2026-05-09T04:35:30Z: wait, or ask a superadmin to unlock you. If these were not all "
        "your codes, somebody holds your token: have it rotated."
    )


def test_while_somebody_is_locked_out_no_code_is_judged_or_counted(desk: Desk) -> None:
    operator = desk.kim_is(locked_until=START + timedelta(microseconds=1))

    desk.refuses(WRONG)

    assert desk.second_factor.judged == []
    assert desk.kim == operator
    assert desk.operators.wrong_codes == {}


def test_the_moment_the_lock_ends_a_right_code_is_taken(desk: Desk) -> None:
    desk.kim_is(locks=1, locked_until=START)

    assert desk.spends().timecode == STEP


# Side by side


def test_a_wrong_code_that_loses_to_the_one_that_locks_is_not_judged_again(desk: Desk) -> None:
    desk.kim_is(failures=4)
    write = desk.operators.write
    locked: list[bool] = []

    def after_the_other(revision: Revision[Operator]) -> None:
        if not locked:
            locked.append(True)
            desk.refuses(WRONG)
        write(revision)

    desk.operators.write = after_the_other  # type: ignore[method-assign, assignment]

    rejected = desk.refuses(WRONG)

    assert rejected.code is Code.TOTP_LOCKED
    assert (desk.kim.locks, desk.kim.wrong_codes) == (1, 1)
    assert len(desk.told) == 1


def test_a_wrong_code_that_loses_to_another_is_counted_after_it(desk: Desk) -> None:
    desk.kim_is()
    count_failure = desk.operators.count_failure
    tried: list[bool] = []

    def after_the_other(before: Operator, after: Operator) -> bool:
        if not tried:
            tried.append(True)
            desk.refuses(WRONG)
        return count_failure(before, after)

    desk.operators.count_failure = after_the_other  # type: ignore[method-assign]

    rejected = desk.refuses(WRONG)

    assert "3 more lock you out." in rejected.detail
    assert desk.kim.failures == 2


def test_a_wrong_code_that_is_judged_again_is_one_of_the_hour(desk: Desk) -> None:
    desk.operators = ContestedOperators()
    desk.kim_is()

    desk.refuses(WRONG)

    assert list(desk.operators.wrong_codes.values()) == [1]


def test_where_others_win_five_times_nothing_is_decided() -> None:
    operators = ContestedOperators()
    desk = Desk(operators=operators)
    operator = desk.kim_is()

    rejected = desk.refuses(WRONG)

    assert rejected.code is Code.CONTENTION
    assert operators.asked == 5
    assert desk.kim == operator


# Who may not show one


def test_an_operator_who_is_gone_may_not_call(desk: Desk) -> None:
    rejected = desk.refuses()

    assert rejected.code is Code.UNAUTHENTICATED


@pytest.mark.parametrize("code", [RIGHT, WRONG])
def test_an_operator_who_is_disabled_may_not_call_whatever_the_code(desk: Desk, code: str) -> None:
    operator = desk.kim_is(disabled=True)

    rejected = desk.refuses(code)

    assert rejected.code is Code.UNAUTHENTICATED
    assert desk.kim == operator


@pytest.mark.parametrize("code", [RIGHT, WRONG])
def test_a_service_has_no_codes(desk: Desk, code: str) -> None:
    operator = desk.kim_is(role=Role.SERVICE, totp_reference="")

    rejected = desk.refuses(code)

    assert rejected.code is Code.ROLE_INSUFFICIENT
    assert desk.second_factor.judged == []
    assert desk.kim == operator


def test_through_a_service_it_is_the_operators_own_code(desk: Desk) -> None:
    operator = desk.kim_is()
    desk.operators.put(an_operator(SAM))
    desk.caller = VIA_CONSOLE

    assert desk.spends().operator == operator


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


def test_a_services_token_tells_a_service() -> None:
    console = Caller(name="console", role=Role.SERVICE)
    operators = FakeOperators({"console": an_operator(console)})

    assert Authorize(operators=operators)("Bearer console.secret") == console
