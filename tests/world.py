"""The use cases over fakes, and the sentences that tests tell with them."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.domain.lease import TargetLock
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.target import Target
from chalicelib.usecases.audit import Audit
from chalicelib.usecases.cancel import Cancel
from chalicelib.usecases.drift import WatchDrift
from chalicelib.usecases.mark import Mark, MarkOrder
from chalicelib.usecases.promote import Accepted, Promote, PromoteOrder
from chalicelib.usecases.show import Show
from chalicelib.usecases.step_up import StepUp
from chalicelib.usecases.watch import Watch
from chalicelib.usecases.work import Wake, Work, WorkReport
from tests.factories import FLAG, KIM, SAM, TARGET, VERA, an_operator
from tests.fakes import (
    FakeApps,
    FakeBaselines,
    FakeClock,
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
    wakes: FakeWakes = field(default_factory=FakeWakes)
    ids: FakePromotionIds = field(default_factory=FakePromotionIds)

    def __post_init__(self) -> None:
        self.store = FakePromotionStore(self.operators, self.locks)
        self.baselines = FakeBaselines(self.store)
        self.apps = FakeApps(self.clock)
        for caller in (KIM, VERA, SAM):
            self.operators.put(an_operator(caller))
        self.targets.put(Target(app=TARGET, version=1))
        self._serial = itertools.count()

    # Use cases

    @property
    def mark_flag(self) -> Mark:
        return Mark(store=self.store, targets=self.targets, ids=self.ids, clock=self.clock)

    @property
    def promote_it(self) -> Promote:
        step_up = StepUp(
            operators=self.operators,
            second_factor=FakeSecondFactor(),
            clock=self.clock,
        )
        return Promote(store=self.store, step_up=step_up, wakes=self.wakes, clock=self.clock)

    @property
    def cancel_it(self) -> Cancel:
        return Cancel(store=self.store, clock=self.clock)

    @property
    def show_it(self) -> Show:
        return Show(
            store=self.store,
            locks=self.locks,
            baselines=self.baselines,
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
        wanted: dict[str, object] = {
            "promotion_id": promotion.id,
            "caller": caller,
            "code": self.code,
            "if_version": None,
            "key": None,
        }
        accepted = self.promote_it(PromoteOrder(**(wanted | kwargs)))  # type: ignore[arg-type]
        # The next promote needs the next code.
        self.clock.advance(timedelta(seconds=30))
        return accepted

    def promoted(self, flag: str = FLAG, **kwargs: object) -> Promotion:
        return self.accept(self.mark(flag, **kwargs)).promotion

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
