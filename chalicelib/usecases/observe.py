"""Read what Heroku shows of a target."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.errors import AccessDenied, Refused, TryAgain
from chalicelib.domain.evidence import Evidence, evidence_of, unreachable
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.release import TargetView, to_read_next
from chalicelib.ports import Apps, Clock

Carried = MutableMapping[int, Mapping[str, str] | None]


def view_of(
    apps: Apps,
    target: str,
    promotions: Sequence[Promotion],
    *,
    carried: Carried,
    config_needed: bool,
) -> TargetView:
    """Read the target: releases, config vars, and of the releases that matter their own.

    What is read of single releases is left in `carried`, which spares the next reading. The
    config vars are left out where all promotions await the newest release and nobody needs them.
    """
    baselines = [p.baseline_version for p in promotions if p.baseline_version is not None]
    view = TargetView(
        releases=apps.releases(target, after=min(baselines, default=None)),
        carried=carried,
    )
    if not config_needed and all(view.awaited_by(promotion) for promotion in promotions):
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
    """Gather what Heroku shows of one promotion. Never raises for Heroku's sake."""

    apps: Apps
    clock: Clock

    def __call__(self, promotion: Promotion) -> Evidence:
        try:
            view = view_of(
                self.apps,
                promotion.target,
                [promotion],
                carried={},
                config_needed=True,
            )
        except (TryAgain, Refused) as error:
            return unreachable(why_unread(error), now=self.clock.now())
        return evidence_of(promotion, view, now=self.clock.now())


def why_unread(error: TryAgain | Refused) -> str:
    """Why Heroku could not be read just now, for somebody who waits for the answer."""
    match error:
        case AccessDenied():
            return "it refuses Hoist's token or account."
        case Refused():
            return error.detail
        case _:
            return "it did not answer in time, or not usefully."
