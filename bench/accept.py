"""What a warm promote costs beside the AWS calls that it makes.

The whole of a Lambda's handler, against bare boto3 clients that make the same calls with the same
contents: what one request sent to moto is recorded, and what it was answered. From then on a
loopback server repeats the answers to both, in turns, so that each request is like the first.
Counted is the CPU time of the thread that calls; the server has another. There is no TLS: it
would cost both the same, and bring the ratio nearer to one. A busy machine makes the ratio of
times worse; that of Python's function calls stays.

Exit status 1: the goal is missed, or the two do not make the same calls.
"""

import argparse
import base64
import cProfile
import json
import os
import pstats
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

import app
from bench.aws import Tape, cpu_of, served
from bench.site import CREDENTIALS, Site, authorize_event, promote_event, site
from chalicelib.bootstrap import Container
from chalicelib.settings import Settings
from tests.fakes import FakeClock

GOAL = 1.25

#: Takes an event and a context.
Lambda = Callable[[Mapping[str, Any], None], Any]


@dataclass(frozen=True, kw_only=True)
class Contest:
    """A handler and its baseline, over one tape."""

    name: str
    handler: Callable[[], object]
    baseline: Callable[[], object]
    tape: Tape
    ours: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    def play(self, times: int) -> None:
        """One turn each. Raises SystemExit where one made other calls than the other."""
        for subject, figures in ((self.handler, self.ours), (self.baseline, self.bare)):
            figures.append(cpu_of(subject, times))
            self.tape.require_the_same(times)

    @property
    def ratio(self) -> float:
        """Ours over the bare one's: the median of all turns."""
        return statistics.median(o / b for o, b in zip(self.ours, self.bare, strict=True))

    def function_calls(self) -> tuple[int, int]:
        """Ours and the bare one's: the same on any machine, however busy."""
        counts = []
        for subject in (self.handler, self.baseline):
            profile = cProfile.Profile()
            profile.runcall(subject)
            self.tape.require_the_same(1)
            counts.append(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]
        return counts[0], counts[1]

    def show(self) -> None:
        """Print a row of the table."""
        ours, bare = statistics.median(self.ours), statistics.median(self.bare)
        calls = self.function_calls()
        print(
            f"| {self.name} | {len(self.tape.said)} | {bare:.2f} | {ours:.2f} | {self.ratio:.2f} "
            f"| {calls[1]:,} | {calls[0]:,} | {calls[0] / calls[1]:.2f} |"
        )


@contextmanager
def contest(
    name: str, request: Callable[[Site], Mapping[str, Any]], door: Lambda
) -> Iterator[Contest]:
    """Record one warm request to `door`; then both sides stand ready. Leaves the environment."""
    tape = Tape()
    with served(tape) as url, pytest.MonkeyPatch.context() as environment:
        for variable, value in {**CREDENTIALS, "AWS_ENDPOINT_URL": url}.items():
            environment.setenv(variable, value)
        with site() as place:
            hoist, event = _recorded(place, tape, request, door)
        yield Contest(
            name=name,
            handler=lambda: _answer(hoist, door, event),
            baseline=_bare(tape),
            tape=tape,
        )


def _recorded(
    place: Site,
    tape: Tape,
    request: Callable[[Site], Mapping[str, Any]],
    door: Lambda,
) -> tuple[Container, Mapping[str, Any]]:
    """Answer twice, and keep what was said the second time: clients and secrets are there."""
    hoist = _hoist(place.settings, place.hoist.clock.now())
    for _ in range(2):
        place.forget_codes()
        event = request(place)
        tape.said.clear()
        _answer(hoist, door, event)
    tape.records = False
    return hoist, event


def _hoist(settings: Settings, at: datetime) -> Container:
    hoist = Container()
    # The moment of the recording, for ever: its code is the right one each time.
    hoist.settings, hoist.clock = settings, FakeClock(at)
    return hoist


def _answer(hoist: Container, door: Lambda, event: Mapping[str, Any]) -> object:
    app.hoist = hoist
    answer = door(event, None)
    if answer.get("statusCode", HTTPStatus.ACCEPTED) != HTTPStatus.ACCEPTED:
        raise SystemExit(str(answer))
    return answer


def _bare(tape: Tape) -> Callable[[], object]:
    """The same calls, by clients as boto3 makes them."""
    clients: dict[str, Any] = {
        "dynamodb": boto3.client("dynamodb"),
        "sqs": boto3.client("sqs"),
    }
    calls = [
        (
            getattr(clients[call.service], xform_name(call.operation.partition(".")[2])),
            json.loads(call.body, object_hook=_unpacked),
        )
        for call, _ in tape.said
    ]
    return lambda: [call(**contents) for call, contents in calls]


def _unpacked(found: dict[str, Any]) -> dict[str, Any]:
    """Bytes, which JSON spells in base64."""
    return {"B": base64.b64decode(found["B"])} if set(found) == {"B"} else found


def a_promote(place: Site) -> Mapping[str, Any]:
    """The event of a promote that will be accepted."""
    target = place.target(f"app-{next(place.serial)}")
    return promote_event(place.mark(target).id, place.code())


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.accept", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--times", type=int, default=10, help="requests in a round")
    parser.add_argument("--profile", action="store_true", help="show where a promote's time goes")
    arguments = parser.parse_args()
    print(
        "| warm | AWS calls | CPU ms: bare | Hoist | ratio | function calls: bare | Hoist | ratio |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    ratios = []
    for name, request, door in (
        ("promote", a_promote, app.app),
        ("authorize", lambda _: authorize_event(), app.authorize),
    ):
        with contest(name, request, door) as both:
            with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
                for _ in range(arguments.rounds):
                    both.play(arguments.times)
            both.show()
            ratios.append(both.ratio)
            if arguments.profile:
                _profile(both.handler)
    return 0 if ratios[0] <= GOAL else 1


def _profile(subject: Callable[[], object]) -> None:
    profile = cProfile.Profile()
    for _ in range(200):
        profile.runcall(subject)
    pstats.Stats(profile).sort_stats("tottime").print_stats(60)


if __name__ == "__main__":
    sys.exit(main())
