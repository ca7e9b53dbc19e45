"""What a release is, and how an app's release phase treats it. Values only, no I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

#: The full config of an app. Holds its secrets.
Config = dict[str, str]
#: A difference of config: a value to set, or None to delete.
Changes = Mapping[str, str | None]


class Status(StrEnum):
    """A release's status, in the words of the official schema."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    #: Its artifacts were destroyed because it is old. Not a failure.
    EXPIRED = "expired"


class PhaseResult(StrEnum):
    """How a release phase ends."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    #: Never, until it is finished by hand.
    PENDING = "pending"


class PendingShows(StrEnum):
    """Which config `GET config-vars` shows while a release is pending."""

    OLD = "old"
    NEW = "new"


class FailedValue(StrEnum):
    """What happens to the values of a release that failed. Which one Heroku does is unknown."""

    #: Heroku holds them: they go live with the next successful release.
    KEPT = "kept"
    DROPPED = "dropped"


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How one app answers where Heroku depends on the app, or where its answer is unknown."""

    release_phase: bool = False
    phase_seconds: float = 1.0
    phase_result: PhaseResult = PhaseResult.SUCCEEDED
    pending_shows: PendingShows = PendingShows.OLD
    failed_value: FailedValue = FailedValue.KEPT
    same_value_releases: bool = False


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release: an immutable snapshot of config and slug, with a status that moves once."""

    id: str
    version: int
    status: Status
    description: str
    user: str
    slug: str | None
    created_at: datetime
    updated_at: datetime
    #: The whole config this release runs with.
    config: Config = field(repr=False)
    #: What it changed against the config Heroku held when it was created.
    changes: Changes = field(repr=False)
    #: When its release phase ends, and how; None: it has no phase, or a phase without an end.
    settles_at: datetime | None = None
    settles_as: Status = Status.SUCCEEDED
    #: Whether a failed release's values stay with the app.
    value_kept: bool = False
    had_phase: bool = False


def merged(config: Mapping[str, str], changes: Changes) -> Config:
    """Heroku's merge: per key, None deletes, keys not named stay."""
    after = {key: value for key, value in config.items() if key not in changes}
    after.update({key: value for key, value in changes.items() if value is not None})
    return after


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """Find the changes that lead from one config to another."""
    gone: dict[str, str | None] = {key: None for key in before if key not in after}
    return gone | {key: value for key, value in after.items() if before.get(key) != value}


def describe(changes: Changes) -> str:
    """Heroku's description of a config change, e.g. `Set FOO, BAR config vars`.

    How Heroku words a change that both sets and removes is unknown; that wording is ours.
    """
    changed = [key for key, value in changes.items() if value is not None]
    removed = [key for key, value in changes.items() if value is None]
    parts = [f"Set {', '.join(changed)} config vars"] if changed else []
    parts += [f"Remove {', '.join(removed)} config vars"] if removed else []
    return ", ".join(parts)
