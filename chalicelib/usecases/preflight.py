"""Run every check of a promotion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.domain.drift import Declared
from chalicelib.domain.errors import Refused, TryAgain
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.preflight import Check, Policy, Sight, Surroundings, preflight
from chalicelib.domain.promotion import Promotion, State
from chalicelib.domain.target import Target
from chalicelib.ports import Apps, Baselines, Catalogues, Clock, Freezes, PromotionStore, Targets
from chalicelib.usecases.lookup import wanted
from chalicelib.usecases.observe import view_of, why_unread


@dataclass(frozen=True, kw_only=True)
class Policies:
    """What Hoist itself knows that bears on a promotion of a target."""

    catalogues: Catalogues
    baselines: Baselines

    def __call__(self, promotion: Promotion, target: Target | None) -> Policy:
        """Read only what the target's policy asks for."""
        if target is None:
            return Policy(target=None)
        return Policy(
            target=target,
            catalogue=self.catalogues.get(target.catalogue) if target.catalogue else None,
            staged=self._staged(promotion, target.staging_app),
        )

    def _staged(self, promotion: Promotion, staging_app: str | None) -> Declared | None:
        if staging_app is None:
            return None
        return self.baselines.get(staging_app).declared.get(promotion.flag)


@dataclass(frozen=True, kw_only=True)
class Preflight:
    """Check a promotion as if it began at `at`; changes nothing. Never raises for Heroku's sake."""

    store: PromotionStore
    targets: Targets
    policies: Policies
    freezes: Freezes
    apps: Apps
    clock: Clock

    def __call__(self, promotion: Promotion, *, at: datetime | None = None) -> Sequence[Check]:
        target = self.targets.get(promotion.target)
        return preflight(
            promotion,
            self.policies(promotion, target),
            self._sight(promotion),
            self._around(promotion, at or promotion.not_before or self.clock.now()),
        )

    def _sight(self, promotion: Promotion) -> Sight:
        try:
            view = view_of(
                self.apps,
                promotion.target,
                [promotion],
                carried={},
                config_needed=True,
            )
        except (TryAgain, Refused) as error:
            return Sight(unread=why_unread(error))
        return Sight(view=view, scopes=self.apps.scopes(), calls_left=self.apps.calls_left())

    def _around(self, promotion: Promotion, at: datetime) -> Surroundings:
        deploying = self.store.deploying(promotion.target)
        others = [other for other in deploying if other.id != promotion.id]
        known = (other.release_version for other in deploying)
        return Surroundings(
            holder=self.store.open_promotion(promotion.target, promotion.flag),
            declared=self.policies.baselines.get(promotion.target).declared.get(promotion.flag),
            hold=self.freezes.get().hold(promotion.target, max(at, self.clock.now())),
            deploying=len(others),
            own_releases=frozenset(version for version in known if version is not None),
        )


@dataclass(frozen=True, kw_only=True)
class ShowPreflight:
    """Run the checks for somebody who looks. Raises `Rejected`: not found."""

    store: PromotionStore
    preflight: Preflight

    def __call__(self, promotion_id: str, *, caller: Caller) -> "Findings":
        caller.require(Role.VIEWER)
        promotion = wanted(self.store, promotion_id)
        checks = self.preflight(promotion) if promotion.state in _OPEN else ()
        return Findings(promotion=promotion, checks=checks)


_OPEN = frozenset({State.PENDING, State.STAGED, State.DEPLOYING})


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the checks of one promotion saw; none for one that has settled."""

    promotion: Promotion
    checks: Sequence[Check]
