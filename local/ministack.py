"""MiniStack, the local stand-in for AWS: how it is started and spoken to."""

import shutil
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import boto3
import psutil

from infra.aws import Aws
from local.child import HOST, Child, clean_environment, require_free

REGION = "us-east-1"
#: MiniStack's root credentials. IAM policies bind everybody else.
ROOT_KEY = "test"


@dataclass(frozen=True, kw_only=True)
class MiniStack:
    """A running MiniStack. It writes its state when it is stopped by SIGTERM, and only then."""

    url: str
    child: Child

    @classmethod
    def start(cls, port: int, *, state: Path, log: Path) -> "MiniStack":
        """Start it on the port, with what it knew when it was last stopped in `state`."""
        require_free(port)
        _follow_port(state, port)
        scratch = state / "tmp"
        # MiniStack leaves the directories behind that Lambdas ran in.
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        environment = clean_environment(
            AUTH="true",  # Without it nobody's IAM policy is enforced.
            BIND_HOST=HOST,
            GATEWAY_PORT=str(port),
            IOT_MTLS_ENABLED="0",
            PERSIST_STATE="1",
            SFTP_ENABLED="0",
            STATE_DIR=str(state),
            # Lambdas unpack here, and inherit this environment.
            TMPDIR=str(scratch),
            PYTHONDONTWRITEBYTECODE="1",
        )
        child = Child.start(
            "MiniStack",
            [sys.executable, "-m", "ministack"],
            environment=environment,
            directory=scratch,
            log=log,
        )
        return cls(url=f"http://{HOST}:{port}", child=child)

    def wait_until_answering(self) -> None:
        """Return once it takes calls; raise LocalStackError if it never does."""
        self.child.wait_until_answering(f"{self.url}/_ministack/health")

    @property
    def aws(self) -> Aws:
        """Speak to it as root, as to an AWS that one deploys to."""
        return root(self.url)

    def kill_lambda(self, function: str) -> int:
        """SIGKILL the function's processes, as an out-of-memory killer would; return how many.

        A call in progress ends without an answer, and the next one gets a new process.
        """
        return kill_lambda(self.child.process.pid, function)


def root(url: str) -> Aws:
    """Speak to the MiniStack at `url` as root."""
    session = boto3.Session(
        aws_access_key_id=ROOT_KEY,
        aws_secret_access_key=ROOT_KEY,
        region_name=REGION,
    )
    return Aws(session=session, endpoint_url=url, poll_seconds=0.05)


def kill_lambda(ministack_pid: int, function: str) -> int:
    """SIGKILL the function's processes under this MiniStack; return how many that were."""
    killed = 0
    for process in psutil.Process(ministack_pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if process.environ().get("AWS_LAMBDA_FUNCTION_NAME") == function:
                process.send_signal(signal.SIGKILL)
                killed += 1
    return killed


def listening(port: int) -> int | None:
    """Return the pid of the MiniStack that listens on the port, if one does."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "ministack" in process.cmdline() and process.environ().get("GATEWAY_PORT") == str(
                port,
            ):
                return process.pid
    return None


def _follow_port(state: Path, port: int) -> None:
    """Make the state one of a MiniStack on `port`: it names queues by URL, with the port in it."""
    memory = state / "port"
    before = memory.read_text() if memory.exists() else str(port)
    if before != str(port):
        for path in state.glob("*.json"):
            text = path.read_text()
            path.write_text(
                text.replace(f"http://localhost:{before}/", f"http://localhost:{port}/")
            )
    state.mkdir(parents=True, exist_ok=True)
    memory.write_text(str(port))
