"""The local stack as something to do harm to, and what is true of it meanwhile."""

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bench.kills.client import Client, hired
from infra.office import Office
from local.child import Child, LocalStackError, require_free
from local.heroku.client import SimulatorControls
from local.installation import STAGE
from local.ministack import MiniStack
from local.stack import LocalStack, local_stack, start_standins

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

#: A call that breaks must not be repeated behind our back.
_INVOKE = Config(read_timeout=90, retries={"total_max_attempts": 1})
#: Below those that the system gives to whoever asks for any: a port must still be free when what
#: listened there was stopped.
_PORTS = range(21000, 32000, 10)
#: Looks at Heroku must not run out: the account's limit is not what is tried here.
_PLENTY = 1_000_000


@dataclass(kw_only=True)
class Place:
    """A running stack whose parts can be killed, stopped and started again."""

    stack: LocalStack
    state: Path
    ministack: MiniStack
    standins: Child
    _hired: int = 0
    _hiring: threading.Lock = field(default_factory=threading.Lock)

    @cached_property
    def heroku(self) -> SimulatorControls:
        """What Heroku really did."""
        return SimulatorControls(self.stack.heroku)

    @cached_property
    def office(self) -> Office:
        """The tables, as root: to look at states without costing the CPUs two Lambdas."""
        return Office(aws=self.ministack.aws, stage=STAGE, outputs=self.stack.outputs)

    @cached_property
    def superadmin(self) -> Client:
        """A demo operator."""
        return Client(api=self.stack.api, operator=self.stack.operators["superadmin"])

    @cached_property
    def _lambda(self) -> "LambdaClient":
        aws = self.ministack.aws
        return aws.session.client("lambda", endpoint_url=aws.endpoint_url, config=_INVOKE)

    def prepare(self) -> None:
        """Make what several threads will share: making clients is not safe in several."""
        self.office.promotions.get("none")
        assert self._lambda  # noqa: S101 - made here
        self.heroku.set_rate_limit(remaining=_PLENTY)

    def hire(self) -> Client:
        """A new promoter."""
        with self._hiring:
            self._hired += 1
            return hired(self.office, self.stack.api, f"promoter{self._hired}")

    def target(self, app: str, **policy: object) -> str:
        """A new app at Heroku, listed as a target."""
        self.heroku.create_app(app)
        self.superadmin.put(f"/targets/{app}", policy)
        return app

    # Harm

    def kill(self, output: str) -> datetime:
        """SIGKILL all processes of a Lambda, by its name among the stack's outputs; say when."""
        at = now()
        self.ministack.kill_lambda(self.stack.outputs[output])
        return at

    def lose_wakes(self) -> None:
        """Lose every wake that is queued or in hand."""
        aws = self.ministack.aws
        sqs = aws.session.client("sqs", endpoint_url=aws.endpoint_url)
        sqs.purge_queue(QueueUrl=self.stack.outputs["WakesQueueUrl"])

    def invoke(self, output: str, event: object) -> bool:
        """Call a Lambda ourselves; tell whether it came to its end."""
        try:
            answer = self._lambda.invoke(
                FunctionName=self.stack.outputs[output],
                Payload=json.dumps(event).encode(),
            )
        except (ClientError, BotoCoreError):
            return False
        return "FunctionError" not in answer

    def restart(self) -> datetime:
        """Stop MiniStack, which writes its state, and start it again; say when it answers."""
        self.stop()
        url = self.ministack.url
        self.ministack = MiniStack.start(
            int(url.rpartition(":")[2]),
            state=self.state / "ministack",
            log=self.ministack.child.log,
        )
        self.ministack.wait_until_answering()
        self.standins = start_standins(url, self.state, now().timestamp())
        return now()

    def stop(self) -> None:
        """Stop what was started here in place of the stack's own. Is idempotent."""
        self.standins.stop()
        self.ministack.child.stop()

    def freeze_heroku(self, seconds: float) -> datetime:
        """SIGSTOP the simulator for so long; say when it went on."""
        (simulator,) = (each for each in self.stack.children if "Heroku" in each.name)
        os.kill(simulator.process.pid, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(simulator.process.pid, signal.SIGCONT)
        return now()

    # Truth

    def told(self, promotion_id: str) -> tuple[int, int]:
        """How often Slack and the person on call have heard of a promotion."""
        slack = sum(promotion_id in json.dumps(each) for each in self.stack.slack_messages())
        pages = sum(
            promotion_id in json.dumps(page.message) for page in self.stack.on_call_messages()
        )
        return slack, pages

    def patches(self, app: str, config_var: str) -> list[dict[str, Any]]:
        """The PATCHes of one config var that Heroku took."""
        taken: list[dict[str, Any]] = self.heroku.truth(app)["patches"]
        return [patch for patch in taken if config_var in patch["changes"]]

    def live(self, app: str, config_var: str) -> str | None:
        """What the app's dynos run with."""
        found: dict[str, str] = self.heroku.app(app)["live"]
        return found.get(config_var)


@contextmanager
def place(state: Path) -> Iterator[Place]:
    """Run a stack for as long as the context lasts, whatever is killed meanwhile."""
    with ExitStack() as running:
        stack = running.enter_context(local_stack(state, _free_port()))
        here = Place(
            stack=stack,
            state=state.resolve(),
            ministack=stack.ministack,
            standins=stack.children[-1],
        )
        # Those of a restart are not the stack's own any more.
        running.callback(here.stop)
        here.prepare()
        yield here


def _free_port() -> int:
    """The first of three that nobody listens at."""
    for port in _PORTS:
        with suppress(LocalStackError):
            for each in (port, port + 1, port + 2):
                require_free(each)
            return port
    message = "no ports are free"
    raise LocalStackError(message)


def now() -> datetime:
    """The time of this machine, which all processes of the stack share."""
    return datetime.now(UTC)  # noqa: TID251 - compared with what Hoist's own clock stamped
