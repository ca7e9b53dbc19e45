"""How long a promotion takes to settle after its worker was killed, on the local stack.

Everything at its production rate: leases, heartbeats, the queue, the watchdog. Heroku holds back
its answer to the PATCH, and the worker's process is SIGKILLed meanwhile, at a random moment. The
second column has the wake lost as well, so that only the watchdog is left.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import requests

from local.heroku.client import SimulatorControls
from local.stack import LocalStack, local_stack
from local.totp import fresh_code

ANSWER_SECONDS = 30
SETTLED_WITHIN_SECONDS = 120
#: A worker that lives renews its claims this often: the kill may fall anywhere in between.
KILLED_WITHIN_SECONDS = 4.0


class Trial:
    """One promotion whose worker is killed."""

    def __init__(self, stack: LocalStack, state: Path, n: int) -> None:
        self.stack, self.state, self.n = stack, state, n
        self.app = f"killed-{n}"
        self.heroku = SimulatorControls(stack.heroku)
        self.heroku.create_app(self.app)
        self.call("superadmin", "PUT", f"/targets/{self.app}", json={})

    def call(
        self,
        role: str,
        method: str,
        path: str,
        *,
        json: object = None,
        headers: dict[str, str] | None = None,
    ) -> requests.Response:
        """Send one request as the demo operator in this role."""
        headers = {
            "Authorization": f"Bearer {self.stack.operators[role].token}",
            **(headers or {}),
        }
        answer = requests.request(
            method,
            self.stack.api + path,
            headers=headers,
            json=json,
            timeout=ANSWER_SECONDS,
        )
        answer.raise_for_status()
        return answer

    def seconds(self, *, moment: float, lose_the_wake: bool) -> float:
        """Promote, kill, and return how long it took from the kill to `deployed`."""
        body = {"target": self.app, "flag": "dark_mode", "value": "true"}
        marked = self.call(
            "promoter",
            "POST",
            "/promotions",
            json=body,
            headers={"Idempotency-Key": self.app},
        ).json()
        self.heroku.arm("hang_after_apply", method="PATCH", app=self.app, seconds=30)
        # Each code works once: two take turns, so that nobody waits long for the next.
        role = ("promoter", "superadmin")[self.n % 2]
        code = fresh_code(self.stack.operators[role].totp_secret, self.state / "totp.json")
        path = f"/promotions/{marked['id']}"
        self.call(role, "POST", f"{path}/promote", headers={"X-TOTP": code})
        self.await_that(lambda: self.patches() == 1)
        time.sleep(moment)
        if lose_the_wake:
            self.purge()
        killed = time.monotonic()
        self.stack.kill_worker()
        self.await_that(lambda: self.state_of(marked["id"]) == "deployed")
        took = time.monotonic() - killed
        if self.patches() != 1:
            message = f"{self.patches()} PATCHes instead of one"
            raise SystemExit(message)
        return took

    def purge(self) -> None:
        """Lose every wake that is queued or in hand."""
        aws = self.stack.ministack.aws
        sqs = aws.session.client("sqs", endpoint_url=aws.endpoint_url)
        sqs.purge_queue(QueueUrl=self.stack.outputs["WakesQueueUrl"])

    def patches(self) -> int:
        """How many PATCHes Heroku has taken."""
        return len(self.heroku.truth(self.app)["patches"])

    def state_of(self, promotion_id: str) -> str:
        """Read the promotion's state from its table: asking the API costs the CPUs two Lambdas."""
        aws = self.stack.ministack.aws
        dynamodb = aws.session.client("dynamodb", endpoint_url=aws.endpoint_url)
        answer = dynamodb.get_item(
            TableName=self.stack.outputs["PromotionsTable"],
            Key={"id": {"S": promotion_id}},
            ConsistentRead=True,
        )
        return answer["Item"]["state"]["S"]

    @staticmethod
    def await_that(condition: Callable[[], bool]) -> None:
        """Wait for it, in bounded time."""
        ends = time.monotonic() + SETTLED_WITHIN_SECONDS
        while not condition():
            if time.monotonic() > ends:
                message = f"it has not come true in {SETTLED_WITHIN_SECONDS} s"
                raise SystemExit(message)
            time.sleep(0.05)


def show(title: str, seconds: list[float]) -> None:
    """Print one row of the table."""
    ordered = sorted(seconds)
    p50, p90 = statistics.median(ordered), ordered[int(0.9 * (len(ordered) - 1))]
    figures = " | ".join(f"{each:.1f}" for each in (ordered[0], p50, p90, ordered[-1]))
    print(f"| {title} | {len(ordered)} | {figures} |")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--lost", type=int, default=3)
    arguments = parser.parse_args()
    dice = random.Random(20260509)  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory() as directory:
        state = Path(directory)
        with local_stack(state) as stack:
            rows: dict[str, list[float]] = {"worker killed": [], "and its wake lost": []}
            for n in range(arguments.kills + arguments.lost):
                lost = n >= arguments.kills
                took = Trial(stack, state, n).seconds(
                    moment=dice.uniform(0, KILLED_WITHIN_SECONDS),
                    lose_the_wake=lost,
                )
                rows["and its wake lost" if lost else "worker killed"].append(took)
                print(f"# {'lost' if lost else 'kill'} {n + 1}: {took:.1f} s", flush=True)
    print("\n| seconds from kill to `deployed` | kills | least | p50 | p90 | most |")
    print("|---|---:|---:|---:|---:|---:|")
    for title, seconds in rows.items():
        if seconds:
            show(title, seconds)


if __name__ == "__main__":
    main()
