"""A Heroku that cannot keep a secret: its errors quote what they should not."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from local.heroku.exchange import Outcome
from local.heroku.simulator import Simulator
from local.heroku.wire import JSON, Request, Response


@dataclass(frozen=True, kw_only=True)
class Gossip:
    """What some requests get in place of an answer."""

    app: str
    status: int
    body: str = field(repr=False)
    #: `None` for any.
    method: str | None = None
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def fits(self, request: Request) -> bool:
        """Tell whether it is this request that it answers."""
        return self.method in {None, request.method} and request.path.startswith(
            f"/apps/{self.app}/"
        )


class GossipingHeroku(Simulator):
    """The simulator, but for the requests that it was given something to say to."""

    def __init__(self, *, apps: Sequence[str], token: str) -> None:
        self._gossip: list[Gossip] = []
        self._lock = threading.Lock()
        super().__init__(apps=apps, token=token)

    def say(self, gossip: Gossip, *, times: int = 1) -> None:
        """Answer so to the next requests that it fits."""
        with self._lock:
            self._gossip += [gossip] * times

    @property
    def unsaid(self) -> list[Gossip]:
        """What nobody has asked for yet."""
        with self._lock:
            return list(self._gossip)

    def _answer(self, request: Request) -> Outcome:
        said = self._next(request)
        if said is None:
            return super()._answer(request)
        response = Response(
            status=said.status,
            body=said.body.encode(),
            content_type=said.content_type,
            headers=said.headers,
        )
        return Outcome(response=response)

    def _next(self, request: Request) -> Gossip | None:
        with self._lock:
            said = next((each for each in self._gossip if each.fits(request)), None)
            if said:
                self._gossip.remove(said)
            return said
