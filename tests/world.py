"""The use cases over fakes, and the sentences that tests tell with them."""

import itertools
from dataclasses import dataclass, field
from datetime import timedelta

from chalicelib.bootstrap import Container
from chalicelib.domain.freeze import Freeze
from chalicelib.domain.lease import TargetLock
from chalicelib.domain.operator import Caller
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.target import Target
from chalicelib.ports import SecondFactor
from chalicelib.settings import Settings
from chalicelib.usecases.approve import Approve
from chalicelib.usecases.audit import Audit
from chalicelib.usecases.authorised import Order
from chalicelib.usecases.cancel import Cancel
from chalicelib.usecases.conclude import Conclude
from chalicelib.usecases.drift import WatchDrift
from chalicelib.usecases.freezes import FreezeTerms
from chalicelib.usecases.mark import Mark, MarkOrder
from chalicelib.usecases.preflight import Preflight
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

RUNBOOK = "https://example.invalid/runbook.md"
_NAMES = {name: name for name in Settings.__dataclass_fields__}
SETTINGS = Settings(**(_NAMES | {"hoist_runbook_url": RUNBOOK}))


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
    second_factor: SecondFactor = field(default_factory=FakeSecondFactor)

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

    @property
    def heartbeat(self) -> FakeHeartbeat:
        return FakeHeartbeat(self.locks, self.clock)

    # Use cases

    @property
    def wired(self) -> "Wired":
        """Anew each time: tests put other fakes in the places of these."""
        return Wired(self)

    @property
    def mark_flag(self) -> Mark:
        return self.wired.mark

    @property
    def preflight(self) -> Preflight:
        return self.wired.preflight

    @property
    def stage_it(self) -> Stage:
        return self.wired.stage

    @property
    def approve_it(self) -> Approve:
        return self.wired.approve

    @property
    def promote_it(self) -> Promote:
        return self.wired.promote

    @property
    def conclude(self) -> Conclude:
        return self.wired.conclude

    @property
    def renew(self) -> Renew:
        return self.wired.renew

    @property
    def cancel_it(self) -> Cancel:
        return self.wired.cancel

    @property
    def show_it(self) -> Show:
        return self.wired.show

    @property
    def show_target(self) -> ShowTarget:
        return self.wired.show_target

    @property
    def audit_it(self) -> Audit:
        return self.wired.audit

    @property
    def step_up(self) -> StepUp:
        return self.wired.step_up

    @property
    def worker(self) -> Work:
        return self.wired.work

    @property
    def watchdog(self) -> Watch:
        return self.wired.watch

    @property
    def drift_watch(self) -> WatchDrift:
        return self.wired.watch_drift

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
        terms = FreezeTerms(**(wanted | kwargs))  # type: ignore[arg-type]
        return self.wired.put_freeze(freeze_id, terms, if_version=None, caller=SAM)

    def lift(self, freeze_id: str = "year-end") -> Freeze:
        return self.wired.lift_freeze(freeze_id, reason="It is over.", if_version=None, caller=SAM)

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


class Wired(Container):
    """The production wiring of use cases, over a world of fakes."""

    def __init__(self, world: World) -> None:
        self.settings = SETTINGS
        self.clock, self.ids, self.wakes = world.clock, world.ids, world.wakes
        self.store, self.locks, self.baselines = world.store, world.locks, world.baselines
        self.operators, self.targets = world.operators, world.targets
        self.catalogues, self.freezes = world.catalogues, world.freezes
        self.apps = self.impatient_apps = world.apps
        self.second_factor, self.heartbeat = world.second_factor, world.heartbeat
