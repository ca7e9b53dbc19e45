"""Access tokens: what an Authorization header means, and what a scope may do.

Sources: https://devcenter.heroku.com/articles/oauth#scopes and
https://devcenter.heroku.com/articles/platform-api-reference#authentication
"""

import base64
import binascii
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from local.heroku.errors import ApiError

#: What a simulator accepts unless told otherwise. It opens nothing anywhere else.
DEFAULT_TOKEN = "HRKU-local-simulator-only"  # noqa: S105 - a fake, for a fake


class Scope(StrEnum):
    """An OAuth scope."""

    GLOBAL = "global"
    IDENTITY = "identity"
    READ = "read"
    WRITE = "write"
    #: `read` and the secrets: config vars.
    READ_PROTECTED = "read-protected"
    #: `write` and the secrets. It also grants reading them: a blind writer does not exist.
    WRITE_PROTECTED = "write-protected"


ANY = frozenset(Scope)
TO_IDENTIFY = frozenset({Scope.GLOBAL, Scope.IDENTITY})
TO_WRITE_SECRETS = frozenset({Scope.GLOBAL, Scope.WRITE_PROTECTED})
TO_READ_SECRETS = TO_WRITE_SECRETS | {Scope.READ_PROTECTED}
TO_WRITE = TO_WRITE_SECRETS | {Scope.WRITE}
TO_READ = TO_WRITE | TO_READ_SECRETS | {Scope.READ}


@dataclass(frozen=True, kw_only=True)
class Token:
    """One token of the simulator's single account."""

    value: str = field(repr=False)
    scopes: frozenset[Scope] = frozenset({Scope.GLOBAL})
    expires_at: datetime | None = None


class Tokens:
    """The tokens that are accepted."""

    def __init__(self, default: str) -> None:
        self._by_value = {default: Token(value=default)}

    def add(self, token: Token) -> None:
        """Accept `token`, replacing one of the same value."""
        self._by_value[token.value] = token

    def revoke(self, value: str) -> None:
        """Accept it no longer. Is idempotent."""
        self._by_value.pop(value, None)

    def authenticate(self, authorization: str | None, *, now: datetime) -> Token:
        """Find the token of an Authorization header; 401 without a valid one."""
        token = self._by_value.get(_token_in(authorization or ""))
        if token is None or (token.expires_at is not None and token.expires_at <= now):
            raise ApiError(401)
        return token


def _token_in(authorization: str) -> str:
    """Read `Bearer TOKEN`, or Basic with any user and the token as password."""
    kind, _, credentials = authorization.strip().partition(" ")
    if kind.lower() == "bearer":
        return credentials.strip()
    if kind.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials.strip(), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return ""
        return decoded.partition(":")[2]
    return ""
