"""What people are told: derived from an audit entry, and from nothing else.

What is not audited was not said; what is audited gets delivered.
"""

from collections.abc import Callable, Mapping
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
    #: The promotion that it is about, if it is about one.
    promotion_id: str | None
    #: The entry of docs/runbook.md that says what is safe now.
    runbook: str

    @property
    def wakes_somebody(self) -> bool:
        """It is for the person on call, and not only for the channel."""
        return self.rung is not Rung.INFO


def notice_of(entry: AuditEntry) -> Notice | None:
    """What people are told of a transition; `None` where it concerns nobody."""
    teller = _TELLERS.get(entry.action)
    return teller(entry) if teller else None


def _alert(entry: AuditEntry) -> Notice:
    told = {"stalled": _stalled, "heroku_access": _heroku_access, "drift": _drift}
    return told[entry.facts["alert"]](entry)


def _expires_soon(entry: AuditEntry) -> Notice:
    held_by, expires = entry.facts.get("held_by"), f"It expires at {entry.facts['expires_at']}"
    if held_by is None:
        return _about(
            entry,
            title=f"{_what(entry)} expires soon",
            text=f"Nobody has promoted it. {expires}; until then it can be promoted or cancelled.",
            runbook="a-promotion-expires",
        )
    return _about(
        entry,
        title=f"{_what(entry)} expires soon",
        text=f"{_HELD.get(held_by, f'The check {held_by} does not let it begin.')} When that is "
        f"mended it begins by itself. {expires}; until then it can be cancelled.",
        runbook="a-schedule-is-held",
    )


_HELD = {
    "approvals": "It lacks approvals by others.",
    "freeze": "A freeze holds it back.",
    "operator": "Whoever let it go may not call any more: somebody else has to promote it.",
}


def _expired(entry: AuditEntry) -> Notice:
    reason = entry.facts.get("reason") or "Nobody promoted it in time."
    return _about(
        entry,
        title=f"{_what(entry)} expired",
        text=f"{reason} The target was not changed. Mark it again.",
        runbook="a-promotion-expires",
    )


def _held(entry: AuditEntry) -> Notice:
    return _about(
        entry,
        title=f"{_what(entry)} did not begin at its time",
        text=f"{entry.facts['seen']} It begins by itself as soon as that is over, or expires.",
        runbook="a-schedule-is-held",
    )


def _stalled(entry: AuditEntry) -> Notice:
    rung = Rung(entry.facts["rung"])
    minutes = entry.facts.get("minutes")
    lasted = "for an unknown time" if minutes is None else f"for {_spoken(minutes)}"
    known = entry.facts.get("waiting_on") or "What it waits for is not known."
    calm = "This is for information: our own release verifiably runs. " if rung is Rung.INFO else ""
    return Notice(
        dedup_key=_stall_key(entry.subject),
        rung=rung,
        resolves=False,
        title=f"{_what(entry)} is deploying {lasted}",
        text=f"{calm}{known} Promoted by {entry.facts.get('promoted_by')}. "
        "It is safe to look and to wait; it is not known to have failed.",
        promotion_id=entry.subject,
        runbook=f"rung-{rung}",
    )


def _heroku_access(entry: AuditEntry) -> Notice:
    resolved = entry.facts.get("resolved") is True
    return Notice(
        # Of a token that is refused everywhere each target tells; of one app's refusal only it.
        dedup_key=f"hoist-heroku-access-{entry.target}",
        rung=Rung.SEV3,
        resolves=resolved,
        title=f"Heroku takes Hoist's token at {entry.target} again"
        if resolved
        else f"Heroku refuses Hoist's token at {entry.target}",
        text="Promotions there go on by themselves."
        if resolved
        else f"{entry.facts.get('said')} Promotions there wait, none has failed, and they go on by "
        "themselves once the token or account is in order.",
        promotion_id=entry.subject,
        runbook="the-token-expired",
    )


def _drift(entry: AuditEntry) -> Notice:
    resolved = entry.facts.get("resolved") is True
    stored = entry.facts.get("kind") == DriftKind.STORED_NOT_LIVE
    found = (
        "Heroku holds the value, but the current release does not carry it: it would go live with "
        "the next one."
        if stored
        else "Its config var is not what Hoist deployed last: it was changed or rolled back "
        "outside Hoist, or a promotion that failed has left its value there."
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
        promotion_id=entry.subject,
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
        dedup_key=_stall_key(entry.subject),
        rung=Rung(raised) if raised else Rung.INFO,
        resolves=raised is not None,
        title=f"{_what(entry)} {entry.to_state} (effect: {effect})",
        text=str(reason),
        promotion_id=entry.subject,
        runbook="a-promotion-failed" if failed else "a-promotion-settled",
    )


def _concluded(entry: AuditEntry) -> Notice:
    """What an operator said it came to: told in any case, for it is not what Hoist itself saw."""
    facts = entry.facts
    raised = facts.get("resolves")
    forced = " against, or without, what Heroku showed" if facts.get("forced") else ""
    return Notice(
        dedup_key=_stall_key(entry.subject),
        rung=Rung(raised) if raised else Rung.INFO,
        resolves=raised is not None,
        title=f"{_what(entry)} was marked {entry.to_state} by {entry.actor}",
        text=f"{facts.get('reason')} Marked{forced}; effect: {facts.get('effect')}. "
        f"{facts['evidence']['said']}",
        promotion_id=entry.subject,
        runbook="an-operator-settled-it",
    )


def _glass_broken(entry: AuditEntry) -> Notice | None:
    """Of a promote only this is told."""
    if not entry.facts.get("break_glass"):
        return None
    over = " and ".join(entry.facts.get("over", ()))
    passed = f"It was promoted over {over}." if over else "Nothing stood in its way."
    return Notice(
        dedup_key=f"{entry.subject}-break-glass",
        rung=Rung.WARNING,
        resolves=False,
        title=f"{entry.actor} broke the glass: {_what(entry)}",
        text=f"{passed} Reason given: {entry.facts.get('reason')}",
        promotion_id=entry.subject,
        runbook="the-glass-was-broken",
    )


def _taken_back(entry: AuditEntry) -> Notice:
    """A rollback needs nobody's approval: so it is told, and louder where it was forced."""
    facts = entry.facts
    forced = facts.get("forced") is True
    how = " It was forced over a value that has changed, or was not seen." if forced else ""
    return Notice(
        dedup_key=f"{entry.subject}-rollback",
        rung=Rung.WARNING if forced else Rung.INFO,
        resolves=False,
        title=f"{entry.actor} takes back {_what(entry)}",
        text=f"It goes back to what it was before {facts['reverts']}.{how} "
        f"Reason given: {facts.get('reason') or 'none'}",
        promotion_id=entry.subject,
        runbook="a-flag-is-taken-back",
    )


def _policy(entry: AuditEntry) -> Notice:
    app = entry.subject.partition(":")[2]
    policy = ", ".join(f"{name} {_spelled(fact)}" for name, fact in entry.facts.items() if fact)
    return Notice(
        dedup_key=f"{entry.subject}-policy-{entry.version}",
        rung=Rung.INFO,
        resolves=False,
        title=f"{entry.actor} set the policy of {app}",
        text=f"It is now: {policy}.",
        promotion_id=None,
        runbook="a-policy-was-changed",
    )


def _spelled(fact: object) -> str:
    match fact:
        case Mapping():
            return ", ".join(f"{name} {part}" for name, part in fact.items())
        case list() | tuple():
            return ", ".join(map(str, fact))
        case _:
            return str(fact)


def _locked_out(entry: AuditEntry) -> Notice:
    facts = entry.facts
    via = f" through {facts['via']}" if facts.get("via") else ""
    return Notice(
        dedup_key=f"{entry.subject}-locked-out",
        rung=Rung.WARNING,
        resolves=False,
        title=f"{entry.actor} is locked out: too many wrong codes{via}",
        text=f"No code of theirs is looked at until {facts['until']}. If these were not their own "
        "mistakes, somebody holds their token: rotate it. A superadmin can unlock them.",
        promotion_id=None,
        runbook="an-operator-is-locked-out",
    )


def _unlocked(entry: AuditEntry) -> Notice:
    return Notice(
        dedup_key=f"{entry.subject}-locked-out",
        rung=Rung.WARNING,
        resolves=True,
        title=f"{entry.subject.partition(':')[2]} was unlocked by {entry.actor}",
        text=f"Reason given: {entry.facts.get('reason') or 'none'}",
        promotion_id=None,
        runbook="an-operator-is-locked-out",
    )


def _freeze(entry: AuditEntry) -> Notice:
    facts = entry.facts
    what = "set" if entry.action == Action.SET_FREEZE else "lifted"
    return Notice(
        dedup_key=f"freeze-{facts['id']}-{entry.version}",
        rung=Rung.INFO,
        resolves=False,
        title=f"{entry.actor} {what} the freeze {facts['id']}",
        text=f"Reason given: {facts['reason']}",
        promotion_id=None,
        runbook="a-freeze-holds-promotions",
    )


def _about(entry: AuditEntry, **said: Any) -> Notice:  # noqa: ANN401 - fields of `Notice`
    return Notice(
        dedup_key=f"{entry.subject}-{entry.version}",
        rung=Rung.INFO,
        resolves=False,
        promotion_id=entry.subject,
        **said,
    )


def _stall_key(promotion_id: str) -> str:
    return f"{promotion_id}-stalled"


def _what(entry: AuditEntry) -> str:
    return f"{entry.flag} at {entry.target}"


def _spoken(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if hours else f"{minutes} min"


_TELLERS: Mapping[str, Callable[[AuditEntry], Notice | None]] = {
    Action.ALERT: _alert,
    Action.WARN_OF_EXPIRY: _expires_soon,
    Action.EXPIRE: _expired,
    Action.HOLD: _held,
    Action.PROMOTE: _glass_broken,
    Action.ROLLBACK: _taken_back,
    Action.SETTLE: _settled,
    Action.COMPLETE: _concluded,
    Action.FAIL: _concluded,
    Action.LOCK_OUT: _locked_out,
    Action.UNLOCK: _unlocked,
    Action.SET_FREEZE: _freeze,
    Action.LIFT_FREEZE: _freeze,
    Action.SET_POLICY: _policy,
}
