"""List, show and set the targets that Hoist may change."""

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.lease import TargetLock
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.target import Target
from chalicelib.ports import TargetLocks, Targets


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
class PutTarget:
    """List an app, or change its policy; is idempotent.

    Raises `Rejected`: role, or a policy that changed since the caller read it.
    """

    targets: Targets

    def __call__(
        self,
        app: str,
        *,
        description: str | None,
        max_flags_per_release: int,
        if_version: int | None,
        caller: Caller,
    ) -> Target:
        caller.require(Role.SUPERADMIN)
        stored = self.targets.get(app)
        version = stored.version if stored else 0
        target = Target(
            app=app,
            version=version + 1,
            description=description,
            max_flags_per_release=max_flags_per_release,
        )
        if (if_version is not None and if_version != version) or not self.targets.put(target):
            raise Rejected(
                Code.VERSION_STALE,
                f"The policy of {app} has changed since you read it. Nothing was changed. "
                "Read it again.",
                conflict={"version": version},
            )
        return target
