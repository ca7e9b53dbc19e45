"""The HTTP doors over a world of fakes: API Gateway's part, and what the contract promises."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from jsonschema_rs import Draft202012Validator

import app
from chalicelib.domain.operator import Caller
from chalicelib.wire.contract import openapi
from tests.factories import FLAG, KIM, TARGET
from tests.world import RUNBOOK, World

BODY = {"target": TARGET, "flag": FLAG, "value": "true"}
CONTRACT = json.loads(openapi())

#: What the second part of a path is called in its route.
_PARAMETERS = {
    "promotions": "promotion_id",
    "targets": "app_name",
    "freezes": "freeze_id",
    "catalogues": "catalogue_id",
    "operators": "name",
    "audit": "subject",
    "console": "file",
}


def _is_a_time(value: str) -> bool:
    """All times that Hoist tells are spelled alike: in UTC, to the microsecond."""
    spelled = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    return re.fullmatch(spelled, value, re.ASCII) is not None


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def problem(self) -> tuple[int, str]:
        """Status and code, having checked that it is a whole problem."""
        assert self.headers["Content-Type"] == "application/problem+json"
        conforms(self.body, "Problem")
        assert self.body["status"] == self.status
        assert self.body["type"] == f"{RUNBOOK}#{self.body['code']}"
        assert self.body["request_id"] == "req-1"
        return self.status, self.body["code"]

    @property
    def fields(self) -> list[str]:
        """The fields that the problem names."""
        return [error["field"] for error in self.body["errors"]]


@dataclass
class Api:
    """API Gateway, for one caller at a time. Every answer is checked against the contract."""

    world: World
    caller: Caller = KIM
    answered: list[Answer] = field(default_factory=list)

    def __call__(  # noqa: PLR0913 - an HTTP request has as many parts
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        caller: Caller | None = None,
        headers: Mapping[str, str] | None = None,
        query: dict[str, list[str]] | None = None,
    ) -> Answer:
        who = caller or self.caller
        resource, parameters = route(path)
        event = {
            "resource": resource,
            "path": path,
            "pathParameters": parameters,
            "httpMethod": method,
            "headers": {"content-type": "application/json", **(headers or {})},
            "multiValueQueryStringParameters": query,
            "requestContext": {
                "httpMethod": method,
                "resourcePath": resource,
                "requestId": "req-1",
                "authorizer": {"name": who.name, "role": str(who.role)},
            },
            "body": body if isinstance(body, str) else None if body is None else json.dumps(body),
            "isBase64Encoded": False,
            "stageVariables": None,
        }
        answer = _read(app.app(event, None))
        keeps(answer, method, resource)
        self.answered.append(answer)
        return answer

    def mark(self, body: object = None, **headers: str) -> Answer:
        """Mark a flag for promotion."""
        key = {"Idempotency-Key": f"key-{len(self.answered)}"}
        given = BODY if body is None else body
        return self("POST", "/promotions", given, headers=key | headers)

    def text(self, path: str) -> str:
        """A page that is not JSON."""
        answer = self("GET", path)
        assert answer.status == 200
        return str(answer.body)

    def promote(self, promotion_id: str, code: str | None = None, **headers: str) -> Answer:
        """Promote it, with the code that counts now unless another is given."""
        sent = {"X-TOTP": code or self.world.code, **headers}
        return self("POST", f"/promotions/{promotion_id}/promote", headers=sent)

    def act(
        self,
        promotion_id: str,
        action: str,
        body: object = None,
        *,
        caller: Caller | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Do something with a promotion that needs the code that counts now."""
        return self(
            "POST",
            f"/promotions/{promotion_id}/{action}",
            body,
            caller=caller,
            headers={"X-TOTP": self.world.code, **(headers or {})},
        )


def _read(raw: Mapping[str, Any]) -> Answer:
    is_json = "json" in raw["headers"].get("Content-Type", "") and raw["body"]
    return Answer(
        status=raw["statusCode"],
        headers=raw["headers"],
        body=json.loads(raw["body"]) if is_json else raw["body"],
    )


def route(path: str) -> tuple[str, dict[str, str] | None]:
    """The route that API Gateway finds for a path, and its parameters."""
    parts = path.strip("/").split("/")
    if len(parts) == 1:
        return path, None
    name = _PARAMETERS[parts[0]]
    resource = "/".join(["", parts[0], f"{{{name}}}", *parts[2:]])
    return resource, {name: parts[1]}


def contract_path(resource: str) -> str:
    """A route's path as the contract spells it."""
    return re.sub(r"\{\w+_id\}", "{id}", resource).replace("{app_name}", "{app}")


def keeps(answer: Answer, method: str, resource: str) -> None:
    """Assert that the contract knows such an answer: status, headers, type and content."""
    path = contract_path(resource)
    responses = CONTRACT["paths"][path][method.lower()]["responses"]
    assert str(answer.status) in responses, f"{method} {path} does not document {answer.status}"
    response = responses[str(answer.status)]
    if "$ref" in response:
        response = CONTRACT["components"]["responses"][response["$ref"].rpartition("/")[2]]
    assert set(response.get("headers", ())) <= set(answer.headers)
    if "content" not in response:
        assert not answer.body
        return
    media_type = answer.headers["Content-Type"].partition(";")[0]
    schema = response["content"][media_type]["schema"]
    _validator(json.dumps(schema)).validate(answer.body)


def conforms(body: object, schema: str) -> None:
    """Assert that a body fits the contract, by a validator that the product does not use."""
    _validator(json.dumps({"$ref": f"#/components/schemas/{schema}"})).validate(body)


@cache
def _validator(schema: str) -> Draft202012Validator:
    wanted = {"components": CONTRACT["components"], **json.loads(schema)}
    return Draft202012Validator(wanted, formats={"date-time": _is_a_time}, validate_formats=True)
