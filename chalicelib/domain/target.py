"""Targets: the Heroku apps that Hoist may change, and the policy for each."""

from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from chalicelib.domain.audit import GENESIS
from chalicelib.domain.ladder import Ladder

#: Promotions that share one PATCH, and so one restart of the app.
MAX_FLAGS_PER_RELEASE = 50


@dataclass(frozen=True, kw_only=True)
class Target:
    """A listed Heroku app and its policy. A `Record`."""

    app: str
    version: int = 0
    description: str | None = None
    max_flags_per_release: int = MAX_FLAGS_PER_RELEASE
    ladder: Ladder = field(default_factory=Ladder)
    #: Shell-style patterns; a flag has to match one of them. None at all: every flag may come.
    flag_patterns: tuple[str, ...] = ()
    #: Where the same value has to be live before it may come here.
    staging_app: str | None = None
    #: How many others have to approve a promotion before it begins.
    min_approvals: int = 0
    #: It has to be staged, and so to have passed preflight, before it is promoted.
    stage_first: bool = False
    #: The catalogue that knows its flags; others are refused.
    catalogue: str | None = None
    audit_hash: str = GENESIS

    @property
    def subject(self) -> str:
        """What its audit entries are found under."""
        return f"target:{self.app}"

    def allows(self, flag: str) -> bool:
        """Tell whether the policy admits this flag."""
        patterns = self.flag_patterns
        return not patterns or any(fnmatchcase(flag, pattern) for pattern in patterns)
