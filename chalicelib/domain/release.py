"""What Heroku shows of a target, and what it proves of a promotion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Self

from chalicelib.domain.flag import only_flags
from chalicelib.domain.promotion import Effect, Promotion, Step

#: How long after a confirmed PATCH its release may stay unseen before that is taken as "none came",
#: and how long one that has succeeded may not be current yet, before that is taken to last.
#: Both have always been seen to be immediate; nothing documents it.
RELEASE_APPEARS_WITHIN = timedelta(minutes=2)

#: Among how many releases after its baseline a promotion's own is looked for. It comes right after
#: its baseline, but for what others release in the moment between.
OURS_IS_AMONG = 20


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

    @property
    def succeeded(self) -> bool:
        """Tell whether it ran, and ended well."""
        return self.status is ReleaseStatus.SUCCEEDED


@dataclass(frozen=True, kw_only=True)
class AppConfig:
    """An app's config, as much of it as is ours to see."""

    #: Config vars that carry flags.
    flags: Mapping[str, str]
    #: What all config vars take together, names and values: Heroku allows 64 kB.
    size_bytes: int

    @classmethod
    def of(cls, config_vars: Mapping[str, object]) -> Self:
        """Keep of a whole config what is ours to see."""
        return cls(
            flags=only_flags(config_vars),
            size_bytes=sum(_size(name) + _size(value) for name, value in config_vars.items()),
        )


def _size(text: object) -> int:
    # JSON can spell half of a surrogate pair, which plain UTF-8 cannot.
    return len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else 0


@dataclass(frozen=True, kw_only=True)
class TargetView:
    """A target as Heroku shows it at one moment. Holds flags' config vars only."""

    #: Newest first; at least down to the lowest baseline asked for.
    releases: tuple[Release, ...]
    #: The app's config vars. During a release phase they may still be the old ones. Empty where no
    #: promotion needed them.
    config_vars: Mapping[str, str] = field(default_factory=dict)
    #: What all config vars of the app take together; unknown where they were not read.
    config_bytes: int | None = None
    #: Config vars of single releases, by release version: the proof. `None`: Heroku shows none.
    carried: Mapping[int, Mapping[str, str] | None] = field(default_factory=dict)

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

    def running_after(self, release: Release) -> Iterator[Release]:
        """The releases made after this one whose release phase still runs, newest first."""
        newer = (other for other in self.releases if other.version > release.version)
        return (other for other in newer if other.status is ReleaseStatus.PENDING)

    @property
    def stored_differs(self) -> bool:
        """Tell whether the config vars may be others than the dynos run with, and will run with.

        So it is after a release that failed: Heroku may have kept what it was to bring.
        """
        current = self.current
        return (
            current is not None and current.version != self.newest_version and self.running is None
        )

    def live_value(self, promotion: Promotion) -> str | None:
        """What the dynos have for the promotion's config var; `None` where they have none.

        Where the current release's own config vars were not read: what Heroku holds.
        """
        live = self.carried.get(self.current.version) if self.current else None
        shown = live if live is not None and self.stored_differs else self.config_vars
        return shown.get(promotion.config_var)

    def awaited_by(self, promotion: Promotion) -> bool:
        """Tell whether the newest release is the promotion's own and runs: only time helps."""
        running = self.running
        return running is not None and running.version == promotion.release_version

    def needs_config(self, promotion: Promotion) -> bool:
        """Tell whether the app's config vars have a say: not while a release is waited for."""
        queued_behind = self.running is not None and promotion.step is Step.QUEUED
        return not (queued_behind or self.awaited_by(promotion))

    def carries(self, release: Release, promotion: Promotion) -> bool | None:
        """Tell whether the release carries the promotion's value; `None` where that is unknown."""
        carried = self.carried.get(release.version)
        return None if carried is None else promotion.carried_by(carried)

    def may_be_live(self, promotion: Promotion) -> bool:
        """Tell whether Heroku holds the value, and does not show that it is not live."""
        stored, current = promotion.carried_by(self.config_vars), self.current
        return stored and current is not None and self.carries(current, promotion) is not False

    def live(self, promotion: Promotion) -> Release | None:
        """The current release, where it carries the promotion's value.

        It may have expired since: that destroys what it was made of, not what runs.
        """
        current = self.current
        lasting = {ReleaseStatus.SUCCEEDED, ReleaseStatus.EXPIRED}
        if current is None or current.status not in lasting:
            return None
        return current if self.carries(current, promotion) else None

    def candidates(self, promotion: Promotion) -> Iterator[Release]:
        """The releases that may be the promotion's own, oldest first: those after its baseline.

        The first that carries the value is its own; later ones carry it too, for config vars
        pass on from release to release. Ours follows its baseline closely.
        """
        baseline = promotion.baseline_version
        if baseline is not None:
            later = (r for r in reversed(self.releases) if r.version > baseline)
            yield from islice(later, OURS_IS_AMONG)


def to_read_next(promotion: Promotion, view: TargetView) -> int | None:
    """The next release whose own config vars are needed to judge; `None`: enough is known."""
    for release in _evidence(promotion, view):
        if release.version not in view.carried:
            return release.version
    return None


def _evidence(promotion: Promotion, view: TargetView) -> Iterator[Release]:
    """The releases that decide on the promotion; of its candidates none beyond its own."""
    if promotion.step is Step.QUEUED:
        yield from _evidence_unsent(promotion, view)
        return
    if view.awaited_by(promotion):
        return
    if view.current:
        yield view.current
    if view.running:
        yield view.running
    own = _release_of(promotion, view)
    if own is not None:
        yield from view.running_after(own)
    if promotion.release_version is None:
        for release in view.candidates(promotion):
            yield release
            if view.carries(release, promotion):
                yield from view.running_after(release)
                return


def _evidence_unsent(promotion: Promotion, view: TargetView) -> Iterator[Release]:
    """The release whose value a PATCH would replace, where it may differ from what is stored."""
    if view.current and (promotion.carried_by(view.config_vars) or view.stored_differs):
        yield view.current


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
    """Heroku may have taken the value; what it shows does not say what became of it."""

    #: So little time has passed that its release may be about to show.
    fresh: bool
    #: Its release, where it is known.
    release: Release | None = None


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

    `view` must hold all that `to_read_next` asks for. What Heroku does not show is never taken
    for proof, neither that the value is live nor that it is not.
    """
    live = view.live(promotion)
    if live is not None and _lasts(promotion, live, view):
        return Live(release=live)
    if promotion.step is Step.QUEUED:
        return _to_send(view)
    if _unreadable(promotion, view):
        return Unproven(fresh=_fresh(promotion, now))
    release = _known_release(promotion, view)
    if release is not None:
        return _with_release(promotion, release, view, now)
    return _without_release(promotion, view, now)


def _lasts(promotion: Promotion, live: Release, view: TargetView) -> bool:
    """Tell a live value that stays from one that an older release shows for a last moment."""
    baseline = promotion.baseline_version
    ours_or_later = baseline is not None and live.version > baseline
    return ours_or_later or (view.running is None and promotion.carried_by(view.config_vars))


def _unreadable(promotion: Promotion, view: TargetView) -> bool:
    """Tell whether Heroku hides something that could prove what became of the value.

    What the current release carried before does not, of a value that is nowhere else.
    """
    hidden = [r for r in _evidence(promotion, view) if view.carries(r, promotion) is None]
    if promotion.step is Step.INTENT and not promotion.carried_by(view.config_vars):
        baseline = promotion.baseline_version or 0
        found = _known_release(promotion, view)
        hidden = [r for r in hidden if found is not None or r.version > baseline]
    return bool(hidden)


def _fresh(promotion: Promotion, now: datetime) -> bool:
    entered = promotion.step_entered_at
    return entered is not None and now - entered < RELEASE_APPEARS_WITHIN


def _to_send(view: TargetView) -> NotSent | Behind:
    return Behind(release=view.running) if view.running else NotSent()


def _known_release(promotion: Promotion, view: TargetView) -> Release | None:
    if promotion.release_version is None:
        return next((r for r in view.candidates(promotion) if view.carries(r, promotion)), None)
    return _release_of(promotion, view)


def _release_of(promotion: Promotion, view: TargetView) -> Release | None:
    """The release that is on record as the promotion's own, if Heroku still lists it."""
    return next((r for r in view.releases if r.version == promotion.release_version), None)


def _without_release(
    promotion: Promotion,
    view: TargetView,
    now: datetime,
) -> NotLive | Unproven | NotSent | Behind:
    if promotion.release_version is not None:
        return Unproven(fresh=False)
    if promotion.step in {Step.INTENT, None}:
        landed = promotion.carried_by(view.config_vars) and _changes_something(promotion)
        just_now = landed and _fresh(promotion, now)
        # Releases are read before the config: a PATCH that lands in between shows here alone.
        return Unproven(fresh=True) if just_now else _to_send(view)
    undecided = {ReleaseStatus.PENDING, ReleaseStatus.UNKNOWN}
    fresh = _fresh(promotion, now)
    if fresh or any(release.status in undecided for release in view.candidates(promotion)):
        return Unproven(fresh=fresh)
    if promotion.carried_by(view.config_vars):
        return NotLive(
            effect=Effect.STORED_NOT_LIVE,
            reason=f"Heroku {stored_as(promotion)} but made no release for it; "
            "it goes live with the target's next release, whoever makes it "
            "(heroku releases:retry, or a deployment).",
        )
    return NotLive(
        effect=Effect.NONE,
        reason="Heroku took the value, but no release carries it and the config var holds "
        "something else now: it was changed outside Hoist.",
    )


def stored_as(promotion: Promotion) -> str:
    """What Heroku does, where its config vars are as the promotion wants them."""
    return "holds the value" if promotion.value is not None else "has removed the config var"


def not_stored(promotion: Promotion) -> str:
    """What is so where its config vars are not as the promotion wants them."""
    removes = promotion.value is None
    return (
        "The config var is still there." if removes else "The config var does not hold the value."
    )


def _changes_something(promotion: Promotion) -> bool:
    """Tell whether something else was live when the intent was recorded.

    A failed release may have left the very value stored: that looks like a PATCH that landed.
    """
    return promotion.previous_value != promotion.value


def _with_release(
    promotion: Promotion,
    release: Release,
    view: TargetView,
    now: datetime,
) -> NotLive | Running | Unproven:
    current = view.current
    if release.status is ReleaseStatus.PENDING:
        return Running(release=release)
    if not _ended_for_good(promotion, release, current, now):
        return Unproven(fresh=False, release=release)
    for later in view.running_after(release):
        if view.carries(later, promotion):
            # A retry of the release, or a later one, is about to make it live after all.
            return Running(release=later)
    stored = promotion.carried_by(view.config_vars)
    return NotLive(
        effect=Effect.STORED_NOT_LIVE if stored else Effect.NONE,
        reason=_reason(promotion, release, view),
        release=release,
    )


def _ended_for_good(
    promotion: Promotion, release: Release, current: Release | None, now: datetime
) -> bool:
    """Tell whether a release that neither runs nor is live is not about to become live.

    One that has just succeeded is about to. Of two that ran at once the older may have ended last
    and be the current one since: it is not documented, and not ruled out. How long that has been
    so is known by when a worker first saw it, for Heroku does not say when a release ended.
    """
    if not release.succeeded:
        return release.status is not ReleaseStatus.UNKNOWN
    ended = promotion.release_ended_at
    long_ago = ended is not None and now - ended >= RELEASE_APPEARS_WITHIN
    return _replaced(release, current) or long_ago


def _replaced(release: Release, current: Release | None) -> bool:
    return current is not None and current.version > release.version


def _reason(promotion: Promotion, release: Release, view: TargetView) -> str:
    current = view.current
    happened = {
        ReleaseStatus.SUCCEEDED: "succeeded, and was then replaced from outside Hoist"
        if _replaced(release, current)
        else "succeeded, but an older release became the current one after it",
        ReleaseStatus.FAILED: "failed (its output at Heroku says why)",
        ReleaseStatus.EXPIRED: "carried the value but has expired",
    }[release.status]
    now = ""
    if current:
        carries = view.carries(current, promotion)
        does = "still carries it, until it is replaced" if carries else "does not carry it"
        now = f"The current release v{current.version} {does}."
    kept = (
        f"Heroku {stored_as(promotion)}: it would go live with the target's next release."
        if promotion.carried_by(view.config_vars)
        else not_stored(promotion)
    )
    return " ".join(part for part in (f"Release v{release.version} {happened}.", now, kept) if part)
