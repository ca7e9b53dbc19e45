"""What people are told: derived from an audit entry, and from nothing else.

What is not audited was not said; what is audited gets delivered.
"""

from dataclasses import dataclass
from typing import Any

from chalicelib.domain.audit import Action, AuditEntry
from chalicelib.domain.drift import DriftKind
from chalicelib.domain.promotion import Rung, State


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One thing to tell."""

    #: The same for all that belongs to one episode, however often it is delivered.
    dedup_key: str
    rung: Rung
    #: It takes back what was told before under the same key.
    resolves: bool
    title: str
    text: str
    promotion_id: str
    #: The entry of docs/runbook.md that says what is safe now.
    runbook: str

    @property
    def wakes_somebody(self) -> bool:
        """It is for the person on call, and not only for the channel."""
        return self.rung is not Rung.INFO


def notice_of(entry: AuditEntry) -> Notice | None:
    """What people are told of a transition; `None` where it concerns nobody."""
    facts = entry.facts
    match entry.action:
        case Action.ALERT:
            told = {"stalled": _stalled, "heroku_access": _heroku_access, "drift": _drift}
            return told[facts["alert"]](entry)
        case Action.WARN_OF_EXPIRY:
            return _about(
                entry,
                title=f"{_what(entry)} expires soon",
                text=f"Nobody has promoted it. It expires at {facts['expires_at']}; "
                "until then it can be promoted or cancelled.",
                runbook="a-promotion-expires",
            )
        case Action.EXPIRE:
            return _about(
                entry,
                title=f"{_what(entry)} expired",
                text="Nobody promoted it in time. The target was not changed. Mark it again.",
                runbook="a-promotion-expires",
            )
        case Action.HOLD:
            return _about(
                entry,
                title=f"{_what(entry)} did not begin at its time",
                text=f"{facts['seen']} It begins by itself as soon as that is mended, or expires.",
                runbook="a-schedule-is-held",
            )
        case Action.SETTLE:
            return _settled(entry)
        case _:
            return None


def _stalled(entry: AuditEntry) -> Notice:
    rung = Rung(entry.facts["rung"])
    minutes = entry.facts.get("minutes")
    lasted = "for an unknown time" if minutes is None else f"for {_spoken(minutes)}"
    known = entry.facts.get("waiting_on") or "What it waits for is not known."
    calm = "This is for information: our own release verifiably runs. " if rung is Rung.INFO else ""
    return Notice(
        dedup_key=_stall_key(entry.promotion_id),
        rung=rung,
        resolves=False,
        title=f"{_what(entry)} is deploying {lasted}",
        text=f"{calm}{known} Promoted by {entry.facts.get('promoted_by')}. "
        "It is safe to look and to wait; it is not known to have failed.",
        promotion_id=entry.promotion_id,
        runbook=f"rung-{rung}",
    )


def _heroku_access(entry: AuditEntry) -> Notice:
    resolved = entry.facts.get("resolved") is True
    return Notice(
        dedup_key="hoist-heroku-access",
        rung=Rung.SEV3,
        resolves=resolved,
        title="Heroku takes Hoist's token again" if resolved else "Heroku refuses Hoist's token",
        text="Promotions go on by themselves."
        if resolved
        else f"{entry.facts.get('said')} Promotions wait, none has failed, and they go on by "
        "themselves once the token or account is in order.",
        promotion_id=entry.promotion_id,
        runbook="the-token-expired",
    )


def _drift(entry: AuditEntry) -> Notice:
    resolved = entry.facts.get("resolved") is True
    stored = entry.facts.get("kind") == DriftKind.STORED_NOT_LIVE
    found = (
        "Heroku holds the value, but the current release does not carry it: it would go live with "
        "the next one."
        if stored
        else "Its config var was changed or rolled back outside Hoist."
    )
    return Notice(
        dedup_key=f"drift-{entry.target}-{entry.flag}",
        rung=Rung.WARNING,
        resolves=resolved,
        title=f"{_what(entry)} {'is' if resolved else 'is not'} as it was deployed"
        + (" again" if resolved else ""),
        text="Nothing needs to be done."
        if resolved
        else f"{found} Hoist changes nothing by itself. Promote the flag again, or adopt what is "
        "there: promote the value that it has now.",
        promotion_id=entry.promotion_id,
        runbook="a-flag-drifts",
    )


def _settled(entry: AuditEntry) -> Notice | None:
    """A failure is told; a success only where it takes an alert back."""
    raised = entry.facts.get("resolves")
    failed = entry.to_state == State.FAILED
    if not failed and raised is None:
        return None
    effect = entry.facts.get("effect")
    reason = entry.facts.get("reason") or f"The value is {effect}."
    return Notice(
        dedup_key=_stall_key(entry.promotion_id),
        rung=Rung(raised) if raised else Rung.INFO,
        resolves=raised is not None,
        title=f"{_what(entry)} {entry.to_state} (effect: {effect})",
        text=str(reason),
        promotion_id=entry.promotion_id,
        runbook="a-promotion-failed" if failed else "a-promotion-settled",
    )


def _about(entry: AuditEntry, **said: Any) -> Notice:  # noqa: ANN401 - fields of `Notice`
    return Notice(
        dedup_key=f"{entry.promotion_id}-{entry.version}",
        rung=Rung.INFO,
        resolves=False,
        promotion_id=entry.promotion_id,
        **said,
    )


def _stall_key(promotion_id: str) -> str:
    return f"{promotion_id}-stalled"


def _what(entry: AuditEntry) -> str:
    return f"{entry.flag} at {entry.target}"


def _spoken(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"
