"""What Hoist promises beyond the contract's schemas, as checks of every answer."""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from schemathesis import CheckContext, Response
from schemathesis.generation.meta import CoverageScenario, coverage_scenario

from chalicelib.domain.errors import Code
from chalicelib.domain.operator import Role
from chalicelib.wire.problems import KINDS
from tests.fuzz.contract import AnyCase, Contract, json_object
from tests.fuzz.plan import NOBODY, Plan
from tests.fuzz.reach import ON_BEHALF_OF

Check: TypeAlias = Callable[[CheckContext, Response, AnyCase], None]


def checks_of(plan: Plan, contract: Contract) -> Iterator[Check]:
    """Every check, for the answers that this caller gets."""
    yield errors_are_problems
    yield unknown_methods_are_not_found
    yield audit_trails_hold
    yield entity_tags_tell_the_version

    def nobody_is_let_in(_context: CheckContext, response: Response, case: AnyCase) -> None:
        if plan.caller == NOBODY and _is_guarded(contract, case):
            assert response.status_code == 401, f"{response.status_code} for an unknown caller"

    def roles_bind(_context: CheckContext, response: Response, case: AnyCase) -> None:
        if plan.caller != NOBODY and _is_guarded(contract, case):
            # A service may do for others what a promoter may, unless it was given more.
            acts = plan.caller == Role.SERVICE and ON_BEHALF_OF in case.headers
            role = Role.PROMOTER if acts else Role(plan.caller)
            needed = contract.needed_role(case.operation.label)
            assert role.covers(needed) or response.status_code >= 400, f"{role} did {needed}'s work"

    def secrets_stay_secret(_context: CheckContext, response: Response, _case: AnyCase) -> None:
        told = response.content.decode(errors="replace") + str(response.headers)
        assert not any(secret in told for secret in plan.secrets), "the answer holds a secret"

    yield nobody_is_let_in
    yield roles_bind
    yield secrets_stay_secret


def errors_are_problems(_context: CheckContext, response: Response, _case: AnyCase) -> None:
    """Whoever answers, API Gateway or a Lambda: the code and both statuses agree."""
    if response.status_code < 400:
        return
    problem = response.json()
    code = Code(problem["code"])
    assert response.headers["content-type"] == ["application/problem+json"]
    assert response.headers["cache-control"] == ["no-store"]
    assert problem["status"] == response.status_code == KINDS[code].status, (
        f"{code} for a {problem['status']}"
    )
    assert problem["request_id"], "no request id"
    if response.status_code == 401:
        assert response.headers["www-authenticate"] == ["Bearer"]


def unknown_methods_are_not_found(
    _context: CheckContext, response: Response, case: AnyCase
) -> None:
    """In the place of schemathesis's `unsupported_method`, which wants 405.

    API Gateway does not tell an unknown method from an unknown path, nor asks first who calls.
    """
    if coverage_scenario(case) == CoverageScenario.UNSPECIFIED_HTTP_METHOD:
        assert response.status_code == 404, f"{response.status_code} for an unknown method"
        assert response.json()["code"] == Code.NOT_FOUND


def audit_trails_hold(_context: CheckContext, response: Response, _case: AnyCase) -> None:
    """Whatever was tried before: the chain of hashes is whole."""
    body = json_object(response)
    assert body.get("verified", True) is True, f"broken at {body.get('broken_at')}"


def entity_tags_tell_the_version(
    _context: CheckContext, response: Response, _case: AnyCase
) -> None:
    """The tag is the version of what the body shows."""
    tags = response.headers.get("etag")
    if tags and "version" in (body := json_object(response)):
        assert tags == [f'"{body["version"]}"'], f"{tags} for version {body['version']}"


def _is_guarded(contract: Contract, case: AnyCase) -> bool:
    """Is this a request of an operation that asks for a token?"""
    unknown = coverage_scenario(case) == CoverageScenario.UNSPECIFIED_HTTP_METHOD
    return not (unknown or contract.open_to_all(case.operation.label))
