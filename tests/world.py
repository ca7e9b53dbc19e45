"""The use cases over fakes, and the sentences that tests tell with them."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.domain.freeze import Freeze
from chalicelib.domain.lease import TargetLock
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.target import Target
from chalicelib.usecases.approve import Approve
from chalicelib.usecases.audit import Audit
from chalicelib.usecases.authorised import Authorised, Order
from chalicelib.usecases.cancel import Cancel
from chalicelib.usecases.conclude import Conclude
from chalicelib.usecases.drift import WatchDrift
from chalicelib.usecases.freezes import FreezeTerms, LiftFreeze, PutFreeze
from chalicelib.usecases.gates import Gates
from chalicelib.usecases.mark import Mark, MarkOrder
from chalicelib.usecases.observe import Observe
from chalicelib.usecases.preflight import Policies, Preflight
from chalicelib.usecases.promote import Accepted, Promote, PromoteOrder
from chalicelib.usecases.renew import Renew
from chalicelib.usecases.show import Show
from chalicelib.usecases.stage import Stage, Staged, StageOrder
from chalicelib.usecases.step_up import StepUp
from chalicelib.usecases.targets import ShowTarget
from chalicelib.usecases.watch import Watch
from chalicelib.usecases.work import Wake, Work, WorkReport
from tests.factories import FLAG, KIM, PAT, SAM, TARGET, VERA, an_operator
from tests.fakes import (
    FakeApps,
    FakeBaselines,
    FakeCatalogues,
    FakeClock,
    FakeFreezes,
    FakeHeartbeat,
    FakeOperators,
    FakePromotionIds,
    FakePromotionStore,
    FakeSecondFactor,
    FakeTargetLocks,
    FakeTargets,
    FakeWakes,
    code_of,
)


@dataclass
class World:
    """Hoist in memory, at one target."""

    clock: FakeClock = field(default_factory=FakeClock)
    operators: FakeOperators = field(default_factory=FakeOperators)
    locks: FakeTargetLocks = field(default_factory=FakeTargetLocks)
    targets: FakeTargets = field(default_factory=FakeTargets)
    catalogues: FakeCatalogues = field(default_factory=FakeCatalogues)
    freezes: FakeFreezes = field(default_factory=FakeFreezes)
    wakes: FakeWakes = field(default_factory=FakeWakes)
    ids: FakePromotionIds = field(default_factory=FakePromotionIds)

    def __post_init__(self) -> None:
        self.store = FakePromotionStore(self.operators, self.locks)
        for records in (self.operators, self.targets, self.catalogues, self.freezes):
            records.entries = self.store.entries
        self.baselines = FakeBaselines(self.store)
        self.apps = FakeApps(self.clock)
        for caller in (KIM, PAT, VERA, SAM):
            self.operators.put(an_operator(caller))
        self.targets.put(Target(app=TARGET, version=1))
        self._serial = itertools.count()

    # Use cases

    @property
    def mark_flag(self) -> Mark:
        return Mark(
            store=self.store,
            targets=self.targets,
            catalogues=self.catalogues,
            ids=self.ids,
            clock=self.clock,
        )

    @property
    def step_up(self) -> StepUp:
        return StepUp(
            operators=self.operators,
            second_factor=FakeSecondFactor(),
            clock=self.clock,
        )

    @property
    def authorised(self) -> Authorised:
        return Authorised(store=self.store, step_up=self.step_up)

    @property
    def gates(self) -> Gates:
        return Gates(targets=self.targets, freezes=self.freezes)

    @property
    def policies(self) -> Policies:
        return Policies(catalogues=self.catalogues, baselines=self.baselines)

    @property
    def preflight(self) -> Preflight:
        return Preflight(
            store=self.store,
            targets=self.targets,
            policies=self.policies,
            freezes=self.freezes,
            apps=self.apps,
            clock=self.clock,
        )

    @property
    def stage_it(self) -> Stage:
        return Stage(authorised=self.authorised, preflight=self.preflight, clock=self.clock)

    @property
    def approve_it(self) -> Approve:
        return Approve(authorised=self.authorised, clock=self.clock)

    @property
    def promote_it(self) -> Promote:
        return Promote(
            authorised=self.authorised,
            gates=self.gates,
            wakes=self.wakes,
            clock=self.clock,
        )

    @property
    def observe(self) -> Observe:
        return Observe(apps=self.apps, clock=self.clock)

    @property
    def conclude(self) -> Conclude:
        return Conclude(
            authorised=self.authorised,
            observe=self.observe,
            wakes=self.wakes,
            clock=self.clock,
        )

    @property
    def renew(self) -> Renew:
        return Renew(
            authorised=self.authorised,
            gates=self.gates,
            observe=self.observe,
            ids=self.ids,
            wakes=self.wakes,
            clock=self.clock,
        )

    @property
    def cancel_it(self) -> Cancel:
        return Cancel(store=self.store, clock=self.clock)

    @property
    def show_it(self) -> Show:
        return Show(
            store=self.store,
            locks=self.locks,
            baselines=self.baselines,
            gates=self.gates,
            clock=self.clock,
        )

    @property
    def show_target(self) -> ShowTarget:
        return ShowTarget(
            targets=self.targets,
            baselines=self.baselines,
            freezes=self.freezes,
            clock=self.clock,
        )

    @property
    def audit_it(self) -> Audit:
        return Audit(store=self.store)

    @property
    def worker(self) -> Work:
        serial = next(self._serial)
        return Work(
            store=self.store,
            locks=self.locks,
            targets=self.targets,
            policies=self.policies,
            apps=self.apps,
            heartbeat=FakeHeartbeat(self.locks, self.clock),
            clock=self.clock,
            holder=lambda: f"worker-{serial}",
        )

    @property
    def watchdog(self) -> Watch:
        return Watch(
            store=self.store,
            locks=self.locks,
            targets=self.targets,
            freezes=self.freezes,
            policies=self.policies,
            operators=self.operators,
            wakes=self.wakes,
            clock=self.clock,
        )

    @property
    def drift_watch(self) -> WatchDrift:
        return WatchDrift(
            store=self.store,
            baselines=self.baselines,
            targets=self.targets,
            apps=self.apps,
            clock=self.clock,
        )

    # Sentences

    def order(self, flag: str = FLAG, **kwargs: object) -> MarkOrder:
        wanted: dict[str, object] = {
            "caller": KIM,
            "target": TARGET,
            "flag": flag,
            "value": "true",
            "note": None,
            "key": f"key-{next(self._serial)}",
        }
        return MarkOrder(**(wanted | kwargs))  # type: ignore[arg-type]

    def mark(self, flag: str = FLAG, **kwargs: object) -> Promotion:
        return self.mark_flag(self.order(flag, **kwargs)).promotion

    @property
    def code(self) -> str:
        """The code that the authenticator app shows now."""
        return code_of(int(self.clock.now().timestamp()) // 30)

    def accept(self, promotion: Promotion, caller: Caller = KIM, **kwargs: object) -> Accepted:
        wanted = self._asked(promotion, caller)
        accepted = self.promote_it(PromoteOrder(**(wanted | kwargs)))  # type: ignore[arg-type]
        # The next promote needs the next code.
        self.clock.advance(timedelta(seconds=30))
        return accepted

    def _asked(self, promotion: Promotion, caller: Caller) -> dict[str, object]:
        """What every request about one promotion has that a code authorises."""
        return {
            "promotion_id": promotion.id,
            "caller": caller,
            "code": self.code,
            "if_version": None,
            "key": None,
        }

    def promoted(self, flag: str = FLAG, **kwargs: object) -> Promotion:
        return self.accept(self.mark(flag, **kwargs)).promotion

    def stage(self, promotion: Promotion, caller: Caller = KIM, **kwargs: object) -> Staged:
        """Stage it; with `not_before`, and so with a code, for that time."""
        wanted = self._asked(promotion, caller)
        if kwargs.get("not_before") is None:
            return self.stage_it(StageOrder(**(wanted | {"code": None} | kwargs)))  # type: ignore[arg-type]
        staged = self.stage_it(StageOrder(**(wanted | kwargs)))  # type: ignore[arg-type]
        self.clock.advance(timedelta(seconds=30))
        return staged

    def approve(self, promotion: Promotion, caller: Caller = PAT, **kwargs: object) -> Promotion:
        wanted = self._asked(promotion, caller)
        approved = self.approve_it(Order(**(wanted | kwargs)), note=None)  # type: ignore[arg-type]
        self.clock.advance(timedelta(seconds=30))
        return approved

    def policy(self, **kwargs: object) -> Target:
        """Have the target ask for this and no more."""
        version = self.targets.targets[TARGET].version + 1
        target = Target(app=TARGET, version=version, **kwargs)  # type: ignore[arg-type]
        self.targets.put(target)
        return target

    def freeze(self, freeze_id: str = "year-end", **kwargs: object) -> Freeze:
        """Freeze all targets from now on, until it is lifted unless `ends_at` says when."""
        wanted = {
            "reason": "The books are closed.",
            "target": None,
            "starts_at": self.clock.now(),
            "ends_at": None,
        }
        put = PutFreeze(freezes=self.freezes, targets=self.targets, clock=self.clock)
        terms = FreezeTerms(**(wanted | kwargs))  # type: ignore[arg-type]
        return put(freeze_id, terms, if_version=None, caller=SAM)

    def lift(self, freeze_id: str = "year-end") -> Freeze:
        lift = LiftFreeze(freezes=self.freezes, clock=self.clock)
        return lift(freeze_id, reason="It is over.", if_version=None, caller=SAM)

    def work(self, promotion: Promotion | None = None) -> WorkReport:
        return self.worker(Wake(target=TARGET, promotion_id=promotion.id if promotion else None))

    def work_until_settled(self, promotion: Promotion) -> list[WorkReport]:
        """Deliver the wake again and again, each time when the worker has asked for it."""
        reports = [self.work(promotion)]
        while (again := reports[-1].look_again) and len(reports) < 1000:
            self.clock.advance(again.after)
            reports.append(self.work(promotion))
        return reports

    def now(self, promotion: Promotion) -> Promotion:
        """The promotion as it is stored now."""
        return self.store.promotions[promotion.id]

    @property
    def lock(self) -> TargetLock:
        return self.locks.get(TARGET)

    def verified(self, promotion: Promotion) -> bool:
        return self.audit_it(promotion.id, caller=VERA).verification.verified

    def history(self, promotion: Promotion) -> list[str]:
        """What the audit trail says was done, in order."""
        return [stored.entry.action for stored in self.store.trail(promotion.id)]
