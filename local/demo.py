"""The incident, replayed: the console dies by the restart, the worker by our hand; it ends well.

Nothing is pretended: the simulator SIGTERMs the console's process as Heroku does a dyno's, and
the worker's Lambda process is SIGKILLed while Heroku holds back its answer to the PATCH.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import requests

from infra.deploy import stack_name
from infra.paths import ROOT
from local import directions, incident
from local.child import LocalStackError
from local.directions import Directions
from local.heroku.client import SimulatorControls
from local.installation import STAGE
from local.ministack import kill_lambda, listening, root
from local.stack import local_stack
from local.totp import fresh_code

#: How long Heroku holds back its answer: long enough to kill the worker meanwhile.
_HOLD_SECONDS = 20
_PATCHED_WITHIN_SECONDS = 30
_DEPLOYED_WITHIN_SECONDS = 90
_GRACE_SECONDS = 5
_POLL_SECONDS = 0.2
_ANSWER_SECONDS = 30


def demo(state: Path, port: int) -> int:
    """Replay the incident on the stack that runs with this state, or on one of its own."""
    with _stack(state, port) as here:
        replay = Replay(here=here, state=state, heroku=SimulatorControls(here.heroku))
        return 0 if replay() else 1


@contextmanager
def _stack(state: Path, port: int) -> Iterator[Directions]:
    known = directions.read(state / directions.FILE)
    if known and _answers(known.api):
        print(f"Using the stack that runs at {known.api}", flush=True)
        yield known
        return
    print("No stack runs here: starting one for the demo.", flush=True)
    with local_stack(state, port, say=lambda text: print(f"  {text}", flush=True)) as stack:
        yield stack.directions


def _answers(api: str) -> bool:
    try:
        return requests.get(f"{api}/health", timeout=_ANSWER_SECONDS).ok
    except requests.RequestException:
        return False


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One replay of the incident. Calling it tells whether everything ended as Hoist claims."""

    here: Directions
    state: Path
    heroku: SimulatorControls

    def __call__(self) -> bool:
        before = self._patches()
        value = "false" if self._value() == "true" else "true"
        self._tell(f"{incident.FLAG} at {incident.TARGET} shall be {value}.")
        self.heroku.arm(
            "hang_after_apply",
            method="PATCH",
            route="config-vars",
            app=incident.TARGET,
            seconds=_HOLD_SECONDS,
        )
        with self._console(value) as console:
            promotion_id = self._promoted(console)
            self._await(lambda: self._patches() > before, _PATCHED_WITHIN_SECONDS, "the PATCH")
            killed = self._kill_worker()
            self._tell(
                "Heroku has applied the PATCH and holds back its answer: "
                f"the worker was killed (SIGKILL, {killed} process), before its checkpoint.",
            )
            status = console.wait(_GRACE_SECONDS + 5)
        self._tell(f"The restart killed the console's process too ({_ended(status)}).")
        self._tell("Nobody does anything now.")
        promotion = self._settled(promotion_id)
        trail = self._get(f"/promotions/{promotion_id}/audit")
        releases = self._patches() - before
        self._print_timelines(promotion, trail)
        return _verdict(promotion, trail, releases)

    @contextmanager
    def _console(self, value: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a console in a dyno of the very app that it changes."""
        promoter = self.here.operators["promoter"]
        code = fresh_code(promoter.totp_secret, self.state / "totp.json")
        order = {
            "api": self.here.api,
            "token": promoter.token,
            "code": code,
            "body": {"target": incident.TARGET, "flag": incident.FLAG, "value": value},
        }
        command = [sys.executable, "-m", "local.console"]
        with subprocess.Popen(  # noqa: S603 - our own program
            command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as console:
            self.heroku.register_dyno(incident.TARGET, console.pid, _GRACE_SECONDS)
            try:
                assert console.stdin is not None  # noqa: S101 - asked for above
                console.stdin.write(json.dumps(order))
                console.stdin.close()
                yield console
            finally:
                console.kill()
                self.heroku.unregister_dyno(console.pid)

    def _promoted(self, console: "subprocess.Popen[str]") -> str:
        assert console.stdout is not None  # noqa: S101 - asked for in `_console`
        promotion_id = console.stdout.readline().strip()
        if not promotion_id:
            message = (
                f"The console could not promote {incident.FLAG}: another promotion of it may be "
                "open. Cancel it, or let it settle, and try again."
            )
            raise LocalStackError(message)
        self._tell(f"The console (process {console.pid}, a dyno of the app) promoted it:")
        self._tell(f"  {promotion_id}")
        return promotion_id

    def _kill_worker(self) -> int:
        """SIGKILL the worker's Lambda process of this very stack."""
        pid = listening(int(self.here.ministack.rpartition(":")[2]))
        if pid is None:
            message = f"No MiniStack process is to be found for {self.here.ministack}."
            raise LocalStackError(message)
        aws = root(self.here.ministack)
        cloudformation = aws.session.client("cloudformation", endpoint_url=aws.endpoint_url)
        (stack,) = cloudformation.describe_stacks(StackName=stack_name(STAGE))["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        return kill_lambda(pid, outputs["WorkFunction"])

    def _settled(self, promotion_id: str) -> dict[str, Any]:
        """Follow the promotion until it has settled, telling what it waits for."""
        told: list[str] = []

        def settled() -> bool:
            promotion = self._get(f"/promotions/{promotion_id}")
            waiting = promotion["waiting_on"]
            if waiting and waiting["text"] not in told:
                told.append(waiting["text"])
                self._tell(f"  {promotion['state']}, {promotion['step']}: {waiting['text']}")
            return waiting is None

        self._await(settled, _DEPLOYED_WITHIN_SECONDS, "the promotion to settle")
        return self._get(f"/promotions/{promotion_id}")

    def _await(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        ends = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > ends:
                message = (
                    f"Waited {seconds:.0f} s for {what}, which has not come. That says nothing "
                    f"of the promotion itself: look at the logs in {self.state / 'logs'}."
                )
                raise LocalStackError(message)
            time.sleep(_POLL_SECONDS)

    def _get(self, path: str) -> dict[str, Any]:
        answer = requests.get(
            self.here.api + path,
            headers={"Authorization": f"Bearer {self.here.operators['viewer'].token}"},
            timeout=_ANSWER_SECONDS,
        )
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def _patches(self) -> int:
        return len(self.heroku.truth(incident.TARGET)["patches"])

    def _value(self) -> str | None:
        stored: dict[str, str] = self.heroku.app(incident.TARGET)["stored"]
        return stored.get(f"FLAG_{incident.FLAG.upper()}")

    def _print_timelines(self, promotion: dict[str, Any], trail: dict[str, Any]) -> None:
        print("\nThen (the incident's report)")
        for at, what in incident.TIMELINE:
            print(f"  {at:15} {what}")
        print(f"\nNow ({promotion['id']}, from its audit trail)")
        began = _time(promotion["promoted_at"])
        for entry in trail["entries"]:
            seconds = (_time(entry["at"]) - began).total_seconds()
            facts = ", ".join(f"{name} {value}" for name, value in _told(entry["facts"]).items())
            print(f"  {seconds:+8.1f} s      {entry['action']:15} by {entry['actor']:8} {facts}")

    @staticmethod
    def _tell(text: str) -> None:
        print(text, flush=True)


def _told(facts: dict[str, Any]) -> dict[str, Any]:
    names = ("value", "previous_value", "baseline_release", "release", "effect")
    absent = {None: "(absent)"}
    return {name: absent.get(facts[name], facts[name]) for name in names if name in facts}


def _ended(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"status {status}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _verdict(promotion: dict[str, Any], trail: dict[str, Any], releases: int) -> bool:
    took = (_time(promotion["settled_at"]) - _time(promotion["promoted_at"])).total_seconds()
    claims = {
        "deployed, and live": (promotion["state"], promotion["effect"]) == ("deployed", "live"),
        "exactly one release": releases == 1,
        "audit trail verified": trail["verified"],
    }
    print()
    for claim, held in claims.items():
        print(f"  {'yes' if held else 'NO '}  {claim}")
    print(f"\nDetected and healed {took:.1f} s after the promote, by nobody. Then: 57 h 49 min.")
    return all(claims.values())
