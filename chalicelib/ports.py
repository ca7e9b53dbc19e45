"""What the use cases need of the world, each with the guarantee it relies on."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol

from chalicelib.domain.audit import StoredEntry
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.drift import Baseline, Declared, Drift
from chalicelib.domain.errors import HoistError
from chalicelib.domain.freeze import FreezePlan
from chalicelib.domain.lease import Lease, TargetLock, WaitingOn
from chalicelib.domain.notice import Notice
from chalicelib.domain.operator import Operator, SpentCode
from chalicelib.domain.promotion import Change, Promotion, State
from chalicelib.domain.record import Revision
from chalicelib.domain.release import AppConfig, Release
from chalicelib.domain.target import Target


class Clock(Protocol):
    """Time. The only source of it."""

    def now(self) -> datetime:
        """The time, aware, in UTC."""
        ...

    def sleep(self, duration: timedelta) -> None:
        """Let `duration` pass."""
        ...


class PromotionIds(Protocol):
    """Names for promotions."""

    def new(self, at: datetime) -> str:
        """A name never given before. Names of later milliseconds sort after earlier ones."""
        ...


class Clash(StrEnum):
    """Which condition of a transition did not hold."""

    #: The promotion is not at the version (and state) that it was read at.
    PROMOTION = "promotion"
    #: Another promotion of this flag is open at this target.
    FLAG_LOCK = "flag_lock"
    #: The idempotency key was used before.
    KEY = "key"
    #: The code was spent, or the operator's record has moved since it was read.
    SECOND_FACTOR = "second_factor"
    #: The worker's lease is not the target's newest.
    FENCE = "fence"
    #: The flag was deployed anew, or its drift was told, meanwhile.
    BASELINE = "baseline"
    #: The operator, target, freeze or catalogue is not as it was read.
    RECORD = "record"


class Lost(Exception):
    """The conditions that did not hold, with what is stored in their place. Nothing was written."""

    def __init__(
        self,
        clashes: Iterable[Clash],
        *,
        stored: Promotion | None = None,
        holder: str | None = None,
    ) -> None:
        self.clashes = frozenset(clashes)
        #: The promotion as it is stored now, where it is what clashed.
        self.stored = stored
        #: The promotion that holds the flag's lock, where that is what clashed.
        self.holder = holder
        super().__init__(", ".join(sorted(self.clashes)))


@dataclass(frozen=True, kw_only=True)
class UsedKey:
    """An idempotency key, whose it is, and the request that it stands for."""

    operator: str
    key: str
    #: Fingerprint of the request: the same key with another one is a mistake.
    fingerprint: str
    promotion_id: str
    #: After this the key is forgotten.
    until: datetime


@dataclass(frozen=True, kw_only=True)
class Query:
    """Which promotions a list shall show; `None` is "any"."""

    target: str | None = None
    flag: str | None = None
    state: str | None = None


@dataclass(frozen=True, kw_only=True)
class Page:
    """Promotions, newest first, and where the next page begins (`None`: this is the last)."""

    promotions: tuple[Promotion, ...]
    next_before: str | None = None


class PromotionStore(Protocol):
    """Promotions and their audit trail."""

    def get(self, promotion_id: str) -> Promotion | None:
        """The promotion as last written (consistent read)."""
        ...

    def commit(
        self,
        change: Change,
        *,
        key: UsedKey | None = None,
        spend: SpentCode | None = None,
        fence: Lease | None = None,
    ) -> None:
        """Write one transition, whole or not at all: compare-and-set.

        The promotion must be as `change.before` was read; its audit entry is added; its flag's
        lock is taken when it opens and given back when it settles; `key` must be unused;
        `spend` must be newer than its operator's last code, and that operator's record as read;
        `fence` must be the target's newest lease.
        Raises `Lost`, and writes nothing, where any of that does not hold.
        """
        ...

    def deploying(self, target: str) -> Sequence[Promotion]:
        """All promotions of the target in `deploying`, oldest first. May lag by some seconds."""
        ...

    def open(self, state: State) -> Sequence[Promotion]:
        """All promotions in this state, longest in it first. May lag by some seconds.

        Only for states that are not terminal. Costs what these promotions cost, however many
        have settled.
        """
        ...

    def page(self, query: Query, *, before: str | None, limit: int, now: datetime) -> Page:
        """Up to `limit` promotions that fit, newest first, with ids less than `before`.

        A page may hold fewer and still not be the last: what it costs is bounded.
        """
        ...

    def trail(self, promotion_id: str) -> Sequence[StoredEntry]:
        """The promotion's audit entries, oldest first (consistent read)."""
        ...

    def open_promotion(self, target: str, flag: str) -> str | None:
        """The open promotion of this flag at this target, if there is one (consistent read)."""
        ...

    def used_key(self, operator: str, key: str) -> UsedKey | None:
        """What the operator last used this idempotency key for, forgotten or not."""
        ...


class Baselines(Protocol):
    """What Hoist deployed at each target: kept by the very transactions that deploy."""

    def get(self, target: str) -> Baseline:
        """The target's baseline as last written (consistent read)."""
        ...

    def record(
        self,
        baseline: Baseline,
        declared: Declared,
        drift: Drift | None,
        change: Change,
    ) -> None:
        """Write a drift's begin (or, with `None`, its end) together with its audit entry.

        Raises `Lost`, and writes nothing, where the flag was deployed anew, or its drift told,
        since `baseline` was read.
        """
        ...


class TargetLocks(Protocol):
    """One worker a target."""

    def acquire(
        self, target: str, *, holder: str, now: datetime, until: datetime
    ) -> Lease | TargetLock:
        """Take the target's lease: compare-and-set, with a fencing `attempt` that only grows.

        Returns the lease, or the lock as it stands where another holder's lease still runs.
        """
        ...

    def renew(self, lease: Lease, *, until: datetime) -> None:
        """Make the lease last longer. Raises `LeaseLost` where it is not the newest any more."""
        ...

    def leave_word(self, lease: Lease, waiting_on: WaitingOn) -> None:
        """Say what the target waits for; does nothing where the lease is not the newest."""
        ...

    def release(self, lease: Lease, left: TargetLock) -> None:
        """Give the lease back, and leave the lock so. Does nothing where it is not the newest."""
        ...

    def get(self, target: str) -> TargetLock:
        """The target's lock as last written (consistent read)."""
        ...

    def get_all(self, targets: Iterable[str]) -> Mapping[str, TargetLock]:
        """The locks of many targets at once (consistent reads)."""
        ...


class Operators(Protocol):
    """The people and services who may call."""

    def get(self, name: str) -> Operator | None:
        """The operator as last written (consistent read)."""
        ...

    def all(self) -> Sequence[Operator]:
        """Every operator, by name (consistent reads)."""
        ...

    def count_failure(self, before: Operator, after: Operator) -> bool:
        """Write what a wrong code that locks nobody out has changed: compare-and-set, unaudited.

        `False`, and nothing written, where the record has moved since `before` was read.
        """
        ...

    def write(self, revision: Revision[Operator], *, spend: SpentCode | None = None) -> None:
        """Write an operator's next version and its audit entry, whole or not at all.

        `spend`, another operator's code, is spent with it. Raises `Lost`, and writes nothing,
        where the record has moved since `before` was read, be it by a code, or the code is spent.
        """
        ...

    def count_wrong_code(self, now: datetime) -> int:
        """Count one more wrong code of anybody in this hour, and return how many there were."""
        ...


class Targets(Protocol):
    """The apps that Hoist may change. An app that is not listed is refused."""

    def get(self, app: str) -> Target | None:
        """The target as last written (consistent read)."""
        ...

    def all(self) -> Sequence[Target]:
        """Every listed target, by name."""
        ...

    def write(self, revision: Revision[Target]) -> None:
        """Write a target's next version and its audit entry, whole or not at all.

        Raises `Lost`, and writes nothing, where another version than `before` is stored.
        """
        ...


class Catalogues(Protocol):
    """What flags there are, as backends say."""

    def get(self, catalogue_id: str) -> Catalogue | None:
        """The catalogue as last written (consistent read)."""
        ...

    def write(self, revision: Revision[Catalogue]) -> None:
        """Write a catalogue's next version and its audit entry, whole or not at all.

        Raises `Lost`, and writes nothing, where another version than `before` is stored.
        """
        ...


class Freezes(Protocol):
    """The windows in which no promotion begins."""

    def get(self) -> FreezePlan:
        """All freezes as last written (consistent read); an empty plan before the first."""
        ...

    def write(self, revision: Revision[FreezePlan]) -> None:
        """Write the plan's next version and its audit entry, whole or not at all.

        Raises `Lost`, and writes nothing, where another version than `before` is stored.
        """
        ...


class SecondFactor(Protocol):
    """Time-based one-time passwords (RFC 6238)."""

    def timecode(self, operator: Operator, code: str, *, at: datetime) -> int | None:
        """The time step that `code` belongs to, or `None` for a wrong code.

        Looks at one step before and after, for clocks differ. Does not know what was spent.
        """
        ...


class TotpSecrets(Protocol):
    """Keeps operators' TOTP secrets, for a `SecondFactor` to read."""

    def put(self, operator: str, totp_secret: str) -> str:
        """Keep the secret, and return a reference to it that fits no other.

        It counts from when the operator's record refers to it. Those before are kept, too.
        """
        ...


class Wakes(Protocol):
    """The queue of wakes: at least once, in order for each target."""

    def send(self, target: str, *, promotion_id: str | None = None) -> None:
        """Ask a worker to look at the target. Raises `TryAgain` where it could not be queued."""
        ...

    def hold(self, receipt: str, *, lasts: timedelta) -> None:
        """Keep a received wake from other workers for `lasts` from now."""
        ...


@dataclass(frozen=True, kw_only=True)
class Usage:
    """How much Heroku was asked."""

    calls: int = 0
    #: Calls without an answer, or with one that is neither a success nor a plain refusal.
    errors: int = 0
    #: What is left of the account's rate limit, where the last reply said so.
    left: int | None = None


class AppReads(Protocol):
    """What Heroku shows. Of config vars those that carry flags come through, and the size of all.

    Every call may raise `TryAgain` (nothing is known), `AccessDenied` (Heroku refuses Hoist
    itself) or `Refused` (this will never work).
    """

    def config(self, app: str) -> AppConfig:
        """The app's config vars that carry flags, and what all of them take."""
        ...

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:
        """Releases, newest first and without a gap, down to `after` and to the current one."""
        ...

    def release_config_vars(self, app: str, version: int) -> Mapping[str, str] | None:
        """The config vars of one release that carry flags; `None` where Heroku keeps none of it.

        They never change.
        """
        ...


class Apps(AppReads, Protocol):
    """Heroku apps, to read and to change."""

    def set_config_vars(self, app: str, changes: Mapping[str, str | None]) -> None:
        """Set these and remove those that are `None`, in one PATCH: at most one release.

        Raises what reads do, and `Ambiguous` where Heroku may have done it without our hearing
        of it.
        """
        ...

    def calls_left(self) -> int | None:
        """What the last reply said is left of the account's rate limit, if it said so."""
        ...

    def scopes(self) -> frozenset[str] | None:
        """What the last reply said Hoist's token may do, in Heroku's words, if it said so."""
        ...

    def require_writing(self) -> None:
        """Raise `AccessDenied` where the last reply said that the token sets no config vars."""
        ...

    def take_usage(self) -> Usage:
        """What was used since this was asked last."""
        ...


class Undeliverable(HoistError):
    """The channel will never take this: its configuration has to be mended by somebody."""


class Channel(Protocol):
    """A way to reach people."""

    def deliver(self, notice: Notice) -> None:
        """Hand the notice over. Doubled notices carry the same dedup key.

        Raises `TryAgain` where the channel is away or asks us to slow down, and `Undeliverable`
        where it refuses for good.
        """
        ...


class Alive(Protocol):
    """A heartbeat that goes on while a worker lives."""

    def check(self) -> None:
        """Raise `LeaseLost` where the lease may have ended: stop before the next effect."""
        ...


class Heartbeat(Protocol):
    """Keeps a worker's claims from ending while it lives."""

    def __call__(self, lease: Lease, receipt: str | None) -> AbstractContextManager[Alive]:
        """Hold the wake at once; then hold it and renew the lease every `HEARTBEAT_EVERY`."""
        ...
