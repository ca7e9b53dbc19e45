"""Where a target is not as Hoist left it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from chalicelib.domain.flag import config_var


class DriftKind(StrEnum):
    """How a flag differs from what Hoist deployed last."""

    #: Its config var holds something else, or is gone: somebody changed it, or rolled back.
    CHANGED = "changed"
    #: Its config var is as deployed, but the current release does not carry it.
    STORED_NOT_LIVE = "stored_not_live"


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What Hoist deployed last of one flag at one target."""

    flag: str
    value: str | None
    promotion_id: str


@dataclass(frozen=True, kw_only=True)
class Drift:
    """A difference that was told, and is not over."""

    flag: str
    kind: DriftKind
    since: datetime


@dataclass(frozen=True, kw_only=True)
class Baseline:
    """All that Hoist deployed at a target, and how the target is known to differ from it."""

    target: str
    declared: Mapping[str, Declared] = field(default_factory=dict)
    drifts: Mapping[str, Drift] = field(default_factory=dict)


def drift_kind(
    declared: Declared,
    *,
    config_vars: Mapping[str, str],
    live: Mapping[str, str] | None,
) -> DriftKind | None:
    """How the target differs in this flag; `live` are the current release's own config vars.

    What Heroku does not show is not taken for a difference.
    """
    name = config_var(declared.flag)
    if config_vars.get(name) != declared.value:
        return DriftKind.CHANGED
    if live is not None and live.get(name) != declared.value:
        return DriftKind.STORED_NOT_LIVE
    return None
