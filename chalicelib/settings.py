"""What the environment says, read once and checked whole."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Self


class MissingSettings(Exception):
    """Environment variables that Hoist cannot start without."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One field an environment variable, named alike in upper case."""

    #: Names what the secrets are called, too (`adapters.parameters`).
    hoist_stage: str
    hoist_promotions_table: str
    hoist_audit_table: str
    hoist_locks_table: str
    hoist_operators_table: str
    hoist_targets_table: str
    hoist_wakes_queue_url: str
    #: SNS topic of the person on call.
    hoist_on_call_topic_arn: str
    #: `https://api.heroku.com`, or a simulator on a loopback address.
    heroku_api_url: str
    #: Where `docs/runbook.md` can be read; problem types point into it.
    hoist_runbook_url: str
    #: Where the API is, for links in notices. Only those who write notices are told.
    hoist_api_url: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Self:
        """Read every setting. Raises `MissingSettings` naming all that are missing at once."""
        given = {each.name: env.get(each.name.upper()) or each.default for each in fields(cls)}
        missing = [name.upper() for name, value in given.items() if value is MISSING]
        if missing:
            raise MissingSettings("not set in the environment: " + ", ".join(missing))
        return cls(**{name: str(value) for name, value in given.items()})
