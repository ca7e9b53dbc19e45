"""One exchange with a client: the faults that fire on a request, around what the API answers."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from local.heroku import api, routes
from local.heroku.errors import ApiError
from local.heroku.faults import MAX_HOLD_SECONDS, Fault, FaultKind
from local.heroku.truth import Counted
from local.heroku.wire import Request, Response
from local.heroku.world import World

_ROUTER_ERROR_PAGE = b"""<!DOCTYPE html>
<html><head><title>Application Error</title></head>
<body><h1>Service Unavailable</h1></body></html>
"""


class Delivery(Enum):
    """How the server hands an answer over."""

    WHOLE = auto()
    #: Break off in the middle of the body, then close.
    TRUNCATED = auto()
    #: Send nothing, close in an orderly way (FIN).
    CLOSED = auto()
    #: Send nothing, reset the connection (RST).
    RESET = auto()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a client gets. No response: only what `delivery` does to the connection."""

    delivery: Delivery = Delivery.WHOLE
    response: Response | None = None


class Exchange:
    """Runs requests through the armed faults. `stopping` ends every hold at once."""

    def __init__(self, world: World, stopping: threading.Event) -> None:
        self._world = world
        self._stopping = stopping

    def run(self, request: Request) -> Outcome:
        """Answer one request of the Platform API, or fail to, as armed.

        Several faults may fire on one request: every foreign writer acts, and of the others
        the one armed first.
        """
        fired, app = self._fired_on(request)
        self._act_foreign(fired, FaultKind.FOREIGN_BEFORE, app)
        fault = next((f for f in fired if f.foreign is None), None)
        refusal = self._refusal(fault, request) if fault else None
        if refusal:
            return refusal
        response = api.answer(self._world, request)
        self._act_foreign(fired, FaultKind.FOREIGN_AFTER, app)
        return self._delivered(fault, response)

    def _fired_on(self, request: Request) -> tuple[Sequence[Fault], str | None]:
        try:
            route, parameters = routes.find(request.method, request.path)
        except ApiError:
            return [], None
        with self._world.lock:
            app = self._world.app_name(parameters.get("app"))
            self._world.truth.requests[Counted(request.method, route.name, app)] += 1
            return self._world.faults.fire(method=request.method, route=route.name, app=app), app

    def _act_foreign(
        self, fired: Sequence[Fault], kind: FaultKind, request_app: str | None
    ) -> None:
        for fault in fired:
            app = fault.foreign_app or request_app
            if fault.kind is kind and fault.foreign is not None and app in self._world.apps:
                self._world.act(app, fault.foreign)

    def _refusal(self, fault: Fault, request: Request) -> Outcome | None:
        """Act out the part of a fault that comes before the request is applied."""
        match fault.kind:
            case FaultKind.STATUS:
                error = ApiError(fault.status, error_id=fault.error_id)
                return Outcome(response=api.refuse(request, error))
            case FaultKind.HTML_503:
                page = Response(status=503, body=_ROUTER_ERROR_PAGE, content_type="text/html")
                return Outcome(response=page)
            case FaultKind.RESET_BEFORE_APPLY:
                return Outcome(delivery=Delivery.RESET)
            case FaultKind.HANG:
                self._hold(fault)
                return Outcome(delivery=Delivery.CLOSED)
            case FaultKind.SLOW:
                self._hold(fault)
        return None

    def _delivered(self, fault: Fault | None, response: Response) -> Outcome:
        """Act out the part of a fault that comes after the request was applied."""
        match fault.kind if fault else None:
            case FaultKind.RESET_AFTER_APPLY:
                return Outcome(delivery=Delivery.RESET)
            case FaultKind.TRUNCATED_BODY:
                return Outcome(delivery=Delivery.TRUNCATED, response=response)
            case FaultKind.HANG_AFTER_APPLY if fault:
                self._hold(fault)
        return Outcome(response=response)

    def _hold(self, fault: Fault) -> None:
        # Real time, not the simulator's: what is held is a real socket of a real client.
        self._stopping.wait(min(fault.seconds, MAX_HOLD_SECONDS))
