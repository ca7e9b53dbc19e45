"""Values as the JSON that callers see."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain.audit import StoredEntry
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.drift import Drift
from chalicelib.domain.freeze import Freeze, Hold
from chalicelib.domain.lease import TargetLock, WaitingOn
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Caller
from chalicelib.domain.preflight import Check, Outcome
from chalicelib.domain.promotion import Promotion, Step
from chalicelib.domain.target import Target
from chalicelib.domain.waiting import held_text
from chalicelib.ports import Page, Query
from chalicelib.usecases.audit import Trail
from chalicelib.usecases.operators import ListedOperator
from chalicelib.usecases.preflight import Findings
from chalicelib.usecases.show import PromotionDetail
from chalicelib.usecases.stage import told
from chalicelib.usecases.targets import TargetDetail, policy_facts
from chalicelib.wire.requests import Stretch, write_cursor

#: A Lambda may answer 6 MB; some of it is not entries.
MAX_TRAIL_BYTES = 4_000_000

#: Members of a promotion that grow while nothing happens.
_AGES = frozenset({"age_seconds", "state_age_seconds"})


def summary(promotion: Promotion, *, now: datetime) -> dict[str, Any]:
    """A promotion as lists show it."""
    return {
        "id": promotion.id,
        "target": promotion.target,
        "flag": promotion.flag,
        "config_var": promotion.config_var,
        "value": promotion.value,
        "note": promotion.note,
        "description": promotion.description,
        "retries": promotion.retries,
        "reverts": promotion.reverts,
        "approvals": [{"by": each.by, "at": _time(each.at)} for each in promotion.approvals],
        "state": promotion.state,
        "step": promotion.step,
        "effect": promotion.effect,
        "reason": promotion.reason,
        "version": promotion.version,
        "rung": promotion.rung,
        "acknowledged_until": _time(promotion.acknowledged_until),
        "acknowledged_by": promotion.acknowledged_by,
        "not_before": _time(promotion.not_before),
        "held_by": promotion.held_by,
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
        "observed": seen.promotion.observed,
        "drift": _drift(seen.drift),
        "approvals_missing": seen.approvals_missing,
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


def staged(seen: PromotionDetail, checks: Sequence[Check]) -> dict[str, Any]:
    """A promotion that was just staged, with what preflight saw."""
    return detail(seen) | {"checks": [told(check) for check in checks]}


def page(listed: Page, query: Query, *, now: datetime) -> dict[str, Any]:
    """One page of a list."""
    before = listed.next_before
    return {
        "promotions": [summary(promotion, now=now) for promotion in listed.promotions],
        "next_cursor": write_cursor(before, query) if before else None,
    }


def page_etag(body: Mapping[str, Any]) -> str:
    """The entity tag of a page: the same for as long as nothing on it changes but ages.

    Weak, for two such pages mean the same and are not the same bytes (RFC 9110 section 8.8.1).
    """
    lasting = [
        {name: value for name, value in each.items() if name not in _AGES}
        for each in body["promotions"]
    ]
    spelled = json.dumps([lasting, body["next_cursor"]], sort_keys=True)
    return f'W/"{hashlib.sha256(spelled.encode()).hexdigest()[:32]}"'


def etag(version: int) -> str:
    """The entity tag of a version: what `If-Match` takes."""
    return f'"{version}"'


def trail(read: Trail, stretch: Stretch) -> dict[str, Any]:
    """A stretch of an audit trail, oldest entry first, and what is found of the whole of it."""
    later = [each for each in read.entries if each.entry.version > stretch.after_version]
    shown = list(_fitting(map(_entry, later[: stretch.limit])))
    return {
        "verified": read.verification.verified,
        "broken_at": read.verification.broken_at,
        "broken_because": read.verification.reason,
        "entries": shown,
        "next_cursor": str(shown[-1]["version"]) if len(later) > len(shown) else None,
    }


def _fitting(entries: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """As many of them as an answer holds; one at the least."""
    left = MAX_TRAIL_BYTES
    for n, entry in enumerate(entries):
        left -= len(json.dumps(entry))
        if n and left < 0:
            return
        yield entry


def preflight(findings: Findings) -> dict[str, Any]:
    """Every check of a promotion, and the worst of them."""
    ranks = list(Outcome)
    outcomes = [check.outcome for check in findings.checks]
    return {
        "promotion_id": findings.promotion.id,
        "outcome": max(outcomes, key=ranks.index, default=None),
        "checks": [told(check) for check in findings.checks],
    }


def target_detail(seen: TargetDetail) -> dict[str, Any]:
    """A target, with how it differs from what was deployed, and what holds it back."""
    drifts = sorted(seen.baseline.drifts.values(), key=lambda drift: drift.flag)
    return target(seen.target) | {
        "drift": [_drift(drift) for drift in drifts],
        "hold": _hold(seen.hold),
    }


def target(listed: Target) -> dict[str, Any]:
    """A target and its policy."""
    return {"app": listed.app, "version": listed.version, **policy_facts(listed)}


def freeze(window: Freeze, *, now: datetime) -> dict[str, Any]:
    """A freeze, and how it stands."""
    current, coming = window.window_at(now), window.next_window(now)
    return {
        "id": window.id,
        "version": window.version,
        "reason": window.reason,
        "target": window.target,
        "starts_at": _time(window.starts_at),
        "ends_at": _time(window.ends_at),
        "rrule": window.rrule,
        "timezone": window.timezone,
        "set_by": window.set_by,
        "set_at": _time(window.set_at),
        "in_force": current is not None,
        "until": current and _time(current.ends),
        "next_begins_at": coming and _time(coming.begins),
    }


def catalogue(known: Catalogue) -> dict[str, Any]:
    """A catalogue, flags by name."""
    flags = sorted(known.flags.values(), key=lambda entry: entry.name)
    return {
        "id": known.id,
        "version": known.version,
        "flags": [asdict(entry) for entry in flags],
    }


def me(caller: Caller) -> dict[str, Any]:
    """Who calls."""
    return {"name": caller.name, "role": caller.role, "via": caller.via}


def operator(listed: ListedOperator) -> dict[str, Any]:
    """What others may know of an operator."""
    return {**asdict(listed), "locked_until": _time(listed.locked_until)}


def _hold(hold: Hold | None) -> dict[str, Any] | None:
    if hold is None:
        return None
    return {
        "freeze": hold.freeze.id,
        "reason": hold.freeze.reason,
        "until": _time(hold.until),
        "text": held_text(hold),
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
