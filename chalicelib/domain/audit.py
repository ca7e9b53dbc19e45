"""The audit trail: one entry a transition, each sealed to the one before by its hash."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from chalicelib.domain.moment import spell

#: What the first entry of a subject points back to.
GENESIS = "0" * 64


class Action(StrEnum):
    """What was done to a promotion, or to a record that says who may do what, and when."""

    MARK = "mark"
    #: Preflight passed; its time, if it has one, is set.
    STAGE = "stage"
    #: Somebody else than its author has looked at it.
    APPROVE = "approve"
    PROMOTE = "promote"
    #: A failed promotion is sent once more, as a new one.
    RETRY = "retry"
    #: A deployed promotion is taken back, by a new one.
    ROLLBACK = "rollback"
    CANCEL = "cancel"
    #: The worker is about to PATCH: what it will write, over what, after which release.
    RECORD_INTENT = "record_intent"
    #: Heroku answered the PATCH: it holds the value.
    CONFIRM_PATCH = "confirm_patch"
    #: The release that carries the value is known.
    FIND_RELEASE = "find_release"
    SETTLE = "settle"
    #: An operator says that it is live …
    COMPLETE = "complete"
    #: … or that it failed: the escape hatch.
    FAIL = "fail"
    #: Somebody is told that it is `deploying` for long, or that only they can help.
    ALERT = "alert"
    #: Somebody knows: no rung is raised for a while.
    ACKNOWLEDGE = "acknowledge"
    #: Somebody is told that it expires soon.
    WARN_OF_EXPIRY = "warn_of_expiry"
    EXPIRE = "expire"
    #: Its time came, and preflight did not let it begin.
    HOLD = "hold"
    #: What is written about it, not what it does: the link to a retrospective, a note.
    EDIT = "edit"

    # Of operators.
    ADD_OPERATOR = "add_operator"
    ROTATE_TOKEN = "rotate_token"  # noqa: S105 - a word of the audit, not a password
    RESET_TOTP = "reset_totp"
    DISABLE_OPERATOR = "disable_operator"
    ENABLE_OPERATOR = "enable_operator"
    #: Too many wrong codes.
    LOCK_OUT = "lock_out"
    UNLOCK = "unlock"

    # Of targets, freezes and catalogues.
    SET_POLICY = "set_policy"
    SET_FREEZE = "set_freeze"
    LIFT_FREEZE = "lift_freeze"
    IMPORT_CATALOGUE = "import_catalogue"


@dataclass(frozen=True, kw_only=True)
class Act:
    """Who does what, when: the part of an audit entry that its author decides."""

    actor: str
    action: Action
    at: datetime
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """What happened in one change. `version` is the version of its subject that it made."""

    #: What it is about: a promotion's id, or a record's subject such as `operator:pat`.
    subject: str
    version: int
    at: datetime
    actor: str
    action: str
    #: These five say nothing of a record.
    target: str | None = None
    flag: str | None = None
    from_state: str | None = None
    to_state: str | None = None
    step: str | None = None
    #: What was seen or decided: JSON values, never a secret.
    facts: Mapping[str, Any] = field(default_factory=dict)
    prev_hash: str

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the entry and its predecessor's hash, in one canonical spelling."""
        spelled = json.dumps(self.content(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(spelled.encode()).hexdigest()

    def content(self) -> dict[str, Any]:
        """All that the hash covers, as JSON values."""
        return {
            "subject": self.subject,
            "version": self.version,
            "target": self.target,
            "flag": self.flag,
            "at": spell(self.at),
            "actor": self.actor,
            "action": self.action,
            "from_state": self.from_state,
            "to_state": self.to_state,
            "step": self.step,
            "facts": dict(self.facts),
            "prev_hash": self.prev_hash,
        }


@dataclass(frozen=True, kw_only=True)
class StoredEntry:
    """An entry as read back: its content, and the hash that was stored with it."""

    entry: AuditEntry
    hash: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """Whether a trail is whole; if not, the first version at which it breaks, and how."""

    verified: bool
    broken_at: int | None = None
    reason: str | None = None


def verify(trail: Sequence[StoredEntry], *, version: int, head: str) -> Verification:
    """Recompute the chain of one subject, oldest entry first.

    `version` and `head` are the subject's own version and audit hash: they show when entries
    were cut off the end. Detects a changed, missing, added or reordered entry.
    """
    expected_prev = GENESIS
    for expected_version, stored in enumerate(trail, start=1):
        problem = _problem(stored, expected_version, expected_prev)
        if problem:
            return Verification(verified=False, broken_at=expected_version, reason=problem)
        expected_prev = stored.hash
    if len(trail) != version or expected_prev != head:
        return Verification(
            verified=False,
            broken_at=len(trail) + 1,
            reason=f"its subject is at version {version}; the trail ends at {len(trail)}"
            if len(trail) != version
            else "the newest entry is not the one that its subject names",
        )
    return Verification(verified=True)


def _problem(stored: StoredEntry, version: int, prev_hash: str) -> str | None:
    if stored.entry.version != version:
        return f"entry {version} is missing"
    if stored.entry.prev_hash != prev_hash:
        return "it does not follow the entry before it"
    if stored.entry.hash != stored.hash:
        return "its content was changed"
    return None
