"""Who may do what: every caller at every operation in every state, run through the doors.

`python -m tests.permissions` writes what the code does now to docs/permissions.md.
"""

import contextlib
import io
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import app
from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.freeze import Freeze, FreezePlan
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import EXPIRES_AFTER, Promotion, State
from chalicelib.usecases.stage import StageOrder
from infra.gateway_responses import GATEWAY_PROBLEMS
from tests.doors import BODY, CONTRACT, Answer, Api
from tests.factories import CONFIG_VAR, KIM, PAT, SAM, TARGET, VERA, an_operator
from tests.world import Wired, World

PAGE = Path(__file__).parent.parent / "docs" / "permissions.md"
COMMAND = "python -m tests.permissions"
YES = "yes"

_METHODS = frozenset({"get", "put", "post", "patch", "delete"})
_ARN = "arn:aws:execute-api:eu-west-1:123456789012:api/stage/GET/promotions"
_WHY = "The console was killed by the restart."
_CONSOLE = Caller(name="console", role=Role.SERVICE)


@dataclass(frozen=True, kw_only=True)
class Who:
    """Somebody who calls."""

    label: str
    described: str
    token: str
    for_whom: str | None = None
    #: The highest role that the service may use for others.
    up_to: Role = Role.PROMOTER


CALLERS = (
    Who(label="nobody", described="a token that is missing or unknown", token="nobody.secret"),
    Who(label="disabled", described="an operator who was disabled", token="gone.secret"),
    Who(label="service", described="a service that names nobody", token="console.secret"),
    Who(label="viewer", described="a viewer", token="vera.secret"),
    Who(label="promoter", described="a promoter", token="kim.secret"),
    Who(label="superadmin", described="a superadmin", token="sam.secret"),
    Who(
        label="service for promoter",
        described="a service, up to `promoter`, that names a promoter",
        token="console.secret",
        for_whom="kim",
    ),
    Who(
        label="service (promoter) for superadmin",
        described="a service, up to `promoter`, that names a superadmin",
        token="console.secret",
        for_whom="sam",
    ),
    Who(
        label="service (superadmin) for superadmin",
        described="a service, up to `superadmin`, that names a superadmin",
        token="console.secret",
        for_whom="sam",
        up_to=Role.SUPERADMIN,
    ),
)
#: To whom no role says no: what is left is what the state says.
ANYTHING_GOES = CALLERS[5]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One thing to ask for, so that nothing but caller and state can stand in its way."""

    #: As the contract calls it; what comes after a space tells a variant of it.
    name: str
    method: str
    path: str
    body: object = None
    query: dict[str, list[str]] | None = None

    @property
    def about_promotion(self) -> bool:
        """It is about one promotion, and so may depend on its state."""
        return self.path.startswith("/promotions/{id}")

    @property
    def open_to_all(self) -> bool:
        """No token is asked for."""
        return bool(CONTRACT["paths"][self.path][self.method.lower()].get("security") == [])


#: What operations are sent; the others need no body.
BODIES: Mapping[str, object] = {
    "mark": BODY,
    "edit": {"note": "seen"},
    # Heroku is not asked: what it shows is no question of who may.
    "complete": {"reason": _WHY, "force": True},
    "fail": {"reason": _WHY, "force": True},
    "put_target": {"description": "The console."},
    "put_freeze": {"reason": "Quiet days at the end.", "starts_at": "2026-12-23T18:00:00Z"},
    "import_catalogue": {"flags": [{"name": "dark_mode"}]},
    "unlock_operator": {"reason": "They mistyped it."},
}
#: The same operation with another body, where that asks for more.
_VARIANTS: Mapping[str, Mapping[str, object]] = {
    "stage": {"with a time": {"not_before": "2026-05-20T08:00:00Z"}},
    "promote": {"breaking the glass": {"break_glass": True, "reason": _WHY}},
}
#: Something of each kind that is there.
_EXAMPLES = {
    "app": TARGET,
    "name": "vera",
    "subject": "operator:vera",
    "file": "console.js",
    "/freezes/{id}": "year-end",
    "/catalogues/{id}": "backend",
}


def operations() -> Iterator[Operation]:
    """All that the contract has."""
    for path, item in CONTRACT["paths"].items():
        for method in (each for each in item if each in _METHODS):
            name = item[method]["operationId"]
            asked = Operation(name=name, method=method.upper(), path=path, body=BODIES.get(name))
            yield asked
            for variant, body in _VARIANTS.get(name, {}).items():
                yield replace(asked, name=f"{name} {variant}", body=body)


@dataclass(frozen=True)
class Scene:
    """A world of its own for one attempt: a target, one of every record, and a promotion."""

    up_to: Role
    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        """Everything is there that an operation may be about."""
        operators = self.world.operators
        operators.put(an_operator(_CONSOLE, up_to=self.up_to))
        operators.put(an_operator(replace(SAM, name="gone"), disabled=True))
        # Somebody who can be unlocked.
        operators.put(replace(operators.operators[VERA.name], failures=1))
        catalogue = Catalogue(id="backend", version=1)
        self.world.catalogues.catalogues[catalogue.id] = catalogue
        now = self.world.clock.now()
        freeze = Freeze(
            id="year-end",
            reason="Quiet days.",
            starts_at=now + timedelta(days=200),
            ends_at=None,
            set_by=SAM.name,
            set_at=now,
        )
        self.world.freezes.plan = FreezePlan(freezes={freeze.id: freeze}, version=1)
        app.hoist = Wired(self.world)

    def promotion(self, state: State) -> Promotion:
        """Another promoter's promotion, brought into the state by what brings it there."""
        promotion = self.world.mark(caller=PAT)
        _WAYS[state](self.world, promotion)
        assert self.world.now(promotion).state is state
        return promotion


def _stay(_world: World, _promotion: Promotion) -> None:
    """It is only marked."""


def _stage(world: World, promotion: Promotion) -> None:
    order = StageOrder(
        promotion_id=promotion.id,
        caller=PAT,
        code=None,
        if_version=None,
        key=None,
    )
    world.stage_it(order)


def _promote(world: World, promotion: Promotion) -> None:
    world.accept(promotion, caller=PAT)


def _deploy(world: World, promotion: Promotion) -> None:
    _promote(world, promotion)
    world.work(promotion)


def _refuse(world: World, promotion: Promotion) -> None:
    world.apps.unacceptable = frozenset({CONFIG_VAR})
    _deploy(world, promotion)


def _cancel(world: World, promotion: Promotion) -> None:
    world.cancel_it(promotion.id, caller=PAT, if_version=None, reason=None)


def _expire(world: World, _promotion: Promotion) -> None:
    world.clock.advance(EXPIRES_AFTER)
    world.watchdog()


_WAYS: Mapping[State, Callable[[World, Promotion], None]] = {
    State.PENDING: _stay,
    State.STAGED: _stage,
    State.DEPLOYING: _promote,
    State.DEPLOYED: _deploy,
    State.FAILED: _refuse,
    State.CANCELLED: _cancel,
    State.EXPIRED: _expire,
}


def attempt(who: Who, asked: Operation, state: State | None, *, code: bool = True) -> str:
    """What comes of it: `YES`, or the code of the problem."""
    scene = Scene(who.up_to)
    name = scene.promotion(state).id if state else None
    caller = KIM if asked.open_to_all else _authorized(who)
    if caller is None:
        # Nobody gets past API Gateway, which answers for us.
        return next(p.code for p in GATEWAY_PROBLEMS if p.response_type == "ACCESS_DENIED")
    headers = {"Idempotency-Key": "one", "X-TOTP": scene.world.code}
    if not code:
        del headers["X-TOTP"]
    if who.for_whom:
        headers["X-On-Behalf-Of"] = who.for_whom
    answer = Api(scene.world)(
        asked.method,
        filled(asked.path, name),
        asked.body,
        caller=caller,
        headers=headers,
        query=asked.query,
    )
    return _outcome(answer)


def _authorized(who: Who) -> Caller | None:
    """What the authorizer lets through."""
    event = {"type": "TOKEN", "authorizationToken": f"Bearer {who.token}", "methodArn": _ARN}
    answer: dict[str, Any] = app.authorize(event, None)
    (statement,) = answer["policyDocument"]["Statement"]
    if not statement["Resource"]:
        return None
    context = answer["context"]
    return Caller(name=context["name"], role=Role(context["role"]))


def filled(path: str, promotion_id: str | None) -> str:
    if promotion_id:
        return path.replace("{id}", promotion_id)
    if path in _EXAMPLES:
        return path.replace("{id}", _EXAMPLES[path])
    for name, example in _EXAMPLES.items():
        path = path.replace(f"{{{name}}}", example)
    return path


def _outcome(answer: Answer) -> str:
    refused = 400
    return YES if answer.status < refused else str(answer.body["code"])


#: What came of every attempt: by operation, caller's label, and state.
Grid = Mapping[tuple[str, str, State | None], str]


@cache
def everything() -> tuple[Mapping[str, Operation], Grid]:
    """Try all of it, in silence. Leaves the doors as it found them."""
    asked = {operation.name: operation for operation in operations()}
    before = app.hoist
    with silence():
        try:
            grid = {
                (operation.name, who.label, state): attempt(who, operation, state)
                for operation in asked.values()
                for who in CALLERS
                for state in (State if operation.about_promotion else (None,))
            }
        finally:
            app.hoist = before
    return asked, grid


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Logs and metrics of a thousand attempts are nobody's business."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(disabled)


def code_asked_for(asked: Operation, grid: Grid) -> bool:
    """Tell whether it is refused without a one-time code, where it would be done with one."""
    states = State if asked.about_promotion else (None,)
    admits = next(s for s in states if grid[asked.name, ANYTHING_GOES.label, s] == YES)
    before = app.hoist
    with silence():
        try:
            return attempt(ANYTHING_GOES, asked, admits, code=False) == "totp_required"
        finally:
            app.hoist = before


# The page


def page() -> str:
    """What docs/permissions.md has to say."""
    asked, grid = everything()
    about = [operation for operation in asked.values() if operation.about_promotion]
    others = [operation for operation in asked.values() if not operation.about_promotion]
    return "\n".join(
        [
            _INTRODUCTION,
            *(f"- **{who.label}**: {who.described}" for who in CALLERS),
            "",
            "## Whatever is there",
            "",
            *_roles(others, grid),
            "",
            "## One promotion",
            "",
            "*Yes* means: in the states of the last table. Who is refused here is in every state.",
            "",
            *_roles(about, grid),
            "",
            "## One promotion, by its state",
            "",
            *_states(about, grid),
            "",
        ]
    )


_INTRODUCTION = f"""# Permissions

Who may do what, and in which state of a promotion.
Written by `{COMMAND}`, which tries all of it through the doors of `app.py`: do not edit it by hand.

A word in place of *yes* is the code of the refusal: the [runbook](runbook.md#problems) explains it.
Nothing but the caller and the state stands in the way here:
the promotion is somebody else's, its target asks for no approvals, no freeze holds it back,
the code is right, and what Heroku shows is overruled by `force`.
*Code* means that a one-time code is asked for in `X-TOTP`: the person's own, whoever sends it.

Who calls:
"""


def _roles(asked: list[Operation], grid: Grid) -> Iterator[str]:
    yield from _header("operation", "route", "code", *(who.label for who in CALLERS))
    for operation in asked:
        code = YES if not operation.open_to_all and code_asked_for(operation, grid) else ""
        cells = (_in_all_states(operation, who, grid) for who in CALLERS)
        yield _row(operation.name, f"`{operation.method} {operation.path}`", code, *cells)


def _in_all_states(asked: Operation, who: Who, grid: Grid) -> str:
    """`YES` for a caller whom only the state can refuse; the code for one who always is."""
    states = list(State) if asked.about_promotion else [None]
    cells = [grid[asked.name, who.label, state] for state in states]
    if cells == [grid[asked.name, ANYTHING_GOES.label, state] for state in states]:
        return YES if asked.about_promotion else cells[0]
    (refusal,) = set(cells)
    return refusal


def _states(asked: list[Operation], grid: Grid) -> Iterator[str]:
    yield from _header("operation", *State)
    for operation in asked:
        label = ANYTHING_GOES.label
        yield _row(operation.name, *(grid[operation.name, label, state] for state in State))


def _header(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield "|" + "---|" * len(names)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
