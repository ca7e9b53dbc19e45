"""List, show and set the targets that Hoist may change."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.ladder import Ladder
from chalicelib.domain.lease import TargetLock
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.target import MAX_FLAGS_PER_RELEASE, Target
from chalicelib.ports import TargetLocks, Targets
from chalicelib.usecases.lookup import STALE


@dataclass(frozen=True, kw_only=True)
class ListTargets:
    """Every listed target, by name."""

    targets: Targets

    def __call__(self, *, caller: Caller) -> Sequence[Target]:
        caller.require(Role.VIEWER)
        return self.targets.all()


@dataclass(frozen=True, kw_only=True)
class ShowTarget:
    """One target. Raises `Rejected` where it is not listed."""

    targets: Targets

    def __call__(self, app: str, *, caller: Caller) -> Target:
        caller.require(Role.VIEWER)
        target = self.targets.get(app)
        if target is None:
            raise Rejected(
                Code.NOT_FOUND,
                f"{app} is not a listed target. GET /targets lists those there are.",
            )
        return target


@dataclass(frozen=True, kw_only=True)
class ShowLock:
    """Who works on a target. Raises `Rejected` where it is not listed."""

    show_target: ShowTarget
    locks: TargetLocks

    def __call__(self, app: str, *, caller: Caller) -> TargetLock:
        return self.locks.get(self.show_target(app, caller=caller).app)


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What a superadmin decides of a target."""

    description: str | None = None
    max_flags_per_release: int = MAX_FLAGS_PER_RELEASE
    ladder: Ladder = field(default_factory=Ladder)


@dataclass(frozen=True, kw_only=True)
class PutTarget:
    """List an app, or change its policy; is idempotent.

    Raises `Rejected`: role, or a policy that changed since the caller read it.
    """

    targets: Targets

    def __call__(
        self,
        app: str,
        policy: Policy,
        *,
        if_version: int | None,
        caller: Caller,
    ) -> Target:
        caller.require(Role.SUPERADMIN)
        stored = self.targets.get(app)
        version = stored.version if stored else 0
        target = Target(
            app=app,
            version=version,
            description=policy.description,
            max_flags_per_release=policy.max_flags_per_release,
            ladder=policy.ladder,
        )
        fresh = if_version in {None, version}
        if fresh and target == stored:
            return target
        target = replace(target, version=version + 1)
        if not fresh or not self.targets.put(target):
            raise Rejected(
                Code.VERSION_STALE,
                f"The policy of {app} has changed since you read it. Nothing was changed. "
                "Read it again.",
                errors=(STALE,),
                conflict={"version": version},
            )
        return target
