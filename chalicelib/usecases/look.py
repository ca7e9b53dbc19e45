"""One look at one target: read what is wanted and what is true, and act on the difference.

What happens if the worker dies between any two effects:

==========================  =====================================================================
dies after                  the next look
==========================  =====================================================================
nothing                     begins: the promotion is `queued`
intent recorded             finds no release of ours: sends (again), over a fresh baseline
PATCH, answer unheard       finds the release after the baseline that carries the value: no PATCH
PATCH confirmed             the same
release found               reads that release's status
settled                     finds nothing open; the lease ends by itself
==========================  =====================================================================
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.errors import AccessDenied, LeaseLost, Refused
from chalicelib.domain.lease import Denied, Lease
from chalicelib.domain.preflight import Check, blocked_by, config_size, policy_checks
from chalicelib.domain.promotion import (
    Change,
    Effect,
    Promotion,
    SettledBy,
    State,
    Step,
    advance,
    annotate,
)
from chalicelib.domain.release import (
    Behind,
    Live,
    NotLive,
    NotSent,
    Release,
    Running,
    TargetView,
    Unproven,
    Verdict,
    judge,
)
from chalicelib.domain.target import MAX_FLAGS_PER_RELEASE, Target
from chalicelib.ports import Alive, Apps, Clash, Clock, Lost, PromotionStore
from chalicelib.usecases.observe import view_of
from chalicelib.usecases.preflight import Policies

_ACTOR = "worker"


@dataclass(kw_only=True)
class Visit:
    """What one worker knows of its target while it holds the lease."""

    lease: Lease
    alive: Alive
    #: The promotion that the wake names: read consistently, for the index may not show it yet.
    named: str | None
    #: The target's policy, if it is listed.
    target_policy: Target | None
    #: How many share the next one: fewer while a guilty one is looked for.
    batch: int = 0
    #: What the search for one that Heroku refuses has come down to, while it goes on.
    narrowed: int | None = None
    #: Newest versions seen or written, for the index lags behind our own writes.
    known: dict[str, Promotion] = field(default_factory=dict)
    #: PATCHes sent, and of them those that Heroku took.
    patches: int = 0
    taken: int = 0
    #: Heroku has shown what it holds.
    has_read: bool = False
    #: What it refuses, where it refuses Hoist itself.
    refuses: Denied = Denied.READ
    #: Settled by this worker, in this visit.
    settled: list[Promotion] = field(default_factory=list)
    #: Config vars of releases; they never change.
    carried: dict[int, Mapping[str, str] | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with full batches, or go on with those that the last visit had come down to."""
        self.narrowed = self.lease.batch
        self.batch = min(self.narrowed or self.max_batch, self.max_batch)

    @property
    def max_batch(self) -> int:
        """Promotions that may share one PATCH."""
        policy = self.target_policy
        return policy.max_flags_per_release if policy else MAX_FLAGS_PER_RELEASE

    @property
    def target(self) -> str:
        """The app."""
        return self.lease.target


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What a look leaves."""

    #: Promotions that are still `deploying`.
    open: tuple[Promotion, ...] = ()
    #: Something was sent or has moved: looking again at once promises news.
    moved: bool = False
    #: What the open ones wait for.
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Look:
    """Settle what is proven and send what is missing; never sends what is already true."""

    store: PromotionStore
    apps: Apps
    policies: Policies
    clock: Clock

    def __call__(self, visit: Visit) -> Outlook:
        wanted = self._wanted(visit)
        if not wanted:
            return Outlook()
        view = self._view(visit, wanted)
        visit.has_read = True
        now = self.clock.now()
        verdicts = {promotion.id: judge(promotion, view, now=now) for promotion in wanted}
        moved = [self._record(visit, p, verdicts[p.id]) for p in wanted]
        passing = self._passing(visit, _unsent(wanted, verdicts), view)
        sent = self._send(visit, passing, view)
        return Outlook(
            open=tuple(self._still_open(visit, wanted)),
            moved=sent or any(moved),
            verdicts=verdicts,
        )

    def refuse_all(self, visit: Visit, refused: Refused) -> None:
        """Fail everything that is open: Heroku refuses the target as a whole."""
        for promotion in self._wanted(visit):
            unsent = promotion.step is Step.QUEUED
            self._settle(
                visit,
                promotion,
                NotLive(
                    effect=Effect.NONE if unsent else Effect.UNKNOWN,
                    reason=refused.detail,
                ),
            )

    def tell_of_access(self, visit: Visit, *, denied: str | None) -> bool:
        """Have people told that Heroku refuses Hoist itself, or (`None`) that it does no more.

        It is said at the oldest promotion in sight, which it keeps from moving as all others.
        `False`: it could not be said.
        """
        facts = {"alert": "heroku_access", "said": denied, "resolved": denied is None}
        # The first may be lost because the index lags; then the newest version is known.
        for _ in range(2):
            in_sight = [*self._wanted(visit), *visit.known.values()]
            act = self._act(Action.ALERT, facts)
            if in_sight and self._commit(visit, annotate(in_sight[0], act)):
                return True
        return False

    def _wanted(self, visit: Visit) -> Sequence[Promotion]:
        """Every open `deploying` promotion of the target, oldest first, at its newest version."""
        seen = {promotion.id: promotion for promotion in self.store.deploying(visit.target)}
        if visit.named and visit.named not in visit.known:
            named = self.store.get(visit.named)
            if named and named.target == visit.target:
                visit.known[named.id] = named
        for promotion in visit.known.values():
            if promotion.id not in seen or seen[promotion.id].version < promotion.version:
                seen[promotion.id] = promotion
        return sorted(
            (p for p in seen.values() if p.state is State.DEPLOYING),
            key=lambda promotion: promotion.id,
        )

    def _still_open(self, visit: Visit, wanted: Sequence[Promotion]) -> Iterator[Promotion]:
        for promotion in wanted:
            newest = visit.known.get(promotion.id, promotion)
            if newest.state is State.DEPLOYING:
                yield newest

    def _view(self, visit: Visit, wanted: Sequence[Promotion]) -> TargetView:
        return view_of(
            self.apps,
            visit.target,
            wanted,
            carried=visit.carried,
            # What was refused may have been they: nothing else shows whether they still are.
            config_needed=visit.lease.denied is Denied.READ,
        )

    def _record(self, visit: Visit, promotion: Promotion, verdict: Verdict) -> bool:
        """Write down what a verdict proves. Tells whether that changed anything."""
        match verdict:
            case Live() | NotLive():
                return self._settle(visit, promotion, verdict)
            case Running(release=release) if promotion.release_version != release.version:
                return self._find_release(visit, promotion, release)
            case Unproven(release=Release() as release) if (
                promotion.release_version != release.version
                or (release.succeeded and promotion.release_ended_at is None)
            ):
                return self._find_release(visit, promotion, release)
            case Running() | Unproven() | NotSent() | Behind():
                return False

    def _settle(self, visit: Visit, promotion: Promotion, verdict: Live | NotLive) -> bool:
        live = isinstance(verdict, Live)
        release = verdict.release
        effect = Effect.LIVE if isinstance(verdict, Live) else verdict.effect
        reason = None if isinstance(verdict, Live) else verdict.reason
        facts: dict[str, Any] = {"effect": effect, "reason": reason, **_release_facts(release)}
        if live and promotion.step is Step.QUEUED:
            facts["no_op"] = True
        act = self._act(Action.SETTLE, facts)
        change = advance(
            promotion,
            act,
            state=State.DEPLOYED if live else State.FAILED,
            settled_at=act.at,
            settled_by=SettledBy.WORKER,
            effect=effect,
            reason=reason,
            release_id=release.id if release else promotion.release_id,
            release_version=release.version if release else promotion.release_version,
        )
        if won := self._commit(visit, change):
            visit.settled.append(change.after)
        return won

    def _find_release(self, visit: Visit, promotion: Promotion, release: Release) -> bool:
        act = self._act(Action.FIND_RELEASE, _release_facts(release))
        change = advance(
            promotion,
            act,
            step=Step.RELEASED,
            release_id=release.id,
            release_version=release.version,
            release_ended_at=act.at if release.succeeded else None,
        )
        return self._commit(visit, change)

    def _passing(
        self,
        visit: Visit,
        unsent: Sequence[Promotion],
        view: TargetView,
    ) -> list[Promotion]:
        """Those that preflight still lets begin; the others fail, before anything is sent.

        What was begun is gone through with: its PATCH may have been taken.
        """
        passing = []
        for promotion in unsent:
            block = self._blocked(visit, promotion, view)
            if block is None:
                passing.append(promotion)
                continue
            reason = f"Preflight did not let it begin: {block.seen} Hoist sent nothing."
            effect = _effect_unsent(promotion, view)
            self._settle(visit, promotion, NotLive(effect=effect, reason=reason))
        return passing

    def _blocked(self, visit: Visit, promotion: Promotion, view: TargetView) -> Check | None:
        if promotion.step is not Step.QUEUED:
            return None
        checks = policy_checks(promotion, self.policies(promotion, visit.target_policy))
        size = config_size(promotion, view)
        return blocked_by([*checks, size] if size else checks)

    def _send(self, visit: Visit, unsent: Sequence[Promotion], view: TargetView) -> bool:
        """Record intent for a batch, oldest first, and PATCH it in one request."""
        if not unsent:
            return False
        with _refused_to_write(visit):
            self.apps.require_writing()
        batch = [
            visit.known.get(promotion.id, promotion)
            for promotion in unsent[: visit.batch]
            if self._intend(visit, promotion, view)
        ]
        if not batch:
            return False
        visit.alive.check()
        visit.patches += 1
        try:
            with _refused_to_write(visit):
                self.apps.set_config_vars(visit.target, {p.config_var: p.value for p in batch})
        except Refused as refused:
            return self._narrow(visit, batch, view, refused)
        visit.taken += 1
        visit.batch, visit.narrowed = min(2 * visit.batch, visit.max_batch), None
        for promotion in batch:
            act = self._act(Action.CONFIRM_PATCH, {"flags_in_patch": len(batch)})
            changes = {"step": Step.PENDING_COMMIT, "patched_at": act.at}
            self._commit(visit, advance(promotion, act, **changes))
        return True

    def _intend(self, visit: Visit, promotion: Promotion, view: TargetView) -> bool:
        """Have on record what is about to be written, over what. Tells whether it is.

        Also where the same intent is on record already: the write proves that the promotion,
        which may have been read from an index, is still as it was read.
        """
        previous = view.live_value(promotion)
        if promotion.step is Step.INTENT and promotion.carried_by(view.config_vars):
            # What is there now may be our own doing: what it replaced is on record.
            previous = promotion.previous_value
        baseline = view.newest_version
        facts = {
            "config_var": promotion.config_var,
            "value": promotion.value,
            "previous_value": previous,
            "baseline_release": baseline,
        }
        change = advance(
            promotion,
            self._act(Action.RECORD_INTENT, facts),
            step=Step.INTENT,
            previous_value=previous,
            baseline_version=baseline,
        )
        return self._commit(visit, change)

    def _narrow(
        self,
        visit: Visit,
        batch: Sequence[Promotion],
        view: TargetView,
        refused: Refused,
    ) -> bool:
        """Heroku refused a batch: one alone is guilty; of more, the next look sends half."""
        if len(batch) > 1:
            visit.batch = visit.narrowed = len(batch) // 2
            return True
        visit.batch, visit.narrowed = min(2, visit.max_batch), None
        (guilty,) = batch
        effect = _effect_unsent(guilty, view)
        return self._settle(visit, guilty, NotLive(effect=effect, reason=refused.detail))

    def _commit(self, visit: Visit, change: Change) -> bool:
        """Write a transition under the lease's fence; having lost, remember who won."""
        try:
            self.store.commit(change, fence=visit.lease)
        except Lost as lost:
            if Clash.FENCE in lost.clashes:
                raise LeaseLost from lost
            if lost.stored:
                visit.known[lost.stored.id] = lost.stored
            return False
        visit.known[change.after.id] = change.after
        return True

    def _act(self, action: Action, facts: Mapping[str, Any]) -> Act:
        return Act(actor=_ACTOR, action=action, at=self.clock.now(), facts=facts)


@contextmanager
def _refused_to_write(visit: Visit) -> Iterator[None]:
    """What Heroku refuses Hoist here is the PATCH, not all."""
    try:
        yield
    except AccessDenied:
        visit.refuses = Denied.WRITE
        raise


def _unsent(wanted: Sequence[Promotion], verdicts: Mapping[str, Verdict]) -> list[Promotion]:
    """What has to be sent now: nothing while the release of an earlier PATCH is about to show."""
    if any(isinstance(verdict, Unproven) and verdict.fresh for verdict in verdicts.values()):
        return []
    return [promotion for promotion in wanted if isinstance(verdicts[promotion.id], NotSent)]


def _effect_unsent(promotion: Promotion, view: TargetView) -> Effect:
    """What the target has of a value that is not sent; where Heroku does not show it, unknown."""
    if view.may_be_live(promotion):
        return Effect.UNKNOWN
    stored = promotion.carried_by(view.config_vars)
    return Effect.STORED_NOT_LIVE if stored else Effect.NONE


def _release_facts(release: Release | None) -> dict[str, Any]:
    if release is None:
        return {"release": None}
    return {"release": release.version, "release_id": release.id, "status": release.status}
