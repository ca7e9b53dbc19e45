"""The audit trails of records: who changed them, and whether the trail is whole."""

from dataclasses import replace

import pytest

from chalicelib.domain.audit import StoredEntry
from chalicelib.domain.catalogue import FlagEntry
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.operator import Caller
from chalicelib.domain.target import Target
from chalicelib.usecases.audit import RecordAudit, Trail
from chalicelib.usecases.catalogues import ImportCatalogue
from chalicelib.usecases.freezes import FreezeTerms, PutFreeze
from chalicelib.usecases.operators import UnlockOperator, UnlockOrder
from chalicelib.usecases.targets import PutTarget
from tests.factories import KIM, SAM, VERA
from tests.world import World

APP = "new-app"


def audit(world: World, kind: str, name: str = "", caller: Caller = VERA) -> Trail:
    read = RecordAudit(
        store=world.store,
        operators=world.operators,
        targets=world.targets,
        catalogues=world.catalogues,
        freezes=world.freezes,
    )
    return read(kind, name, caller=caller)


def put_target(world: World, approvals: int = 0) -> Target:
    put = PutTarget(targets=world.targets, clock=world.clock)
    return put(Target(app=APP, min_approvals=approvals), if_version=None, caller=SAM)


def put_freeze(world: World) -> Freeze:
    put = PutFreeze(freezes=world.freezes, targets=world.targets, clock=world.clock)
    now = world.clock.now()
    terms = FreezeTerms(reason="Quiet days.", target=None, starts_at=now, ends_at=None)
    return put("year-end", terms, if_version=None, caller=SAM)


def import_catalogue(world: World) -> None:
    known = {"dark_mode": FlagEntry(name="dark_mode")}
    import_it = ImportCatalogue(catalogues=world.catalogues, clock=world.clock)
    import_it("backend", known, if_version=None, caller=SAM)


def unlock(world: World) -> None:
    world.operators.put(replace(world.operators.operators["kim"], failures=2))
    unlock_it = UnlockOperator(
        operators=world.operators,
        step_up=world.step_up,
        clock=world.clock,
    )
    unlock_it(UnlockOrder(name="kim", reason="mistyped", caller=SAM, code=world.code))


def actions(trail: Trail) -> list[str]:
    return [stored.entry.action for stored in trail.entries]


def test_every_kind_of_record_has_a_trail_that_is_whole(world: World) -> None:
    put_target(world)
    put_freeze(world)
    import_catalogue(world)
    unlock(world)

    trails = {
        "target": audit(world, "target", APP),
        "freezes": audit(world, "freezes"),
        "catalogue": audit(world, "catalogue", "backend"),
        "operator": audit(world, "operator", "kim"),
    }

    assert {kind: actions(trail) for kind, trail in trails.items()} == {
        "target": ["set_policy"],
        "freezes": ["set_freeze"],
        "catalogue": ["import_catalogue"],
        "operator": ["unlock"],
    }
    assert all(trail.verification.verified for trail in trails.values())
    assert {stored.entry.actor for trail in trails.values() for stored in trail.entries} == {"sam"}


def test_a_record_that_nobody_changed_has_an_empty_trail_that_is_whole(world: World) -> None:
    for kind, name in (("operator", "vera"), ("freezes", "")):
        trail = audit(world, kind, name)

        assert (list(trail.entries), trail.verification.verified) == ([], True)


def test_entries_come_oldest_first(world: World) -> None:
    for approvals in (1, 2, 3):
        put_target(world, approvals)

    trail = audit(world, "target", APP)

    assert [stored.entry.facts["min_approvals"] for stored in trail.entries] == [1, 2, 3]
    assert [stored.entry.version for stored in trail.entries] == [1, 2, 3]


def test_an_entry_that_was_changed_shows(world: World) -> None:
    put_target(world, 1)
    put_target(world, 2)
    entries = world.store.entries[f"target:{APP}"]
    forged = replace(entries[0].entry, facts={"min_approvals": 0})
    entries[0] = StoredEntry(entry=forged, hash=entries[0].hash)

    verification = audit(world, "target", APP).verification

    assert (verification.verified, verification.broken_at) == (False, 1)
    assert verification.reason == "its content was changed"


def test_an_entry_that_was_cut_off_shows(world: World) -> None:
    put_target(world, 1)
    put_target(world, 2)
    world.store.entries[f"target:{APP}"].pop()

    verification = audit(world, "target", APP).verification

    assert (verification.verified, verification.broken_at) == (False, 2)


def test_a_policy_that_was_written_past_the_audit_shows(world: World) -> None:
    target = put_target(world, 1)
    world.targets.put(replace(target, version=2, min_approvals=0, audit_hash="f" * 64))

    assert not audit(world, "target", APP).verification.verified


def test_an_entry_written_while_reading_does_not_break_the_chain(world: World) -> None:
    put_target(world, 1)
    read_trail = world.store.trail

    def trail_after_a_change(subject: str) -> object:
        world.store.trail = read_trail  # type: ignore[method-assign]
        put_target(world, 2)
        return read_trail(subject)

    world.store.trail = trail_after_a_change  # type: ignore[method-assign, assignment]

    trail = audit(world, "target", APP)

    assert trail.verification.verified
    assert len(trail.entries) == 1


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("operator", "nobody"),
        ("operator", ""),
        ("target", "nobodys-app"),
        ("target", ""),
        ("catalogue", "frontend"),
        ("catalogue", ""),
        ("freezes", "year-end"),
        ("promotion", "prm_1"),
        ("", ""),
    ],
)
def test_what_is_no_record_is_not_found(world: World, kind: str, name: str) -> None:
    put_freeze(world)

    with pytest.raises(Rejected) as rejected:
        audit(world, kind, name)

    assert rejected.value.code is Code.NOT_FOUND


def test_a_promotions_trail_is_not_a_records(world: World) -> None:
    promotion = world.mark()

    with pytest.raises(Rejected) as rejected:
        audit(world, promotion.id)

    assert rejected.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("caller", [VERA, KIM, SAM])
def test_whoever_may_look_may_read_it(world: World, caller: Caller) -> None:
    put_target(world)

    assert actions(audit(world, "target", APP, caller)) == ["set_policy"]
