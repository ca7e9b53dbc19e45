"""What all commands share: `--json`, the machine that they run on, and how they end."""

import errno
import json
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from cli import show
from cli.advice import advice
from cli.client import Client, NoAnswer, Refused, Trouble
from cli.config import environment, load

#: Exit codes. Usage is click's own.
DONE, FAILED, STILL_RUNNING, REFUSED, NO_ANSWER = 0, 1, 3, 4, 5
BUG, INTERRUPTED = 70, 130


def _at_terminal() -> bool:
    return sys.stdin.isatty()


@dataclass(kw_only=True)
class Program:
    """One run: what it is told, and what it has of the machine."""

    env: Mapping[str, str] = field(default_factory=environment, repr=False)
    #: Somebody can be asked for something.
    at_terminal: Callable[[], bool] = _at_terminal
    #: Seconds, from any moment on.
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    as_json: bool = False
    #: What the command is about.
    promotion_id: str = "PROMOTION"

    def client(self) -> Client:
        """The API, as the caller is configured."""
        return Client(config=load(self.env), sleep=self.sleep)

    def answer(self, body: Mapping[str, Any], rendered: Callable[[Any], show.Shown]) -> None:
        """Print what was asked for, once: as JSON, or for people."""
        if self.as_json:
            click.echo(json.dumps(body))
        else:
            show.out(rendered(body))


def current() -> Program:
    """The program that runs."""
    return running(click.get_current_context())


def running(ctx: click.Context) -> Program:
    """The program that a context belongs to, also while the shell completes."""
    return ctx.find_root().ensure_object(Program)


class Command(click.Command):
    """A command that takes `--json`, as does everything before it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as click has it
        super().__init__(*args, **kwargs)
        self.params.append(_json_option())


class Commands(click.Group):
    """Several of them, listed in the order in which they are written down."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - as click has it
        super().__init__(*args, **kwargs)
        self.params.append(_json_option())

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Not by the alphabet."""
        return list(self.commands)


class Hoist(Commands):
    """All of them: whatever goes wrong is said in words, and by an exit code."""

    group_class = Commands

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 - as click has it
        """Run a command."""
        try:
            return super().invoke(ctx)
        except Trouble as trouble:
            _tell(trouble.problem)
            raise click.exceptions.Exit(_exit_code(trouble)) from None
        except click.Abort:
            show.err("\nStopped before anything was sent.")
            raise click.exceptions.Exit(INTERRUPTED) from None
        except KeyboardInterrupt:
            show.err(
                "\nInterrupted. If a request was on its way, it may have been carried out: "
                "hoist show or hoist list tells."
            )
            raise click.exceptions.Exit(INTERRUPTED) from None
        except (click.ClickException, click.exceptions.Exit):
            raise
        except Exception as error:
            if isinstance(error, OSError) and error.errno == errno.EPIPE:
                raise
            _tell(_bug(error))
            # Its words and its traceback may hold what nobody shall read.
            raise click.exceptions.Exit(BUG) from None


def _exit_code(trouble: Trouble) -> int:
    match trouble:
        case Refused():
            return REFUSED
        case NoAnswer():
            return NO_ANSWER
        case _:
            return BUG


def _tell(problem: Mapping[str, Any]) -> None:
    program = current()
    if program.as_json:
        click.echo(json.dumps(problem))
    else:
        show.err(show.problem(problem, advice(problem, program.promotion_id)))


def _bug(error: Exception) -> dict[str, Any]:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return {
        "title": "hoist, the program, has a bug",
        "detail": f"{type(error).__name__} at {where}. A request may have been carried out.",
        "code": "bug",
        "retryable": False,
        "safe_now": "investigate",
    }


def _json_option() -> click.Option:
    return click.Option(
        ["--json"],
        is_flag=True,
        expose_value=False,
        callback=_note_json,
        help="Print JSON, and nothing else, to stdout.",
    )


def _note_json(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - as click calls it
    if wanted:
        running(ctx).as_json = True
