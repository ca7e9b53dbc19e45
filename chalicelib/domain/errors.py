"""Every way to say no; the branch says who acts next."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Code(StrEnum):
    """What went wrong, as a word that never changes: clients, alarms and the runbook key on it."""

    INVALID_REQUEST = "invalid_request"
    BODY_TOO_LARGE = "body_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNAUTHENTICATED = "unauthenticated"
    ROLE_INSUFFICIENT = "role_insufficient"
    ON_BEHALF_REFUSED = "on_behalf_refused"
    NOT_FOUND = "not_found"
    TARGET_UNLISTED = "target_unlisted"
    FLAG_UNKNOWN = "flag_unknown"
    FLAG_BUSY = "flag_busy"
    STATE_FORBIDS = "state_forbids"
    PREFLIGHT_BLOCKS = "preflight_blocks"
    WARNINGS_UNACKNOWLEDGED = "warnings_unacknowledged"
    STAGE_FIRST = "stage_first"
    APPROVALS_MISSING = "approvals_missing"
    OWN_APPROVAL = "own_approval"
    FROZEN = "frozen"
    EVIDENCE_CONTRADICTS = "evidence_contradicts"
    EVIDENCE_MISSING = "evidence_missing"
    VALUE_CHANGED = "value_changed"
    VERSION_STALE = "version_stale"
    KEY_REUSED = "key_reused"
    TOTP_REQUIRED = "totp_required"
    TOTP_INVALID = "totp_invalid"
    TOTP_REUSED = "totp_reused"
    TOTP_LOCKED = "totp_locked"
    THROTTLED = "throttled"
    CONTENTION = "contention"
    UNAVAILABLE = "unavailable"
    INTERNAL = "internal"


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One field that is wrong: where it stands, what is wrong with it, what to do."""

    field: str
    detail: str


class HoistError(Exception):
    """Something did not happen, for a reason that Hoist knows."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or self.__doc__)

    @property
    def detail(self) -> str:
        """A sentence for the person who reads it. Never holds a secret."""
        return str(self.args[0])


class Rejected(HoistError):
    """The request cannot be carried out as it is: the caller changes something."""

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        errors: tuple[FieldError, ...] = (),
        conflict: Mapping[str, object] | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(detail)
        self.code = code
        self.errors = errors
        self.conflict = conflict
        self.retry_after = retry_after


class Refused(HoistError):
    """Heroku said no for good; the same request would be refused again."""


class TryAgain(HoistError):
    """Nobody's fault, and nothing is known to be wrong with the promotion: look again later."""

    def __init__(
        self, detail: str | None = None, *, after: timedelta = timedelta(seconds=5)
    ) -> None:
        super().__init__(detail)
        self.after = after


class Unavailable(TryAgain):
    """A part of Hoist itself (its tables, its queue, its secrets) does not answer right now."""


class Ambiguous(TryAgain):
    """The effect may have happened or not: read before sending anything again."""


class AccessDenied(TryAgain):
    """Heroku refuses Hoist itself (token, scope, account): no promotion's fault; somebody acts."""


class LeaseLost(TryAgain):
    """Another worker may hold the target now: stop before the next effect."""
