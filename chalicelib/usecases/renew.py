"""Send a failed promotion once more, or take a deployed one back: each is a new promotion."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib.domain.actions import require_begun, require_gate_open, require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.evidence import Evidence, Finding
from chalicelib.domain.freeze import Hold
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Role, SpentCode, act_of
from chalicelib.domain.promotion import Change, Promotion, State, mark
from chalicelib.ports import Clash, Clock, Lost, PromotionIds, PromotionStore, UsedKey, Wakes
from chalicelib.usecases.authorised import Authorised, Order
from chalicelib.usecases.gates import Gates
from chalicelib.usecases.lookup import contended, require_version, wanted
from chalicelib.usecases.mark import KEYS_LAST, busy, replayed_mark
from chalicelib.usecases.observe import Observe
from chalicelib.usecases.promote import Accepted, begun, held, wake

_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class RenewOrder(Order):
    """Which promotion, on whose word; the version asked for is the old one's."""

    reason: str | None = None
    #: Take it back although the target's value has changed since, or cannot be seen.
    force: bool = False

    @property
    def says_why(self) -> bool:
        """A reason is given, and not an empty one."""
        return bool(self.reason and self.reason.strip())


@dataclass(frozen=True, kw_only=True)
class _Renewal:
    """What the new promotion is to the old one."""

    action: Action
    value: str | None
    link: dict[str, str]

    def fingerprint(self, order: RenewOrder) -> str:
        """The same for the same request."""
        wanted = [self.action, order.promotion_id, order.reason, order.force]
        return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Renew:
    """Begin a new promotion that was let go with its mark, and link it to the old one.

    New promotion, audit entry, flag's lock, spent code and idempotency key go in one transaction.
    Raises `Rejected`: not found, role, state, stale version, an open promotion of the flag,
    second factor, and what `retry` and `rollback` say.
    """

    authorised: Authorised
    gates: Gates
    observe: Observe
    ids: PromotionIds
    wakes: Wakes
    clock: Clock

    @property
    def _store(self) -> PromotionStore:
        return self.authorised.store

    def retry(self, order: RenewOrder) -> Accepted:
        """Send a failed promotion's value once more; a freeze holds it back.

        The target's policy bears on it as on any other: approvals that the old one had count.
        """
        order.caller.require(Role.PROMOTER)
        old = wanted(self._store, order.promotion_id)
        link = {"retries": old.id} | ({"reverts": old.reverts} if old.reverts else {})
        renewal = _Renewal(action=Action.RETRY, value=old.value, link=link)
        replayed = self._replayed(order, renewal)
        if replayed:
            return replayed
        require_state(old, "retry")
        gate = self.gates(old, at=self.clock.now())
        require_gate_open(old, gate)
        # What takes something back goes through a freeze with a reason, the second time too.
        admitted = old.reverts is not None and order.says_why
        return self._begun(order, renewal, old, hold=None if admitted else gate.hold, seen=None)

    def rollback(self, order: RenewOrder) -> Accepted:
        """Set the flag to what it was before a deployed promotion, or remove it.

        Needs nobody's approval, and goes through a freeze where a reason is given. Raises
        `Rejected` also where the value has changed since, or cannot be read, unless `force`.
        """
        order.caller.require(Role.PROMOTER)
        old = wanted(self._store, order.promotion_id)
        renewal = _Renewal(
            action=Action.ROLLBACK,
            value=old.previous_value,
            link={"reverts": old.id},
        )
        replayed = self._replayed(order, renewal)
        if replayed:
            return replayed
        require_state(old, "rollback")
        require_begun(old)
        hold = self.gates(old, at=self.clock.now()).hold
        if hold and not order.says_why:
            raise _frozen(hold)
        return self._begun(order, renewal, old, hold=None, seen=self.observe)

    def _replayed(self, order: RenewOrder, renewal: _Renewal) -> Accepted | None:
        if order.key is None:
            return None
        made = replayed_mark(
            self._store,
            operator=order.caller.name,
            key=order.key,
            fingerprint=renewal.fingerprint(order),
            now=self.clock.now(),
        )
        return Accepted(promotion=made, replayed=True, woken=False) if made else None

    def _begun(
        self,
        order: RenewOrder,
        renewal: _Renewal,
        old: Promotion,
        *,
        hold: Hold | None,
        seen: Observe | None,
    ) -> Accepted:
        require_version(old, order.if_version)
        for _ in range(_ATTEMPTS):
            spend = self.authorised.step_up(order.caller, order.code)
            evidence = seen(old) if seen else None
            if evidence and not order.force:
                _require_unchanged(old, evidence)
            change = self._change(order, renewal, old, spend, hold, evidence)
            if self._written(change, order, renewal, spend):
                promotion = change.after
                deploying = promotion.state is State.DEPLOYING
                woken = deploying and wake(self.wakes, promotion)
                return Accepted(promotion=promotion, replayed=False, woken=woken)
            replayed = self._replayed(order, renewal)
            if replayed:
                return replayed
        raise contended()

    def _change(  # noqa: PLR0913, PLR0917 - what the new promotion and its first entry are made of
        self,
        order: RenewOrder,
        renewal: _Renewal,
        old: Promotion,
        spend: SpentCode,
        hold: Hold | None,
        evidence: Evidence | None,
    ) -> Change:
        now = self.clock.now()
        facts: dict[str, Any] = {
            **renewal.link,
            "target": old.target,
            "flag": old.flag,
            "value": renewal.value,
            "totp_timecode": spend.timecode,
            "reason": order.reason,
        }
        if evidence:
            facts |= {"forced": order.force, "evidence": evidence.facts()}
        if hold:
            facts |= {"held_by": hold.freeze.id, "until": hold.until and spell(hold.until)}
        change = mark(
            promotion_id=self.ids.new(now),
            target=old.target,
            flag=old.flag,
            value=renewal.value,
            note=order.reason,
            act=act_of(order.caller, renewal.action, now, facts),
            description=old.description,
            approvals=old.approvals if renewal.action is Action.RETRY else (),
            promoted_by=order.caller.name,
            **renewal.link,
            **_let_go(hold, now),
        )
        return _outlasting(change, hold, now)

    def _written(
        self,
        change: Change,
        order: RenewOrder,
        renewal: _Renewal,
        spend: SpentCode,
    ) -> bool:
        key = None
        if order.key is not None:
            key = UsedKey(
                operator=order.caller.name,
                key=order.key,
                fingerprint=renewal.fingerprint(order),
                promotion_id=change.after.id,
                until=change.entry.at + KEYS_LAST,
            )
        try:
            self._store.commit(change, key=key, spend=spend)
        except Lost as lost:
            if Clash.FLAG_LOCK in lost.clashes and Clash.KEY not in lost.clashes:
                raise busy(change.after, lost.holder) from lost
            # A code that somebody spent meanwhile is refused when it is judged again.
            return False
        return True


def _let_go(hold: Hold | None, now: datetime) -> dict[str, Any]:
    if hold is None:
        return {**begun(now), "step_entered_at": now}
    return {name: value for name, value in held(hold, now, now).items() if name != "expires_at"}


def _outlasting(change: Change, hold: Hold | None, now: datetime) -> Change:
    """What a freeze holds back outlasts it. When it expires is no part of its audit entry."""
    if hold is None:
        return change
    lasts = held(hold, change.after.expires_at, now)["expires_at"]
    return replace(change, after=replace(change.after, expires_at=lasts))


def _frozen(hold: Hold) -> Rejected:
    detail = "is needed while a freeze holds the target back"
    return Rejected(
        Code.FROZEN,
        f'The freeze {hold.freeze.id} ("{hold.freeze.reason}") holds {hold.freeze.target or "all"} '
        "back. A rollback goes through it, with a reason. Nothing was changed.",
        errors=(FieldError(field="reason", detail=detail),),
        conflict={"freeze": hold.freeze.id, "until": hold.until and spell(hold.until)},
    )


def _require_unchanged(old: Promotion, evidence: Evidence) -> None:
    """Raise `Rejected` where what would be overwritten is not what the promotion left there."""
    if evidence.finding is Finding.UNREACHABLE:
        raise _needs_force(Code.EVIDENCE_MISSING, evidence.said, evidence)
    holds = evidence.value if evidence.present else None
    if holds != old.value:
        said = f"{old.config_var} is not what {old.id} left there: it has changed since."
        raise _needs_force(Code.VALUE_CHANGED, said, evidence)


def _needs_force(code: Code, said: str, evidence: Evidence) -> Rejected:
    return Rejected(
        code,
        f"{said} Nothing was changed, and no code was spent. To set it back all the same, send "
        "the request again with force.",
        errors=(FieldError(field="force", detail="is needed"),),
        conflict={"evidence": evidence.facts()},
    )
