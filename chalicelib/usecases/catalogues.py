"""Show and import catalogues of flags."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from chalicelib.domain.audit import Action
from chalicelib.domain.catalogue import Catalogue, FlagEntry
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import Caller, Role, act_of
from chalicelib.domain.record import revise
from chalicelib.ports import Catalogues, Clock, Lost
from chalicelib.usecases.lookup import STALE


@dataclass(frozen=True, kw_only=True)
class ShowCatalogue:
    """One catalogue. Raises `Rejected` where there is none of that id."""

    catalogues: Catalogues

    def __call__(self, catalogue_id: str, *, caller: Caller) -> Catalogue:
        caller.require(Role.VIEWER)
        catalogue = self.catalogues.get(catalogue_id)
        if catalogue is None:
            raise Rejected(
                Code.NOT_FOUND,
                f"There is no catalogue {catalogue_id}. PUT /catalogues/{catalogue_id} imports it.",
            )
        return catalogue


@dataclass(frozen=True, kw_only=True)
class ImportCatalogue:
    """Replace a catalogue by what a backend's file says now; is idempotent.

    Flags that are gone from it can no longer be marked, and promotions of them that have not begun
    do not begin.
    Raises `Rejected`: role, or a catalogue that changed since the caller read it.
    """

    catalogues: Catalogues
    clock: Clock

    def __call__(
        self,
        catalogue_id: str,
        flags: Mapping[str, FlagEntry],
        *,
        if_version: int | None,
        caller: Caller,
    ) -> Catalogue:
        caller.require(Role.SUPERADMIN)
        before = self.catalogues.get(catalogue_id) or Catalogue(id=catalogue_id)
        if if_version not in {None, before.version}:
            raise _stale(before)
        if before.version and before.flags == flags:
            return before
        facts = {
            "flags": len(flags),
            "added": sorted(flags.keys() - before.flags.keys())[:_TOLD],
            "removed": sorted(before.flags.keys() - flags.keys())[:_TOLD],
            "changed": sorted(_changed(before.flags, flags))[:_TOLD],
        }
        act = act_of(caller, Action.IMPORT_CATALOGUE, self.clock.now(), facts)
        revision = revise(before, replace(before, flags=flags), act)
        try:
            self.catalogues.write(revision)
        except Lost:
            raise _stale(before) from None
        return revision.after


#: So many names of each kind at the most stand in an audit entry.
_TOLD = 100


def _changed(before: Mapping[str, FlagEntry], after: Mapping[str, FlagEntry]) -> Iterator[str]:
    """The flags of which something else is said than before."""
    return (name for name, entry in after.items() if before.get(name, entry) != entry)


def _stale(catalogue: Catalogue) -> Rejected:
    return Rejected(
        Code.VERSION_STALE,
        f"The catalogue {catalogue.id} has changed since you read it. Nothing was changed. "
        "Read it again.",
        errors=(STALE,),
        conflict={"version": catalogue.version},
    )
