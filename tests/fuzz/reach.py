"""Made-up requests, made to reach deep: with names of what exists, its tags, and right codes."""

import random
import uuid
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from schemathesis import HookContext, Response
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import RejectedPositiveData

from chalicelib.domain.operator import Role
from tests.fuzz import sense
from tests.fuzz.codes import Codes
from tests.fuzz.contract import AnyCase
from tests.fuzz.known import Known
from tests.fuzz.plan import NOBODY, Plan

#: How often what is made up gives way to what is right …
MOSTLY = 0.8
#: … and how often to what is right, too, but unusual.
RARELY = 0.05

ON_BEHALF_OF = "X-On-Behalf-Of"

#: Accepted requests of each operation that may be sent a second time.
REPEATABLE = 20


@dataclass(kw_only=True, eq=False)
class Reach:
    """Changes requests just before they are sent, but no part that is meant to be wrong."""

    plan: Plan
    known: Known
    codes: Codes
    dice: random.Random
    accepted: dict[str, deque[dict[str, Any]]] = field(default_factory=dict)

    def before_call(self, _context: HookContext, case: AnyCase, _kwargs: dict[str, Any]) -> None:
        """A hook of schemathesis."""
        _leave_out_misfits(case)
        right = set(_right_parts(case))
        if self.plan.caller == NOBODY:
            self._pretend(case)
        elif len(right) == len(_PARTS) and self._by_chance(RARELY) and self._repeat(case):
            return
        if ParameterLocation.PATH in right:
            self._name_in_path(case)
        if ParameterLocation.QUERY in right:
            self._name_in(case.query)
            self._page(case)
        if ParameterLocation.BODY in right and isinstance(case.body, dict):
            self._name_in(case.body)
            if self._by_chance(MOSTLY):
                sense.make_sense(case.body, self.dice)
        if ParameterLocation.HEADER in right:
            self._tag(case)
            self._key(case)
            self._act_for(case)
            self._code(case)

    def after_call(self, _context: HookContext, case: AnyCase, response: Response) -> None:
        """A hook of schemathesis."""
        self.known.learn(case, response)
        if response.status_code >= 300 or "Idempotency-Key" not in case.headers:
            return
        if isinstance(case.body, dict):
            sent = {
                "path_parameters": case.path_parameters.copy(),
                "headers": case.headers.copy(),
                "body": case.body.copy(),
            }
            remembered = self.accepted.setdefault(case.operation.label, deque(maxlen=REPEATABLE))
            remembered.append(sent)

    @staticmethod
    def filter_failure(
        _context: HookContext, failure: Failure, case: AnyCase, response: Response
    ) -> bool:
        """A hook of schemathesis: tell whether it is one."""
        if isinstance(failure, RejectedPositiveData) and response.status_code == 400:
            return not sense.beyond_schemas(case.operation.label, response)
        if isinstance(failure, AcceptedNegativeData) and response.status_code in {409, 412}:
            # What is wrong with a code is only told where a code is looked at.
            return not _only_headers_are_wrong(case)
        return True

    def _by_chance(self, probability: float) -> bool:
        return self.dice.random() < probability

    def _pretend(self, case: AnyCase) -> None:
        """Come with a token that nobody was given."""
        name = self.dice.choice(self.plan.operators).name
        tokens = ("", "Bearer", f"Bearer {name}", f"Bearer {name}.wrong", "Basic dmVyYTp4")
        if "Authorization" in case.headers and self._by_chance(MOSTLY):
            case.headers["Authorization"] = self.dice.choice(tokens)

    def _repeat(self, case: AnyCase) -> bool:
        """Send once more what was accepted before, if anything was."""
        sent = self.accepted.get(case.operation.label)
        if sent:
            for part, value in self.dice.choice(sent).items():
                setattr(case, part, value.copy())
        return bool(sent)

    def _name_in_path(self, case: AnyCase) -> None:
        collection = case.path.split("/")[1]
        parameter = self.known.contract.names.get(collection, "")
        if parameter in case.path_parameters and self._by_chance(MOSTLY):
            if collection == "audit":
                name: str | None = sense.subject(self.known, self.dice)
            else:
                name = self.known.name(collection, case.operation.label)
            case.path_parameters[parameter] = name or case.path_parameters[parameter]
        sense.spare(case)

    def _name_in(self, part: dict[str, Any]) -> None:
        """A field `target` names one of the `targets`."""
        for field_name, value in part.items():
            name = self.known.name(f"{field_name}s")
            if isinstance(value, str) and name and self._by_chance(MOSTLY):
                part[field_name] = name

    def _page(self, case: AnyCase) -> None:
        """A cursor holds for the query that it was given for, and nobody can make one up."""
        if "cursor" in case.query:
            del case.query["cursor"]
            if page := self.known.page(case.operation.label):
                case.query = page

    def _tag(self, case: AnyCase) -> None:
        """Send the right tag, none, or what was made up."""
        tag = self.known.tag(case)
        if "If-Match" in case.headers and self._by_chance(MOSTLY):
            del case.headers["If-Match"]
            if tag and self._by_chance(0.5):
                case.headers["If-Match"] = tag

    def _key(self, case: AnyCase) -> None:
        if "Idempotency-Key" in case.headers and self._by_chance(MOSTLY):
            case.headers["Idempotency-Key"] = str(uuid.UUID(int=self.dice.getrandbits(128)))

    def _act_for(self, case: AnyCase) -> None:
        """Let a service name whom it acts for; a person may not."""
        if self.plan.caller != Role.SERVICE:
            case.headers.pop(ON_BEHALF_OF, None)
        elif self._by_chance(MOSTLY):
            case.headers[ON_BEHALF_OF] = self.dice.choice(self.plan.operators).name

    def _code(self, case: AnyCase) -> None:
        """Send it in the name of somebody whose right code is at hand."""
        if "X-TOTP" not in case.headers or not self._let_in(case):
            return
        turn = None
        if self._by_chance(MOSTLY):
            turn = self.codes.fresh()
        elif self._by_chance(RARELY):
            turn = self.codes.given()
        if turn:
            operator, code = turn
            case.headers["X-TOTP"] = code
            if self.plan.caller == Role.SERVICE:
                case.headers[ON_BEHALF_OF] = operator.name
            else:
                case.headers["Authorization"] = f"Bearer {operator.token}"

    def _let_in(self, case: AnyCase) -> bool:
        """Does it come with the caller's token?"""
        return bool(case.headers.get("Authorization") == f"Bearer {self.plan.token}")


_PARTS = (
    ParameterLocation.PATH,
    ParameterLocation.QUERY,
    ParameterLocation.HEADER,
    ParameterLocation.BODY,
)


def _right_parts(case: AnyCase) -> Iterator[ParameterLocation]:
    """The parts of the request that are not meant to be wrong, and may be changed."""
    meta = case.meta
    if meta is None:
        return
    for part in _PARTS:
        # In a sequence of requests, the path follows from the answers before.
        follows = meta.phase.name == TestPhase.STATEFUL and part == ParameterLocation.PATH
        if not meta.is_negative_at(part) and not follows:
            yield part


def _leave_out_misfits(case: AnyCase) -> None:
    """Take out what would make a request wrong that is meant to be right as a whole.

    Where schemathesis finds no value for an optional parameter with a pattern, its systematic
    cases send one that does not fit.
    """
    meta = case.meta
    if meta is None or meta.generation.mode.is_negative:
        return
    parts = ((case.query, case.operation.query), (case.headers, case.operation.headers))
    for values, parameters in parts:
        for parameter in parameters:
            given = values.get(parameter.name)
            fits = given is None or parameter.get_validator().is_valid(given)
            if not (fits or parameter.is_required):
                del values[parameter.name]


def _only_headers_are_wrong(case: AnyCase) -> bool:
    meta = case.meta
    others = (part for part in _PARTS if part != ParameterLocation.HEADER)
    return meta is not None and not any(meta.is_negative_at(part) for part in others)
