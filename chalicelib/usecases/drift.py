"""Compare what Hoist deployed with what Heroku holds. Tells; never writes to a target."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.drift import Baseline, Declared, Drift, DriftKind, drift_kind
from chalicelib.domain.errors import Refused, TryAgain
from chalicelib.domain.promotion import Change, Promotion, annotate
from chalicelib.domain.release import TargetView
from chalicelib.ports import Apps, Baselines, Clock, Lost, PromotionStore, Targets

_ACTOR = "watchdog"


@dataclass(kw_only=True)
class DriftReport:
    """What one comparison of all targets found."""

    #: Flags that differ, by target.
    drifting: dict[str, list[str]] = field(default_factory=dict)
    #: Targets that could not be read, and why; the next comparison tries them again.
    unread: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class WatchDrift:
    """Compare every target; safe to repeat. One notice an episode, and one when it is over.

    A flag with an open promotion is left out: it is about to change. While the newest release
    runs, so is the target.
    """

    store: PromotionStore
    baselines: Baselines
    targets: Targets
    apps: Apps
    clock: Clock

    def __call__(self) -> DriftReport:
        report = DriftReport()
        for target in self.targets.all():
            try:
                self._compare(self.baselines.get(target.app), report)
            except (TryAgain, Refused) as error:
                report.unread[target.app] = error.detail
        return report

    def _compare(self, baseline: Baseline, report: DriftReport) -> None:
        if not baseline.declared:
            return
        view = TargetView(releases=self.apps.releases(baseline.target, after=None))
        if view.running:
            return
        config_vars = self.apps.config(baseline.target).flags
        live = self._live(baseline.target, view)
        for declared in baseline.declared.values():
            kind = drift_kind(declared, config_vars=config_vars, live=live)
            if kind:
                report.drifting.setdefault(baseline.target, []).append(declared.flag)
            known = baseline.drifts.get(declared.flag)
            if kind != (known.kind if known else None):
                self._tell(baseline, declared, kind)

    def _live(self, app: str, view: TargetView) -> Mapping[str, str] | None:
        current = view.current
        return self.apps.release_config_vars(app, current.version) if current else None

    def _tell(self, baseline: Baseline, declared: Declared, kind: DriftKind | None) -> None:
        """Write the episode's begin or end, with the audit entry that tells of it."""
        promotion = self.store.get(declared.promotion_id)
        if promotion is None or self.store.open_promotion(baseline.target, declared.flag):
            return
        change = self._entry(promotion, declared, kind)
        since = change.entry.at
        drift = Drift(flag=declared.flag, kind=kind, since=since) if kind else None
        try:
            self.baselines.record(baseline, declared, drift, change)
        except Lost:
            # Deployed anew, or told by another, meanwhile: the next comparison sees.
            return

    def _entry(
        self,
        promotion: Promotion,
        declared: Declared,
        kind: DriftKind | None,
    ) -> Change:
        facts = {
            "alert": "drift",
            "kind": kind,
            "declared": declared.value,
            "resolved": kind is None,
        }
        act = Act(actor=_ACTOR, action=Action.ALERT, at=self.clock.now(), facts=facts)
        return annotate(promotion, act)
