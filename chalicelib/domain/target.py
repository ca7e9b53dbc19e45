"""Targets: the Heroku apps that Hoist may change, and the policy for each."""

from dataclasses import dataclass, field

from chalicelib.domain.ladder import Ladder

#: Promotions that share one PATCH, and so one restart of the app.
MAX_FLAGS_PER_RELEASE = 50


@dataclass(frozen=True, kw_only=True)
class Target:
    """A listed Heroku app."""

    app: str
    version: int
    description: str | None = None
    max_flags_per_release: int = MAX_FLAGS_PER_RELEASE
    ladder: Ladder = field(default_factory=Ladder)
