"""The Platform API's gate: version, token, rate limit and scope, then the answer, then ETag."""

import re
from dataclasses import replace
from uuid import uuid4

from local.heroku import routes
from local.heroku.answers import Call
from local.heroku.errors import ApiError
from local.heroku.tokens import Token
from local.heroku.wire import Request, Response, error_response
from local.heroku.world import World

#: `version=3` and its variants (heroku3 asks for `version=3.cedar-acm`).
_VERSION_3 = re.compile(r"application/vnd\.heroku\+json\s*;\s*version=3(\.[\w-]+)?\s*", re.ASCII)

_REQUEST_IDS = re.compile(r"[\w.,: -]{1,400}", re.ASCII)


def answer(world: World, request: Request) -> Response:
    """Answer one request. Refusals are answers too; nothing is raised but bugs."""
    headers = {"Request-Id": _request_ids(request)}
    with world.lock:
        try:
            response = _admitted(world, request, headers)
        except ApiError as error:
            response = error_response(error)
    response = replace(response, headers={**headers, **response.headers})
    return _revalidated(request, response)


def refuse(request: Request, error: ApiError) -> Response:
    """Refuse a request without looking at it."""
    return replace(error_response(error), headers={"Request-Id": _request_ids(request)})


def _admitted(world: World, request: Request, headers: dict[str, str]) -> Response:
    """Check everything in Heroku's way and answer; fills in the headers that are known by then."""
    route, parameters = routes.find(request.method, request.path)
    if not _accepts_version_3(request):
        raise ApiError(406)
    token = world.tokens.authenticate(request.headers.get("authorization"), now=world.clock.now())
    headers["Oauth-Scope"] = " ".join(sorted(token.scopes))
    headers["Oauth-Scope-Accepted"] = " ".join(sorted(route.scopes))
    _charge(world, headers, is_free=route.is_free)
    _require_scope(route, token)
    call = Call(
        world=world, request=request, request_id=headers["Request-Id"], parameters=parameters
    )
    return route.answer(call)


def _accepts_version_3(request: Request) -> bool:
    accepted = request.headers.get("accept", "").split(",")
    return any(_VERSION_3.fullmatch(media_type.strip()) for media_type in accepted)


def _charge(world: World, headers: dict[str, str], *, is_free: bool) -> None:
    paid = is_free or world.bucket.take()
    headers["RateLimit-Remaining"] = str(world.bucket.remaining)
    if not paid:
        raise ApiError(429)


def _require_scope(route: routes.Route, token: Token) -> None:
    if not token.scopes & route.scopes:
        scope = " ".join(sorted(token.scopes))
        message = f"This token's scope is {scope}, which does not allow this request."
        raise ApiError(403, message)


def _request_ids(request: Request) -> str:
    """List the id a client sent, when it is one, before our own."""
    own = str(uuid4())
    sent = request.headers.get("request-id", "")
    return f"{sent},{own}" if _REQUEST_IDS.fullmatch(sent) else own


def _revalidated(request: Request, response: Response) -> Response:
    """Add the ETag to what was read, and answer 304 to a client that holds it already."""
    if request.method != "GET" or response.status not in {200, 206}:
        return response
    headers = {**response.headers, "ETag": response.etag}
    held = [tag.strip() for tag in request.headers.get("if-none-match", "").split(",")]
    if response.etag in held or "*" in held:
        return replace(response, status=304, body=b"", headers=headers)
    return replace(response, headers=headers)
