"""Stand in for AWS next to a MiniStack: `python -m local.standins --ministack URL --stack NAME`."""

import argparse
import functools
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local.ministack import root
from local.standins.alarms import AlarmJudge
from local.standins.metrics import Forwarder, LogTail
from local.standins.queues import Queues
from local.standins.streams import Delivery, Rules, given_up, invoked, read

_METRICS_EVERY_SECONDS = 2.0
_ALARMS_EVERY_SECONDS = 2.0
#: Longer than any function may run. One call is one delivery, so the client must not repeat it.
_INVOKE = Config(read_timeout=90, retries={"total_max_attempts": 1})


@dataclass(frozen=True, kw_only=True)
class Standins:
    """All of them, each on a thread of its own, for one stack in one MiniStack."""

    ministack: str
    stack: str
    #: What was logged before, in milliseconds since 1970, was an earlier run's.
    since: int
    stop: threading.Event

    def client(self, service: str, config: Config | None = None) -> Any:  # noqa: ANN401 - any service's
        """Return a client of its own: threads do not share them."""
        aws = root(self.ministack)
        return aws.session.client(service, endpoint_url=aws.endpoint_url, config=config)  # type: ignore[call-overload]

    def start(self) -> list[threading.Thread]:
        """Start them; each ends within seconds once told to stop."""
        forward = Forwarder(
            tail=LogTail(
                logs=self.client("logs"),
                prefix=f"/hoist/{self.stack}/",
                since=self.since,
            ),
            cloudwatch=self.client("cloudwatch"),
        )
        judge = AlarmJudge(
            cloudwatch=self.client("cloudwatch"),
            measure=Queues(sqs=self.client("sqs"), ministack=self.ministack).measure,
            now=_now,
            since=_now(),
            stack=self.stack,
        )
        work: list[Callable[[], object]] = [
            functools.partial(self._repeat, forward, _METRICS_EVERY_SECONDS),
            functools.partial(self._repeat, judge, _ALARMS_EVERY_SECONDS),
        ]
        work += [functools.partial(self._deliver, rules) for rules in self._stream_sources()]
        # Daemons: one that hangs in a call must not keep the process from ending.
        threads = [threading.Thread(target=each, daemon=True) for each in work]
        for thread in threads:
            thread.start()
        return threads

    def _repeat(self, act: Callable[[], object], seconds: float) -> None:
        while not self.stop.wait(seconds):
            self._guarded(act)

    def _guarded(self, act: Callable[[], object]) -> None:
        """Do it; MiniStack going away, as it does when the stack stops, is no reason to end."""
        try:
            act()
        except (ClientError, BotoCoreError) as error:
            print(f"{type(error).__name__}: {error}", flush=True)

    def _stream_sources(self) -> list[Rules]:
        sources = self.client("lambda").list_event_source_mappings()["EventSourceMappings"]
        return [Rules.of(each) for each in sources if ":dynamodb:" in each["EventSourceArn"]]

    def _deliver(self, rules: Rules) -> None:
        functions, sqs = self.client("lambda", _INVOKE), self.client("sqs")
        delivery = Delivery(
            rules=rules,
            invoke=functools.partial(invoked, functions, rules),
            give_up=functools.partial(given_up, sqs, rules),
            now=time.time,  # noqa: TID251 - an event source has its own clock
            wait=self.stop.wait,
        )
        streams = self.client("dynamodbstreams")
        for batch in read(streams, rules, self.stop):
            delivery(batch)


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - CloudWatch has its own clock


def main() -> int:
    """Run until a signal; end by itself, and so end the stack, where one of them has ended."""
    parser = argparse.ArgumentParser(prog="python -m local.standins", description=__doc__)
    parser.add_argument("--ministack", required=True)
    parser.add_argument("--stack", required=True)
    parser.add_argument("--since", required=True, type=int, help="milliseconds since 1970")
    arguments = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    standins = Standins(
        ministack=arguments.ministack, stack=arguments.stack, since=arguments.since, stop=stop
    )
    threads = standins.start()
    while not stop.wait(0.5):
        if not all(thread.is_alive() for thread in threads):
            return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
