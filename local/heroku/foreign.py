"""What somebody else does to an app while a client works on it: config, code or rollback."""

from dataclasses import dataclass, field
from enum import StrEnum

from local.heroku.apps import App
from local.heroku.errors import invalid
from local.heroku.releases import Changes

FOREIGN_USER = "somebody.else@example.com"


class ForeignVerb(StrEnum):
    """The three ways in which a release of somebody else's appears."""

    PATCH = "patch"
    DEPLOY = "deploy"
    ROLLBACK = "rollback"


@dataclass(frozen=True, kw_only=True)
class ForeignAction:
    """One act of a foreign writer."""

    verb: ForeignVerb
    user: str = FOREIGN_USER
    #: PATCH: what it changes.
    changes: Changes = field(default_factory=dict)
    #: DEPLOY: the commit named in the description.
    commit: str = "1a2b3c4"
    #: ROLLBACK: the version to go back to; None: the one before the current.
    version: int | None = None

    def rollback_target(self, app: App) -> str:
        """Find the uuid of the release to go back to."""
        if self.version is not None:
            return app.release(str(self.version)).id
        earlier = app.releases[: app.current.version - 1]
        target = next((r for r in reversed(earlier) if app.is_eligible_for_rollback(r)), None)
        if target is None:
            message = "There is no earlier release to roll back to."
            raise invalid(message)
        return target.id
