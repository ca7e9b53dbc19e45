"""Mark a flag for promotion."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.audit import Action
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.operator import Caller, Role, act_of
from chalicelib.domain.preflight import unknown_text
from chalicelib.domain.promotion import Change, Promotion, mark
from chalicelib.domain.target import Target
from chalicelib.ports import (
    Catalogues,
    Clash,
    Clock,
    Lost,
    PromotionIds,
    PromotionStore,
    Targets,
    UsedKey,
)

#: How long a repeated request is recognised by its idempotency key.
KEYS_LAST = timedelta(hours=24)


@dataclass(frozen=True, kw_only=True)
class MarkOrder:
    """Which flag shall be what, where."""

    caller: Caller
    target: str
    flag: str
    value: str | None
    note: str | None
    key: str

    @property
    def fingerprint(self) -> str:
        """The same for the same request, whoever spells it."""
        wanted = [self.target, self.flag, self.value, self.note]
        return hashlib.sha256(json.dumps(wanted).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Marked:
    """The promotion that a mark made, now or the first time it was sent."""

    promotion: Promotion
    replayed: bool


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Begin a promotion: one for each idempotency key, one open for each flag and target.

    Raises `Rejected`: role, unlisted target, a flag that the target does not take or its
    catalogue does not know, a key used for something else, a flag whose promotion is still open.
    """

    store: PromotionStore
    targets: Targets
    catalogues: Catalogues
    ids: PromotionIds
    clock: Clock

    def __call__(self, order: MarkOrder) -> Marked:
        order.caller.require(Role.PROMOTER)
        return self._replayed(order) or self._marked(order)

    def _replayed(self, order: MarkOrder) -> Marked | None:
        promotion = replayed_mark(
            self.store,
            operator=order.caller.name,
            key=order.key,
            fingerprint=order.fingerprint,
            now=self.clock.now(),
        )
        return Marked(promotion=promotion, replayed=True) if promotion else None

    def _marked(self, order: MarkOrder) -> Marked:
        change = self._change(order, self._description(order))
        key = UsedKey(
            operator=order.caller.name,
            key=order.key,
            fingerprint=order.fingerprint,
            promotion_id=change.after.id,
            until=change.entry.at + KEYS_LAST,
        )
        try:
            self.store.commit(change, key=key)
        except Lost as lost:
            # The same request, sent twice at once, won; or another promotion of the flag is open.
            replayed = self._replayed(order) if Clash.KEY in lost.clashes else None
            if replayed:
                return replayed
            raise busy(change.after, lost.holder) from lost
        return Marked(promotion=change.after, replayed=False)

    def _change(self, order: MarkOrder, description: str | None) -> Change:
        now = self.clock.now()
        facts = {"target": order.target, "flag": order.flag, "value": order.value}
        return mark(
            promotion_id=self.ids.new(now),
            target=order.target,
            flag=order.flag,
            value=order.value,
            note=order.note,
            act=act_of(order.caller, Action.MARK, now, facts),
            description=description,
        )

    def _description(self, order: MarkOrder) -> str | None:
        """What the target's catalogue says of the flag, which the target has to take."""
        target = self.targets.get(order.target)
        if target is None:
            raise _unlisted(order)
        if not target.allows(order.flag):
            raise _not_taken(order, target)
        if target.catalogue is None:
            return None
        # One that was never imported knows no flag.
        catalogue = self.catalogues.get(target.catalogue) or Catalogue(id=target.catalogue)
        entry = catalogue.flags.get(order.flag)
        if entry is None:
            raise _unknown(order, catalogue)
        return entry.description


def replayed_mark(
    store: PromotionStore,
    *,
    operator: str,
    key: str,
    fingerprint: str,
    now: datetime,
) -> Promotion | None:
    """The promotion that this very request made before. Raises `Rejected` for another request."""
    used = store.used_key(operator, key)
    if used is None or used.until <= now:
        return None
    if used.fingerprint != fingerprint:
        raise Rejected(
            Code.KEY_REUSED,
            f"This Idempotency-Key stands for another request, the one that made "
            f"{used.promotion_id}. Nothing was changed. Send a new key with a new request.",
            errors=(FieldError(field="Idempotency-Key", detail="stands for another request"),),
            conflict={"promotion_id": used.promotion_id},
        )
    return store.get(used.promotion_id)


def busy(promotion: Promotion, holder: str | None) -> Rejected:
    """The answer where another promotion of the flag is open."""
    return Rejected(
        Code.FLAG_BUSY,
        f"{promotion.flag} already has an open promotion at {promotion.target}: {holder}. "
        "Let it settle or cancel it, then try again.",
        conflict={"promotion_id": holder},
    )


def _unlisted(order: MarkOrder) -> Rejected:
    return Rejected(
        Code.TARGET_UNLISTED,
        f"{order.target} is not a listed target. Check its name against GET /targets, "
        "or ask a superadmin to list it.",
        errors=(FieldError(field="target", detail="is not a listed target"),),
    )


def _not_taken(order: MarkOrder, target: Target) -> Rejected:
    patterns = ", ".join(target.flag_patterns)
    return Rejected(
        Code.FLAG_UNKNOWN,
        f"{target.app} takes only {patterns}; {order.flag} is none of these. Nothing was changed.",
        errors=(FieldError(field="flag", detail=f"must match one of: {patterns}"),),
    )


def _unknown(order: MarkOrder, catalogue: Catalogue) -> Rejected:
    said = unknown_text(order.flag, catalogue)
    return Rejected(
        Code.FLAG_UNKNOWN,
        f"{said} Nothing was changed. A flag that is new has to be imported first.",
        errors=(FieldError(field="flag", detail=said),),
        conflict={"near": list(catalogue.near(order.flag))},
    )
