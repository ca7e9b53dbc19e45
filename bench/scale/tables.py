"""Hoist's tables in memory: the fakes, which keep the ports' promises, with time and a meter.

What a call costs. Time: seconds of the constants below. Units: a transaction writes 2 for each
row, an index 1 for each row it takes or gives up; a consistent read is 1, an index's half of one
for 4 kB; rows of promotions are 1 kB at the most. An index's partition takes 1,000 write units a
second: what is over that is tried again as the adapter does, and is then `Unavailable`.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bench.scale.heroku import Heroku
from bench.scale.tally import Tally
from bench.scale.virtual import Hub, Process, seconds_of
from bench.scale.weather import Storm, Weather
from chalicelib.domain.audit import verify
from chalicelib.domain.drift import Baseline
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.freeze import FreezePlan
from chalicelib.domain.lease import (
    HEARTBEAT_EVERY,
    LEASE_LASTS,
    Lease,
    TargetLock,
    WaitingOn,
)
from chalicelib.domain.notice import notice_of
from chalicelib.domain.operator import Operator, SpentCode
from chalicelib.domain.promotion import Change, Promotion, State
from chalicelib.domain.target import Target
from chalicelib.ports import UsedKey
from tests.fakes import (
    FakeBaselines,
    FakeFreezes,
    FakeOperators,
    FakePromotionStore,
    FakeTargetLocks,
    FakeTargets,
)

GET, UPDATE, TRANSACT, BATCH_GET, QUERY = 0.004, 0.006, 0.012, 0.008, 0.006
#: A row of a query or a batch: read, sent, and parsed by a Lambda of 512 MB.
ROW = 0.0003
PARTITION_UNITS = 1000
_ROW_BYTES, _READ_UNIT_BYTES = 750, 4096
#: Three calls in ten while it throttles, after botocore's own retries.
_THROTTLED = 0.3
_LAGS, _LAG = 0.05, 1.0
#: As in adapters/dynamodb/transaction.py.
_ATTEMPTS, _FIRST_PAUSE = 6, 0.01
SLACK_SECONDS = 1.0
#: A notice that could not be delivered for so long is given up.
NOTICE_LASTS = 3600.0


@dataclass(kw_only=True)
class Meter:
    """Every call's time, units and odds."""

    hub: Hub
    weather: Weather
    chance: random.Random
    tally: Tally

    def pay(self, seconds: float, *, read: float = 0.0, write: float = 0.0) -> None:
        """Let a call take its time, and perhaps fail. Raises `Unavailable`."""
        counts = self.tally.counts
        counts["DynamoDB requests"] += 1
        counts["read units x2"] += round(2 * read)
        counts["write units"] += round(write)
        self.hub.wait(seconds)
        storm = self.weather.during(Storm.DYNAMODB, self.hub.now)
        if storm and self.chance.random() < _THROTTLED:
            counts["calls throttled in a storm"] += 1
            detail = "DynamoDB does not answer right now (ThrottlingException)."
            raise Unavailable(detail)

    def indexed(self, partitions: Mapping[str, int]) -> None:
        """Write to indexes' partitions that have only so much room each second."""
        full = self.tally.partitions
        for attempt in range(_ATTEMPTS):
            second = int(self.hub.now)
            if all(full[name, second] + n <= PARTITION_UNITS for name, n in partitions.items()):
                for name, units in partitions.items():
                    full[name, second] += units
                    self.tally.counts["write units"] += units
                return
            self.tally.counts["transactions throttled by a full partition"] += 1
            self.hub.wait(self.chance.uniform(0, _FIRST_PAUSE * 2**attempt))
        self.tally.counts["transactions refused by a full partition"] += 1
        detail = "DynamoDB: others are writing to the same rows right now."
        raise Unavailable(detail)


@dataclass(frozen=True)
class _Written:
    at: float
    before: Promotion | None
    after: Promotion


@dataclass
class VirtualStore(FakePromotionStore):
    """`PromotionStore` that knows what is open, what it costs, and what is true at Heroku."""

    meter: Meter = field(kw_only=True)
    heroku: Heroku = field(kw_only=True)
    #: Called with what was just written.
    watchers: list[Callable[[Change], None]] = field(default_factory=list)
    slack_free_at: float = 0.0

    def __post_init__(self) -> None:
        """Nothing is open."""
        self.in_state: dict[State, dict[str, Promotion]] = {state: {} for state in State}
        self.at_target: dict[str, dict[str, Promotion]] = {}
        self.newly: deque[_Written] = deque()

    def get(self, promotion_id: str) -> Promotion | None:
        self.meter.pay(GET, read=1)
        return self.promotions.get(promotion_id)

    def used_key(self, operator: str, key: str) -> UsedKey | None:
        self.meter.pay(GET, read=1)
        return super().used_key(operator, key)

    def commit(
        self,
        change: Change,
        *,
        key: UsedKey | None = None,
        spend: SpentCode | None = None,
        fence: Lease | None = None,
    ) -> None:
        deploys = change.settles and change.after.state is State.DEPLOYED
        flag_lock = change.opens or change.settles
        rows = 2 + sum(map(bool, (key, spend, fence, deploys, flag_lock)))
        self.meter.pay(TRANSACT, write=2 * rows)
        self.meter.indexed(_index_writes(change))
        super().commit(change, key=key, spend=spend, fence=fence)
        self._index(change)
        self._told(change)
        if change.settles:
            self._proved(change.after)
        for watcher in self.watchers:
            watcher(change)

    def _index(self, change: Change) -> None:
        before, after = change.before, change.after
        if before:
            self.in_state[before.state].pop(after.id, None)
            self.at_target.get(after.target, {}).pop(after.id, None)
        if not after.state.terminal:
            self.in_state[after.state][after.id] = after
        if after.state is State.DEPLOYING:
            self.at_target.setdefault(after.target, {})[after.id] = after
        now = self.meter.hub.now
        self.newly.append(_Written(now, before, after))
        while self.newly[0].at < now - _LAG:
            self.newly.popleft()

    def _told(self, change: Change) -> None:
        """Count the notice, and how late Slack is with it: it takes one a second."""
        notice = notice_of(change.entry)
        if notice is None:
            return
        counts, now = self.meter.tally.counts, self.meter.hub.now
        counts["notices in Slack"] += 1
        counts["pages"] += notice.wakes_somebody and not notice.resolves
        lag = max(0.0, self.slack_free_at - now)
        self.meter.tally.peak("seconds that Slack lags behind", lag)
        if lag > NOTICE_LASTS:
            counts["notices given up"] += 1
            return
        self.slack_free_at = now + lag + SLACK_SECONDS

    def _proved(self, promotion: Promotion) -> None:
        """Hold what was settled against the truth, and its trail against its hashes."""
        trail = self.entries.pop(promotion.id)
        counts = self.meter.tally.counts
        if not verify(trail, version=promotion.version, head=promotion.audit_hash).verified:
            counts["broken audit trails"] += 1
        if promotion.state is not State.DEPLOYED:
            return
        app = self.heroku.apps[promotion.target]
        app.changed = self.meter.hub.now
        current = app.current
        live = current and promotion.carried_by(app.carried[current.version])
        if not live and self.meter.hub.now - app.touched > LEASE_LASTS.total_seconds():
            counts["deployed, and not live"] += 1

    def deploying(self, target: str) -> Sequence[Promotion]:
        fits = self.at_target.get(target, {})
        self.meter.pay(QUERY + ROW * len(fits), read=_query_units(len(fits)))
        shown = self._shown(
            self.at_target.get(target, {}),
            lambda p: p.target == target and p.state is State.DEPLOYING,
        )
        return sorted(shown, key=lambda promotion: promotion.id)

    def open(self, state: State) -> Sequence[Promotion]:
        fits = self.in_state[state]
        self.meter.pay(QUERY + ROW * len(fits), read=_query_units(len(fits)))
        shown = self._shown(self.in_state[state], lambda promotion: promotion.state is state)
        return sorted(shown, key=lambda promotion: (str(promotion.state_entered_at), promotion.id))

    def _shown(
        self,
        fits: Mapping[str, Promotion],
        fit: Callable[[Promotion], bool],
    ) -> Iterable[Promotion]:
        """What an index shows: now and then as it was up to a second ago."""
        chance = self.meter.chance
        if not self.newly or chance.random() >= _LAGS:
            return fits.values()
        seen, since = dict(fits), self.meter.hub.now - chance.uniform(0, _LAG)
        for written in reversed(self.newly):
            if written.at < since:
                break
            seen.pop(written.after.id, None)
            if written.before and fit(written.before):
                seen[written.before.id] = written.before
        return seen.values()


def _index_writes(change: Change) -> dict[str, int]:
    """Write units by partition: an index row whose key changes is taken out and put in."""
    before, after = change.before, change.after
    # The other two indexes, by target, spread over targets.
    writes = {"by_month": 1, f"by_target {after.target}": 1}
    if not after.state.terminal:
        writes[f"open {after.state}"] = 1
    if before and before.state is not after.state and not before.state.terminal:
        writes[f"open {before.state}"] = 1
    if State.DEPLOYING in {after.state, before and before.state}:
        writes[f"deploying {after.target}"] = 1
    return writes


def _query_units(rows: int) -> float:
    return max(0.5, rows * _ROW_BYTES / _READ_UNIT_BYTES / 2)


@dataclass(kw_only=True)
class Beat:
    """A heartbeat: it ends with its visit, or with its process."""

    process: Process
    ended: float = float("inf")


@dataclass
class VirtualLocks(FakeTargetLocks):
    """`TargetLocks` whose leases are renewed every second while their process lives."""

    meter: Meter = field(kw_only=True)
    beating: dict[str, Beat] = field(default_factory=dict)

    def get(self, target: str) -> TargetLock:
        lock = super().get(target)
        beat = self.beating.get(target)
        if lock.lease is None or beat is None:
            return lock
        until = self.renewed_until(lock.lease, beat)
        return replace(lock, lease=replace(lock.lease, until=until))

    def newest(self, lease: Lease) -> bool:
        held = self.locks.get(lease.target, TargetLock(target=lease.target)).lease
        return held is not None and (held.attempt, held.holder) == (lease.attempt, lease.holder)

    def renewed_until(self, lease: Lease, beat: Beat) -> datetime:
        """The lease's end, by the clock of its holder: four seconds after its last beat."""
        process = beat.process
        last = min(self.meter.hub.now, process.died, beat.ended) + process.skew
        beats = (last - seconds_of(lease.since)) // HEARTBEAT_EVERY.total_seconds()
        return lease.since + timedelta(seconds=max(0.0, beats)) + LEASE_LASTS

    def acquire(
        self, target: str, *, holder: str, now: datetime, until: datetime
    ) -> Lease | TargetLock:
        self.meter.pay(UPDATE, write=1)
        lease = super().acquire(target, holder=holder, now=now, until=until)
        if isinstance(lease, Lease):
            # The last holder's heartbeat, if it still beats, finds that it has lost.
            self.beating.pop(target, None)
        return lease

    def leave_word(self, lease: Lease, waiting_on: WaitingOn) -> None:
        self.meter.pay(UPDATE, write=1)
        super().leave_word(lease, waiting_on)

    def release(self, lease: Lease, left: TargetLock) -> None:
        self.meter.pay(UPDATE, write=1)
        if self.newest(lease):
            self.beating.pop(lease.target, None)
        super().release(lease, left)

    def get_all(self, targets: Iterable[str]) -> Mapping[str, TargetLock]:
        wanted = sorted(targets)
        for start in range(0, len(wanted), 100):
            rows = len(wanted[start : start + 100])
            self.meter.pay(BATCH_GET + ROW * rows, read=rows)
        return {target: self.get(target) for target in wanted}


@dataclass
class VirtualBaselines(FakeBaselines):
    """`Baselines` with a meter."""

    meter: Meter = field(kw_only=True)

    def get(self, target: str) -> Baseline:
        flags = len(self.store.declared.get(target, {}))
        self.meter.pay(GET, read=1 + flags * 80 // _READ_UNIT_BYTES)
        return super().get(target)


@dataclass
class VirtualTargets(FakeTargets):
    """`Targets` with a meter."""

    meter: Meter = field(kw_only=True)

    def get(self, app: str) -> Target | None:
        self.meter.pay(GET, read=1)
        return super().get(app)


@dataclass
class VirtualOperators(FakeOperators):
    """`Operators` with a meter."""

    meter: Meter = field(kw_only=True)

    def get(self, name: str) -> Operator | None:
        self.meter.pay(GET, read=1)
        return super().get(name)


@dataclass
class VirtualFreezes(FakeFreezes):
    """`Freezes` with a meter."""

    meter: Meter = field(kw_only=True)

    def get(self) -> FreezePlan:
        self.meter.pay(GET, read=1)
        return super().get()
