"""Values as the JSON that callers see."""

from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.audit import StoredEntry
from chalicelib.domain.drift import Baseline, Drift
from chalicelib.domain.lease import TargetLock, WaitingOn
from chalicelib.domain.moment import spell
from chalicelib.domain.promotion import Promotion, Step
from chalicelib.domain.target import Target
from chalicelib.ports import Page, Query
from chalicelib.usecases.audit import Trail
from chalicelib.usecases.show import PromotionDetail
from chalicelib.wire.requests import write_cursor


def summary(promotion: Promotion, *, now: datetime) -> dict[str, Any]:
    """A promotion as lists show it."""
    return {
        "id": promotion.id,
        "target": promotion.target,
        "flag": promotion.flag,
        "config_var": promotion.config_var,
        "value": promotion.value,
        "note": promotion.note,
        "state": promotion.state,
        "step": promotion.step,
        "effect": promotion.effect,
        "reason": promotion.reason,
        "version": promotion.version,
        "rung": promotion.rung,
        "acknowledged_until": _time(promotion.acknowledged_until),
        "acknowledged_by": promotion.acknowledged_by,
        "not_before": _time(promotion.not_before),
        "rca_url": promotion.rca_url,
        "created_at": _time(promotion.created_at),
        "created_by": promotion.created_by,
        "expires_at": _time(promotion.expires_at),
        "promoted_at": _time(promotion.promoted_at),
        "promoted_by": promotion.promoted_by,
        "state_entered_at": _time(promotion.state_entered_at),
        "settled_at": _time(promotion.settled_at),
        "settled_by": promotion.settled_by,
        "age_seconds": _seconds(promotion.age(now)),
        "state_age_seconds": _seconds(promotion.time_in_state(now)),
    }


def detail(seen: PromotionDetail) -> dict[str, Any]:
    """A promotion as its own page shows it."""
    return summary(seen.promotion, now=seen.now) | {
        "waiting_on": waiting_on(seen.waiting_on),
        "evidence": _evidence(seen.promotion),
        "drift": _drift(seen.drift),
        "actions": [
            {
                "action": offer.action,
                "allowed": offer.allowed,
                "totp": offer.second_factor,
                "reason": offer.reason,
            }
            for offer in seen.offers
        ],
    }


def page(listed: Page, query: Query, *, now: datetime) -> dict[str, Any]:
    """One page of a list."""
    before = listed.next_before
    return {
        "promotions": [summary(promotion, now=now) for promotion in listed.promotions],
        "next_cursor": write_cursor(before, query) if before else None,
    }


def etag(version: int) -> str:
    """The entity tag of a version: what `If-Match` takes."""
    return f'"{version}"'


def trail(read: Trail) -> dict[str, Any]:
    """An audit trail, oldest entry first."""
    return {
        "verified": read.verification.verified,
        "broken_at": read.verification.broken_at,
        "broken_because": read.verification.reason,
        "entries": [_entry(stored) for stored in read.entries],
    }


def drifting(listed: Target, baseline: Baseline) -> dict[str, Any]:
    """A target, with how it differs from what was deployed."""
    drifts = sorted(baseline.drifts.values(), key=lambda drift: drift.flag)
    return target(listed) | {"drift": [_drift(drift) for drift in drifts]}


def target(listed: Target) -> dict[str, Any]:
    """A target and its policy."""
    return {
        "app": listed.app,
        "version": listed.version,
        "description": listed.description,
        "max_flags_per_release": listed.max_flags_per_release,
        "alert_after_minutes": {
            rung: int(after.total_seconds() // 60) for rung, after in listed.ladder.after.items()
        },
    }


def lock(held: TargetLock, *, now: datetime) -> dict[str, Any]:
    """Who works on a target, and what it waits for."""
    lease = held.lease if held.held(now) else None
    return {
        "target": held.target,
        "held": lease is not None,
        "holder": lease and lease.holder,
        "since": lease and _time(lease.since),
        "until": lease and _time(lease.until),
        "looked_at": _time(held.looked_at),
        "next_look_at": _time(held.next_look_at),
        "waiting_on": waiting_on(held.waiting_on),
    }


def waiting_on(waiting: WaitingOn | None) -> dict[str, Any] | None:
    """What something waits for, in words."""
    if waiting is None:
        return None
    return {"kind": waiting.kind, "text": waiting.text, "since": _time(waiting.since)}


def _evidence(promotion: Promotion) -> dict[str, Any] | None:
    """What was recorded of the target; nothing before a worker has looked at it."""
    if promotion.step in {None, Step.QUEUED} and promotion.release_version is None:
        return None
    known = promotion.baseline_version is not None
    return {
        "config_var": promotion.config_var,
        "previous_value": promotion.previous_value,
        "previous_absent": known and promotion.previous_value is None,
        "baseline_release": promotion.baseline_version,
        "release": promotion.release_version,
        "release_id": promotion.release_id,
    }


def _drift(drift: Drift | None) -> dict[str, Any] | None:
    if drift is None:
        return None
    return {"flag": drift.flag, "kind": drift.kind, "since": _time(drift.since)}


def _entry(stored: StoredEntry) -> dict[str, Any]:
    return {**stored.entry.content(), "hash": stored.hash}


def _time(at: datetime | None) -> str | None:
    return None if at is None else spell(at)


def _seconds(duration: timedelta) -> int | None:
    """Whole seconds; `null` for a time that is not known and so counts as infinite."""
    return None if duration == timedelta.max else int(duration.total_seconds())
