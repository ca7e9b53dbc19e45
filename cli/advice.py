"""What to do about a problem, with this program."""

from collections.abc import Callable, Mapping
from typing import Any

_FORCE = "If you know better, add --force, and say in --reason how you know."
_ALWAYS = {
    "unauthenticated": (
        "Check HOIST_TOKEN, or token in your configuration file: is it the one for this API?"
    ),
    "role_insufficient": "hoist me says who you are here.",
    "on_behalf_refused": "Check HOIST_ON_BEHALF_OF, or on_behalf_of in your configuration file.",
    "not_hoist": "Check HOIST_API, or api in your configuration file.",
    "no_answer": "If it stays so: is your network up, and HOIST_API right?",
    "not_found": "hoist list, hoist targets and hoist freezes show what there is.",
    "target_unlisted": "hoist targets lists them.",
    "state_forbids": "hoist show {id} says where it stands, and what you may do.",
    "preflight_blocks": "hoist preflight {id} shows all checks.",
    "stage_first": "hoist stage {id}, and then once more.",
    "approvals_missing": "Somebody else than its author: hoist approve {id}",
    "frozen": "Add --reason to go through the freeze. hoist freezes shows all of them.",
    "evidence_contradicts": _FORCE,
    "evidence_missing": _FORCE,
    "value_changed": _FORCE,
    "key_reused": "Leave --key out, or take another one.",
    "internal": "hoist show or hoist list tells what came of it.",
    "bug": "hoist show or hoist list tells what came of it.",
}


def advice(problem: Mapping[str, Any], promotion_id: str) -> str | None:
    """Say what to do next, if that can be said."""
    key = problem.get("idempotency_key")
    if key:
        return (
            f"Run the same command again with --key {key} to find out: whatever came of this one, "
            "it is carried out once."
        )
    code = str(problem.get("code"))
    if code in _BY_CONFLICT:
        return _BY_CONFLICT[code](problem.get("conflict") or {})
    return _ALWAYS[code].format(id=promotion_id) if code in _ALWAYS else None


def _busy(conflict: Mapping[str, Any]) -> str | None:
    holder = conflict.get("promotion_id")
    return f"hoist show {holder} says what that one waits for." if holder else None


def _near(conflict: Mapping[str, Any]) -> str | None:
    near = conflict.get("near")
    return f"Did you mean {' or '.join(map(str, near))}?" if near else None


def _warnings(conflict: Mapping[str, Any]) -> str | None:
    known = " ".join(f"--acknowledge {check['id']}" for check in conflict.get("checks", ()))
    return f"If all of that is fine, add: {known}" if known else None


_BY_CONFLICT: Mapping[str, Callable[[Mapping[str, Any]], str | None]] = {
    "flag_busy": _busy,
    "flag_unknown": _near,
    "warnings_unacknowledged": _warnings,
}
