"""The whole of Hoist on this machine: the production template in MiniStack, next to a Heroku."""

import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from infra.deploy import stack_name
from infra.package import package
from infra.paths import ROOT
from local import bulletin, directions, on_call
from local.child import HOST, Child, LocalStackError, clean_environment, require_free
from local.directions import NAMES, DemoOperator, Directions
from local.installation import STAGE, Installation
from local.ministack import MiniStack
from local.seed import TARGETS

#: What our simulator accepts, and what another Heroku is given unless it needs its own.
HEROKU_TOKEN = "local-heroku-token"  # noqa: S105 - opens nothing but a simulator

_LOOPBACK = frozenset({HOST, "localhost", "::1"})


@dataclass(frozen=True, kw_only=True)
class LocalStack:
    """A running local stack."""

    directions: Directions
    #: What CloudFormation made, by the names of the template's outputs.
    outputs: Mapping[str, str]
    ministack: MiniStack
    children: tuple[Child, ...] = field(repr=False)

    @property
    def api(self) -> str:
        """Where the API is; append a path."""
        return self.directions.api

    @property
    def heroku(self) -> str:
        """Where the Heroku is that it promotes to."""
        return self.directions.heroku

    @property
    def operators(self) -> Mapping[str, DemoOperator]:
        """The demo operators, by role."""
        return self.directions.operators

    @property
    def slack(self) -> str:
        """Where the stand-in for Slack is: `local/slack.py` says what it can be told."""
        return self.directions.slack

    def slack_messages(self) -> list[dict[str, object]]:
        """Return what Slack has been told since the stack was started, oldest first."""
        return bulletin.messages(self.slack)

    def on_call_messages(self) -> list[on_call.Page]:
        """Return what whoever is on call has got, oldest first. Reading changes nothing."""
        return on_call.pages(self.ministack.url, self.directions.on_call_queue)

    def alarms(self) -> dict[str, str]:
        """Return the state of each alarm, by the name that the runbook has for it."""
        aws, prefix = self.ministack.aws, f"{stack_name(STAGE)}-"
        cloudwatch = aws.session.client("cloudwatch", endpoint_url=aws.endpoint_url)
        pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
        return {
            alarm["AlarmName"].removeprefix(prefix): alarm["StateValue"]
            for page in pages
            for alarm in page["MetricAlarms"]
        }

    def kill_worker(self) -> int:
        """SIGKILL the worker, amid a wake or not; return how many processes that were."""
        return self.ministack.kill_lambda(self.outputs["WorkFunction"])

    def require_alive(self) -> None:
        """Raise LocalStackError where a part of the stack has ended by itself."""
        for child in self.children:
            child.require_alive()


@contextmanager
def local_stack(
    state: Path,
    port: int | None = None,
    *,
    heroku_url: str | None = None,
    heroku_token: str = HEROKU_TOKEN,
    say: Callable[[str], None] = lambda _: None,
) -> Iterator[LocalStack]:
    """Run a local stack for as long as the context lasts. What it knows stays in `state`.

    MiniStack listens on `port`, the Heroku simulator on the next one and the stand-in for Slack on
    the one after that; without a port, on any free ones. With `heroku_url`, which must be on this
    machine, no simulator is started.
    Raises LocalStackError where it cannot run. Stops only what it started, in bounded time.
    """
    require_loopback(heroku_url)
    state = state.resolve()
    port, heroku_port, slack_port = (port, port + 1, port + 2) if port else _free_ports()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    began = time.time()  # noqa: TID251 - log lines have the machine's time
    with ExitStack() as running:
        ministack = MiniStack.start(
            port, state=state / "ministack", log=state / "logs" / "ministack.log"
        )
        running.callback(ministack.child.stop)
        children = [ministack.child]
        if heroku_url is None:
            heroku_url = f"http://{HOST}:{heroku_port}"
            simulator = _start_simulator(heroku_port, state, heroku_token)
            running.callback(simulator.stop)
            children.append(simulator)
            simulator.wait_until_answering(heroku_url)
        slack = _start_slack(slack_port, state)
        running.callback(slack.stop)
        children.append(slack)
        bundle = package(STAGE)
        say(f"packaged: {bundle.archive.stat().st_size / 1e6:.1f} MB")
        ministack.wait_until_answering()
        say(f"MiniStack answers at {ministack.url}, Heroku is {heroku_url}")
        installation = Installation(
            ministack=ministack,
            heroku_url=heroku_url,
            heroku_token=heroku_token,
            slack_url=f"http://{HOST}:{slack_port}",
        )
        outputs = installation.deploy(bundle, state, say)
        say("deployed")
        found = installation.seed(outputs, _operators(state))
        found.write(state / directions.FILE)
        slack.wait_until_answering(f"{found.slack}/messages")
        say("seeded")
        standins = start_standins(ministack.url, state, began)
        running.callback(standins.stop)
        children.append(standins)
        yield LocalStack(
            directions=found, outputs=outputs, ministack=ministack, children=tuple(children)
        )


def require_loopback(heroku_url: str | None) -> None:
    """Raise LocalStackError for a Heroku elsewhere: demo flags must not leave this machine."""
    if heroku_url is not None and urlsplit(heroku_url).hostname not in _LOOPBACK:
        message = (
            f"HEROKU_API_URL={heroku_url} is not on this machine. "
            "The local stack speaks to no other Heroku."
        )
        raise LocalStackError(message)


def _free_ports() -> tuple[int, int, int]:
    with socket.socket() as one, socket.socket() as two, socket.socket() as three:
        for probe in (one, two, three):
            probe.bind((HOST, 0))
        return one.getsockname()[1], two.getsockname()[1], three.getsockname()[1]


def _start_simulator(port: int, state: Path, token: str) -> Child:
    require_free(port)
    command = [sys.executable, "-m", "local.heroku", "--port", str(port)]
    command += ["--state", str(state / "heroku.json")]
    for app in TARGETS:
        command += ["--app", app]
    return Child.start(
        "The Heroku simulator",
        command,
        # Not as an argument: every user of the machine can read those.
        environment=clean_environment(HEROKU_SIMULATOR_TOKEN=token),
        directory=ROOT,
        log=state / "logs" / "heroku.log",
    )


def _start_slack(port: int, state: Path) -> Child:
    require_free(port)
    return Child.start(
        "The stand-in for Slack",
        [sys.executable, "-m", "local.slack", "--port", str(port)],
        environment=clean_environment(),
        directory=ROOT,
        log=state / "logs" / "slack.log",
    )


def start_standins(ministack: str, state: Path, began: float) -> Child:
    """Start what does AWS's part where MiniStack does not, for what comes after `began`."""
    command = [sys.executable, "-m", "local.standins", "--ministack", ministack]
    command += ["--stack", stack_name(STAGE), "--since", str(int(began * 1000))]
    return Child.start(
        "What stands in for AWS",
        command,
        environment=clean_environment(),
        directory=ROOT,
        log=state / "logs" / "standins.log",
    )


def _operators(state: Path) -> Mapping[str, DemoOperator]:
    """Return the operators of the last start here, or new ones."""
    known = directions.read(state / directions.FILE)
    return (
        known.operators
        if known
        else {role: DemoOperator.invent(name) for role, name in NAMES.items()}
    )
