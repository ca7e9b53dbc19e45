"""The state file: what survives a restart of the simulator, as one JSON document.

Survive: apps with their releases and behaviour, the truth log, and how far the clock was moved.
Do not: faults, tokens, the request bucket, and dynos, whose processes belong to somebody else.
"""

import json
import os
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from local.heroku import views
from local.heroku.apps import App
from local.heroku.releases import (
    Behaviour,
    FailedValue,
    PendingShows,
    PhaseResult,
    Release,
    Status,
)
from local.heroku.truth import AcceptedPatch, Counted, Restart, SentSignal, Truth
from local.heroku.world import World

FORMAT = 1


class StateFile:
    """Keeps a world in a file that is always whole: it is replaced, never rewritten.

    The file holds config values, so only its owner may read it (mode 600). It is not synced to
    the disk: it has to survive the death of this process, not that of the machine.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def save(self, world: World) -> None:
        """Replace the file. The caller holds the world's lock, so saves do not overtake."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # mkstemp creates mode 600; the same folder, because a rename cannot cross file systems.
        number, name = tempfile.mkstemp(dir=self._path.parent, prefix=f".{self._path.name}.")
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                # dumps, not dump: only in one piece is it encoded in C.
                file.write(json.dumps(_document(world)))
            Path(name).replace(self._path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def load(self, world: World) -> None:
        """Fill a new world from the file; nothing happens where there is none."""
        if not self._path.exists():
            return
        document = json.loads(self._path.read_text(encoding="utf-8"))
        if document["format"] != FORMAT:
            message = f"{self._path} has format {document['format']}, not {FORMAT}: remove it."
            raise ValueError(message)
        world.clock.offset = timedelta(seconds=document["clock_offset_seconds"])
        world.apps = {each["name"]: _app(each) for each in document["apps"]}
        world.truth = _truth(document["truth"])


def _document(world: World) -> dict[str, object]:
    return {
        "format": FORMAT,
        "clock_offset_seconds": world.clock.offset.total_seconds(),
        "apps": [
            {
                "id": app.id,
                "name": app.name,
                "created_at": app.created_at.isoformat(),
                "behaviour": views.plain(app.behaviour),
                "releases": [views.plain(release) for release in app.releases],
            }
            for app in world.apps.values()
        ],
        "truth": views.truth(world.truth, None),
    }


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _app(it: dict[str, Any]) -> App:
    return App(
        id=it["id"],
        name=it["name"],
        created_at=_time(it["created_at"]),
        behaviour=_behaviour(it["behaviour"]),
        releases=[_release(release) for release in it["releases"]],
    )


def _behaviour(it: dict[str, Any]) -> Behaviour:
    return Behaviour(
        **{
            **it,
            "phase_result": PhaseResult(it["phase_result"]),
            "pending_shows": PendingShows(it["pending_shows"]),
            "failed_value": FailedValue(it["failed_value"]),
        }
    )


def _release(it: dict[str, Any]) -> Release:
    return Release(
        **{
            **it,
            "status": Status(it["status"]),
            "created_at": _time(it["created_at"]),
            "updated_at": _time(it["updated_at"]),
            "settles_at": _time(it["settles_at"]) if it["settles_at"] else None,
            "settles_as": Status(it["settles_as"]),
        }
    )


def _truth(it: dict[str, Any]) -> Truth:
    return Truth(
        patches=[AcceptedPatch(**{**each, "at": _time(each["at"])}) for each in it["patches"]],
        restarts=[Restart(**{**each, "at": _time(each["at"])}) for each in it["restarts"]],
        signals=[SentSignal(**{**each, "at": _time(each["at"])}) for each in it["signals"]],
        requests=Counter(
            {
                Counted(method=each["method"], route=each["route"], app=each["app"]): each["count"]
                for each in it["requests"]
            }
        ),
    )
