"""API Gateway's own errors in the shape of ours: `application/problem+json` (RFC 9457).

They answer where no Lambda of ours was asked, or none could answer.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True)
class GatewayProblem:
    """One of API Gateway's response types, and what we say in its place."""

    response_type: str
    status: HTTPStatus
    #: As in chalicelib/domain/errors.py.
    code: str
    title: str
    safe_now: str = "act"
    retryable: bool = False

    def definition(self) -> dict[str, Any]:
        """Spell it as the OpenAPI extension wants it."""
        headers = {"Content-Type": "'application/problem+json'", "Cache-Control": "'no-store'"}
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "'Bearer'"  # RFC 9110, section 15.5.2
        # CloudFormation fills in ${…}, API Gateway $context.…, and nothing else: the templates of
        # gateway responses know no escaping, so nothing that a caller sent belongs in here.
        # https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gatewayResponse-definition.html
        body = {
            "type": f"${{RunbookUrl}}#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.title,
            "code": self.code,
            "request_id": "$context.requestId",
            "retryable": self.retryable,
            "safe_now": self.safe_now,
        }
        return {
            "statusCode": str(self.status.value),
            "responseParameters": {
                f"gatewayresponse.header.{name}": value for name, value in headers.items()
            },
            "responseTemplates": {"application/json": {"Fn::Sub": json.dumps(body)}},
        }


_NO_TOKEN = "The bearer token is missing or unknown."  # noqa: S105 - a sentence
_NO_ROUTE = "There is no such route."
_UNREADABLE = "API Gateway could not read the request."
_UNCHECKED = "Who calls could not be checked. Nothing was done."
_UNKNOWN = (
    "Whether it took effect is not known: look at the promotion before you repeat the request."
)

# https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
GATEWAY_PROBLEMS = (
    GatewayProblem("UNAUTHORIZED", HTTPStatus.UNAUTHORIZED, "unauthenticated", _NO_TOKEN),
    # The authorizer denies unknown tokens and nothing else; roles are the use cases' business.
    GatewayProblem("ACCESS_DENIED", HTTPStatus.UNAUTHORIZED, "unauthenticated", _NO_TOKEN),
    # API Gateway's name for a path or method that the API does not have.
    GatewayProblem("MISSING_AUTHENTICATION_TOKEN", HTTPStatus.NOT_FOUND, "not_found", _NO_ROUTE),
    GatewayProblem("RESOURCE_NOT_FOUND", HTTPStatus.NOT_FOUND, "not_found", _NO_ROUTE),
    GatewayProblem(
        "REQUEST_TOO_LARGE",
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        "The body is too large.",
    ),
    GatewayProblem(
        "UNSUPPORTED_MEDIA_TYPE",
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "Send JSON, and say so in Content-Type.",
    ),
    GatewayProblem(
        "THROTTLED",
        HTTPStatus.TOO_MANY_REQUESTS,
        "throttled",
        "Too many requests just now. Nothing was done.",
        safe_now="wait",
        retryable=True,
    ),
    GatewayProblem(
        "AUTHORIZER_FAILURE",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        _UNCHECKED,
        safe_now="wait",
        retryable=True,
    ),
    GatewayProblem(
        "AUTHORIZER_CONFIGURATION_ERROR",
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        _UNCHECKED,
        safe_now="wait",
        retryable=True,
    ),
    GatewayProblem(
        "INTEGRATION_TIMEOUT",
        HTTPStatus.GATEWAY_TIMEOUT,
        "unavailable",
        f"No answer within 29 s. {_UNKNOWN}",
        safe_now="investigate",
        retryable=True,
    ),
    # Every type that is not named above, so that body and status agree.
    GatewayProblem("DEFAULT_4XX", HTTPStatus.BAD_REQUEST, "invalid_request", _UNREADABLE),
    GatewayProblem(
        "DEFAULT_5XX",
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "internal",
        f"No usable answer. {_UNKNOWN}",
        safe_now="investigate",
        retryable=True,
    ),
)


def gateway_responses() -> dict[str, Any]:
    """Spell them all, for `x-amazon-apigateway-gateway-responses`."""
    return {problem.response_type: problem.definition() for problem in GATEWAY_PROBLEMS}
