"""`Baselines`: what was deployed, kept by the transactions that deploy."""

import pytest

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.drift import Baseline, Declared, Drift, DriftKind
from chalicelib.domain.promotion import (
    Change,
    Effect,
    Promotion,
    State,
    Step,
    advance,
    annotate,
)
from chalicelib.ports import Clash, Lost
from tests.factories import FLAG, TARGET, a_change
from tests.fakes import START
from tests.integration.contracts.conftest import Stores

DRIFT = Drift(flag=FLAG, kind=DriftKind.CHANGED, since=START)
ACT = Act(actor="watchdog", action=Action.ALERT, at=START)


def deployed(stores: Stores, flag: str = FLAG, value: str | None = "true") -> Promotion:
    change = a_change(flag=flag, value=value)
    stores.promotions.commit(change)
    change = advance(change.after, ACT, state=State.DEPLOYING, step=Step.QUEUED)
    stores.promotions.commit(change)
    change = advance(change.after, ACT, state=State.DEPLOYED, effect=Effect.LIVE)
    stores.promotions.commit(change)
    return change.after


def entry(promotion: Promotion) -> Change:
    return annotate(promotion, ACT)


def test_nothing_is_known_of_a_target_without_promotions(stores: Stores) -> None:
    assert stores.baselines.get(TARGET) == Baseline(target=TARGET)


@pytest.mark.parametrize("value", ["true", "", None, "é"])
def test_what_is_deployed_is_declared_by_the_same_transaction(
    stores: Stores,
    value: str | None,
) -> None:
    promotion = deployed(stores, value=value)

    declared = stores.baselines.get(TARGET).declared

    assert declared == {FLAG: Declared(flag=FLAG, value=value, promotion_id=promotion.id)}


def test_flags_do_not_write_over_each_other_but_over_themselves(stores: Stores) -> None:
    deployed(stores)
    other, again = deployed(stores, "other"), deployed(stores, value="false")

    declared = stores.baselines.get(TARGET).declared

    assert {flag: each.promotion_id for flag, each in declared.items()} == {
        FLAG: again.id,
        "other": other.id,
    }


def test_what_did_not_become_live_is_not_declared(stores: Stores) -> None:
    change = a_change()
    stores.promotions.commit(change)
    stores.promotions.commit(advance(change.after, ACT, state=State.CANCELLED))

    assert stores.baselines.get(TARGET).declared == {}


def test_a_drift_begins_and_ends_with_its_audit_entry(stores: Stores) -> None:
    promotion = deployed(stores)
    before = stores.baselines.get(TARGET)
    begin = entry(promotion)
    stores.baselines.record(before, before.declared[FLAG], DRIFT, begin)
    during = stores.baselines.get(TARGET)

    stores.baselines.record(during, during.declared[FLAG], None, entry(begin.after))

    assert during.drifts == {FLAG: DRIFT}
    assert stores.baselines.get(TARGET).drifts == {}
    assert len(stores.promotions.trail(promotion.id)) == 5


def test_of_two_who_see_the_same_drift_one_tells(stores: Stores) -> None:
    promotion = deployed(stores)
    seen = stores.baselines.get(TARGET)
    first = entry(promotion)
    stores.baselines.record(seen, seen.declared[FLAG], DRIFT, first)

    with pytest.raises(Lost) as lost:
        stores.baselines.record(seen, seen.declared[FLAG], DRIFT, entry(first.after))

    assert lost.value.clashes == {Clash.BASELINE}
    assert len(stores.promotions.trail(promotion.id)) == 4


def test_a_flag_that_was_deployed_anew_is_not_told_as_it_was(stores: Stores) -> None:
    promotion = deployed(stores)
    seen = stores.baselines.get(TARGET)
    deployed(stores, value="false")

    with pytest.raises(Lost):
        stores.baselines.record(seen, seen.declared[FLAG], DRIFT, entry(promotion))

    assert stores.baselines.get(TARGET).drifts == {}


def test_an_open_promotion_of_a_flag_is_known(stores: Stores) -> None:
    change = a_change()
    before = stores.promotions.open_promotion(TARGET, FLAG)
    stores.promotions.commit(change)

    assert before is None
    assert stores.promotions.open_promotion(TARGET, FLAG) == change.after.id
