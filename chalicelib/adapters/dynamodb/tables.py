"""The tables as PynamoDB models, bound to their names and to one shared connection.

Times are text that sorts (`domain.moment`), which a person can read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, TypeVar

from botocore.session import Session, get_session
from pynamodb.attributes import (
    BooleanAttribute,
    JSONAttribute,
    NumberAttribute,
    UnicodeAttribute,
)
from pynamodb.connection import Connection
from pynamodb.exceptions import PynamoDBException
from pynamodb.indexes import AllProjection, GlobalSecondaryIndex
from pynamodb.models import Model

from chalicelib.domain.audit import GENESIS
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.target import MAX_FLAGS_PER_RELEASE

_M = TypeVar("_M", bound=Model)


def read_time(text: str | None) -> datetime | None:
    """A stored time; `None` where there is none, or none that can be read."""
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


class OpenIndex(GlobalSecondaryIndex[Any]):
    """Sparse: promotions that have not settled, by state and time in it. The watchdog's."""

    class Meta:
        """PynamoDB's options."""

        index_name = "open"
        projection = AllProjection()

    open_state = UnicodeAttribute(hash_key=True)
    state_entered_at = UnicodeAttribute(range_key=True)


class DeployingIndex(GlobalSecondaryIndex[Any]):
    """Sparse: promotions in `deploying`, by target, oldest first. The worker's."""

    class Meta:
        """PynamoDB's options."""

        index_name = "deploying"
        projection = AllProjection()

    deploying_target = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class TargetIndex(GlobalSecondaryIndex[Any]):
    """All promotions of a target. Lists'."""

    class Meta:
        """PynamoDB's options."""

        index_name = "by_target"
        projection = AllProjection()

    target = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class MonthIndex(GlobalSecondaryIndex[Any]):
    """All promotions marked in a month. Lists'."""

    class Meta:
        """PynamoDB's options."""

        index_name = "by_month"
        projection = AllProjection()

    month = UnicodeAttribute(hash_key=True)
    id = UnicodeAttribute(range_key=True)


class PromotionRow(Model):
    """A promotion. Attributes are named as `Promotion`'s fields; four more feed the indexes."""

    id = UnicodeAttribute(hash_key=True)
    target = UnicodeAttribute()
    flag = UnicodeAttribute()
    value = UnicodeAttribute(null=True)
    state = UnicodeAttribute()
    version = NumberAttribute()
    created_at = UnicodeAttribute()
    created_by = UnicodeAttribute()
    state_entered_at = UnicodeAttribute(null=True)
    expires_at = UnicodeAttribute()
    audit_hash = UnicodeAttribute()
    note = UnicodeAttribute(null=True)
    description = UnicodeAttribute(null=True)
    retries = UnicodeAttribute(null=True)
    reverts = UnicodeAttribute(null=True)
    #: Pairs of name and time.
    approvals = JSONAttribute(null=True)
    step = UnicodeAttribute(null=True)
    step_entered_at = UnicodeAttribute(null=True)
    rung = UnicodeAttribute(null=True)
    acknowledged_until = UnicodeAttribute(null=True)
    acknowledged_by = UnicodeAttribute(null=True)
    expiry_warned_at = UnicodeAttribute(null=True)
    not_before = UnicodeAttribute(null=True)
    held_by = UnicodeAttribute(null=True)
    rca_url = UnicodeAttribute(null=True)
    promoted_by = UnicodeAttribute(null=True)
    promoted_at = UnicodeAttribute(null=True)
    promote_key = UnicodeAttribute(null=True)
    previous_value = UnicodeAttribute(null=True)
    baseline_version = NumberAttribute(null=True)
    patched_at = UnicodeAttribute(null=True)
    release_id = UnicodeAttribute(null=True)
    release_version = NumberAttribute(null=True)
    release_ended_at = UnicodeAttribute(null=True)
    settled_at = UnicodeAttribute(null=True)
    settled_by = UnicodeAttribute(null=True)
    effect = UnicodeAttribute(null=True)
    reason = UnicodeAttribute(null=True)
    observed = JSONAttribute(null=True)
    settle_key = UnicodeAttribute(null=True)

    month = UnicodeAttribute()
    open_state = UnicodeAttribute(null=True)
    deploying_target = UnicodeAttribute(null=True)

    open_index = OpenIndex()
    deploying_index = DeployingIndex()
    target_index = TargetIndex()
    month_index = MonthIndex()


class AuditRow(Model):
    """An audit entry, with the hash that seals it."""

    # Most subjects are promotions, and the table's key was named after them.
    subject = UnicodeAttribute(hash_key=True, attr_name="promotion_id")
    version = NumberAttribute(range_key=True)
    target = UnicodeAttribute(null=True)
    flag = UnicodeAttribute(null=True)
    at = UnicodeAttribute()
    actor = UnicodeAttribute()
    action = UnicodeAttribute()
    from_state = UnicodeAttribute(null=True)
    to_state = UnicodeAttribute(null=True)
    step = UnicodeAttribute(null=True)
    facts = JSONAttribute()
    prev_hash = UnicodeAttribute()
    hash = UnicodeAttribute()


class LockRow(Model):
    """A lock, or a record beside the locks, by what it is.

    `target:<app>`, `flag:<app>:<flag>` and `key:<operator>:<hash>` are locks; `catalogue:<id>`,
    `freezes`, `brake:<hour>` and `baseline:<app>` (see `baselines.py`) are what is read with them.
    """

    name = UnicodeAttribute(hash_key=True)
    #: target: the lease.
    holder = UnicodeAttribute(null=True)
    attempt = NumberAttribute(null=True)
    since = UnicodeAttribute(null=True)
    until = UnicodeAttribute(null=True)
    looked_at = UnicodeAttribute(null=True)
    next_look_at = UnicodeAttribute(null=True)
    waiting_kind = UnicodeAttribute(null=True)
    waiting_text = UnicodeAttribute(null=True)
    waiting_since = UnicodeAttribute(null=True)
    denied = UnicodeAttribute(null=True)
    batch = NumberAttribute(null=True)
    #: flag, key: the promotion that holds it.
    promotion_id = UnicodeAttribute(null=True)
    fingerprint = UnicodeAttribute(null=True)
    #: catalogue, freezes: a record as JSON, and where its audit chain stands.
    version = NumberAttribute(null=True)
    audit_hash = UnicodeAttribute(null=True)
    document = UnicodeAttribute(null=True)
    #: brake: all operators' wrong codes of its hour.
    wrong_codes = NumberAttribute(null=True)
    #: key, brake: seconds since 1970, for DynamoDB to remove it some days after.
    expires_at = NumberAttribute(null=True)


class OperatorRow(Model):
    """An operator. Attributes are named as `Operator`'s fields. Holds no secret in the clear."""

    name = UnicodeAttribute(hash_key=True)
    role = UnicodeAttribute()
    token_sha256 = UnicodeAttribute()
    totp_reference = UnicodeAttribute(null=True)
    up_to = UnicodeAttribute(null=True)
    disabled = BooleanAttribute(default=False)
    last_timecode = NumberAttribute(default=0)
    failures = NumberAttribute(default=0)
    locks = NumberAttribute(default=0)
    locked_until = UnicodeAttribute(null=True)
    wrong_codes = NumberAttribute(default=0)
    wrong_since = UnicodeAttribute(null=True)
    version = NumberAttribute(default=0)
    audit_hash = UnicodeAttribute(default=GENESIS)


class TargetRow(Model):
    """A listed target and its policy."""

    app = UnicodeAttribute(hash_key=True)
    version = NumberAttribute()
    description = UnicodeAttribute(null=True)
    max_flags_per_release = NumberAttribute(default=MAX_FLAGS_PER_RELEASE)
    #: Seconds by rung; absent: the ladder that is the same for all.
    alert_after_seconds = JSONAttribute(null=True)
    flag_patterns = JSONAttribute(null=True)
    staging_app = UnicodeAttribute(null=True)
    min_approvals = NumberAttribute(default=0)
    stage_first = BooleanAttribute(default=False)
    catalogue = UnicodeAttribute(null=True)
    audit_hash = UnicodeAttribute(default=GENESIS)


@dataclass(frozen=True, kw_only=True)
class TableNames:
    """What the tables are called where this runs."""

    promotions: str
    audit: str
    locks: str
    operators: str
    targets: str


class _Connection(Connection):
    """PynamoDB's, in a session that others use, too: it would make one of its own a thread."""

    def __init__(self, session: Session) -> None:
        # PynamoDB would wait 30 s for an answer and try four times: longer than an API call lasts.
        super().__init__(
            connect_timeout_seconds=2,
            read_timeout_seconds=4,
            max_retry_attempts=2,
        )
        self._session = session

    @property
    def session(self) -> Session:
        return self._session


@dataclass(frozen=True)
class Tables:
    """The models, bound. PynamoDB binds a model when its class is made, so each is made anew."""

    names: TableNames
    session: Session = field(default_factory=get_session, kw_only=True)

    @cached_property
    def connection(self) -> Connection:
        """One connection for all tables: making a client is most of a cold start."""
        return _Connection(self.session)

    @cached_property
    def promotions(self) -> type[PromotionRow]:
        """Promotions and their indexes."""
        return self._bound(PromotionRow, self.names.promotions)

    @cached_property
    def audit(self) -> type[AuditRow]:
        """The audit trail."""
        return self._bound(AuditRow, self.names.audit)

    @cached_property
    def locks(self) -> type[LockRow]:
        """Locks, and the records beside them: see `LockRow`."""
        return self._bound(LockRow, self.names.locks)

    @cached_property
    def operators(self) -> type[OperatorRow]:
        """Operators."""
        return self._bound(OperatorRow, self.names.operators)

    @cached_property
    def targets(self) -> type[TargetRow]:
        """Targets."""
        return self._bound(TargetRow, self.names.targets)

    def _bound(self, model: type[_M], table_name: str) -> type[_M]:
        meta = type("Meta", (), {"table_name": table_name})
        bound: type[_M] = type(model.__name__, (model,), {"Meta": meta})
        # PynamoDB gives each model a connection, and so a client, of its own: let them share one.
        table = bound._get_connection()  # noqa: SLF001 - there is no public way
        self.connection.add_meta_table(table.get_meta_table())
        table.connection = self.connection
        return bound


_PASSING = frozenset(
    {
        "InternalServerError",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "ThrottlingException",
        # A single write met a transaction in flight on the same row; botocore does not repeat it.
        "TransactionConflictException",
        "TransactionInProgressException",
    },
)


def code_of(error: PynamoDBException) -> str | None:
    """What DynamoDB calls the error; `None` where no answer came.

    PynamoDB's own `cause_response_code` stumbles over a read that timed out: botocore's exception
    has a `response` then, and it is `None`.
    """
    answer = getattr(error.cause, "response", None) or {}
    code: str | None = answer.get("Error", {}).get("Code")
    return code


def condition_failed(error: PynamoDBException) -> bool:
    """Tell a single conditional write that lost from one that went wrong."""
    return code_of(error) == "ConditionalCheckFailedException"


@contextmanager
def translated() -> Iterator[None]:
    """Tell DynamoDB's being away, which passes, from anything that is wrong with the request."""
    try:
        yield
    except PynamoDBException as error:
        code = code_of(error)
        if code is None or code in _PASSING:
            detail = f"DynamoDB does not answer right now ({code or 'no answer'})."
            raise Unavailable(detail) from error
        raise
