"""What exists before the fuzzing: targets that behave differently, promotions in many states."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from chalicelib.adapters.totp import ParameterTotpSecrets
from chalicelib.domain.operator import Role
from infra.paths import ROOT
from local.directions import DemoOperator
from local.heroku.client import SimulatorControls
from local.installation import STAGE
from local.seed import seed_operators
from local.stack import LocalStack
from tests.e2e.conftest import Person
from tests.fuzz.contract import Contract
from tests.fuzz.plan import NOBODY
from tests.fuzz.sense import FROZEN, SPARED

#: Operators of each role: each has a code every 30 seconds, and can be locked out.
OPERATORS = 12

#: How the Heroku apps behave that are promoted to, by name.
APPS: Mapping[str, Mapping[str, str | bool]] = {
    SPARED: {},
    FROZEN: {},
    "fuzz-slow": {"release_phase": True, "phase_result": "pending"},
    "fuzz-failing": {"release_phase": True, "phase_result": "failed"},
}
#: The operator's page: nothing lists its files.
CONSOLE = ROOT / "chalicelib" / "console"
#: A target that Heroku does not have.
GONE = "fuzz-gone"


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A running stack that has been got ready."""

    stack: LocalStack
    contract: Contract
    #: The operators of each role; for a service, promoters whom it acts for.
    operators: Mapping[Role, tuple[DemoOperator, ...]]
    service: DemoOperator

    @classmethod
    def made_in(cls, stack: LocalStack) -> "Scene":
        """Enter operators, list targets, mark and promote."""
        contract = Contract.served_at(stack.api)
        persons = {role: Role.PROMOTER if role is Role.SERVICE else role for role in Role}
        scene = cls(
            stack=stack,
            contract=contract,
            operators={
                role: tuple(_enter(stack, person, f"{role}s-{n}") for n in range(OPERATORS))
                for role, person in persons.items()
            },
            service=_enter(stack, Role.SERVICE, "service"),
        )
        for app in (*APPS, GONE):
            scene._promote_to(app)
        return scene

    @cached_property
    def known(self) -> Mapping[str, Mapping[str, str]]:
        """The names of what exists, by collection, each with its state, as the lists have it."""
        return {
            collection: {thing[name]: thing.get("state", "") for thing in self._listed(collection)}
            for collection, name in self.contract.names.items()
            if f"GET /{collection}" in self.contract.operations
        }

    def _listed(self, collection: str) -> list[dict[str, str]]:
        answer = self.person(Role.SUPERADMIN)("GET", f"/{collection}")
        answer.raise_for_status()
        # The page for people is no list.
        body = answer.json() if "json" in answer.headers["Content-Type"] else {}
        listed: list[dict[str, str]] = body.get(collection, [])
        return listed

    def person(self, role: Role, n: int = 0) -> Person:
        """One of the operators in this role."""
        operator = self.operators[role][n]
        return Person(self.stack.api, operator.token, operator.totp_secret)

    def token(self, caller: str) -> str:
        """What the caller comes with."""
        if caller == NOBODY:
            return "nobody.secret"
        return (self.service if caller == Role.SERVICE else self.operators[Role(caller)][0]).token

    def secrets(self) -> tuple[str, ...]:
        """What no answer may hold."""
        everybody = [each for group in self.operators.values() for each in group]
        everybody.append(self.service)
        tokens = tuple(operator.token.partition(".")[2] for operator in everybody)
        return tokens + tuple(operator.totp_secret for operator in everybody)

    def _promote_to(self, app: str) -> None:
        heroku = SimulatorControls(self.stack.heroku)
        if app in APPS:
            heroku.create_app(app)
            heroku.behave(app, **APPS[app])
        self.person(Role.SUPERADMIN)("PUT", f"/targets/{app}", json={}).raise_for_status()
        promoter = self.person(Role.PROMOTER)
        for n in range(3):
            promoter.mark(app, f"flag_{n}")
        promotion = promoter.mark(app, "promoted")["id"]
        # Somebody else each time: nobody has to wait for their next code.
        self.person(Role.PROMOTER, [*APPS, GONE].index(app)).promote(promotion).raise_for_status()
        cancelled = promoter.mark(app, "cancelled")["id"]
        promoter("POST", f"/promotions/{cancelled}/cancel").raise_for_status()


def _enter(stack: LocalStack, role: Role, name: str) -> DemoOperator:
    """A new operator, whose codes nobody has used."""
    aws, outputs = stack.ministack.aws, stack.outputs
    dynamodb = aws.session.client("dynamodb", endpoint_url=aws.endpoint_url)
    ssm = aws.session.client("ssm", endpoint_url=aws.endpoint_url)
    keep = ParameterTotpSecrets(client=lambda: ssm, stage=STAGE).put
    operator = DemoOperator.invent(name)
    seed_operators(dynamodb, outputs["OperatorsTable"], {role: operator}, keep)
    return operator
