"""Records that say who may do what, and when; each with an audit chain of its own.

Operators, targets, freezes and catalogues change as promotions do: the next version and the entry
that explains it are written in one transaction, or not at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, TypeVar

from chalicelib.domain.audit import Act, AuditEntry, StoredEntry, Verification, verify


class Record(Protocol):
    """A frozen dataclass with a version (0: never written), and the head of its audit chain."""

    @property
    def version(self) -> int:
        """How often it was changed."""
        ...

    @property
    def audit_hash(self) -> str:
        """The hash of its newest audit entry."""
        ...

    @property
    def subject(self) -> str:
        """What its audit entries are found under, such as `operator:pat`."""
        ...


R = TypeVar("R", bound=Record)
R_co = TypeVar("R_co", bound=Record, covariant=True)


@dataclass(frozen=True, kw_only=True)
class Revision(Generic[R_co]):
    """One change of a record: as read, as it shall be, and the entry that says so."""

    #: Version 0 where it was never written.
    before: R_co
    after: R_co
    entry: AuditEntry


def revise(before: R, drafted: R, act: Act) -> Revision[R]:
    """Make the record's next version, and the audit entry that explains it."""
    entry = AuditEntry(
        subject=drafted.subject,
        version=before.version + 1,
        at=act.at,
        actor=act.actor,
        action=act.action,
        facts=act.facts,
        prev_hash=before.audit_hash,
    )
    after = replace(drafted, version=entry.version, audit_hash=entry.hash)  # type: ignore[type-var]
    return Revision(before=before, after=after, entry=entry)


def verify_record(record: Record, trail: Sequence[StoredEntry]) -> Verification:
    """Recompute the record's chain, oldest entry first."""
    return verify(trail, version=record.version, head=record.audit_hash)
