"""Read what Heroku shows of a target."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from chalicelib.domain.errors import AccessDenied, Refused, TryAgain
from chalicelib.domain.evidence import Evidence, evidence_of, unreachable
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.release import AppConfig, Release, TargetView, to_read_next
from chalicelib.ports import AppReads, Clock

Carried = MutableMapping[int, Mapping[str, str] | None]

#: How long an operator's answer waits for what Heroku shows: no read begins after that. API Gateway
#: hangs up after 29 s, and one read that hangs takes up to 6.
OBSERVES_FOR = timedelta(seconds=12)


def view_of(
    apps: AppReads,
    target: str,
    promotions: Sequence[Promotion],
    *,
    carried: Carried,
    config_needed: bool,
) -> TargetView:
    """Read the target: releases, config vars, and of the releases that matter their own.

    What is read of single releases is left in `carried`, which spares the next reading. The
    config vars are left out where no promotion needs them (`config_needed`: somebody else does).
    """
    open_ = [promotion for promotion in promotions if not promotion.state.terminal]
    baselines = [p.baseline_version for p in open_ if p.baseline_version is not None]
    view = TargetView(
        releases=apps.releases(target, after=min(baselines, default=None)),
        carried=carried,
    )
    if not (config_needed or any(view.needs_config(promotion) for promotion in promotions)):
        return view
    config = apps.config(target)
    view = replace(view, config_vars=config.flags, config_bytes=config.size_bytes)
    # What is read here shows in `view`: it holds the very mapping.
    for promotion in promotions:
        while (version := to_read_next(promotion, view)) is not None:
            carried[version] = apps.release_config_vars(target, version)
    return view


@dataclass(frozen=True, kw_only=True)
class Observe:
    """Gather what Heroku shows of one promotion, in time. Never raises for Heroku's sake."""

    apps: AppReads
    clock: Clock

    def __call__(self, promotion: Promotion) -> Evidence:
        try:
            view = view_of(
                _Hurried(apps=self.apps, clock=self.clock, until=self.clock.now() + OBSERVES_FOR),
                promotion.target,
                [promotion],
                carried={},
                config_needed=True,
            )
        except (TryAgain, Refused) as error:
            return unreachable(why_unread(error), now=self.clock.now())
        return evidence_of(promotion, view, now=self.clock.now())


@dataclass(frozen=True, kw_only=True)
class _Hurried:
    """Heroku's reads, as long as there is time for another. Raises `TryAgain` when there is not."""

    apps: AppReads
    clock: Clock
    until: datetime

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:
        return self._in_time().releases(app, after=after)

    def config(self, app: str) -> AppConfig:
        return self._in_time().config(app)

    def release_config_vars(self, app: str, version: int) -> Mapping[str, str] | None:
        return self._in_time().release_config_vars(app, version)

    def _in_time(self) -> AppReads:
        if self.clock.now() > self.until:
            detail = "Heroku answers slowly, and somebody waits."
            raise TryAgain(detail)
        return self.apps


def why_unread(error: TryAgain | Refused) -> str:
    """Why Heroku could not be read just now, for somebody who waits for the answer."""
    match error:
        case AccessDenied():
            return "it refuses Hoist's token or account."
        case Refused():
            return error.detail
        case _:
            return "it did not answer in time, or not usefully."
