"""`Operators` and `Targets`."""

from datetime import timedelta

from chalicelib.domain.target import Target
from tests.factories import KIM, TARGET, an_operator
from tests.fakes import START
from tests.integration.contracts.conftest import Stores


def test_an_operator_is_read_back_whole(stores: Stores) -> None:
    assert stores.operators.get("kim") == an_operator(KIM)


def test_an_unknown_operator_reads_as_none(stores: Stores) -> None:
    assert stores.operators.get("nobody") is None


def test_wrong_codes_are_counted_and_lock(stores: Stores) -> None:
    until = START + timedelta(minutes=15)

    counted = stores.operators.record_failure(an_operator(KIM), locked_until=until)

    operator = stores.operators.get("kim")
    assert counted
    assert operator is not None
    assert (operator.failures, operator.locked_until) == (1, until)


def test_of_two_wrong_codes_judged_by_one_record_one_is_counted(stores: Stores) -> None:
    judged = an_operator(KIM)
    stores.operators.record_failure(judged, locked_until=None)

    counted = stores.operators.record_failure(judged, locked_until=None)

    operator = stores.operators.get("kim")
    assert not counted
    assert operator is not None
    assert operator.failures == 1


def test_a_target_is_listed_changed_and_read_back(stores: Stores) -> None:
    stores.targets.put(Target(app=TARGET, version=1))
    changed = Target(app=TARGET, version=2, description="the console", max_flags_per_release=7)

    stores.targets.put(changed)

    assert stores.targets.get(TARGET) == changed


def test_an_unlisted_target_reads_as_none(stores: Stores) -> None:
    assert stores.targets.get(TARGET) is None


def test_a_target_that_was_changed_meanwhile_is_not_written_over(stores: Stores) -> None:
    stores.targets.put(Target(app=TARGET, version=1))

    again = stores.targets.put(Target(app=TARGET, version=1, description="other"))
    skipped = stores.targets.put(Target(app=TARGET, version=3))

    assert not again
    assert not skipped
    assert stores.targets.get(TARGET) == Target(app=TARGET, version=1)


def test_targets_are_listed_by_name(stores: Stores) -> None:
    for app in ("bbb", "aaa"):
        stores.targets.put(Target(app=app, version=1))

    assert [target.app for target in stores.targets.all()] == ["aaa", "bbb"]
