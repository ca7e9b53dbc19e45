"""The ports in memory. They keep the ports' promises: the contract tests hold them to it."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from chalicelib.adapters.ids import UlidPromotionIds
from chalicelib.domain.audit import StoredEntry
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.drift import Baseline, Declared, Drift
from chalicelib.domain.errors import AccessDenied, LeaseLost, Refused
from chalicelib.domain.flag import only_flags
from chalicelib.domain.freeze import FreezePlan
from chalicelib.domain.lease import LEASE_LASTS, Lease, TargetLock, WaitingOn
from chalicelib.domain.operator import Operator, SpentCode, proved
from chalicelib.domain.preflight import lacks_writing
from chalicelib.domain.promotion import Change, Promotion, State
from chalicelib.domain.record import Record, Revision
from chalicelib.domain.release import AppConfig, Release, ReleaseStatus
from chalicelib.domain.target import Target
from chalicelib.ports import Alive, Clash, Lost, Page, Query, Usage, UsedKey

#: The incident's morning.
START = datetime(2026, 5, 9, 4, 28, tzinfo=UTC)


@dataclass
class FakeClock:
    """Time that passes only when somebody sleeps or advances it."""

    time: datetime = START

    def now(self) -> datetime:
        return self.time

    def sleep(self, duration: timedelta) -> None:
        self.advance(duration)

    def advance(self, duration: timedelta) -> None:
        self.time += duration


class FakePromotionIds(UlidPromotionIds):
    """The real ones: they need nothing but a clock."""


@dataclass
class FakePromotionStore:
    """Promotions in a dict; one thread at a time."""

    operators: FakeOperators
    locks: FakeTargetLocks
    promotions: dict[str, Promotion] = field(default_factory=dict)
    entries: dict[str, list[StoredEntry]] = field(default_factory=dict)
    flag_locks: dict[tuple[str, str], str] = field(default_factory=dict)
    keys: dict[tuple[str, str], UsedKey] = field(default_factory=dict)
    #: What was deployed last, by target and flag; the baselines' half of the transactions.
    declared: dict[str, dict[str, Declared]] = field(default_factory=dict)
    #: Promotions that the indexes do not show yet, as they showed them before.
    lagging: dict[str, Promotion | None] = field(default_factory=dict)

    def get(self, promotion_id: str) -> Promotion | None:
        return self.promotions.get(promotion_id)

    def commit(
        self,
        change: Change,
        *,
        key: UsedKey | None = None,
        spend: SpentCode | None = None,
        fence: Lease | None = None,
    ) -> None:
        after = change.after
        stored = self.promotions.get(after.id)
        lock = (after.target, after.flag)
        clashes = {
            Clash.PROMOTION: _moved(stored, change.before),
            Clash.FLAG_LOCK: change.opens and lock in self.flag_locks,
            Clash.KEY: key is not None and self._used(key, change.entry.at),
            Clash.SECOND_FACTOR: spend is not None and not self.operators.spendable(spend),
            Clash.FENCE: fence is not None and not self.locks.newest(fence),
        }
        if any(clashes.values()):
            raise Lost(
                (clash for clash, clashed in clashes.items() if clashed),
                stored=stored if clashes[Clash.PROMOTION] else None,
                holder=self.flag_locks.get(lock) if clashes[Clash.FLAG_LOCK] else None,
            )
        self.promotions[after.id] = after
        self.entries.setdefault(after.id, []).append(
            StoredEntry(entry=change.entry, hash=change.entry.hash),
        )
        if change.opens:
            self.flag_locks[lock] = after.id
        if change.settles and self.flag_locks.get(lock) == after.id:
            del self.flag_locks[lock]
        if change.settles and after.state is State.DEPLOYED:
            self.declared.setdefault(after.target, {})[after.flag] = Declared(
                flag=after.flag,
                value=after.value,
                promotion_id=after.id,
            )
        if key:
            self.keys[key.operator, key.key] = key
        if spend:
            self.operators.spend(spend)

    def _used(self, key: UsedKey, now: datetime) -> bool:
        used = self.keys.get((key.operator, key.key))
        return used is not None and used.until > now

    def _indexed(self) -> Iterator[Promotion]:
        for promotion in self.promotions.values():
            seen = self.lagging.get(promotion.id, promotion)
            if seen:
                yield seen

    def deploying(self, target: str) -> Sequence[Promotion]:
        found = [p for p in self._indexed() if p.target == target and p.state is State.DEPLOYING]
        return sorted(found, key=lambda promotion: promotion.id)

    def open(self, state: State) -> Sequence[Promotion]:
        never = datetime.min.replace(tzinfo=UTC)
        found = [p for p in self._indexed() if p.state is state]
        return sorted(found, key=lambda promotion: promotion.state_entered_at or never)

    def page(self, query: Query, *, before: str | None, limit: int, now: datetime) -> Page:  # noqa: ARG002 - the port's signature
        fits = [
            p
            for p in sorted(self._indexed(), key=lambda p: p.id, reverse=True)
            if (query.target is None or p.target == query.target)
            and (query.flag is None or p.flag == query.flag)
            and (query.state is None or p.state == query.state)
            and (before is None or p.id < before)
        ]
        more = len(fits) > limit
        return Page(
            promotions=tuple(fits[:limit]),
            next_before=fits[limit - 1].id if more else None,
        )

    def trail(self, promotion_id: str) -> Sequence[StoredEntry]:
        return list(self.entries.get(promotion_id, []))

    def open_promotion(self, target: str, flag: str) -> str | None:
        return self.flag_locks.get((target, flag))

    def used_key(self, operator: str, key: str) -> UsedKey | None:
        return self.keys.get((operator, key))


@dataclass
class FakeBaselines:
    """Baselines in the store's own dicts."""

    store: FakePromotionStore
    drifts: dict[str, dict[str, Drift]] = field(default_factory=dict)

    def get(self, target: str) -> Baseline:
        return Baseline(
            target=target,
            declared=dict(self.store.declared.get(target, {})),
            drifts=dict(self.drifts.get(target, {})),
        )

    def record(
        self,
        baseline: Baseline,
        declared: Declared,
        drift: Drift | None,
        change: Change,
    ) -> None:
        now, flag = self.get(baseline.target), declared.flag
        if now.declared.get(flag) != declared or now.drifts.get(flag) != baseline.drifts.get(flag):
            raise Lost({Clash.BASELINE})
        self.store.commit(change)
        drifts = self.drifts.setdefault(baseline.target, {})
        drifts.pop(flag, None)
        if drift:
            drifts[flag] = drift


def _moved(stored: Promotion | None, before: Promotion | None) -> bool:
    if stored is None or before is None:
        return stored is not before
    return (stored.version, stored.state) != (before.version, before.state)


@dataclass
class FakeTargetLocks:
    """Leases in a dict."""

    locks: dict[str, TargetLock] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)

    def acquire(
        self,
        target: str,
        *,
        holder: str,
        now: datetime,
        until: datetime,
    ) -> Lease | TargetLock:
        lock = self.get(target)
        if lock.held(now):
            return lock
        self.attempts[target] = self.attempts.get(target, 0) + 1
        lease = Lease(
            target=target,
            holder=holder,
            attempt=self.attempts[target],
            since=now,
            until=until,
        )
        self.locks[target] = replace(lock, lease=lease)
        return replace(lease, waiting_on=lock.waiting_on, denied=lock.denied, batch=lock.batch)

    def newest(self, lease: Lease) -> bool:
        held = self.get(lease.target).lease
        return held is not None and (held.attempt, held.holder) == (lease.attempt, lease.holder)

    def renew(self, lease: Lease, *, until: datetime) -> None:
        if not self.newest(lease):
            raise LeaseLost
        lock = self.get(lease.target)
        held = replace(lease, until=until, waiting_on=None, denied=None, batch=None)
        self.locks[lease.target] = replace(lock, lease=held)

    def leave_word(self, lease: Lease, waiting_on: WaitingOn) -> None:
        if self.newest(lease):
            lock = self.get(lease.target)
            self.locks[lease.target] = replace(lock, waiting_on=waiting_on)

    def release(self, lease: Lease, left: TargetLock) -> None:
        if self.newest(lease):
            self.locks[lease.target] = left

    def get(self, target: str) -> TargetLock:
        return self.locks.get(target, TargetLock(target=target))

    def get_all(self, targets: Iterable[str]) -> Mapping[str, TargetLock]:
        return {target: self.get(target) for target in targets}


@dataclass
class FakeOperators:
    """Operators in a dict."""

    operators: dict[str, Operator] = field(default_factory=dict)
    #: By subject: a `FakePromotionStore` that is handed the same shows them in its `trail`.
    entries: dict[str, list[StoredEntry]] = field(default_factory=dict)
    #: Wrong codes of anybody, by hour.
    wrong_codes: dict[datetime, int] = field(default_factory=dict)

    def get(self, name: str) -> Operator | None:
        return self.operators.get(name)

    def all(self) -> Sequence[Operator]:
        return [self.operators[name] for name in sorted(self.operators)]

    def put(self, operator: Operator) -> None:
        self.operators[operator.name] = operator

    def count_failure(self, before: Operator, after: Operator) -> bool:
        if not self._as_read(before):
            return False
        self.operators[after.name] = replace(
            self.operators[after.name],
            failures=after.failures,
            wrong_codes=after.wrong_codes,
            wrong_since=after.wrong_since,
        )
        return True

    def write(self, revision: Revision[Operator], *, spend: SpentCode | None = None) -> None:
        clashes = {
            Clash.RECORD: not self._as_read(revision.before),
            Clash.SECOND_FACTOR: spend is not None and not self.spendable(spend),
        }
        if any(clashes.values()):
            raise Lost(clash for clash, clashed in clashes.items() if clashed)
        entry = revision.entry
        self.put(revision.after)
        self.entries.setdefault(entry.subject, []).append(StoredEntry(entry=entry, hash=entry.hash))
        if spend:
            self.spend(spend)

    def count_wrong_code(self, now: datetime) -> int:
        hour = now.replace(minute=0, second=0, microsecond=0)
        self.wrong_codes[hour] = self.wrong_codes.get(hour, 0) + 1
        return self.wrong_codes[hour]

    def spendable(self, spend: SpentCode) -> bool:
        stored = self.operators[spend.operator.name]
        unmoved = replace(stored, last_timecode=spend.operator.last_timecode)
        return (
            stored.last_timecode < spend.timecode
            and _compared(unmoved) == _compared(spend.operator)
            and not stored.disabled
        )

    def spend(self, spend: SpentCode) -> None:
        self.put(proved(self.operators[spend.operator.name], spend.timecode))

    def _as_read(self, before: Operator) -> bool:
        stored = self.operators.get(before.name)
        if stored is None:
            return before.token_sha256 == ""
        return _compared(stored) == _compared(before)


def _compared(operator: Operator) -> tuple[object, ...]:
    """What tells whether an operator's record has moved."""
    return (
        operator.version,
        operator.token_sha256,
        operator.failures,
        operator.locks,
        operator.wrong_codes,
        operator.last_timecode,
    )


@dataclass
class FakeTargets:
    """Targets in a dict."""

    targets: dict[str, Target] = field(default_factory=dict)
    #: By subject, as in `FakeOperators`.
    entries: dict[str, list[StoredEntry]] = field(default_factory=dict)

    def get(self, app: str) -> Target | None:
        return self.targets.get(app)

    def all(self) -> Sequence[Target]:
        return [self.targets[app] for app in sorted(self.targets)]

    def write(self, revision: Revision[Target]) -> None:
        _write(self.entries, self.targets.get(revision.after.app), revision)
        self.put(revision.after)

    def put(self, target: Target) -> None:
        """Have it listed, whatever was there before."""
        self.targets[target.app] = target


@dataclass
class FakeCatalogues:
    """Catalogues in a dict."""

    catalogues: dict[str, Catalogue] = field(default_factory=dict)
    #: By subject, as in `FakeOperators`.
    entries: dict[str, list[StoredEntry]] = field(default_factory=dict)

    def get(self, catalogue_id: str) -> Catalogue | None:
        return self.catalogues.get(catalogue_id)

    def write(self, revision: Revision[Catalogue]) -> None:
        _write(self.entries, self.catalogues.get(revision.after.id), revision)
        self.catalogues[revision.after.id] = revision.after


def _write(
    entries: dict[str, list[StoredEntry]],
    stored: Record | None,
    revision: Revision[Record],
) -> None:
    """Add a record's audit entry, where the version that was read is stored."""
    if (stored.version if stored else 0) != revision.before.version:
        raise Lost({Clash.RECORD})
    entry = revision.entry
    entries.setdefault(entry.subject, []).append(StoredEntry(entry=entry, hash=entry.hash))


@dataclass
class FakeFreezes:
    """The plan of all freezes."""

    plan: FreezePlan = field(default_factory=FreezePlan)
    #: By subject, as in `FakeOperators`.
    entries: dict[str, list[StoredEntry]] = field(default_factory=dict)

    def get(self) -> FreezePlan:
        return self.plan

    def write(self, revision: Revision[FreezePlan]) -> None:
        _write(self.entries, self.plan, revision)
        self.plan = revision.after


@dataclass
class FakeTotpSecrets:
    """Keeps secrets where a test can see them, by reference."""

    kept: dict[str, str] = field(default_factory=dict)

    def put(self, operator: str, totp_secret: str) -> str:
        reference = f"{operator}-{len(self.kept) + 1}"
        self.kept[reference] = totp_secret
        return reference


@dataclass
class FakeSecondFactor:
    """The right code is the current half minute's number; the ones beside it pass too."""

    def timecode(self, operator: Operator, code: str, *, at: datetime) -> int | None:  # noqa: ARG002 - the port's signature
        step = int(at.timestamp()) // 30
        return next((s for s in (step - 1, step, step + 1) if code == code_of(s)), None)


def code_of(step: int) -> str:
    """The code of a time step."""
    return f"{step % 1_000_000:06d}"


@dataclass
class FakeWakes:
    """Wakes in a list."""

    sent: list[tuple[str, str | None]] = field(default_factory=list)
    held: list[tuple[str, timedelta]] = field(default_factory=list)
    failure: Exception | None = None

    def send(self, target: str, *, promotion_id: str | None = None) -> None:
        if self.failure:
            raise self.failure
        self.sent.append((target, promotion_id))

    def hold(self, receipt: str, *, lasts: timedelta) -> None:
        self.held.append((receipt, lasts))


@dataclass
class _FakeRelease:
    release: Release
    config_vars: dict[str, str]
    ends_at: datetime | None = None
    ends: ReleaseStatus = ReleaseStatus.SUCCEEDED


@dataclass
class FakeApps:
    """One Heroku app's config vars and releases, with the switches that Heroku's unknowns need."""

    clock: FakeClock
    stored: dict[str, str] = field(default_factory=lambda: {"DATABASE_URL": "postgres://secret"})
    history: list[_FakeRelease] = field(default_factory=list)
    #: Accepted PATCHes, in order.
    patches: list[dict[str, str | None]] = field(default_factory=list)
    #: How long a release phase takes; `None` for ever; zero is no release phase.
    phase: timedelta | None = timedelta(0)
    phase_ends: ReleaseStatus = ReleaseStatus.SUCCEEDED
    #: Does setting the same value make a release?
    same_value_makes_release: bool = False
    #: Does a failed release leave its value stored?
    failed_keeps_value: bool = True
    #: Config vars that Heroku will not take.
    unacceptable: frozenset[str] = frozenset()
    #: Raised, each once, by the next calls of these names.
    failures: dict[str, list[Exception]] = field(default_factory=dict)
    left: int | None = None
    #: What Heroku says that Hoist's token may do.
    scopes_said: frozenset[str] | None = frozenset({"write-protected"})
    ids: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.release("Initial release")

    def release(self, description: str, *, config_vars: dict[str, str] | None = None) -> int:
        """Make a release of what is stored, under the phase that is set."""
        phase = timedelta(0) if not self.history else self.phase
        immediate = phase == timedelta(0)
        version = len(self.history) + 1
        made = _FakeRelease(
            release=Release(
                id=f"{next(self.ids):08d}-release",
                version=version,
                status=ReleaseStatus.SUCCEEDED if immediate else ReleaseStatus.PENDING,
                current=False,
                description=description,
                created_at=self.clock.now(),
            ),
            config_vars=dict(self.stored if config_vars is None else config_vars),
            ends_at=None if immediate or phase is None else self.clock.now() + phase,
            ends=self.phase_ends,
        )
        self.history.append(made)
        if immediate:
            self._make_current(version)
        return version

    def end_release(self, version: int, status: ReleaseStatus) -> None:
        """End a release phase by hand."""
        made = self.history[version - 1]
        made.release = replace(made.release, status=status)
        made.ends_at = None
        if status is ReleaseStatus.SUCCEEDED:
            self._make_current(version)
        elif status is ReleaseStatus.FAILED and not self.failed_keeps_value:
            self.stored = dict(self.history[version - 2].config_vars)

    def foreign_write(self, **config_vars: str) -> int:
        """Somebody else sets config vars."""
        self.stored |= config_vars
        return self.release("Set config vars")

    def rollback(self, version: int) -> int:
        """Somebody else rolls back: code and config vars of an old release."""
        self.stored = dict(self.history[version - 1].config_vars)
        return self.release(f"Rollback to v{version}")

    def _make_current(self, version: int) -> None:
        for made in self.history:
            current = made.release.version == version
            made.release = replace(made.release, current=current)

    def _let_phases_end(self) -> None:
        for made in self.history:
            if made.ends_at and made.ends_at <= self.clock.now():
                self.end_release(made.release.version, made.ends)

    def _fail(self, call: str) -> None:
        self._let_phases_end()
        waiting = self.failures.get(call)
        if waiting:
            raise waiting.pop(0)

    def config(self, app: str) -> AppConfig:  # noqa: ARG002 - the port's signature
        self._fail("config")
        return AppConfig.of(self.stored)

    def set_config_vars(self, app: str, changes: Mapping[str, str | None]) -> None:  # noqa: ARG002 - the port's signature
        self._fail("set_config_vars")
        self.apply(changes)
        self._fail("set_config_vars_answer")

    def apply(self, changes: Mapping[str, str | None]) -> None:
        """Do what a PATCH does."""
        if self.unacceptable & changes.keys():
            raise self.refusal()
        before = dict(self.stored)
        for name, value in changes.items():
            if value is None:
                self.stored.pop(name, None)
            else:
                self.stored[name] = value
        self.patches.append(dict(changes))
        if self.stored != before or self.same_value_makes_release:
            self.release(f"Set {', '.join(changes)} config vars")

    @staticmethod
    def refusal() -> Exception:
        """What Heroku answers to a config var that it will not take."""
        return Refused("Heroku answered 422 invalid_params, and would answer the same again.")

    def releases(self, app: str, *, after: int | None) -> tuple[Release, ...]:  # noqa: ARG002 - the port's signature
        self._fail("releases")
        return tuple(made.release for made in reversed(self.history))

    def release_config_vars(self, app: str, version: int) -> Mapping[str, str] | None:  # noqa: ARG002 - the port's signature
        self._fail("release_config_vars")
        return only_flags(dict(self.history[version - 1].config_vars))

    def calls_left(self) -> int | None:
        return self.left

    def scopes(self) -> frozenset[str] | None:
        return self.scopes_said

    def require_writing(self) -> None:
        lacking = lacks_writing(self.scopes_said)
        if lacking:
            raise AccessDenied(lacking, after=timedelta(minutes=1))

    def take_usage(self) -> Usage:
        return Usage(calls=len(self.patches), left=self.left)


@dataclass
class FakeHeartbeat:
    """Beats whenever a worker asks whether it still holds the lease."""

    locks: FakeTargetLocks
    clock: FakeClock

    @contextmanager
    def __call__(self, lease: Lease, receipt: str | None) -> Iterator[Alive]:  # noqa: ARG002 - the port's signature
        yield FakeAlive(self, lease)


@dataclass
class FakeAlive:
    """Renews on demand."""

    heartbeat: FakeHeartbeat
    lease: Lease

    def check(self) -> None:
        until = self.heartbeat.clock.now() + LEASE_LASTS
        self.heartbeat.locks.renew(self.lease, until=until)
