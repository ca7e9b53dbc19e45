"""`PromotionStore`: every transition is written whole, or not at all."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.domain.audit import Act, Action, verify
from chalicelib.domain.lease import Lease
from chalicelib.domain.operator import SpentCode, counted
from chalicelib.domain.promotion import (
    Change,
    Effect,
    Promotion,
    SettledBy,
    State,
    Step,
    advance,
    annotate,
)
from chalicelib.ports import Clash, Lost, PromotionStore, Query, UsedKey
from tests.factories import FLAG, TARGET, a_change
from tests.fakes import START, FakePromotionIds
from tests.integration.contracts.conftest import Stores


def step(promotion: Promotion, **changes: Any) -> Change:  # noqa: ANN401 - fields of `Promotion`
    act = Act(actor="kim", action=Action.PROMOTE, at=START, facts={"seen": [1, None, "é"]})
    return advance(promotion, act, **changes)


def accepted(promotion: Promotion) -> Change:
    return step(promotion, state=State.DEPLOYING, step=Step.QUEUED, promoted_at=START)


def settled(promotion: Promotion) -> Change:
    return step(promotion, state=State.DEPLOYED, effect=Effect.LIVE, settled_by=SettledBy.WORKER)


def a_key(promotion: Promotion, **kwargs: Any) -> UsedKey:  # noqa: ANN401 - fields of `UsedKey`
    wanted: dict[str, Any] = {
        "operator": "kim",
        "key": "one",
        "fingerprint": "f",
        "promotion_id": promotion.id,
        "until": START + timedelta(days=1),
    }
    return UsedKey(**(wanted | kwargs))


def marked(store: PromotionStore, **kwargs: Any) -> Promotion:  # noqa: ANN401 - arguments of `mark`
    change = a_change(**kwargs)
    store.commit(change)
    return change.after


def test_what_was_committed_is_read_back_whole(stores: Stores) -> None:
    change = a_change(note="grüße")
    stores.promotions.commit(change)
    queued = accepted(change.after)
    stores.promotions.commit(queued)
    done = step(
        queued.after,
        step=Step.RELEASED,
        previous_value="",
        baseline_version=41,
        release_version=42,
        release_id="r",
        release_ended_at=START,
    )

    stores.promotions.commit(done)

    assert stores.promotions.get(done.after.id) == done.after


def test_an_unknown_id_reads_as_none(stores: Stores) -> None:
    assert stores.promotions.get("prm_01JD3ZK7Q8V5W9X2Y4Z6A8B0C1") is None


def test_a_change_to_a_promotion_that_moved_loses_and_shows_what_is_stored(
    stores: Stores,
) -> None:
    promotion = marked(stores.promotions)
    winner = accepted(promotion)
    stores.promotions.commit(winner)

    with pytest.raises(Lost) as lost:
        stores.promotions.commit(step(promotion, state=State.CANCELLED))

    assert lost.value.clashes >= {Clash.PROMOTION}
    assert lost.value.stored == winner.after
    assert stores.promotions.get(promotion.id) == winner.after
    assert len(stores.promotions.trail(promotion.id)) == 2


def test_the_same_promotion_is_not_marked_twice(stores: Stores) -> None:
    change = a_change()
    stores.promotions.commit(change)

    with pytest.raises(Lost) as lost:
        stores.promotions.commit(change)

    assert Clash.PROMOTION in lost.value.clashes


def test_the_trail_verifies_as_read_back(stores: Stores) -> None:
    promotion = marked(stores.promotions)
    last = accepted(promotion)
    stores.promotions.commit(last)

    trail = stores.promotions.trail(promotion.id)

    assert verify(trail, version=2, head=last.after.audit_hash).verified
    assert trail[1].entry == last.entry


def test_a_flag_has_one_open_promotion_at_a_target(stores: Stores) -> None:
    first = marked(stores.promotions)

    with pytest.raises(Lost) as lost:
        marked(stores.promotions)

    assert lost.value.clashes == {Clash.FLAG_LOCK}
    assert lost.value.holder == first.id


@pytest.mark.parametrize("other", [{"flag": "another"}, {"target": "raxx-console-staging"}])
def test_other_flags_and_targets_are_not_in_the_way(
    stores: Stores,
    other: dict[str, str],
) -> None:
    marked(stores.promotions)

    second = marked(stores.promotions, **other)

    assert stores.promotions.get(second.id) == second


def test_a_settled_promotion_makes_room_for_the_next(stores: Stores) -> None:
    first = marked(stores.promotions)
    queued = accepted(first)
    stores.promotions.commit(queued)
    stores.promotions.commit(settled(queued.after))

    second = marked(stores.promotions)

    assert stores.promotions.get(second.id) == second


def test_an_idempotency_key_is_used_once(stores: Stores) -> None:
    first = a_change()
    stores.promotions.commit(first, key=a_key(first.after))
    second = a_change(flag="another")

    with pytest.raises(Lost) as lost:
        stores.promotions.commit(second, key=a_key(second.after))

    assert lost.value.clashes == {Clash.KEY}
    assert stores.promotions.get(second.after.id) is None
    assert stores.promotions.used_key("kim", "one") == a_key(first.after)


def test_another_operators_key_is_another_key(stores: Stores) -> None:
    first, second = a_change(), a_change(flag="another")
    stores.promotions.commit(first, key=a_key(first.after))

    stores.promotions.commit(second, key=a_key(second.after, operator="sam"))

    assert stores.promotions.get(second.after.id) == second.after


def test_a_forgotten_key_may_be_used_again(stores: Stores) -> None:
    first = a_change()
    stores.promotions.commit(first, key=a_key(first.after))
    later = START + timedelta(days=1)
    second = a_change(flag="another", act=Act(actor="kim", action=Action.MARK, at=later))

    stores.promotions.commit(second, key=a_key(second.after, until=later + timedelta(days=1)))

    used = stores.promotions.used_key("kim", "one")
    assert used is not None
    assert used.promotion_id == second.after.id


def test_an_unused_key_reads_as_none(stores: Stores) -> None:
    assert stores.promotions.used_key("kim", "never") is None


def spend(stores: Stores, timecode: int) -> SpentCode:
    operator = stores.operators.get("kim")
    assert operator is not None
    return SpentCode(operator=operator, timecode=timecode)


def test_a_code_is_spent_with_the_transition_that_it_authorises(stores: Stores) -> None:
    promotion = marked(stores.promotions)

    stores.promotions.commit(accepted(promotion), spend=spend(stores, 100))

    operator = stores.operators.get("kim")
    assert operator is not None
    assert operator.last_timecode == 100


@pytest.mark.parametrize("timecode", [99, 100])
def test_a_code_that_is_not_newer_than_the_last_one_changes_nothing(
    stores: Stores,
    timecode: int,
) -> None:
    first, second = marked(stores.promotions), marked(stores.promotions, flag="another")
    stores.promotions.commit(accepted(first), spend=spend(stores, 100))

    with pytest.raises(Lost) as lost:
        stores.promotions.commit(accepted(second), spend=spend(stores, timecode))

    assert lost.value.clashes == {Clash.SECOND_FACTOR}
    assert stores.promotions.get(second.id) == second


def test_a_right_code_clears_the_wrong_ones(stores: Stores) -> None:
    promotion = marked(stores.promotions)
    operator = stores.operators.get("kim")
    assert operator is not None
    wrong = counted(operator, START, braked=True)
    stores.operators.count_failure(operator, wrong)

    stores.promotions.commit(accepted(promotion), spend=spend(stores, 100))

    operator = stores.operators.get("kim")
    assert operator is not None
    assert (operator.failures, operator.locked_until) == (0, None)


@pytest.mark.parametrize(
    "moved",
    [{"failures": 1}, {"disabled": True}, {"token_sha256": "rotated"}],
)
def test_a_code_judged_by_a_record_that_moved_is_not_spent(
    stores: Stores,
    moved: dict[str, Any],
) -> None:
    promotion = marked(stores.promotions)
    judged = spend(stores, 100)
    stores.operators.put(replace(judged.operator, **moved))

    with pytest.raises(Lost) as lost:
        stores.promotions.commit(accepted(promotion), spend=judged)

    assert lost.value.clashes == {Clash.SECOND_FACTOR}


def test_a_worker_writes_under_its_own_lease(stores: Stores) -> None:
    promotion = marked(stores.promotions)
    lease = stores.locks.acquire(TARGET, holder="w", now=START, until=START + timedelta(seconds=6))
    assert isinstance(lease, Lease)

    stores.promotions.commit(accepted(promotion), fence=lease)

    assert len(stores.promotions.trail(promotion.id)) == 2


def test_a_worker_whose_lease_was_taken_over_leaves_no_trace(stores: Stores) -> None:
    promotion = marked(stores.promotions)
    lease = stores.locks.acquire(TARGET, holder="w", now=START, until=START)
    assert isinstance(lease, Lease)
    stores.locks.acquire(TARGET, holder="x", now=START, until=START + timedelta(seconds=6))

    with pytest.raises(Lost) as lost:
        stores.promotions.commit(accepted(promotion), fence=lease)

    assert lost.value.clashes == {Clash.FENCE}
    assert stores.promotions.get(promotion.id) == promotion


def test_deploying_promotions_are_found_by_target_oldest_first(stores: Stores) -> None:
    ids = FakePromotionIds()
    changes = [
        a_change(flag=f"flag_{n}", promotion_id=ids.new(START + timedelta(seconds=n)))
        for n in (2, 1, 3)
    ]
    for change in changes:
        stores.promotions.commit(change)
        stores.promotions.commit(accepted(change.after))
    marked(stores.promotions, flag="only_marked")
    elsewhere = marked(stores.promotions, target="raxx-console-staging")
    stores.promotions.commit(accepted(elsewhere))

    found = stores.promotions.deploying(TARGET)

    assert [promotion.flag for promotion in found] == ["flag_1", "flag_2", "flag_3"]


def test_a_settled_promotion_is_in_no_sparse_index(stores: Stores) -> None:
    queued = accepted(marked(stores.promotions))
    stores.promotions.commit(queued)

    stores.promotions.commit(settled(queued.after))

    assert list(stores.promotions.deploying(TARGET)) == []
    assert list(stores.promotions.open(State.DEPLOYING)) == []


def test_a_promotion_without_a_readable_timestamp_is_swept_first(stores: Stores) -> None:
    plain = accepted(marked(stores.promotions, flag="plain"))
    stores.promotions.commit(plain)
    broken = accepted(marked(stores.promotions, flag="broken"))
    after = replace(broken.after, state_entered_at=None)
    stores.promotions.commit(replace(broken, after=after))

    found = stores.promotions.open(State.DEPLOYING)

    assert [promotion.flag for promotion in found] == ["broken", "plain"]
    assert found[0].state_entered_at is None


def test_pages_hold_every_promotion_once_newest_first(stores: Stores) -> None:
    ids = FakePromotionIds()
    made = []
    for days in range(0, 200, 20):
        at = START + timedelta(days=days)
        act = Act(actor="kim", action=Action.MARK, at=at)
        change = a_change(flag=f"flag_{days}", promotion_id=ids.new(at), act=act)
        stores.promotions.commit(change)
        made.append(change.after.id)
    seen: list[str] = []
    before = None

    for _ in range(len(made)):
        page = stores.promotions.page(
            Query(),
            before=before,
            limit=3,
            now=START + timedelta(days=365),
        )
        seen += [promotion.id for promotion in page.promotions]
        before = page.next_before
        if before is None:
            break

    assert seen == made[::-1]
    assert before is None


@pytest.mark.parametrize(
    ("query", "flags"),
    [
        (Query(target=TARGET), {FLAG, "another"}),
        (Query(flag=FLAG), {FLAG}),
        (Query(state="deploying"), {"another"}),
        (Query(target=TARGET, state="pending"), {FLAG}),
        (Query(target=TARGET, flag=FLAG, state="deploying"), set()),
        (Query(target="raxx-console-staging"), {FLAG}),
    ],
)
def test_filters_narrow_a_list(stores: Stores, query: Query, flags: set[str]) -> None:
    marked(stores.promotions)
    stores.promotions.commit(accepted(marked(stores.promotions, flag="another")))
    marked(stores.promotions, target="raxx-console-staging")

    page = stores.promotions.page(query, before=None, limit=10, now=START)

    assert {promotion.flag for promotion in page.promotions} == flags
    assert page.next_before is None


def test_what_is_open_is_turned_over_page_by_page(stores: Stores) -> None:
    made = [marked(stores.promotions, flag=f"flag_{n}").id for n in range(5)]
    seen: list[str] = []
    before: str | None = None
    for _ in range(5):
        page = stores.promotions.page(Query(state="pending"), before=before, limit=2, now=START)
        seen += [promotion.id for promotion in page.promotions]
        before = page.next_before
        if before is None:
            break

    assert seen == sorted(made, reverse=True)
    assert before is None


def test_a_last_page_that_is_full_says_that_it_is_the_last(stores: Stores) -> None:
    marked(stores.promotions)
    marked(stores.promotions, flag="another")

    page = stores.promotions.page(Query(target=TARGET), before=None, limit=2, now=START)

    assert len(page.promotions) == 2
    assert page.next_before is None


def test_lists_end_where_hoist_begins(stores: Stores) -> None:
    page = stores.promotions.page(
        Query(),
        before=None,
        limit=5,
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )

    assert page.next_before is None


def test_a_promotion_whose_lock_was_given_away_by_hand_settles_and_leaves_the_lock(
    stores: Stores,
) -> None:
    first = marked(stores.promotions)
    stores.give_flag_lock_back(first)
    second = marked(stores.promotions)

    stores.promotions.commit(step(first, state=State.CANCELLED))

    after = stores.promotions.get(first.id)
    assert after is not None
    assert after.state is State.CANCELLED
    with pytest.raises(Lost) as lost:
        marked(stores.promotions)
    assert lost.value.holder == second.id


def test_words_may_change_after_the_end_and_keep_the_chain_whole(stores: Stores) -> None:
    queued = accepted(marked(stores.promotions))
    stores.promotions.commit(queued)
    done = settled(queued.after)
    stores.promotions.commit(done)
    successor = marked(stores.promotions)
    act = Act(actor="kim", action=Action.EDIT, at=START)

    edited = annotate(done.after, act, rca_url="https://example.invalid/rca")
    stores.promotions.commit(edited)

    trail = stores.promotions.trail(done.after.id)
    assert verify(trail, version=4, head=edited.after.audit_hash).verified
    with pytest.raises(Lost) as lost:
        marked(stores.promotions)
    assert lost.value.holder == successor.id
