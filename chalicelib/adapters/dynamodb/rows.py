"""Promotions and audit entries as rows, and back."""

from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from chalicelib.adapters.dynamodb.tables import AuditRow, PromotionRow, read_time
from chalicelib.domain.audit import AuditEntry, StoredEntry
from chalicelib.domain.moment import spell
from chalicelib.domain.promotion import Approval, Effect, Promotion, Rung, SettledBy, State, Step

_EPOCH = datetime.fromtimestamp(0, tz=UTC)
_FIELDS = tuple(field.name for field in fields(Promotion))
_TIMES = tuple(name for name in _FIELDS if name.endswith(("_at", "_until")) or name == "not_before")
_NUMBERS = ("version", "baseline_version", "release_version")
_ENUMS: dict[str, type[StrEnum]] = {
    "step": Step,
    "effect": Effect,
    "settled_by": SettledBy,
    "rung": Rung,
}
#: Stored for an unknown time, so that the row stays in its index, before all others.
_UNREADABLE = "0000"


def promotion_row(model: type[PromotionRow], promotion: Promotion) -> PromotionRow:
    """The row of a promotion; being in the sparse indexes follows from its state."""
    values = {name: getattr(promotion, name) for name in _FIELDS}
    for name in _TIMES:
        values[name] = values[name] and spell(values[name])
    values["approvals"] = [[each.by, spell(each.at)] for each in promotion.approvals] or None
    row = model(**values)
    row.month = month(promotion.created_at)
    row.open_state = None if promotion.state.terminal else promotion.state
    row.deploying_target = promotion.target if promotion.state is State.DEPLOYING else None
    row.state_entered_at = row.state_entered_at or _UNREADABLE
    return row


def promotion_of(row: PromotionRow) -> Promotion:
    """The promotion in a row. Damaged times and words read as unknown; they hide nothing."""
    values: dict[str, Any] = {name: getattr(row, name) for name in _FIELDS}
    for name in _TIMES:
        values[name] = read_time(values[name])
    for name in _NUMBERS:
        values[name] = None if values[name] is None else int(values[name])
    for name, enum in _ENUMS.items():
        values[name] = values[name] if values[name] in set(enum) else None
        values[name] = values[name] and enum(values[name])
    values["state"] = State(values["state"])
    values["approvals"] = tuple(
        Approval(by=by, at=read_time(at) or _EPOCH) for by, at in values["approvals"] or ()
    )
    values["created_at"] = values["created_at"] or _EPOCH
    values["expires_at"] = values["expires_at"] or _EPOCH
    return Promotion(**values)


def audit_row(model: type[AuditRow], entry: AuditEntry) -> AuditRow:
    """The row of an audit entry."""
    return model(
        entry.subject,
        entry.version,
        target=entry.target,
        flag=entry.flag,
        at=spell(entry.at),
        actor=entry.actor,
        action=entry.action,
        from_state=entry.from_state,
        to_state=entry.to_state,
        step=entry.step,
        facts=dict(entry.facts),
        prev_hash=entry.prev_hash,
        hash=entry.hash,
    )


def stored_entry(row: AuditRow) -> StoredEntry:
    """The audit entry in a row, with the hash that was stored beside it."""
    entry = AuditEntry(
        subject=row.subject,
        version=int(row.version),
        target=row.target,
        flag=row.flag,
        at=read_time(row.at) or _EPOCH,
        actor=row.actor,
        action=row.action,
        from_state=row.from_state,
        to_state=row.to_state,
        step=row.step,
        facts=row.facts,
        prev_hash=row.prev_hash,
    )
    return StoredEntry(entry=entry, hash=row.hash)


def month(at: datetime) -> str:
    """The key of a month in the `by_month` index, as in `2026-11`."""
    return f"{at:%Y-%m}"
