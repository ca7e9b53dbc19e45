"""Arguments and options that several commands take."""

import re
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import click

from cli import completion
from cli.program import running
from cli.watching import DEFAULT_WAIT_SECONDS

STATES = ("pending", "staged", "deploying", "deployed", "failed", "cancelled", "expired")
UNSETTLED = STATES[:3]
NOT_BEGUN = STATES[:2]

_F = TypeVar("_F", bound=Callable[..., Any])
_ID = re.compile(r"prm_0[0-9A-HJKMNP-TV-Z]{25}")


class _PromotionId(click.ParamType[str]):
    name = "promotion"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take nothing for an id that cannot be one. The program notes whom it is about."""
        if not _ID.fullmatch(value):
            self.fail(
                "this is not a promotion's id, such as prm_01M812YT137VS8XSF168055NXP. "
                "hoist list shows them.",
                param,
                ctx,
            )
        if ctx is not None:
            running(ctx).promotion_id = value
        return value


def promotion(*states: str) -> Callable[[_F], _F]:
    """A promotion's id; the shell completes those in these states, or all."""
    return click.argument(
        "promotion_id",
        metavar="PROMOTION",
        type=_PromotionId(),
        shell_complete=completion.promotions(*states),
    )


target = click.argument("target", shell_complete=completion.targets)
freeze = click.argument("freeze_id", metavar="FREEZE", shell_complete=completion.freezes)
reason = click.option("--reason", help="Why, for those who read it later.")
required_reason = click.option(
    "--reason", required=True, help="Why, in at least 10 characters, for those who read it later."
)
wait = click.option(
    "--wait",
    "wait_seconds",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help=f"How long to watch it, at the most.  [default: {DEFAULT_WAIT_SECONDS:.0f}]",
)
key = click.option(
    "--key",
    default=lambda: str(uuid.uuid4()),
    metavar="KEY",
    help="Idempotency key: whatever is sent under it is carried out once.  [default: a new one]",
)
rca = click.option("--rca-url", help="Where its incident is written up.")
force = click.option(
    "--force", is_flag=True, help="Also against what Heroku shows, or where it shows nothing."
)
