"""Mark a flag for promotion."""

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta

from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import Act, Promotion, mark
from chalicelib.ports import Clash, Clock, Lost, PromotionIds, PromotionStore, Targets, UsedKey

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

    Raises `Rejected`: role, unlisted target, a key used for something else, a flag whose
    promotion is still open.
    """

    store: PromotionStore
    targets: Targets
    ids: PromotionIds
    clock: Clock

    def __call__(self, order: MarkOrder) -> Marked:
        order.caller.require(Role.PROMOTER)
        return self._replayed(order) or self._marked(order)

    def _replayed(self, order: MarkOrder) -> Marked | None:
        used = self.store.used_key(order.caller.name, order.key)
        if used is None or used.until <= self.clock.now():
            return None
        if used.fingerprint != order.fingerprint:
            raise Rejected(
                Code.KEY_REUSED,
                f"This Idempotency-Key stands for another request, the one that made "
                f"{used.promotion_id}. Nothing was changed. Send a new key with a new request.",
                errors=(FieldError(field="Idempotency-Key", detail="stands for another request"),),
                conflict={"promotion_id": used.promotion_id},
            )
        promotion = self.store.get(used.promotion_id)
        return Marked(promotion=promotion, replayed=True) if promotion else None

    def _marked(self, order: MarkOrder) -> Marked:
        if self.targets.get(order.target) is None:
            raise Rejected(
                Code.TARGET_UNLISTED,
                f"{order.target} is not a listed target. Check its name against GET /targets, "
                "or ask a superadmin to list it.",
                errors=(FieldError(field="target", detail="is not a listed target"),),
            )
        now = self.clock.now()
        change = mark(
            promotion_id=self.ids.new(now),
            target=order.target,
            flag=order.flag,
            value=order.value,
            note=order.note,
            act=Act(
                actor=order.caller.name,
                action=Action.MARK,
                at=now,
                facts={"target": order.target, "flag": order.flag, "value": order.value},
            ),
        )
        key = UsedKey(
            operator=order.caller.name,
            key=order.key,
            fingerprint=order.fingerprint,
            promotion_id=change.after.id,
            until=now + KEYS_LAST,
        )
        try:
            self.store.commit(change, key=key)
        except Lost as lost:
            return self._after_losing(order, lost)
        return Marked(promotion=change.after, replayed=False)

    def _after_losing(self, order: MarkOrder, lost: Lost) -> Marked:
        """The same request, sent twice at once, won; or another promotion of the flag is open."""
        replayed = self._replayed(order) if Clash.KEY in lost.clashes else None
        if replayed:
            return replayed
        raise Rejected(
            Code.FLAG_BUSY,
            f"{order.flag} already has an open promotion at {order.target}: {lost.holder}. "
            "Let it settle or cancel it, then mark again.",
            conflict={"promotion_id": lost.holder},
        ) from lost
