"""Where the API is and who calls: from the environment, or from a file that only its owner reads.

Never from arguments: those stand in shell histories and process lists.
"""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import click

DEFAULT_FILE = "~/.config/hoist/config.toml"
_MEMBERS = frozenset({"api", "token", "on_behalf_of"})
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_READ_BY_OTHERS = stat.S_IRGRP | stat.S_IROTH
#: What a header can carry.
_TOKEN = re.compile(r"[!-~]+")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_HOW = (
    "Set HOIST_API and HOIST_TOKEN, or write them into {file} (chmod 600):\n\n"
    '  api = "https://….execute-api.….amazonaws.com/api"\n'
    '  token = "name.secret"'
)


class ConfigError(click.ClickException):
    """What the program is told of its surroundings does not do; it never quotes a secret."""

    exit_code = 2


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a call needs."""

    api: str
    token: str = field(repr=False)
    #: Services only: the operator that it acts for.
    on_behalf_of: str | None = None


def load(env: Mapping[str, str]) -> Config:
    """Read the configuration; the environment goes before the file.

    Raises `ConfigError` naming what is missing or wrong, and what to do about it.
    """
    named = env.get("HOIST_CONFIG")
    file = Path(named or DEFAULT_FILE).expanduser()
    stored = _stored(file, required=bool(named))
    api = env.get("HOIST_API") or stored.get("api", "")
    token = (env.get("HOIST_TOKEN") or stored.get("token", "")).strip()
    unknown = [*(["where the API is"] if not api else []), *(["who you are"] if not token else [])]
    if unknown:
        message = f"hoist does not know {' or '.join(unknown)}. {_HOW.format(file=file)}"
        raise ConfigError(message)
    if not _TOKEN.fullmatch(token):
        message = "The token is not one: name.secret, without blanks. Copy it once more."
        raise ConfigError(message)
    return Config(
        api=_checked_api(api),
        token=token,
        on_behalf_of=_checked_name(env.get("HOIST_ON_BEHALF_OF") or stored.get("on_behalf_of")),
    )


def environment() -> Mapping[str, str]:
    """The environment of this process."""
    return os.environ  # noqa: TID251 - a program's own configuration


def _checked_api(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        host = parts.hostname
    except ValueError:
        host = None
    if host and (parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)):
        return url.strip().rstrip("/")
    message = (
        "The API's address has to begin with https://, or your token would travel where others "
        "can read it. (http:// is for 127.0.0.1 only.) Check HOIST_API, or api in the file."
    )
    raise ConfigError(message)


def _checked_name(name: str | None) -> str | None:
    if name is None or _NAME.fullmatch(name):
        return name
    message = "HOIST_ON_BEHALF_OF (on_behalf_of in the file) is not an operator's name."
    raise ConfigError(message)


def _stored(file: Path, *, required: bool) -> dict[str, str]:
    try:
        with file.open("rb") as opened:
            # Of the file that is read, not of one that takes its place meanwhile.
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            content = opened.read()
    except FileNotFoundError:
        if not required:
            return {}
        message = f"HOIST_CONFIG names {file}, and there is no such file."
        raise ConfigError(message) from None
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}."
        raise ConfigError(message) from None
    stored = _parsed(file, content)
    # Whoever may change where the API is gets whatever token is sent there.
    if stored and mode & (stat.S_IWGRP | stat.S_IWOTH | _READ_BY_OTHERS * ("token" in stored)):
        message = f"{file} is open to others, who could use your token. First: chmod 600 {file}"
        raise ConfigError(message)
    return stored


def _parsed(file: Path, content: bytes) -> dict[str, str]:
    try:
        parsed = tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        # Not chained: the parser's error may quote the token.
        message = f"{file} is not TOML. {_HOW.format(file=file)}"
        raise ConfigError(message) from None
    told = {name: value for name, value in parsed.items() if isinstance(value, str)}
    if told.keys() != parsed.keys() or not told.keys() <= _MEMBERS:
        # What else stands there is not quoted either: it may be a token in the wrong place.
        message = f"{file} may set api, token and on_behalf_of, each in quotes, and nothing else."
        raise ConfigError(message)
    return told
