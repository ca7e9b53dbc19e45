"""One promotion's life: its states, which may follow which, and the value itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from chalicelib.domain.audit import GENESIS, Act, AuditEntry
from chalicelib.domain.flag import config_var

EXPIRES_AFTER = timedelta(days=7)


class State(StrEnum):
    """Where a promotion stands."""

    #: Marked for promotion; nothing has been asked of the target.
    PENDING = "pending"
    #: Preflight passed and approved; waits for its promote, or for its time.
    STAGED = "staged"
    #: Accepted; it moves without the operator from here.
    DEPLOYING = "deploying"
    #: A succeeded release carries the value. Terminal.
    DEPLOYED = "deployed"
    #: It did not become live; `effect` and `reason` say what is known. Terminal.
    FAILED = "failed"
    #: Withdrawn by an operator before it reached the target. Terminal.
    CANCELLED = "cancelled"
    #: Nobody promoted it in time. Terminal.
    EXPIRED = "expired"

    @property
    def terminal(self) -> bool:
        """Nothing follows this state."""
        return not NEXT[self]


#: Which states may follow which. The only place that says so.
NEXT: Mapping[State, frozenset[State]] = MappingProxyType(
    {
        State.PENDING: frozenset(
            {State.STAGED, State.DEPLOYING, State.CANCELLED, State.EXPIRED},
        ),
        State.STAGED: frozenset({State.DEPLOYING, State.CANCELLED, State.EXPIRED}),
        State.DEPLOYING: frozenset({State.DEPLOYED, State.FAILED}),
        State.DEPLOYED: frozenset(),
        State.FAILED: frozenset(),
        State.CANCELLED: frozenset(),
        State.EXPIRED: frozenset(),
    },
)


class Step(StrEnum):
    """How far a `deploying` promotion has come."""

    #: Accepted; no worker has begun.
    QUEUED = "queued"
    #: What will be written, and over what, is on record; Heroku may or may not have been asked.
    INTENT = "intent"
    #: Heroku took the value; no release is known to carry it yet.
    PENDING_COMMIT = "pending_commit"
    #: The release that carries the value is known; it runs, or is not current yet.
    RELEASED = "released"


class Effect(StrEnum):
    """What a settled promotion did to its target."""

    #: The target is as it would be without this promotion.
    NONE = "none"
    #: A succeeded release carries the value.
    LIVE = "live"
    #: Heroku holds the value but no live release carries it: the next release would.
    STORED_NOT_LIVE = "stored_not_live"
    #: It could not be found out.
    UNKNOWN = "unknown"


class SettledBy(StrEnum):
    """Who wrote a terminal state."""

    WORKER = "worker"
    WATCHDOG = "watchdog"
    OPERATOR = "operator"


class Rung(StrEnum):
    """How loudly somebody was told that a promotion is `deploying` for long; lowest first."""

    #: It takes long, and our own release verifiably runs: nobody needs to do anything.
    INFO = "info"
    SEV3 = "sev3"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Somebody else than the author has looked at the value and the time, and agrees."""

    by: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A flag's value on its way to a target. Frozen: `advance` makes the next version."""

    id: str
    target: str
    flag: str
    #: What the flag shall be; `None` removes its config var.
    value: str | None
    state: State
    version: int
    created_at: datetime
    created_by: str
    #: Since when it is in `state`. `None` (missing, unreadable) counts as infinitely old.
    state_entered_at: datetime | None
    expires_at: datetime
    #: Hash of the newest audit entry: the head of the chain.
    audit_hash: str
    note: str | None = None
    #: What the target's catalogue said of the flag when it was marked.
    description: str | None = None
    #: The failed promotion that this one sends once more …
    retries: str | None = None
    #: … or the deployed one that it takes back.
    reverts: str | None = None
    #: Of this value at this time: a change of either takes them away.
    approvals: tuple[Approval, ...] = ()

    #: Set while and after `deploying`.
    step: Step | None = None
    step_entered_at: datetime | None = None
    #: Whose code let it go. A `staged` one that has it begins by itself.
    promoted_by: str | None = None
    promoted_at: datetime | None = None
    #: Fingerprint of the accepted promote's `Idempotency-Key`.
    promote_key: str | None = None

    #: Recorded with the intent: what the PATCH replaces (`None`: the config var was absent) …
    previous_value: str | None = None
    #: … and the newest release before it. Our own release has a greater version.
    baseline_version: int | None = None

    #: When Heroku confirmed the PATCH; unknown where the worker died before it could say.
    patched_at: datetime | None = None
    release_id: str | None = None
    release_version: int | None = None
    #: When a worker first saw that this release had succeeded, and was not the current one.
    release_ended_at: datetime | None = None

    #: The highest rung of the alert ladder that was raised.
    rung: Rung | None = None
    #: Somebody knows: no rung is raised before this.
    acknowledged_until: datetime | None = None
    acknowledged_by: str | None = None
    #: It was said that it is about to expire.
    expiry_warned_at: datetime | None = None

    #: It begins by itself when this time comes, if it is `staged` then.
    not_before: datetime | None = None
    #: What did not let it begin when its time came: a freeze, missing approvals, a check.
    held_by: str | None = None
    #: Where its incident was written up.
    rca_url: str | None = None

    settled_at: datetime | None = None
    settled_by: SettledBy | None = None
    effect: Effect | None = None
    reason: str | None = None
    #: What Heroku showed when an operator settled it: the facts of an `Evidence`.
    observed: Mapping[str, Any] | None = None
    #: Fingerprint of the `Idempotency-Key` under which an operator settled it.
    settle_key: str | None = None

    @property
    def config_var(self) -> str:
        """The config var that carries the flag."""
        return config_var(self.flag)

    @property
    def scheduled(self) -> bool:
        """It was let go with a code, and begins by itself."""
        return self.state is State.STAGED and self.promoted_by is not None

    @property
    def approvers(self) -> frozenset[str]:
        """Who has approved it."""
        return frozenset(approval.by for approval in self.approvals)

    def carried_by(self, config_vars: Mapping[str, str]) -> bool:
        """Tell whether these hold the wanted value (lack the var, where it is to go)."""
        return config_vars.get(self.config_var) == self.value

    def acknowledged(self, now: datetime) -> bool:
        """Tell whether somebody has said to know of it, and that still holds."""
        return self.acknowledged_until is not None and now < self.acknowledged_until

    def age(self, now: datetime) -> timedelta:
        """Time since it was marked."""
        return now - self.created_at

    def time_in_state(self, now: datetime) -> timedelta:
        """Time since it entered its state; without a readable timestamp, infinitely long."""
        return timedelta.max if self.state_entered_at is None else now - self.state_entered_at


@dataclass(frozen=True, kw_only=True)
class Change:
    """One transition: the promotion as read, as it shall be, and the audit entry that says so."""

    before: Promotion | None
    after: Promotion
    entry: AuditEntry

    @property
    def opens(self) -> bool:
        """The promotion begins: it takes its flag's lock."""
        return self.before is None

    @property
    def settles(self) -> bool:
        """The promotion ends: it gives its flag's lock back."""
        ended_before = self.before is not None and self.before.state.terminal
        return self.after.state.terminal and not ended_before


def mark(  # noqa: PLR0913 - the facts that a promotion begins with, each by name
    *,
    promotion_id: str,
    target: str,
    flag: str,
    value: str | None,
    note: str | None,
    act: Act,
    **begun: Any,  # noqa: ANN401 - fields of Promotion, checked by its constructor
) -> Change:
    """Begin a promotion, in `pending` unless `begun` says that it was let go with its mark."""
    fields: dict[str, Any] = {"state": State.PENDING}
    promotion = Promotion(
        id=promotion_id,
        target=target,
        flag=flag,
        value=value,
        note=note,
        version=0,
        created_at=act.at,
        created_by=act.actor,
        state_entered_at=act.at,
        expires_at=act.at + EXPIRES_AFTER,
        audit_hash=GENESIS,
        **(fields | begun),
    )
    return _sealed(promotion, None, act)


def advance(promotion: Promotion, act: Act, **changes: Any) -> Change:  # noqa: ANN401 - fields of Promotion, checked by `replace`
    """Make the promotion's next version and the audit entry that explains it.

    A change of `state` restarts the time in state; one of `step` the time in step.
    Raises `ValueError` where `NEXT` forbids it: a bug in the caller, who looks at the state first.
    """
    state = changes.get("state", promotion.state)
    if promotion.state.terminal or (
        state is not promotion.state and state not in NEXT[promotion.state]
    ):
        message = f"{promotion.id}: {state} may not follow {promotion.state}"
        raise ValueError(message)
    if state is not promotion.state:
        changes["state_entered_at"] = act.at
    if "step" in changes:
        changes["step_entered_at"] = act.at
    return _sealed(replace(promotion, **changes), promotion, act)


def annotate(promotion: Promotion, act: Act, **words: str | None) -> Change:
    """Make the next version with other words about the promotion, in any state.

    Takes `note` and `rca_url` only: a terminal state stays what it is. Raises `ValueError`.
    """
    if not words.keys() <= {"note", "rca_url"}:
        message = f"only words may change, not {sorted(words)}"
        raise ValueError(message)
    return _sealed(replace(promotion, **words), promotion, act)  # type: ignore[arg-type]


def _sealed(drafted: Promotion, before: Promotion | None, act: Act) -> Change:
    """Close a transition: the next version, and its entry at the head of the chain.

    The entry that settles a promotion says which rung of the alert ladder it takes back.
    """
    facts = dict(act.facts)
    settles = drafted.state.terminal and (before is None or before.state is not drafted.state)
    if settles and drafted.rung:
        facts["resolves"] = drafted.rung
    entry = AuditEntry(
        subject=drafted.id,
        version=drafted.version + 1,
        target=drafted.target,
        flag=drafted.flag,
        at=act.at,
        actor=act.actor,
        action=act.action,
        from_state=before.state if before else None,
        to_state=drafted.state,
        step=drafted.step,
        facts=facts,
        prev_hash=drafted.audit_hash,
    )
    after = replace(drafted, version=entry.version, audit_hash=entry.hash)
    return Change(before=before, after=after, entry=entry)
