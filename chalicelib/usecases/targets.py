"""List, show and set the targets that Hoist may change."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib.domain.audit import Action
from chalicelib.domain.drift import Baseline
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.freeze import Hold
from chalicelib.domain.lease import TargetLock
from chalicelib.domain.operator import Caller, Role, act_of
from chalicelib.domain.record import revise
from chalicelib.domain.target import Target
from chalicelib.ports import Baselines, Clock, Freezes, Lost, TargetLocks, Targets
from chalicelib.usecases.lookup import STALE


@dataclass(frozen=True, kw_only=True)
class ListTargets:
    """Every listed target, by name."""

    targets: Targets

    def __call__(self, *, caller: Caller) -> Sequence[Target]:
        caller.require(Role.VIEWER)
        return self.targets.all()


@dataclass(frozen=True, kw_only=True)
class TargetDetail:
    """A target at one moment: its policy, what differs from what was deployed, what holds it."""

    target: Target
    baseline: Baseline
    hold: Hold | None
    now: datetime


@dataclass(frozen=True, kw_only=True)
class ShowTarget:
    """One target. Raises `Rejected` where it is not listed."""

    targets: Targets
    baselines: Baselines
    freezes: Freezes
    clock: Clock

    def __call__(self, app: str, *, caller: Caller) -> TargetDetail:
        caller.require(Role.VIEWER)
        target, now = listed(self.targets, app), self.clock.now()
        return TargetDetail(
            target=target,
            baseline=self.baselines.get(app),
            hold=self.freezes.get().hold(app, now),
            now=now,
        )


@dataclass(frozen=True, kw_only=True)
class ShowLock:
    """Who works on a target. Raises `Rejected` where it is not listed."""

    targets: Targets
    locks: TargetLocks

    def __call__(self, app: str, *, caller: Caller) -> TargetLock:
        caller.require(Role.VIEWER)
        return self.locks.get(listed(self.targets, app).app)


def listed(targets: Targets, app: str) -> Target:
    """The target. Raises `Rejected` where it is not listed."""
    target = targets.get(app)
    if target is None:
        raise Rejected(
            Code.NOT_FOUND,
            f"{app} is not a listed target. GET /targets lists those there are.",
        )
    return target


@dataclass(frozen=True, kw_only=True)
class PutTarget:
    """List an app, or change its policy; is idempotent.

    Raises `Rejected`: role, or a policy that changed since the caller read it.
    """

    targets: Targets
    clock: Clock

    def __call__(self, wanted: Target, *, if_version: int | None, caller: Caller) -> Target:
        """Write the policy as `wanted` says; its version and hash are not looked at."""
        caller.require(Role.SUPERADMIN)
        before = self.targets.get(wanted.app) or Target(app=wanted.app)
        if if_version not in {None, before.version}:
            raise _stale(before)
        drafted = replace(wanted, version=before.version, audit_hash=before.audit_hash)
        if before.version and drafted == before:
            return before
        act = act_of(caller, Action.SET_POLICY, self.clock.now(), policy_facts(drafted))
        revision = revise(before, drafted, act)
        try:
            self.targets.write(revision)
        except Lost:
            raise _stale(before) from None
        return revision.after


def policy_facts(target: Target) -> dict[str, Any]:
    """A policy as the audit shows it."""
    return {
        "description": target.description,
        "max_flags_per_release": target.max_flags_per_release,
        "alert_after_minutes": {
            rung: int(after.total_seconds() // 60) for rung, after in target.ladder.after.items()
        },
        "flag_patterns": list(target.flag_patterns),
        "staging_app": target.staging_app,
        "min_approvals": target.min_approvals,
        "stage_first": target.stage_first,
        "catalogue": target.catalogue,
    }


def _stale(target: Target) -> Rejected:
    return Rejected(
        Code.VERSION_STALE,
        f"The policy of {target.app} has changed since you read it. Nothing was changed. "
        "Read it again.",
        errors=(STALE,),
        conflict={"version": target.version},
    )
