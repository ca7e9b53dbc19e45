"""`python -m local run|demo|totp|on-call`: the local stack from the command line."""

import argparse
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

import requests

from infra.errors import DeployError
from local import directions, on_call
from local.bulletin import Bulletin
from local.child import LocalStackError
from local.demo import demo
from local.stack import HEROKU_TOKEN, local_stack
from local.totp import fresh_code
from local.welcome import welcome

DEFAULT_STATE = ".hoist"
DEFAULT_PORT = "4800"
#: A stack takes this one and the two after it.
HIGHEST_PORT = 65_533
#: Each of them means: stop, and keep the data.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(state: Path, settings: Mapping[str, str]) -> None:
    """Run a stack until a signal."""
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - began:5.1f} s] {text}", flush=True)

    for number in SIGNALS:
        signal.signal(number, _interrupt)
    try:
        with local_stack(
            state,
            _port(settings),
            heroku_url=settings.get("HEROKU_API_URL") or None,
            heroku_token=settings.get("HEROKU_API_TOKEN") or HEROKU_TOKEN,
            say=say,
        ) as stack:
            print(welcome(stack.directions, state), flush=True)
            here = stack.directions
            tell_news = Bulletin(
                ministack=here.ministack,
                slack=here.slack,
                on_call_queue=here.on_call_queue,
                say=say,
            )
            try:
                while True:
                    stack.require_alive()
                    tell_news()
                    time.sleep(1)
            finally:
                # A second Ctrl-C would cut short the writing of the data.
                for number in SIGNALS:
                    signal.signal(number, signal.SIG_IGN)
                say("stopping")
    except KeyboardInterrupt:
        say("stopped")


def _port(settings: Mapping[str, str]) -> int:
    text = settings.get("HOIST_PORT") or DEFAULT_PORT
    port = int(text) if text.isdecimal() else 0
    if not 0 < port <= HIGHEST_PORT:
        message = f"HOIST_PORT={text} is no port that a stack can begin at: 1 to {HIGHEST_PORT}."
        raise LocalStackError(message)
    return port


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def totp(state: Path, role: str) -> None:
    """Print a one-time code of the demo operator in this role."""
    operator = _directions(state).operators[role]
    print(fresh_code(operator.totp_secret, state / "totp.json"))


def show_pages(state: Path) -> None:
    """Print what whoever is on call has got so far."""
    here = _directions(state)
    for page in on_call.worth_reading(on_call.pages(here.ministack, here.on_call_queue)):
        print(page)


def _directions(state: Path) -> directions.Directions:
    file = state / directions.FILE
    known = directions.read(file)
    if known is None:
        message = f"There is no {file}. Start a stack first: make run"
        raise LocalStackError(message)
    return known


def main() -> int:
    """Do what the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="run Hoist until Ctrl-C")
    commands.add_parser("demo", help="watch promotions survive what stuck the old design")
    commands.add_parser("on-call", help="print what whoever is on call has got")
    code = commands.add_parser("totp", help="print a one-time code")
    code.add_argument("role", choices=directions.NAMES)
    arguments = parser.parse_args()
    settings = os.environ  # noqa: TID251 - the local stack has settings of its own
    state = Path(settings.get("HOIST_STATE", DEFAULT_STATE))
    try:
        if arguments.command == "run":
            run(state, settings)
        elif arguments.command == "totp":
            totp(state, arguments.role)
        elif arguments.command == "on-call":
            show_pages(state)
        else:
            return demo(state, _port(settings))
    except (LocalStackError, DeployError) as error:
        print(error, file=sys.stderr)
        return 1
    except requests.ConnectionError:
        print("The stack does not answer. Start it first: make run", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
