"""A catalogue holds what a backend's file says now; every import is audited."""

from collections.abc import Callable

import pytest

from chalicelib.domain.catalogue import Catalogue, FlagEntry
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller
from chalicelib.domain.record import Revision, verify_record
from chalicelib.usecases.catalogues import ImportCatalogue, ShowCatalogue
from tests.factories import KIM, SAM, VERA
from tests.world import World

SUBJECT = "catalogue:backend"


def flags(*names: str, **described: str) -> dict[str, FlagEntry]:
    """Flags of these names; a keyword gives its flag a description."""
    plain = {name: FlagEntry(name=name) for name in names}
    return plain | {
        name: FlagEntry(name=name, description=said) for name, said in described.items()
    }


def imported(
    world: World,
    known: dict[str, FlagEntry],
    *,
    if_version: int | None = None,
    caller: Caller = SAM,
) -> Catalogue:
    import_it = ImportCatalogue(catalogues=world.catalogues, clock=world.clock)
    return import_it("backend", known, if_version=if_version, caller=caller)


def show(world: World, catalogue_id: str = "backend", caller: Caller = VERA) -> Catalogue:
    return ShowCatalogue(catalogues=world.catalogues)(catalogue_id, caller=caller)


def rejection(act: Callable[[], object]) -> Rejected:
    with pytest.raises(Rejected) as rejected:
        act()
    return rejected.value


def test_an_import_is_what_is_known_from_then_on(world: World) -> None:
    catalogue = imported(world, flags("dark_mode", beta="A new start page."))

    assert show(world) == catalogue
    assert catalogue.version == 1
    assert catalogue.flags["beta"].description == "A new start page."


def test_the_next_import_replaces_all_of_the_last_one(world: World) -> None:
    imported(world, flags("dark_mode", "beta"))

    catalogue = imported(world, flags("beta", "gamma"))

    assert sorted(catalogue.flags) == ["beta", "gamma"]
    assert catalogue.version == 2


def test_an_import_of_nothing_leaves_no_flag(world: World) -> None:
    imported(world, flags("dark_mode"))

    assert imported(world, {}).flags == {}


def test_a_first_import_of_nothing_is_an_import_all_the_same(world: World) -> None:
    assert imported(world, {}).version == 1


def test_the_same_import_again_writes_nothing(world: World) -> None:
    first = imported(world, flags("dark_mode", beta="New."))

    again = imported(world, flags("dark_mode", beta="New."))

    assert again == first
    assert len(world.store.trail(SUBJECT)) == 1


def test_the_audit_says_who_imported_what(world: World) -> None:
    imported(world, flags("dark_mode", "alpha", beta="Old."))

    catalogue = imported(world, flags("dark_mode", "gamma", beta="New."))

    trail = world.store.trail(SUBJECT)
    entry = trail[-1].entry
    assert (entry.actor, entry.action, entry.at) == ("sam", "import_catalogue", world.clock.now())
    assert entry.facts == {
        "flags": 3,
        "added": ["gamma"],
        "removed": ["alpha"],
        "changed": ["beta"],
    }
    assert verify_record(catalogue, trail).verified


def test_an_entry_names_no_more_than_a_hundred_flags_of_each_kind(world: World) -> None:
    many = [f"flag_{n:04}" for n in range(1000)]
    imported(world, flags(*many))
    imported(world, flags(**dict.fromkeys(many, "New.")))

    imported(world, {})

    facts = [stored.entry.facts for stored in world.store.trail(SUBJECT)]
    assert facts[0]["added"] == facts[1]["changed"] == facts[2]["removed"] == many[:100]
    assert [each["flags"] for each in facts] == [1000, 1000, 0]


@pytest.mark.parametrize("caller", [VERA, KIM])
def test_only_a_superadmin_may_import(world: World, caller: Caller) -> None:
    rejected = rejection(lambda: imported(world, flags("dark_mode"), caller=caller))

    assert rejected.code is Code.ROLE_INSUFFICIENT
    assert world.catalogues.get("backend") is None


@pytest.mark.parametrize("if_version", [0, 2])
def test_a_catalogue_that_changed_since_it_was_read_is_not_replaced(
    world: World,
    if_version: int,
) -> None:
    before = imported(world, flags("dark_mode"))

    rejected = rejection(lambda: imported(world, flags("beta"), if_version=if_version))

    assert rejected.code is Code.VERSION_STALE
    assert rejected.conflict == {"version": 1}
    assert [error.field for error in rejected.errors] == ["If-Match"]
    assert show(world) == before


@pytest.mark.parametrize("versions", [(0, 1), (None, 1), (None, None)])
def test_a_catalogue_that_is_as_it_was_read_is_replaced(
    world: World,
    versions: tuple[int | None, int | None],
) -> None:
    imported(world, flags("dark_mode"), if_version=versions[0])

    assert imported(world, flags("beta"), if_version=versions[1]).version == 2


def test_of_two_imports_at_once_the_later_is_told_to_read_again(world: World) -> None:
    write = world.catalogues.write

    def write_after_a_rival(revision: Revision[Catalogue]) -> None:
        world.catalogues.write = write  # type: ignore[method-assign]
        imported(world, flags("gamma"))
        write(revision)

    world.catalogues.write = write_after_a_rival  # type: ignore[method-assign]

    rejected = rejection(lambda: imported(world, flags("beta")))

    assert rejected.code is Code.VERSION_STALE
    assert sorted(show(world).flags) == ["gamma"]


def test_a_catalogue_that_nobody_imported_is_not_found(world: World) -> None:
    imported(world, flags("dark_mode"))

    rejected = rejection(lambda: show(world, "frontend"))

    assert rejected.code is Code.NOT_FOUND
    assert "PUT /catalogues/frontend imports it" in rejected.detail


def test_near_misses_are_told_best_first_and_no_more_than_three() -> None:
    known = flags("billing", "dark_mood", "dark_node", "darker_mode", "dark_mode")

    near = Catalogue(id="backend", flags=known).near("dark_modes")

    assert len(near) == 3
    assert near[0] == "dark_mode"
    assert "billing" not in near
