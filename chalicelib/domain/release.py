"""What Heroku shows of a target, and what it proves of a promotion."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.domain.promotion import Effect, Promotion, Step

#: How long after a confirmed PATCH its release may stay unseen before that is taken as "none came".
#: Creation has always been seen to be immediate; nothing documents it.
RELEASE_APPEARS_WITHIN = timedelta(minutes=2)


class ReleaseStatus(StrEnum):
    """A release's status (Heroku Platform API schema, `release.status`)."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    #: Its artifacts were destroyed for age: says nothing of how it ended.
    EXPIRED = "expired"
    #: A word that the schema does not know: undecided, never success.
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release of an app."""

    id: str
    version: int
    status: ReleaseStatus
    current: bool
    description: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class TargetView:
    """A target as Heroku shows it at one moment. Holds flags' config vars only."""

    #: The app's config vars. During a release phase they may still be the old ones.
    config_vars: Mapping[str, str]
    #: Newest first; at least down to the lowest baseline asked for.
    releases: tuple[Release, ...]
    #: Config vars of single releases, by release version: the proof.
    carried: Mapping[int, Mapping[str, str]] = field(default_factory=dict)

    @property
    def current(self) -> Release | None:
        """The release whose code and config vars the dynos run."""
        marked = next((release for release in self.releases if release.current), None)
        return marked or next(
            (r for r in self.releases if r.status is ReleaseStatus.SUCCEEDED),
            None,
        )

    @property
    def newest_version(self) -> int:
        """The newest release's version; 0 where there is none."""
        return self.releases[0].version if self.releases else 0

    @property
    def running(self) -> Release | None:
        """The newest release, while its release phase still runs."""
        newest = self.releases[0] if self.releases else None
        return newest if newest and newest.status is ReleaseStatus.PENDING else None

    def live(self, promotion: Promotion) -> Release | None:
        """The current release, where it succeeded and carries the promotion's value."""
        current = self.current
        if current is None or current.status is not ReleaseStatus.SUCCEEDED:
            return None
        carried = self.carried.get(current.version)
        return current if carried is not None and promotion.carried_by(carried) else None

    def release_of(self, promotion: Promotion) -> Release | None:
        """The promotion's own release: the first after its baseline that carries its value.

        Later ones carry it too, for config vars pass on from release to release.
        """
        if promotion.baseline_version is None:
            return None
        return next(
            (
                release
                for release in reversed(self.releases)
                if release.version > promotion.baseline_version
                and release.version in self.carried
                and promotion.carried_by(self.carried[release.version])
            ),
            None,
        )


def versions_to_read(promotions: Iterable[Promotion], view: TargetView) -> frozenset[int]:
    """Which releases' own config vars are needed to decide on these promotions."""
    needed: set[int] = set()
    for promotion in promotions:
        if promotion.step is Step.QUEUED and not promotion.carried_by(view.config_vars):
            continue
        if view.current is not None:
            needed.add(view.current.version)
        if promotion.release_version is None and promotion.baseline_version is not None:
            needed |= {
                release.version
                for release in view.releases
                if release.version > promotion.baseline_version
            }
    return frozenset(needed)


@dataclass(frozen=True, kw_only=True)
class Live:
    """Proven: a succeeded, current release carries the value."""

    release: Release


@dataclass(frozen=True, kw_only=True)
class NotLive:
    """Proven: it did not become live, or is not any more."""

    effect: Effect
    reason: str
    release: Release | None = None


@dataclass(frozen=True, kw_only=True)
class Running:
    """Its release is known, and still running."""

    release: Release


@dataclass(frozen=True, kw_only=True)
class Unproven:
    """Heroku took the value; nothing proves yet what became of it."""


@dataclass(frozen=True, kw_only=True)
class NotSent:
    """The target lacks the value, and nothing on its way there is known."""


@dataclass(frozen=True, kw_only=True)
class Behind:
    """It has to be sent, once the release that runs now has ended: two would race."""

    release: Release


Verdict = Live | NotLive | Running | Unproven | NotSent | Behind


def judge(promotion: Promotion, view: TargetView, *, now: datetime) -> Verdict:
    """Say what Heroku's view proves of a `deploying` promotion.

    `view.carried` must hold what `versions_to_read` asks for.
    """
    live = view.live(promotion)
    if promotion.step is Step.QUEUED:
        if view.running is None and live and promotion.carried_by(view.config_vars):
            return Live(release=live)
        return _to_send(view)
    if live is not None:
        return Live(release=live)
    release = _known_release(promotion, view)
    if release is not None:
        return _with_release(promotion, release, view)
    if promotion.step is Step.INTENT:
        return _to_send(view)
    return _without_release(promotion, view, now)


def _to_send(view: TargetView) -> NotSent | Behind:
    return Behind(release=view.running) if view.running else NotSent()


def _known_release(promotion: Promotion, view: TargetView) -> Release | None:
    if promotion.release_version is None:
        return view.release_of(promotion)
    return next((r for r in view.releases if r.version == promotion.release_version), None)


def _without_release(
    promotion: Promotion,
    view: TargetView,
    now: datetime,
) -> NotLive | Unproven:
    entered = promotion.step_entered_at
    fresh = entered is not None and now - entered < RELEASE_APPEARS_WITHIN
    if fresh or promotion.release_version is not None:
        return Unproven()
    if promotion.carried_by(view.config_vars):
        return NotLive(
            effect=Effect.STORED_NOT_LIVE,
            reason="Heroku holds the value but made no release for it; "
            "it would go live with the target's next release.",
        )
    return NotLive(
        effect=Effect.NONE,
        reason="Heroku took the value, but no release carries it and the config var holds "
        "something else now: it was changed outside Hoist.",
    )


def _with_release(
    promotion: Promotion,
    release: Release,
    view: TargetView,
) -> NotLive | Running:
    stored = promotion.carried_by(view.config_vars)
    current = view.current
    ended = {
        ReleaseStatus.SUCCEEDED: current is not None and current.version > release.version,
        ReleaseStatus.FAILED: True,
        ReleaseStatus.EXPIRED: True,
        ReleaseStatus.PENDING: False,
        ReleaseStatus.UNKNOWN: False,
    }
    if not ended[release.status]:
        return Running(release=release)
    return NotLive(
        effect=_effect(stored=stored),
        reason=_reason(release, current, stored=stored),
        release=release,
    )


def _effect(*, stored: bool) -> Effect:
    return Effect.STORED_NOT_LIVE if stored else Effect.NONE


def _reason(release: Release, current: Release | None, *, stored: bool) -> str:
    happened = {
        ReleaseStatus.SUCCEEDED: "made the value live, and was then replaced from outside Hoist",
        ReleaseStatus.FAILED: "failed (its output at Heroku says why)",
        ReleaseStatus.EXPIRED: "carried the value but has expired",
    }[release.status]
    now = f"The current release v{current.version} does not carry it." if current else ""
    kept = (
        "Heroku holds the value: it would go live with the target's next release."
        if stored
        else "The config var does not hold the value."
    )
    return " ".join(part for part in (f"Release v{release.version} {happened}.", now, kept) if part)
