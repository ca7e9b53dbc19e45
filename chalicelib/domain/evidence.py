"""What Heroku showed of a promotion at one moment, for an operator who decides what it came to."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from chalicelib.domain.moment import spell
from chalicelib.domain.promotion import Effect, Promotion, Step
from chalicelib.domain.release import (
    RELEASE_APPEARS_WITHIN,
    Behind,
    Live,
    NotLive,
    NotSent,
    Release,
    Running,
    TargetView,
    Unproven,
    judge,
    not_stored,
    stored_as,
)


class Finding(StrEnum):
    """What it comes to."""

    #: A succeeded, current release carries the value.
    LIVE = "live"
    #: Our release is known, and still runs.
    RUNNING = "running"
    #: The current release does not carry the value, and nothing on its way there is known.
    NOT_LIVE = "not_live"
    #: What Heroku shows does not say what became of it.
    UNPROVEN = "unproven"
    #: Heroku did not answer, or refuses Hoist.
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was seen. Of the app's config only the flag's own value."""

    finding: Finding
    seen_at: datetime
    #: In words, for the person who decides.
    said: str
    #: The config var's value; `None` where it is absent, or was not seen.
    value: str | None = None
    present: bool | None = None
    #: The current release, and whether it is the one that counts.
    release: Release | None = None
    effect: Effect = Effect.UNKNOWN

    def facts(self) -> dict[str, Any]:
        """As the audit and callers see it."""
        return {
            "finding": self.finding,
            "seen_at": spell(self.seen_at),
            "said": self.said,
            "value": self.value,
            "present": self.present,
            "release": self.release and self.release.version,
            "release_status": self.release and self.release.status,
            "effect": self.effect,
        }


def unreachable(why: str, *, now: datetime) -> Evidence:
    """Nothing could be seen, and nothing follows from that."""
    return Evidence(
        finding=Finding.UNREACHABLE,
        seen_at=now,
        said=f"Heroku could not be read: {why} What the target holds is not known.",
    )


def evidence_of(promotion: Promotion, view: TargetView, *, now: datetime) -> Evidence:
    """Say what Heroku's view shows of a promotion; `view` holds all that `to_read_next` asks for.

    Where a release of ours runs, that is what counts: the value goes live when it succeeds.
    """
    verdict = judge(promotion, view, now=now)
    unsent = isinstance(verdict, NotSent | Behind)
    if unsent and view.may_be_live(promotion):
        # The worker would send it (again), which is harmless; what it is now is not shown.
        verdict = Unproven(fresh=False)
    value = view.config_vars.get(promotion.config_var)
    current = view.current
    shown: Release | None
    match verdict:
        case Live(release=release):
            finding, effect, shown = Finding.LIVE, Effect.LIVE, release
            has = "carries the value" if promotion.value is not None else "has no such config var"
            said = f"Release v{release.version} is current and {has}: it is live."
        case Running(release=release):
            finding, effect, shown = Finding.RUNNING, Effect.UNKNOWN, release
            said = (
                f"Release v{release.version} carries the value and is still running. It is not "
                "known to have failed; waiting is safe."
            )
        case NotLive(effect=effect, reason=reason, release=found):
            finding, shown = Finding.NOT_LIVE, found or current
            said = reason
        case Unproven() if unsent and promotion.step is Step.QUEUED:
            finding, effect, shown = Finding.UNPROVEN, Effect.UNKNOWN, current
            said = (
                f"Hoist has sent nothing yet. Heroku {stored_as(promotion)} already; whether that "
                "is live, what it shows does not prove. Waiting is safe."
            )
        case Unproven():
            finding, effect, shown = Finding.UNPROVEN, Effect.UNKNOWN, current
            asked = "may have been" if promotion.step is Step.INTENT else "was"
            said = (
                f"Heroku {asked} asked for the value; what it shows of its releases does not prove "
                "yet what became of it. Waiting is safe."
            )
        case NotSent() | Behind() if _may_be_sent_now(promotion, now):
            finding, effect, shown = Finding.UNPROVEN, Effect.UNKNOWN, current
            said = (
                "A worker was about to ask Heroku for it, and may be asking now; what comes of it "
                "shows within two minutes. Waiting is safe."
            )
        case NotSent() | Behind():
            finding, shown = Finding.NOT_LIVE, current
            stored = promotion.carried_by(view.config_vars)
            effect = Effect.STORED_NOT_LIVE if stored else Effect.NONE
            said = (
                f"Heroku {stored_as(promotion)}, but the current release does not carry it: it "
                "would go live with the next one."
                if stored
                else not_stored(promotion)
            )
    return Evidence(
        finding=finding,
        seen_at=now,
        said=said,
        value=value,
        present=promotion.config_var in view.config_vars,
        release=shown,
        effect=effect,
    )


def _may_be_sent_now(promotion: Promotion, now: datetime) -> bool:
    """Tell whether a PATCH may be on its way: its intent was recorded just now."""
    entered = promotion.step_entered_at
    just_now = entered is None or now - entered < RELEASE_APPEARS_WITHIN
    return promotion.step is Step.INTENT and just_now
