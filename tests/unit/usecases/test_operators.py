"""Operators are entered, changed and unlocked; each change is audited, no secret is in it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from chalicelib.domain.audit import AuditEntry
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller, Operator, Role, SpentCode, proved, unlocked
from chalicelib.domain.record import Revision, verify_record
from chalicelib.ports import Lost
from chalicelib.usecases.authorize import Authorize
from chalicelib.usecases.operators import (
    ListedOperator,
    ListOperators,
    UnlockOperator,
    UnlockOrder,
)
from chalicelib.usecases.operators_by_hand import (
    AddOperator,
    Credentials,
    DisableOperator,
    EnableOperator,
    NewOperator,
    ResetTotp,
    RotateToken,
    UnlockByHand,
)
from chalicelib.usecases.step_up import StepUp
from tests.factories import KIM, SAM, VERA, an_operator
from tests.fakes import START, FakeClock, FakeOperators, FakeSecondFactor, FakeTotpSecrets, code_of

STEP = int(START.timestamp()) // 30
CONSOLE = Caller(name="console", role=Role.SERVICE)
KIMS = Credentials(token_secret="kims-token", totp_secret="KIMSTOTP")
LATER = START + timedelta(minutes=15)


@dataclass
class Office:
    """Where operators are entered and changed."""

    operators: FakeOperators = field(default_factory=FakeOperators)
    clock: FakeClock = field(default_factory=FakeClock)
    totp_secrets: FakeTotpSecrets = field(default_factory=FakeTotpSecrets)

    def kim_is(self, **fields: object) -> Operator:
        reference = self.totp_secrets.put("kim", "OLDTOTP")
        operator = an_operator(KIM, totp_reference=reference, **fields)
        self.operators.put(operator)
        return operator

    @property
    def kim(self) -> Operator:
        return self.operators.operators["kim"]

    def entries(self, name: str = "kim") -> list[AuditEntry]:
        """What was done to an operator. The trail is whole."""
        stored = self.operators.entries.get(f"operator:{name}", [])
        assert verify_record(self.operators.operators[name], stored).verified
        return [each.entry for each in stored]

    def add(self, name: str = "kim", role: Role = Role.PROMOTER, **fields: Role) -> Operator:
        enter = AddOperator(
            operators=self.operators, clock=self.clock, totp_secrets=self.totp_secrets
        )
        return enter(NewOperator(name=name, role=role, **fields), KIMS, actor="aws:sam")

    def rotate(self, name: str = "kim") -> Operator:
        change = RotateToken(operators=self.operators, clock=self.clock)
        return change(name, KIMS, actor="aws:sam")

    def reset(self, name: str = "kim") -> Operator:
        change = ResetTotp(
            operators=self.operators, clock=self.clock, totp_secrets=self.totp_secrets
        )
        return change(name, KIMS, actor="aws:sam")

    def disable(self, name: str = "kim") -> Operator:
        change = DisableOperator(operators=self.operators, clock=self.clock)
        return change(name, "left", actor="aws:sam")

    def enable(self, name: str = "kim") -> Operator:
        return EnableOperator(operators=self.operators, clock=self.clock)(name, actor="aws:sam")

    def unlock_by_hand(self, name: str = "kim", reason: str | None = None) -> Operator:
        change = UnlockByHand(operators=self.operators, clock=self.clock)
        return change(name, actor="aws:sam", reason=reason)

    @property
    def step_up(self) -> StepUp:
        return StepUp(
            operators=self.operators,
            second_factor=FakeSecondFactor(),
            clock=self.clock,
        )

    def unlock(self, name: str = "kim", **order: object) -> Operator:
        wanted: dict[str, object] = {
            "name": name,
            "reason": "mistyped",
            "caller": SAM,
            "code": code_of(STEP),
        }
        change = UnlockOperator(operators=self.operators, step_up=self.step_up, clock=self.clock)
        return change(UnlockOrder(**(wanted | order)))  # type: ignore[arg-type]

    def before_the_next_write(self, meanwhile: Callable[[], object]) -> None:
        """Let something happen between the next reading and writing."""
        write = self.operators.write

        def late(revision: Revision[Operator], *, spend: SpentCode | None = None) -> None:
            self.operators.write = write  # type: ignore[method-assign]
            meanwhile()
            write(revision, spend=spend)

        self.operators.write = late  # type: ignore[method-assign]

    def lose_every_write(self) -> None:
        def lost(_revision: object, *, spend: object = None) -> None:  # noqa: ARG001 - the port's signature
            raise Lost([])

        self.operators.write = lost  # type: ignore[method-assign, assignment]


@pytest.fixture
def office() -> Office:
    office = Office()
    office.operators.put(an_operator(SAM))
    return office


def rejected(act: Callable[[], object]) -> Rejected:
    with pytest.raises(Rejected) as error:
        act()
    return error.value


CHANGES: list[Callable[[Office], Operator]] = [
    Office.rotate,
    Office.reset,
    Office.disable,
    Office.enable,
    Office.unlock_by_hand,
]


class TestAdd:
    def test_a_new_operator_is_kept_with_a_hash_and_a_reference(self, office: Office) -> None:
        operator = office.add()

        assert office.kim == operator
        assert operator.owns("kims-token")
        assert office.totp_secrets.kept == {operator.totp_reference: "KIMSTOTP"}
        assert (operator.role, operator.version) == (Role.PROMOTER, 1)

    def test_a_new_operator_may_call(self, office: Office) -> None:
        office.add()

        assert Authorize(operators=office.operators)("Bearer kim.kims-token") == KIM

    def test_a_service_has_no_second_factor(self, office: Office) -> None:
        operator = office.add("console", Role.SERVICE, up_to=Role.VIEWER)

        assert (operator.totp_reference, operator.up_to) == ("", Role.VIEWER)
        assert office.totp_secrets.kept == {}

    def test_who_was_added_as_what_by_whom_is_audited(self, office: Office) -> None:
        office.add()
        office.add("console", Role.SERVICE, up_to=Role.VIEWER)

        [kim], [console] = office.entries(), office.entries("console")
        assert (kim.actor, kim.action, kim.facts) == (
            "aws:sam",
            "add_operator",
            {"role": "promoter"},
        )
        assert console.facts == {"role": "service", "up_to": "viewer"}

    @pytest.mark.parametrize("stored", [{}, {"version": 3}, {"disabled": True}])
    def test_a_name_that_is_taken_is_refused(
        self,
        office: Office,
        stored: dict[str, object],
    ) -> None:
        operator = office.kim_is(**stored)

        error = rejected(office.add)

        assert error.code is Code.INVALID_REQUEST
        assert "There is an operator kim already" in error.detail
        assert office.kim == operator

    @pytest.mark.parametrize("name", ["", "kim lee", "kim.lee", "kim\n", "kïm", "k" * 65])
    def test_a_name_that_cannot_stand_before_a_dot_is_refused(
        self,
        office: Office,
        name: str,
    ) -> None:
        error = rejected(lambda: office.add(name))

        assert error.code is Code.INVALID_REQUEST
        assert list(office.operators.operators) == ["sam"]


class TestByHand:
    def test_rotating_replaces_the_token_at_once(self, office: Office) -> None:
        office.kim_is()

        office.rotate()

        authorize = Authorize(operators=office.operators)
        assert authorize("Bearer kim.secret") is None
        assert authorize("Bearer kim.kims-token") == KIM

    def test_rotating_leaves_a_lock_and_its_counts(self, office: Office) -> None:
        before = office.kim_is(locked_until=LATER, locks=1, wrong_codes=5, wrong_since=START)

        after = office.rotate()

        counts = ("failures", "locks", "locked_until", "wrong_codes", "wrong_since")
        assert [getattr(after, name) for name in counts] == [
            getattr(before, name) for name in counts
        ]

    def test_resetting_replaces_the_secret_and_unlocks(self, office: Office) -> None:
        office.kim_is(locked_until=LATER, locks=1, failures=2, wrong_codes=20, wrong_since=START)

        operator = office.reset()

        assert office.totp_secrets.kept[operator.totp_reference] == "KIMSTOTP"
        assert unlocked(operator) == operator

    def test_after_a_reset_only_a_later_code_than_the_last_is_right(self, office: Office) -> None:
        office.kim_is(last_timecode=STEP)
        office.reset()

        error = rejected(lambda: office.step_up(KIM, code_of(STEP)))

        assert error.code is Code.TOTP_REUSED

    def test_a_code_judged_by_the_old_secret_is_not_spent_after_a_reset(
        self,
        office: Office,
    ) -> None:
        office.kim_is()
        spend = office.step_up(KIM, code_of(STEP))

        office.reset()

        assert not office.operators.spendable(spend)

    def test_a_service_has_no_second_factor_to_reset(self, office: Office) -> None:
        office.operators.put(an_operator(CONSOLE))

        error = rejected(lambda: office.reset("console"))

        assert error.code is Code.INVALID_REQUEST
        assert office.totp_secrets.kept == {}

    def test_who_is_disabled_is_nobody_until_enabled(self, office: Office) -> None:
        office.kim_is()
        authorize = Authorize(operators=office.operators)

        office.disable()
        disabled = authorize("Bearer kim.secret")
        office.enable()

        assert (disabled, authorize("Bearer kim.secret")) == (None, KIM)

    def test_a_code_that_is_not_spent_yet_is_worth_nothing_once_its_operator_is_disabled(
        self,
        office: Office,
    ) -> None:
        office.kim_is()
        spend = office.step_up(KIM, code_of(STEP))

        office.disable()

        assert not office.operators.spendable(spend)

    def test_unlocking_by_hand_forgives_all(self, office: Office) -> None:
        before = office.kim_is(locked_until=LATER, locks=1, wrong_codes=5, wrong_since=START)

        office.unlock_by_hand()

        assert office.kim == replace(
            unlocked(before),
            version=1,
            audit_hash=office.kim.audit_hash,
        )
        assert office.entries()[0].facts == {}

    def test_what_was_done_by_whom_and_why_is_audited(self, office: Office) -> None:
        office.kim_is(wrong_codes=5, wrong_since=START)
        office.unlock_by_hand(reason="no superadmin is there")
        for change in (Office.rotate, Office.reset, Office.disable, Office.enable):
            change(office)

        told = [(entry.actor, entry.action, dict(entry.facts)) for entry in office.entries()]
        assert told == [
            ("aws:sam", "unlock", {"reason": "no superadmin is there"}),
            ("aws:sam", "rotate_token", {}),
            ("aws:sam", "reset_totp", {}),
            ("aws:sam", "disable_operator", {"reason": "left"}),
            ("aws:sam", "enable_operator", {}),
        ]

    def test_no_entry_holds_a_secret(self, office: Office) -> None:
        office.add()
        for change in CHANGES:
            change(office)

        told = repr([entry.content() for entry in office.entries()]) + repr(KIMS)
        assert not [s for s in ("kims-token", "KIMSTOTP", office.kim.token_sha256) if s in told]

    @pytest.mark.parametrize("change", [Office.disable, Office.enable, Office.unlock_by_hand])
    def test_what_is_so_already_is_not_written_again(
        self,
        office: Office,
        change: Callable[[Office], Operator],
    ) -> None:
        office.kim_is()
        once = change(office)

        assert change(office) == once
        assert len(office.entries()) == (1 if change is Office.disable else 0)

    @pytest.mark.parametrize("change", CHANGES)
    def test_an_unknown_operator_is_not_found(
        self,
        office: Office,
        change: Callable[[Office], Operator],
    ) -> None:
        assert rejected(lambda: change(office)).code is Code.NOT_FOUND

    def test_a_change_that_loses_to_a_spent_code_keeps_it_spent(self, office: Office) -> None:
        operator = office.kim_is()
        office.before_the_next_write(lambda: office.operators.put(proved(operator, STEP)))

        office.rotate()

        assert office.kim.last_timecode == STEP
        assert office.kim.owns("kims-token")

    def test_where_others_keep_winning_nothing_is_changed(self, office: Office) -> None:
        operator = office.kim_is()
        office.lose_every_write()

        error = rejected(office.rotate)

        assert error.code is Code.CONTENTION
        assert office.kim == operator


class TestUnlock:
    def locked_out(self, office: Office) -> Operator:
        return office.kim_is(locked_until=LATER, locks=1, wrong_codes=5, wrong_since=START)

    def test_a_superadmins_code_unlocks_and_is_spent(self, office: Office) -> None:
        before = self.locked_out(office)

        after = office.unlock()

        assert office.kim == after
        assert after == replace(unlocked(before), version=1, audit_hash=after.audit_hash)
        assert office.operators.operators["sam"].last_timecode == STEP

    def test_who_was_unlocked_why_and_by_which_code_is_audited(self, office: Office) -> None:
        self.locked_out(office)

        office.unlock(caller=replace(SAM, via="console"))

        [entry] = office.entries()
        assert (entry.actor, entry.action) == ("sam", "unlock")
        assert entry.facts == {"reason": "mistyped", "totp_timecode": STEP, "via": "console"}

    def test_who_has_only_mistyped_so_far_is_forgiven_too(self, office: Office) -> None:
        office.kim_is(wrong_codes=19, wrong_since=START)

        assert office.unlock().wrong_codes == 0

    def test_where_there_is_nothing_to_forgive_no_code_is_looked_at(self, office: Office) -> None:
        operator = office.kim_is()

        assert office.unlock(code=None) == operator
        assert office.entries() == []

    @pytest.mark.parametrize("caller", [KIM, VERA, CONSOLE, replace(KIM, via="console")])
    def test_only_a_superadmin_unlocks(self, office: Office, caller: Caller) -> None:
        operator = self.locked_out(office)

        error = rejected(lambda: office.unlock(caller=caller))

        assert error.code is Code.ROLE_INSUFFICIENT
        assert office.kim == operator

    def test_nobody_unlocks_themselves(self, office: Office) -> None:
        office.operators.put(an_operator(SAM, wrong_codes=19, wrong_since=START))

        error = rejected(lambda: office.unlock("sam"))

        assert error.code is Code.ROLE_INSUFFICIENT
        assert office.operators.operators["sam"].wrong_codes == 19

    @pytest.mark.parametrize("name", ["nobody", "", "kim lee"])
    def test_an_unknown_operator_is_not_found(self, office: Office, name: str) -> None:
        office.operators.put(replace(an_operator(KIM), name="kim lee"))

        assert rejected(lambda: office.unlock(name)).code is Code.NOT_FOUND

    def test_without_a_right_code_nobody_is_unlocked(self, office: Office) -> None:
        operator = self.locked_out(office)

        error = rejected(lambda: office.unlock(code="000000"))

        assert error.code is Code.TOTP_INVALID
        assert office.kim == operator

    def test_a_code_that_is_spent_meanwhile_unlocks_nobody(self, office: Office) -> None:
        operator, sam = self.locked_out(office), office.operators.operators["sam"]
        office.before_the_next_write(lambda: office.operators.put(proved(sam, STEP)))

        error = rejected(office.unlock)

        assert error.code is Code.TOTP_REUSED
        assert office.kim == operator

    def test_a_superadmin_whose_record_moved_for_another_reason_is_judged_again(
        self,
        office: Office,
    ) -> None:
        self.locked_out(office)
        office.before_the_next_write(
            lambda: office.operators.put(an_operator(SAM, failures=1)),
        )

        assert office.unlock().locked_until is None

    def test_an_operator_whose_record_moved_is_read_again(self, office: Office) -> None:
        operator = self.locked_out(office)
        office.before_the_next_write(
            lambda: office.operators.put(replace(operator, last_timecode=STEP)),
        )

        office.unlock()

        assert (office.kim.locked_until, office.kim.last_timecode) == (None, STEP)

    def test_where_others_keep_winning_nobody_is_unlocked(self, office: Office) -> None:
        operator = self.locked_out(office)
        office.lose_every_write()

        error = rejected(office.unlock)

        assert error.code is Code.CONTENTION
        assert office.kim == operator


class TestList:
    def listed(self, office: Office) -> dict[str, ListedOperator]:
        found = ListOperators(operators=office.operators, clock=office.clock)(caller=SAM)
        return {each.name: each for each in found}

    def test_operators_are_listed_by_name_without_what_only_they_know(
        self,
        office: Office,
    ) -> None:
        office.operators.put(an_operator(CONSOLE, up_to=Role.VIEWER))
        office.kim_is(disabled=True)

        found = self.listed(office)

        nothing = {"disabled": False, "locked_until": None, "wrong_codes": 0, "up_to": None}
        assert list(found.values()) == [
            ListedOperator(name="console", role=Role.SERVICE, **nothing | {"up_to": Role.VIEWER}),  # type: ignore[arg-type]
            ListedOperator(name="kim", role=Role.PROMOTER, **nothing | {"disabled": True}),  # type: ignore[arg-type]
            ListedOperator(name="sam", role=Role.SUPERADMIN, **nothing),  # type: ignore[arg-type]
        ]

    def test_who_is_locked_out_is_listed_so_while_it_lasts(self, office: Office) -> None:
        office.kim_is(locked_until=LATER, wrong_codes=5, wrong_since=START)

        locked = self.listed(office)["kim"]
        office.clock.advance(timedelta(minutes=15))
        free = self.listed(office)["kim"]

        assert (locked.locked_until, free.locked_until) == (LATER, None)

    def test_wrong_codes_are_listed_for_as_long_as_their_period_lasts(
        self,
        office: Office,
    ) -> None:
        office.kim_is(wrong_codes=19, wrong_since=START)

        during = self.listed(office)["kim"]
        office.clock.advance(timedelta(days=30))
        after = self.listed(office)["kim"]

        assert (during.wrong_codes, after.wrong_codes) == (19, 0)

    @pytest.mark.parametrize("caller", [KIM, VERA, CONSOLE])
    def test_only_a_superadmin_sees_them(self, office: Office, caller: Caller) -> None:
        use_case = ListOperators(operators=office.operators, clock=office.clock)

        assert rejected(lambda: use_case(caller=caller)).code is Code.ROLE_INSUFFICIENT
