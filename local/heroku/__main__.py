"""Run the simulator as a process: `python -m local.heroku --app my-app`.

Prints one line, `heroku simulator on http://127.0.0.1:PORT`, when it answers.
SIGTERM and SIGINT stop it cleanly.
"""

import argparse
import os
import signal
import threading
from pathlib import Path

from local.heroku.simulator import Simulator
from local.heroku.tokens import DEFAULT_TOKEN


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m local.heroku", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free port (default)")
    parser.add_argument("--state", type=Path, help="JSON file that survives a restart")
    parser.add_argument(
        "--app", action="append", default=[], help="create this app if missing; repeatable"
    )
    parser.add_argument(
        "--token",
        default=os.environ.get(  # noqa: TID251 - a program of its own, with one setting
            "HEROKU_SIMULATOR_TOKEN", DEFAULT_TOKEN
        ),
        help="the token that is accepted, with scope global (env HEROKU_SIMULATOR_TOKEN)",
    )
    return parser.parse_args()


def main() -> None:
    """Serve until a signal."""
    arguments = _arguments()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with Simulator(
        port=arguments.port, apps=arguments.app, token=arguments.token, state=arguments.state
    ) as simulator:
        print(f"heroku simulator on {simulator.url}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
