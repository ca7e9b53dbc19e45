"""Compare what Hoist deployed with what Heroku holds. Tells; never writes to a target."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.drift import Baseline, Declared, Drift, DriftKind, drift_kind
from chalicelib.domain.errors import AccessDenied, Refused, TryAgain
from chalicelib.domain.promotion import Change, Promotion, annotate
from chalicelib.domain.release import TargetView
from chalicelib.domain.turns import in_turn
from chalicelib.ports import Apps, Baselines, Clock, Lost, PromotionStore, Targets

#: How often it is called, and how long it goes on: Lambda ends it after 60 s.
EVERY, LASTS = timedelta(minutes=15), timedelta(seconds=45)
#: So many targets are compared in that time, at the least, while Heroku answers as it does.
IN_TIME = 60
_ACTOR = "watchdog"


@dataclass(kw_only=True)
class DriftReport:
    """What one comparison of all targets found."""

    #: Flags that differ, by target; of those that were not compared, as it was found last.
    drifting: dict[str, list[str]] = field(default_factory=dict)
    #: Targets that could not be read, and why; the next comparison tries them again.
    unread: dict[str, str] = field(default_factory=dict)
    #: Targets for which there was no time; they come first, or soon, in the next comparisons.
    later: list[str] = field(default_factory=list)
    #: Heroku refuses Hoist itself: somebody has to act.
    access_denied: str | None = None


@dataclass(frozen=True, kw_only=True)
class WatchDrift:
    """Compare every target; safe to repeat. One notice an episode, and one when it is over.

    Of a flag with an open promotion nothing is told: it is about to change. While the newest
    release runs, so is the target. With more targets than there is time for, they take turns.
    """

    store: PromotionStore
    baselines: Baselines
    targets: Targets
    apps: Apps
    clock: Clock

    def __call__(self) -> DriftReport:
        report, began = DriftReport(), self.clock.now()
        targets = in_turn(self.targets.all(), began, every=EVERY, in_time=IN_TIME)
        for target in targets:
            try:
                self._attend(target.app, report, began + LASTS)
            except (TryAgain, Refused) as error:
                report.unread[target.app] = error.detail
        return report

    def _attend(self, app: str, report: DriftReport, until: datetime) -> None:
        baseline = self.baselines.get(app)
        if self.clock.now() > until:
            report.later.append(app)
            _as_found_last(baseline, report)
            return
        try:
            self._compare(baseline, report)
        except (TryAgain, Refused) as error:
            _as_found_last(baseline, report)
            if isinstance(error, AccessDenied):
                report.access_denied = error.detail
            raise

    def _compare(self, baseline: Baseline, report: DriftReport) -> None:
        if not baseline.declared:
            return
        view = TargetView(releases=self.apps.releases(baseline.target, after=None))
        if view.running:
            _as_found_last(baseline, report)
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


def _as_found_last(baseline: Baseline, report: DriftReport) -> None:
    if baseline.drifts:
        report.drifting[baseline.target] = sorted(baseline.drifts)
