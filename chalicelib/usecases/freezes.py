"""List, show, set and lift freezes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.freeze import (
    MAX_FREEZES,
    Freeze,
    FreezePlan,
    freeze_problem,
    lift_freeze,
    set_freeze,
)
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import Caller, Role, act_of
from chalicelib.ports import Clock, Freezes, Lost, Targets
from chalicelib.usecases.lookup import STALE

_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class ListFreezes:
    """All freezes there are."""

    freezes: Freezes

    def __call__(self, *, caller: Caller) -> FreezePlan:
        caller.require(Role.VIEWER)
        return self.freezes.get()


@dataclass(frozen=True, kw_only=True)
class ShowFreeze:
    """One freeze. Raises `Rejected` where there is none of that id."""

    freezes: Freezes

    def __call__(self, freeze_id: str, *, caller: Caller) -> Freeze:
        caller.require(Role.VIEWER)
        return _wanted(self.freezes.get(), freeze_id)


@dataclass(frozen=True, kw_only=True)
class FreezeTerms:
    """What a superadmin decides of a freeze: as in `Freeze`."""

    reason: str
    target: str | None
    starts_at: datetime
    ends_at: datetime | None
    rrule: str | None = None
    timezone: str = "UTC"


@dataclass(frozen=True, kw_only=True)
class PutFreeze:
    """Set a freeze, or replace the one of this id; is idempotent.

    Raises `Rejected`: role, terms that can never hold or never let go, a target that is not
    listed, too many freezes, or a freeze that changed since the caller read it.
    """

    freezes: Freezes
    targets: Targets
    clock: Clock

    def __call__(
        self,
        freeze_id: str,
        terms: FreezeTerms,
        *,
        if_version: int | None,
        caller: Caller,
    ) -> Freeze:
        caller.require(Role.SUPERADMIN)
        now = self.clock.now()
        wanted = Freeze(
            id=freeze_id,
            reason=terms.reason,
            target=terms.target,
            starts_at=terms.starts_at,
            ends_at=terms.ends_at,
            rrule=terms.rrule,
            timezone=terms.timezone,
            set_by=caller.name,
            set_at=now,
        )
        act = act_of(caller, Action.SET_FREEZE, now, _facts(wanted))

        def put(plan: FreezePlan) -> Freeze:
            stored = plan.freezes.get(freeze_id)
            _require_version(freeze_id, stored, if_version)
            if stored and _same_terms(stored, wanted):
                return stored
            self._require_possible(plan, wanted)
            revision = set_freeze(plan, wanted, act)
            self.freezes.write(revision)
            return revision.after.freezes[freeze_id]

        return _retried(self.freezes, put)

    def _require_possible(self, plan: FreezePlan, wanted: Freeze) -> None:
        problem = freeze_problem(wanted)
        if problem:
            raise Rejected(
                Code.INVALID_REQUEST,
                f"{problem.field} {problem.detail}. Nothing was changed.",
                errors=(problem,),
            )
        if wanted.target and self.targets.get(wanted.target) is None:
            raise _unlisted(wanted.target)
        if wanted.id not in plan.freezes and len(plan.freezes) >= MAX_FREEZES:
            detail = f"There are {MAX_FREEZES} freezes, and no room for another one"
            raise Rejected(
                Code.INVALID_REQUEST,
                f"{detail}. Lift those that are over (GET /freezes), then try again.",
                errors=(FieldError(field="id", detail=f"would be one too many of {MAX_FREEZES}"),),
            )


@dataclass(frozen=True, kw_only=True)
class LiftFreeze:
    """Take a freeze away: what it held back begins as soon as no other holds it.

    Returns it as it was. Raises `Rejected`: role, none of that id, or a freeze that changed
    since the caller read it.
    """

    freezes: Freezes
    clock: Clock

    def __call__(
        self,
        freeze_id: str,
        *,
        reason: str,
        if_version: int | None,
        caller: Caller,
    ) -> Freeze:
        caller.require(Role.SUPERADMIN)
        facts = {"id": freeze_id, "reason": reason}
        act = act_of(caller, Action.LIFT_FREEZE, self.clock.now(), facts)

        def lift(plan: FreezePlan) -> Freeze:
            freeze = _wanted(plan, freeze_id)
            _require_version(freeze_id, freeze, if_version)
            self.freezes.write(lift_freeze(plan, freeze_id, act))
            return freeze

        return _retried(self.freezes, lift)


def _retried(freezes: Freezes, attempt: Callable[[FreezePlan], Freeze]) -> Freeze:
    """Try on the plan as it is; again where another write came first."""
    for _ in range(_ATTEMPTS):
        try:
            return attempt(freezes.get())
        except Lost:
            continue
    raise Rejected(
        Code.CONTENTION,
        "Others are changing freezes at the same moment. Nothing was changed.",
    )


def _wanted(plan: FreezePlan, freeze_id: str) -> Freeze:
    freeze = plan.freezes.get(freeze_id)
    if freeze is None:
        raise Rejected(
            Code.NOT_FOUND,
            "There is no freeze of this id. GET /freezes lists those there are.",
        )
    return freeze


def _require_version(freeze_id: str, stored: Freeze | None, if_version: int | None) -> None:
    version = stored.version if stored else 0
    if if_version not in {None, version}:
        raise Rejected(
            Code.VERSION_STALE,
            f"The freeze {freeze_id} has changed since you read it. Nothing was changed. "
            "Read it again.",
            errors=(STALE,),
            conflict={"version": version},
        )


def _same_terms(stored: Freeze, wanted: Freeze) -> bool:
    return stored == replace(
        wanted,
        set_by=stored.set_by,
        set_at=stored.set_at,
        version=stored.version,
    )


def _unlisted(target: str) -> Rejected:
    return Rejected(
        Code.TARGET_UNLISTED,
        f"{target} is not a listed target: the freeze would hold nothing back. Check its name "
        "against GET /targets, or leave target out to freeze all.",
        errors=(FieldError(field="target", detail="is not a listed target"),),
    )


def _facts(freeze: Freeze) -> dict[str, Any]:
    """A freeze as the audit shows it."""
    return {
        "id": freeze.id,
        "reason": freeze.reason,
        "target": freeze.target,
        "starts_at": spell(freeze.starts_at),
        "ends_at": freeze.ends_at and spell(freeze.ends_at),
        "rrule": freeze.rrule,
        "timezone": freeze.timezone,
    }
