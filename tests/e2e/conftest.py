"""One local stack for all of these tests, and callers of it."""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest
import requests

from chalicelib.adapters.totp import ParameterTotpSecrets
from chalicelib.bootstrap import Container
from chalicelib.domain.operator import Operator, Role
from chalicelib.domain.promotion import State
from chalicelib.settings import Settings
from local.directions import DemoOperator
from local.heroku.client import SimulatorControls
from local.installation import STAGE
from local.ministack import REGION, ROOT_KEY
from local.stack import LocalStack, local_stack

ANSWER_SECONDS = 30
SETTLED_WITHIN_SECONDS = 60
LEAST_PAUSE_SECONDS, MOST_PAUSE_SECONDS = 0.1, 1.0
#: What EventBridge sends on a schedule.
TICK = {
    "version": "0",
    "id": "tick",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "000000000000",
    "time": "2026-11-22T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
    "detail": {},
}


@dataclass
class Person:
    """Somebody who calls the API, with a token and an authenticator app."""

    api: str
    token: str
    totp_secret: str
    #: The newest code that was used: each works once.
    step: int = 0
    session: requests.Session = field(default_factory=requests.Session)

    def __call__(self, method: str, path: str, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - arguments of `requests`
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        return self.session.request(
            method,
            self.api + path,
            headers=headers,
            timeout=ANSWER_SECONDS,
            **kwargs,
        )

    def mark(self, target: str, flag: str, value: str = "true") -> dict[str, Any]:
        answer = self(
            "POST",
            "/promotions",
            json={"target": target, "flag": flag, "value": value},
            headers={"Idempotency-Key": secrets.token_hex()},
        )
        assert answer.status_code == 201, answer.text
        marked: dict[str, Any] = answer.json()
        return marked

    def code(self) -> str:
        """A code that was not used yet: this step's or, as the window allows, the next one's."""
        totp, now = pyotp.TOTP(self.totp_secret), int(time.time()) // 30  # noqa: TID251 - a phone has its own clock
        self.step = max(self.step + 1, now)
        if self.step > now + 1:
            time.sleep(30)
        return totp.generate_otp(self.step)

    def promote(self, promotion_id: str, code: str | None = None) -> requests.Response:
        headers = {"X-TOTP": code or self.code()}
        return self("POST", f"/promotions/{promotion_id}/promote", headers=headers)

    def read(self, promotion_id: str) -> dict[str, Any]:
        """The promotion as it is now."""
        answer = self("GET", f"/promotions/{promotion_id}")
        assert answer.status_code == 200, answer.text
        promotion: dict[str, Any] = answer.json()
        return promotion

    def settled(
        self,
        promotion_id: str,
        *,
        within_seconds: float = SETTLED_WITHIN_SECONDS,
    ) -> dict[str, Any]:
        """The promotion, once it has settled."""
        seen: list[dict[str, Any]] = []

        def settled() -> bool:
            seen[:] = [self.read(promotion_id)]
            return State(seen[0]["state"]).terminal

        wait_until(settled, within_seconds=within_seconds, shown=lambda: seen)
        return seen[0]


def wait_until(
    condition: Callable[[], bool],
    *,
    within_seconds: float = SETTLED_WITHIN_SECONDS,
    shown: Callable[[], object] = str,
) -> None:
    """Wait for something to come true; fail the test, with what is to be shown, if it does not.

    The longer it takes, the seldomer it looks: each look is work for two Lambdas.
    """
    ends, pause = time.monotonic() + within_seconds, LEAST_PAUSE_SECONDS
    while not condition():
        if time.monotonic() > ends:
            pytest.fail(f"it has not come true in {within_seconds} s {shown()}")
        time.sleep(pause)
        pause = min(pause * 1.5, MOST_PAUSE_SECONDS)


def wait_for_step(person: Person, promotion_id: str, step: str) -> dict[str, Any]:
    """The promotion, once it has come this far."""
    wait_until(lambda: bool(person.read(promotion_id)["step"] == step))
    return person.read(promotion_id)


@dataclass
class Town:
    """A running stack, its people, and a way in behind the API."""

    stack: LocalStack
    hired: int = 0

    @property
    def heroku(self) -> SimulatorControls:
        return SimulatorControls(self.stack.heroku)

    def patches(self, app: str) -> list[dict[str, Any]]:
        """The PATCHes that Heroku has taken for the app."""
        patches: list[dict[str, Any]] = self.heroku.truth(app)["patches"]
        return patches

    def app(self, name: str) -> str:
        """A new app at Heroku, listed as a target."""
        self.heroku.create_app(name)
        answer = self.person("superadmin")("PUT", f"/targets/{name}", json={})
        assert answer.status_code == 200, answer.text
        return name

    def person(self, role: str) -> Person:
        """The demo operator in this role."""
        operator = self.stack.operators[role]
        return Person(self.stack.api, operator.token, operator.totp_secret)

    def hire(self, role: Role = Role.PROMOTER) -> Person:
        """A new operator, whose codes nobody has used."""
        self.hired += 1
        made = DemoOperator.invent(f"{role}{self.hired}")
        container = self.backdoor()
        totp_secrets = ParameterTotpSecrets(client=lambda: container.aws.ssm, stage=STAGE)
        secret = made.token.partition(".")[2]
        container.operators.put(  # type: ignore[attr-defined]
            Operator(
                name=made.name,
                role=role,
                token_sha256=hashlib.sha256(secret.encode()).hexdigest(),
                totp_reference=totp_secrets.put(made.name, made.totp_secret),
            ),
        )
        return Person(self.stack.api, made.token, made.totp_secret)

    def invoke(self, function: str, event: object = TICK) -> None:
        """Call a function as its queue or its schedule would, and not only when its time comes."""
        aws = self.stack.ministack.aws
        client = aws.session.client("lambda", endpoint_url=aws.endpoint_url)
        name, payload = self.stack.outputs[function], json.dumps(event).encode()
        answer = client.invoke(FunctionName=name, Payload=payload)
        assert "FunctionError" not in answer, answer["Payload"].read()

    def backdoor(self) -> Container:
        """Hoist's own wiring in this process, as root: for what the API does not offer."""
        container = Container()
        container.settings = settings_of(self.stack)
        return container


def settings_of(stack: LocalStack) -> Settings:
    """What the stack's Lambdas are told."""
    outputs = stack.outputs
    return Settings(
        hoist_stage=STAGE,
        hoist_promotions_table=outputs["PromotionsTable"],
        hoist_audit_table=outputs["AuditTable"],
        hoist_locks_table=outputs["LocksTable"],
        hoist_operators_table=outputs["OperatorsTable"],
        hoist_targets_table=outputs["TargetsTable"],
        hoist_wakes_queue_url=outputs["WakesQueueUrl"],
        hoist_on_call_topic_arn=outputs["OnCallTopicArn"],
        heroku_api_url=stack.heroku,
        hoist_runbook_url="docs/runbook.md",
    )


@pytest.fixture(scope="package")
def root_credentials() -> Iterator[Callable[[str], None]]:
    """Let this process speak to a MiniStack as root."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", ROOT_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", ROOT_KEY)
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        yield lambda url: environment.setenv("AWS_ENDPOINT_URL", url)


@pytest.fixture(scope="package")
def town(
    tmp_path_factory: pytest.TempPathFactory,
    root_credentials: Callable[[str], None],
) -> Iterator[Town]:
    with local_stack(tmp_path_factory.mktemp("stack")) as stack:
        root_credentials(stack.ministack.url)
        yield Town(stack)


@pytest.fixture
def speak_to(
    town: Town, root_credentials: Callable[[str], None]
) -> Iterator[Callable[[str], None]]:
    """Speak to another MiniStack for the length of a test, however that ends."""
    yield root_credentials
    root_credentials(town.stack.ministack.url)
