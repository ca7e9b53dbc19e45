"""The Platform API's routes: what each is called and which scopes it takes.

Source: https://devcenter.heroku.com/articles/platform-api-reference
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from local.heroku import answers, tokens
from local.heroku.answers import Call
from local.heroku.errors import ApiError
from local.heroku.wire import Response


@dataclass(frozen=True, kw_only=True)
class Route:
    """One route. `name` is what faults and request counts call it."""

    name: str
    method: str
    path: str
    scopes: frozenset[tokens.Scope]
    answer: Callable[[Call], Response]
    is_free: bool = False
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the path's `{parameters}`."""
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))
        object.__setattr__(self, "pattern", pattern)


ROUTES = (
    Route(
        name="account",
        method="GET",
        path="/account",
        scopes=tokens.TO_IDENTIFY,
        answer=answers.account,
    ),
    Route(
        name="rate-limits",
        method="GET",
        path="/account/rate-limits",
        scopes=tokens.ANY,
        answer=answers.rate_limits,
        is_free=True,
    ),
    Route(name="apps", method="GET", path="/apps", scopes=tokens.TO_READ, answer=answers.apps),
    Route(name="app", method="GET", path="/apps/{app}", scopes=tokens.TO_READ, answer=answers.app),
    Route(
        name="config-vars",
        method="GET",
        path="/apps/{app}/config-vars",
        scopes=tokens.TO_READ_SECRETS,
        answer=answers.read_config_vars,
    ),
    Route(
        name="config-vars",
        method="PATCH",
        path="/apps/{app}/config-vars",
        scopes=tokens.TO_WRITE_SECRETS,
        answer=answers.change_config_vars,
    ),
    Route(
        name="releases",
        method="GET",
        path="/apps/{app}/releases",
        scopes=tokens.TO_READ,
        answer=answers.releases,
    ),
    Route(
        name="releases",
        method="POST",
        path="/apps/{app}/releases",
        scopes=tokens.TO_WRITE,
        answer=answers.create_release,
    ),
    Route(
        name="release",
        method="GET",
        path="/apps/{app}/releases/{release}",
        scopes=tokens.TO_READ,
        answer=answers.release,
    ),
    Route(
        name="release-config-vars",
        method="GET",
        path="/apps/{app}/releases/{release}/config-vars",
        scopes=tokens.TO_READ_SECRETS,
        answer=answers.release_config_vars,
    ),
)

ROUTE_NAMES = frozenset(route.name for route in ROUTES)


def find(method: str, path: str) -> tuple[Route, Mapping[str, str]]:
    """Find the route of a request and its parameters; 404 for anything else."""
    for route in ROUTES:
        match = route.pattern.fullmatch(path)
        if match and route.method == method:
            return route, match.groupdict()
    raise ApiError(404, "There is no such API endpoint for this HTTP verb.")
