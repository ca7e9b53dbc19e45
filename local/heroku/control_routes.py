"""The control API under `/_simulator/`: how tests and demos steer the simulator.

No client under test uses it. It takes no token: it listens on loopback only, and a web page in
the developer's browser is kept out by asking for a JSON content type (which makes a browser ask
first, and nobody answers) and for a loopback Host (which a rebound DNS name is not).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from local.heroku import controls, read
from local.heroku.controls import Control
from local.heroku.errors import ApiError
from local.heroku.fields import Fields
from local.heroku.wire import JSON, Request, Response, error_response, json_response
from local.heroku.world import World

PREFIX = "/_simulator"

_LOOPBACK_HOST = re.compile(r"(127\.0\.0\.1|localhost)(:\d+)?")


@dataclass(frozen=True)
class ControlRoute:
    """One control: its place, what does it, and the fields its body may have."""

    method: str
    path: str
    do: Callable[[Control], object]
    takes: frozenset[str] = frozenset()
    pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        """Compile the path's `{parameters}`; versions and pids are digits."""
        path = re.sub(r"\{(version|pid)\}", r"(?P<\1>[0-9]{1,9})", self.path)
        pattern = re.compile(PREFIX + re.sub(r"\{(app)\}", r"(?P<\1>[^/]+)", path))
        object.__setattr__(self, "pattern", pattern)


def _takes(*names: str) -> frozenset[str]:
    return frozenset(names)


CONTROLS = (
    ControlRoute("GET", "/health", controls.health),
    ControlRoute("POST", "/reset", controls.reset),
    ControlRoute("POST", "/apps", controls.create_app, _takes("name", "config")),
    ControlRoute("GET", "/apps/{app}", controls.show_app),
    ControlRoute("DELETE", "/apps/{app}", controls.delete_app),
    ControlRoute("PATCH", "/apps/{app}/behaviour", controls.set_behaviour, read.BEHAVIOUR_FIELDS),
    ControlRoute(
        "POST",
        "/apps/{app}/releases/{version}/finish",
        controls.finish_release,
        _takes("result"),
    ),
    ControlRoute("POST", "/apps/{app}/releases/{version}/retry", controls.retry_release),
    ControlRoute(
        "POST", "/apps/{app}/releases/expire", controls.expire_releases, _takes("versions")
    ),
    ControlRoute("POST", "/apps/{app}/foreign", controls.act_foreign, read.FOREIGN_FIELDS),
    ControlRoute("POST", "/faults", controls.arm_fault, read.FAULT_FIELDS),
    ControlRoute("GET", "/faults", controls.list_faults),
    ControlRoute("DELETE", "/faults", controls.clear_faults),
    ControlRoute("POST", "/dynos", controls.register_dyno, _takes("app", "pid", "grace_seconds")),
    ControlRoute("GET", "/dynos", controls.list_dynos),
    ControlRoute("DELETE", "/dynos/{pid}", controls.unregister_dyno),
    ControlRoute(
        "PATCH", "/rate-limit", controls.set_rate_limit, _takes("remaining", "refill_per_minute")
    ),
    ControlRoute("GET", "/clock", controls.show_clock),
    ControlRoute("POST", "/clock", controls.advance_clock, _takes("advance_seconds")),
    ControlRoute(
        "POST", "/tokens", controls.add_token, _takes("token", "scope", "expires_in_seconds")
    ),
    ControlRoute("POST", "/tokens/revoke", controls.revoke_token, _takes("token")),
    ControlRoute("GET", "/truth", controls.show_truth),
)


def answer(world: World, request: Request) -> Response:
    """Carry out one control call. It is atomic: the world is locked around it."""
    try:
        _keep_browsers_out(request)
        route, parameters = _find(request)
        fields = Fields(request.json() if request.body else {}, known=route.takes)
        call = Control(world=world, parameters=parameters, query=request.query, fields=fields)
        with world.lock:
            world.catch_up()
            return json_response(route.do(call))
    except ApiError as error:
        return error_response(error)


def _keep_browsers_out(request: Request) -> None:
    if not _LOOPBACK_HOST.fullmatch(request.headers.get("host", "")):
        raise ApiError(403, "The controls answer on a loopback Host only.")
    content_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if request.method != "GET" and content_type != JSON:
        raise ApiError(400, f"Content-Type must be {JSON}.")


def _find(request: Request) -> tuple[ControlRoute, Mapping[str, str]]:
    for route in CONTROLS:
        match = route.pattern.fullmatch(request.path)
        if match and route.method == request.method:
            return route, match.groupdict()
    raise ApiError(404, "There is no such control.")
