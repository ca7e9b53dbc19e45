"""What flags there are, as a backend's own `feature_flags.yaml` says."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from chalicelib.domain.audit import GENESIS


@dataclass(frozen=True, kw_only=True)
class FlagEntry:
    """What a catalogue says of one flag."""

    name: str
    description: str | None = None
    owner: str | None = None
    default: str | None = None


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The flags that a backend knows. A `Record`; targets name the one that is theirs."""

    id: str
    flags: Mapping[str, FlagEntry] = field(default_factory=dict)
    version: int = 0
    audit_hash: str = GENESIS

    @property
    def subject(self) -> str:
        """What its audit entries are found under."""
        return f"catalogue:{self.id}"

    def near(self, flag: str) -> Sequence[str]:
        """Up to three known flags that may have been meant."""
        return difflib.get_close_matches(flag, self.flags, n=3, cutoff=0.6)
