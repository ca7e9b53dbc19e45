"""The escape hatch: an operator says what a `deploying` promotion came to.

It goes straight to the promotion, never through the queue: it works while the queue, the worker
and Heroku are down. A worker that is still at it loses the write that would follow, for the
promotion is not at the version that it read.
"""

from dataclasses import dataclass
from typing import Any

from chalicelib.domain.actions import require_state
from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.evidence import Evidence, Finding
from chalicelib.domain.operator import Role, SpentCode, act_of
from chalicelib.domain.promotion import Change, Promotion, SettledBy, State, advance
from chalicelib.ports import Clock, Wakes
from chalicelib.usecases.authorised import Authorised, Order
from chalicelib.usecases.observe import Observe
from chalicelib.usecases.promote import wake


@dataclass(frozen=True, kw_only=True)
class ConcludeOrder(Order):
    """What an operator says of a promotion, and why."""

    reason: str
    rca_url: str | None = None
    #: Also against what Heroku shows, or without it.
    force: bool = False


@dataclass(frozen=True, kw_only=True)
class Concluded:
    """The promotion as the operator settled it."""

    promotion: Promotion
    replayed: bool


@dataclass(frozen=True, kw_only=True)
class _Conclusion:
    action: str
    done: Action
    state: State
    #: What Heroku may show without contradicting it …
    agrees: frozenset[Finding]
    #: … and what says neither yes nor no, and is not enough.
    unclear: frozenset[Finding]


_COMPLETE = _Conclusion(
    action="complete",
    done=Action.COMPLETE,
    state=State.DEPLOYED,
    agrees=frozenset({Finding.LIVE}),
    unclear=frozenset({Finding.UNREACHABLE, Finding.UNPROVEN}),
)
# That it failed can be said without Heroku: then the effect is unknown, and is stored so. But not
# while a PATCH may be on its way: the value would go live behind a promotion that says it did not.
_FAIL = _Conclusion(
    action="fail",
    done=Action.FAIL,
    state=State.FAILED,
    agrees=frozenset({Finding.NOT_LIVE, Finding.UNREACHABLE}),
    unclear=frozenset({Finding.UNPROVEN}),
)


@dataclass(frozen=True, kw_only=True)
class Conclude:
    """Settle a `deploying` promotion by hand, with what Heroku shows stored beside it.

    State, evidence, spent code and the flag's lock go in one transaction. A repeat with the same
    idempotency key is answered as the first was. Raises `Rejected`: not found, role, state, stale
    version, second factor, evidence that contradicts or is missing (then nothing is spent).
    """

    authorised: Authorised
    observe: Observe
    wakes: Wakes
    clock: Clock

    def complete(self, order: ConcludeOrder) -> Concluded:
        """Say that the value is live."""
        return self._conclude(order, _COMPLETE)

    def fail(self, order: ConcludeOrder) -> Concluded:
        """Say that it did not become live."""
        return self._conclude(order, _FAIL)

    def _conclude(self, order: ConcludeOrder, conclusion: _Conclusion) -> Concluded:
        order.caller.require(Role.SUPERADMIN)
        replayed = False

        def admit(promotion: Promotion) -> Promotion | None:
            nonlocal replayed
            same_key = order.fingerprint and promotion.settle_key == order.fingerprint
            if same_key and promotion.state is conclusion.state:
                replayed = True
                return promotion
            require_state(promotion, conclusion.action)
            return None

        def concluded(promotion: Promotion, spend: SpentCode) -> Change:
            evidence = self.observe(promotion)
            if not order.force:
                _require_agreement(evidence, conclusion)
            return self._settled(promotion, order, conclusion, evidence, spend)

        promotion = self.authorised(order, concluded, admit=admit)
        if not replayed:
            # Whatever waits behind it goes on at once; without the wake, within a minute.
            wake(self.wakes, promotion)
        return Concluded(promotion=promotion, replayed=replayed)

    def _settled(
        self,
        promotion: Promotion,
        order: ConcludeOrder,
        conclusion: _Conclusion,
        evidence: Evidence,
        spend: SpentCode,
    ) -> Change:
        now, seen = self.clock.now(), evidence.facts()
        facts: dict[str, Any] = {
            "value": promotion.value,
            "totp_timecode": spend.timecode,
            "effect": evidence.effect,
            "reason": order.reason,
            # Only where it made the difference: that is what people are warned of.
            "forced": evidence.finding not in conclusion.agrees,
            "evidence": seen,
        }
        words = {"rca_url": order.rca_url} if order.rca_url else {}
        release = evidence.release
        known = {"release_id": release.id, "release_version": release.version} if release else {}
        return advance(
            promotion,
            act_of(order.caller, conclusion.done, now, facts | words),
            state=conclusion.state,
            settled_at=now,
            settled_by=SettledBy.OPERATOR,
            effect=evidence.effect,
            reason=order.reason,
            observed=seen,
            settle_key=order.fingerprint,
            **words,
            **(known if evidence.finding is Finding.LIVE else {}),
        )


def _require_agreement(evidence: Evidence, conclusion: _Conclusion) -> None:
    """Raise `Rejected` where Heroku shows something else than the operator says, or nothing."""
    if evidence.finding in conclusion.agrees:
        return
    missing = evidence.finding in conclusion.unclear
    raise Rejected(
        Code.EVIDENCE_MISSING if missing else Code.EVIDENCE_CONTRADICTS,
        f"{evidence.said} Nothing was changed, and no code was spent. If you know better, send "
        "the same again with force, and say in the reason how you know.",
        errors=(FieldError(field="force", detail="is needed against what Heroku shows"),),
        conflict={"evidence": evidence.facts()},
    )
