"""`local.json`: where a local stack is and who may use it, for scripts and for its next start."""

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import pyotp

#: Its name within a stack's state.
FILE = "local.json"

#: The demo operators, by role.
NAMES = {"viewer": "vera", "promoter": "pat", "superadmin": "sam"}


@dataclass(frozen=True, kw_only=True)
class DemoOperator:
    """A made-up operator, with what a real one keeps to themselves."""

    name: str
    token: str
    totp_secret: str

    @classmethod
    def invent(cls, name: str) -> "DemoOperator":
        """Make an operator with a fresh token (`name.secret`) and second factor."""
        return cls(
            name=name,
            token=f"{name}.{secrets.token_urlsafe(24)}",
            totp_secret=pyotp.random_base32(),
        )


@dataclass(frozen=True, kw_only=True)
class Directions:
    """The contents of `local.json`."""

    api: str
    heroku: str
    heroku_token: str
    ministack: str
    operators: Mapping[str, DemoOperator]
    targets: tuple[str, ...]
    #: The stand-in for Slack, and the queue that stands in for whoever is on call. Empty where a
    #: stack was last run before it had them.
    slack: str = ""
    on_call_queue: str = ""

    def write(self, path: Path) -> None:
        """Write them for the owner's eyes only: to this stack, the tokens are real ones."""
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(self), file, indent=2)
            file.write("\n")
        partial.rename(path)


def read(path: Path) -> Directions | None:
    """Return the directions of the stack that runs or last ran here, if one did."""
    try:
        known = json.loads(path.read_text())
    except FileNotFoundError:
        return None
    operators = {
        role: DemoOperator(**operator) for role, operator in known.pop("operators").items()
    }
    return Directions(**{**known, "operators": operators, "targets": tuple(known["targets"])})
