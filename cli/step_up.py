"""One-time codes: asked for where the API wants one, and at no other time."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import click

from cli.client import Client, Refused
from cli.config import ConfigError
from cli.program import current

_CODE = re.compile(r"[0-9]{6}")


def post(
    client: Client,
    path: str,
    body: Mapping[str, Any],
    *,
    key: str | None = None,
    before_asking: Callable[[], None],
) -> dict[str, Any]:
    """Send a request; where it needs a code, send it again with one.

    The API judges all else first. So nobody takes out their phone for what is refused anyway.
    """
    try:
        return client.post(path, body, key=key)
    except Refused as refused:
        if refused.problem["code"] != "totp_required":
            raise
    return client.post(path, body, code=_code(before_asking), key=key)


def _code(before_asking: Callable[[], None]) -> str:
    program = current()
    told = program.env.get("HOIST_TOTP")
    if told:
        return _checked(told)
    if not program.at_terminal():
        message = "This needs a code, and nobody can be asked for it here. Set HOIST_TOTP."
        raise ConfigError(message)
    before_asking()
    code: str = click.prompt(
        "Code of your authenticator app (it is not shown)",
        hide_input=True,
        err=True,
        value_proc=_checked,
    )
    return code


def _checked(told: str) -> str:
    """The digits of a code; apps show them with a gap in the middle."""
    code = "".join(told.split())
    if not _CODE.fullmatch(code):
        message = "A code is six digits. Nothing was sent."
        raise click.UsageError(message)
    return code
