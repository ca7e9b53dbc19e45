"""A retrospective's facts: both durations, every transition, and a trail that was tampered with."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from chalicelib.domain.audit import Act, Action, StoredEntry, Verification, verify
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.promotion import (
    Change,
    Effect,
    Promotion,
    SettledBy,
    State,
    Step,
    advance,
    mark,
)
from chalicelib.domain.timeline import spoken, timeline
from chalicelib.usecases.conclude import ConcludeOrder
from tests.factories import CONFIG_VAR, FLAG, KIM, SAM, TARGET, a_change
from tests.fakes import START
from tests.world import World

WHOLE = Verification(verified=True)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def stored(*changes: Change) -> list[StoredEntry]:
    return [StoredEntry(entry=change.entry, hash=change.entry.hash) for change in changes]


def step(
    before: Change,
    action: Action,
    *,
    at: datetime,
    actor: str = "worker",
    facts: Mapping[str, object] | None = None,
    **fields: object,
) -> Change:
    return advance(
        before.after,
        Act(actor=actor, action=action, at=at, facts=facts or {}),
        **fields,
    )


def marked(value: str | None = "true") -> Change:
    facts = {"target": TARGET, "flag": FLAG}
    return a_change(value=value, act=Act(actor="kim", action=Action.MARK, at=START, facts=facts))


def promoted(before: Change, at: datetime) -> Change:
    return step(
        before,
        Action.PROMOTE,
        at=at,
        actor="kim",
        facts={"value": before.after.value, "totp_timecode": 59277536},
        state=State.DEPLOYING,
        step=Step.QUEUED,
        promoted_by="kim",
        promoted_at=at,
    )


def settled(before: Change, at: datetime, *, why: str | None = None) -> Change:
    state, effect = (
        (State.FAILED, Effect.NONE) if why is not None else (State.DEPLOYED, Effect.LIVE)
    )
    return step(
        before,
        Action.SETTLE,
        at=at,
        facts={"effect": effect, "reason": why},
        state=state,
        settled_at=at,
        settled_by=SettledBy.WORKER,
        effect=effect,
        reason=why,
    )


def cancelled(before: Change, at: datetime) -> Change:
    return step(
        before,
        Action.CANCEL,
        at=at,
        actor="kim",
        state=State.CANCELLED,
        settled_at=at,
        effect=Effect.NONE,
    )


def written(*changes: Change, now: datetime = START) -> list[str]:
    """The lines of the timeline of these transitions."""
    return timeline(changes[-1].after, stored(*changes), WHOLE, now=now).splitlines()


def rows(*changes: Change) -> list[str]:
    lines = written(*changes)
    return lines[lines.index("|---|---:|---|---|") + 1 :]


def about(promotion: Promotion, *, now: datetime = START) -> list[str]:
    """What is said of a promotion before its timeline begins."""
    lines = timeline(promotion, [], WHOLE, now=now).splitlines()
    return lines[: lines.index("## Timeline (all times UTC)")]


def acknowledged_with(note: str) -> str:
    """The row of an acknowledgement with this note."""
    deploying = promoted(marked(), START)
    act = step(
        deploying, Action.ACKNOWLEDGE, at=START, actor="kim", facts={"until": "…", "note": note}
    )
    (row,) = rows(act)
    return row


# What is said first


def test_a_timeline_says_what_was_promoted_where_and_how_it_ended() -> None:
    begun = marked()
    ended = settled(promoted(begun, START + 26 * HOUR), START + 97 * HOUR + 30 * MINUTE)

    assert about(ended.after) == [
        f"# {FLAG} at {TARGET}",
        "",
        f"- Promotion: `{begun.after.id}`",
        "- Value: `true`",
        "- State: `deployed`, effect `live`",
        "- From mark to end: 97 h 30 min",
        "- In `deploying`: 71 h 30 min",
        "- Audit trail: verified",
        "",
    ]


def test_while_it_deploys_both_ages_go_on() -> None:
    deploying = promoted(marked(), START + 2 * HOUR)

    lines = about(deploying.after, now=START + 5 * HOUR)

    assert lines[5:7] == [
        "- From mark to end: 5 h 0 min so far",
        "- In `deploying`: 3 h 0 min so far",
    ]


def test_both_ages_end_when_it_settles_however_late_they_are_read() -> None:
    ended = settled(promoted(marked(), START + MINUTE), START + 3 * MINUTE)

    lines = about(ended.after, now=START + 500 * HOUR)

    assert lines[5:7] == ["- From mark to end: 3 min 0 s", "- In `deploying`: 2 min 0 s"]


def test_a_promotion_that_is_only_marked_was_never_deploying() -> None:
    lines = about(marked().after, now=START + 2 * HOUR)

    assert lines[4:] == [
        "- State: `pending`",
        "- From mark to end: 2 h 0 min so far",
        "- Audit trail: verified",
        "",
    ]


def test_a_promotion_that_was_cancelled_was_never_deploying() -> None:
    ended = cancelled(marked(), START + MINUTE)

    assert not any("deploying" in line for line in about(ended.after))


def test_a_reason_is_told() -> None:
    ended = settled(promoted(marked(), START), START, why="Release v2 failed.")

    assert "- Reason: Release v2 failed." in about(ended.after)


def test_without_a_reason_none_is_told() -> None:
    assert not any(line.startswith("- Reason") for line in about(marked().after))


def test_a_retrospective_is_linked() -> None:
    promotion = replace(marked().after, rca_url="https://example.com/rca/7")

    assert "- Retrospective: <https://example.com/rca/7>" in about(promotion)


def test_without_a_retrospective_none_is_linked() -> None:
    assert not any(line.startswith("- Retrospective") for line in about(marked().after))


def test_a_removal_is_told_as_the_absence_of_a_value() -> None:
    assert "- Value: (absent)" in about(marked(value=None).after)


# The transitions


def test_each_transition_has_its_row_with_its_moment_and_the_time_since_the_mark() -> None:
    begun = marked()
    accepted = promoted(begun, START + 90 * MINUTE)
    ended = settled(accepted, START + 90 * MINUTE + timedelta(seconds=42))

    assert rows(begun, accepted, ended) == [
        f"| 2026-05-09 04:28:00 | 0 s | kim | mark: `pending`. target `{TARGET}`; flag `{FLAG}` |",
        "| 2026-05-09 05:58:00 | 1 h 30 min | kim | promote: `deploying`. value `true` |",
        "| 2026-05-09 05:58:42 | 1 h 30 min | worker | settle: `deployed`. effect `live` |",
    ]


def test_a_transition_without_facts_is_told_by_its_name() -> None:
    ended = cancelled(marked(), START)

    assert rows(ended) == ["| 2026-05-09 04:28:00 | 0 s | kim | cancel: `cancelled` |"]


def test_what_is_meant_for_machines_is_left_out() -> None:
    facts = {"totp_timecode": 1, "release_id": "0a1b", "flags_in_patch": 3, "config_var": "X"}
    taken = step(promoted(marked(), START), Action.CONFIRM_PATCH, at=START, facts=facts)

    (row,) = rows(taken)

    assert row.endswith(r"| confirm\_patch: `deploying`. config\_var `X` |")


def test_a_fact_that_is_nothing_is_left_out_and_one_that_is_false_is_not() -> None:
    facts = {"said": None, "resolved": False}
    alert = step(promoted(marked(), START), Action.ALERT, at=START, facts=facts)

    (row,) = rows(alert)

    assert row.endswith("| alert: `deploying`. resolved `False` |")


def test_a_promotion_without_a_trail_has_an_empty_table() -> None:
    lines = timeline(marked().after, [], WHOLE, now=START)

    assert lines.endswith("| time | after | who | what |\n|---|---:|---|---|\n")


@pytest.mark.parametrize(
    ("duration", "words"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59, milliseconds=999), "59 s"),
        (timedelta(seconds=60), "1 min 0 s"),
        (timedelta(minutes=59, seconds=59), "59 min 59 s"),
        (timedelta(hours=1), "1 h 0 min"),
        (timedelta(hours=1, minutes=1, seconds=59), "1 h 1 min"),
        (timedelta(days=4, hours=1, minutes=14), "97 h 14 min"),
    ],
)
def test_a_duration_is_spoken_to_the_second_and_in_hours_beyond_a_day(
    duration: timedelta,
    words: str,
) -> None:
    assert spoken(duration) == words


# Words that mean something to Markdown


def test_a_note_does_not_add_a_row_or_a_heading() -> None:
    row = acknowledged_with("gone\n\n# All is well\n| 2026 | 0 s | sam | deployed |")

    assert row.endswith(
        r"note `gone # All is well \| 2026 \| 0 s \| sam \| deployed \|` |",
    )


def test_a_note_does_not_end_its_code_and_go_on_as_markup() -> None:
    row = acknowledged_with("`<script>alert(1)</script>`**loud**")

    assert row.endswith("note `'<script>alert(1)</script>'**loud**` |")


def test_a_value_does_not_end_its_code_or_its_line() -> None:
    promotion = marked(value="`on`\n# Deployed").after

    assert "- Value: `'on' # Deployed`" in about(promotion)


def test_a_reason_is_neither_markup_nor_a_link_nor_a_line_of_its_own() -> None:
    why = "<b>*a* _b_ `c` [d](e)\n# f | g \\"
    ended = settled(promoted(marked(), START), START, why=why)

    reasons = [line for line in about(ended.after) if line.startswith("- Reason")]

    assert reasons == [r"- Reason: \<b\>\*a\* \_b\_ \`c\` \[d\](e) \# f \| g \\"]


def test_the_name_of_a_fact_is_not_markup() -> None:
    alert = step(promoted(marked(), START), Action.ALERT, at=START, facts={"a|*b*": 1})

    (row,) = rows(alert)

    assert row.endswith(r"a\|\*b\* `1` |")


def test_the_flag_of_a_forged_entry_does_not_leave_its_cell() -> None:
    facts = {"flag": "x` | y\n| z"}
    forged = a_change(act=Act(actor=KIM.name, action=Action.MARK, at=START, facts=facts))

    (row,) = rows(forged)

    assert row.endswith(r"flag `x' \| y \| z` |")


def test_the_actor_of_a_forged_entry_does_not_leave_its_cell() -> None:
    act = Act(actor="kim | sam\n# x", action=Action.MARK, at=START)

    (row,) = rows(a_change(act=act))

    assert row == r"| 2026-05-09 04:28:00 | 0 s | kim \| sam \# x | mark: `pending` |"


# A trail that does not prove itself


def test_a_trail_that_is_broken_says_so_and_how() -> None:
    begun = marked()
    ended = cancelled(begun, START)
    trail = stored(begun, ended)
    trail[1] = replace(trail[1], entry=replace(trail[1].entry, actor="mallory"))
    verification = verify(trail, version=2, head=ended.after.audit_hash)

    lines = timeline(ended.after, trail, verification, now=START).splitlines()

    assert "- Audit trail: **broken**: its content was changed" in lines


def test_a_broken_trail_is_shown_all_the_same() -> None:
    begun = marked()
    ended = cancelled(begun, START + MINUTE)
    broken = Verification(verified=False, broken_at=1, reason="entry 1 is missing")

    text = timeline(ended.after, stored(ended), broken, now=START)

    assert text.endswith("| 2026-05-09 04:29:00 | 0 s | kim | cancel: `cancelled` |\n")


def test_a_missing_entry_is_named() -> None:
    begun = marked()
    accepted = promoted(begun, START)
    ended = settled(accepted, START)

    verification = verify(stored(begun, ended), version=3, head=ended.after.audit_hash)

    assert verification == Verification(
        verified=False,
        broken_at=2,
        reason="entry 2 is missing",
    )


def test_an_entry_of_another_chain_is_told_from_a_missing_one() -> None:
    begun = marked()
    accepted = promoted(begun, START)
    other = replace(accepted.entry, prev_hash="f" * 64)
    trail = [*stored(begun), StoredEntry(entry=other, hash=other.hash)]

    verification = verify(trail, version=2, head=other.hash)

    assert verification == Verification(
        verified=False,
        broken_at=2,
        reason="it does not follow the entry before it",
    )


def test_a_trail_that_was_cut_off_together_with_the_head_shows_by_its_length() -> None:
    begun = marked()
    accepted = promoted(begun, START)

    verification = verify(stored(begun), version=2, head=begun.after.audit_hash)

    assert accepted.after.version == 2
    assert verification == Verification(
        verified=False,
        broken_at=2,
        reason="its subject is at version 2; the trail ends at 1",
    )


def test_a_trail_that_is_gone_does_not_verify() -> None:
    begun = marked()

    verification = verify([], version=1, head=begun.after.audit_hash)

    assert verification == Verification(
        verified=False,
        broken_at=1,
        reason="its subject is at version 1; the trail ends at 0",
    )


def test_the_hash_does_not_depend_on_the_order_of_facts() -> None:
    facts = {"config_var": CONFIG_VAR, "value": "true", "nested": {"a": 1, "b": 2}}
    other_order = {"nested": {"b": 2, "a": 1}, "value": "true", "config_var": CONFIG_VAR}
    entry = marked().entry

    assert replace(entry, facts=facts).hash == replace(entry, facts=other_order).hash


def test_a_bar_in_a_value_is_shown_as_it_is() -> None:
    text = timeline(a_change(value="a|b").after, [], Verification(verified=True), now=START)

    assert "- Value: `a|b`" in text.splitlines()


@pytest.mark.parametrize("note", ["", "  "])
def test_an_empty_fact_does_not_open_a_code_span(note: str) -> None:
    act = Act(actor="kim", action=Action.MARK, at=START, facts={"note": note, "value": "true"})
    change = a_change(act=act)
    trail = [StoredEntry(entry=change.entry, hash=change.entry.hash)]

    text = timeline(change.after, trail, Verification(verified=True), now=START)

    assert "``" not in text
    assert "note (empty)" in text


# What operators and policies add


def settled_by_hand(world: World) -> list[str]:
    """The rows of a promotion that was completed by hand, without Heroku."""
    promotion = world.promoted()
    world.apps.failures["releases"] = [Unavailable()]
    order = ConcludeOrder(
        promotion_id=promotion.id,
        caller=replace(SAM, via="console"),
        code=world.code,
        if_version=None,
        key=None,
        reason="It | is live: I looked.",
        rca_url="https://wiki.example/rca/7",
        force=True,
    )
    after = world.conclude.complete(order).promotion
    text = timeline(after, world.store.trail(after.id), WHOLE, now=world.clock.now())
    return text.splitlines()


def test_what_an_operator_saw_reads_as_facts_and_not_as_code(world: World) -> None:
    *_, row = settled_by_hand(world)

    assert row == (
        "| 2026-05-09 04:28:30 | 30 s | sam | complete: `deployed`. value `true`; "
        r"effect `unknown`; reason `It \| is live: I looked.`; forced `True`; "
        r"evidence (finding `unreachable`; seen\_at `2026-05-09T04:28:30.000000Z`; "
        "said `Heroku could not be read: it did not answer in time, or not usefully. What the "
        "target holds is not known.`; effect `unknown`); "
        r"rca\_url `https://wiki.example/rca/7`; via `console` |"
    )


def test_what_an_operator_settled_says_so_above_the_timeline(world: World) -> None:
    lines = settled_by_hand(world)

    assert "- State: `deployed`, effect `unknown`" in lines
    assert "- Reason: It \\| is live: I looked." in lines
    assert "- Retrospective: <https://wiki.example/rca/7>" in lines


def test_several_things_in_one_fact_are_listed() -> None:
    facts = {"acknowledged": ["freeze:year-end", "no_op:v`2|"], "approvals_reset": []}
    staged = step(marked(), Action.STAGE, at=START, facts=facts, state=State.STAGED)

    (row,) = rows(staged)

    assert row.endswith(
        r"stage: `staged`. acknowledged `freeze:year-end`, `no_op:v'2\|`; approvals\_reset (none) |"
    )


def test_a_fact_within_a_fact_does_not_leave_its_cell() -> None:
    facts = {"evidence": {"said|": "x | y", "value": None}}
    said = step(promoted(marked(), START), Action.FAIL, at=START, facts=facts, state=State.FAILED)

    (row,) = rows(said)

    assert row.endswith(r"| fail: `failed`. evidence (said\| `x \| y`) |")


def test_a_new_promotion_begins_with_what_it_came_of() -> None:
    facts = {"reverts": "prm_1", "target": TARGET, "flag": FLAG, "value": None, "reason": None}
    act = Act(actor="kim", action=Action.ROLLBACK, at=START, facts=facts)
    back = mark(
        promotion_id="prm_2",
        target=TARGET,
        flag=FLAG,
        value=None,
        note=None,
        act=act,
        state=State.DEPLOYING,
        step=Step.QUEUED,
    )

    (row,) = rows(back)
    assert row == (
        "| 2026-05-09 04:28:00 | 0 s | kim | rollback: `deploying`. reverts `prm_1`; "
        f"target `{TARGET}`; flag `{FLAG}`; value (absent) |"
    )


# What is done again and again


def intended(before: Change, at: datetime, *, previous: str = "false") -> Change:
    facts = {"config_var": CONFIG_VAR, "value": "true", "previous_value": previous}
    return step(before, Action.RECORD_INTENT, at=at, facts=facts, step=Step.INTENT)


def test_what_is_done_again_and_again_takes_one_line() -> None:
    changes = [promoted(marked(), START)]
    for minute in range(1, 1441):
        changes.append(intended(changes[-1], START + minute * MINUTE))
    changes.append(settled(changes[-1], START + 25 * HOUR))

    lines = rows(*changes)

    assert len(lines) == 3
    assert lines[1].startswith("| 2026-05-09 04:29:00 | 1 min 0 s | worker | record\\_intent: ")
    assert lines[1].endswith(" (1439 times more, the last at 2026-05-10 04:28:00) |")


def test_what_differs_or_comes_between_takes_its_own() -> None:
    first = intended(promoted(marked(), START), START)
    otherwise = intended(first, START + MINUTE, previous="on")
    alert = step(otherwise, Action.ALERT, at=START + HOUR, facts={"rung": "sev3"})
    again = intended(alert, START + 2 * HOUR, previous="on")

    lines = rows(first, otherwise, alert, again)

    assert len(lines) == 4
    assert not any("times more" in line for line in lines)
