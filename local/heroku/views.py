"""From values to the control API's JSON: everything the Platform API hides, secrets included."""

from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

from local.heroku.apps import App
from local.heroku.clock import Clock
from local.heroku.dynos import Dyno
from local.heroku.faults import Fault
from local.heroku.releases import Behaviour, Release
from local.heroku.truth import Truth


def plain(value: object) -> Any:  # noqa: ANN401 - JSON
    """Turn a dataclass, field by field, into JSON's types; times become ISO 8601.

    Unlike `dataclasses.asdict` it copies nothing else: the state file needs it for every release.
    """
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    return value


def behaviour(it: Behaviour) -> dict[str, object]:
    """Show how an app behaves."""
    return dict(plain(it))


def release(it: Release, of: App) -> dict[str, object]:
    """Show a release with its config and its changes."""
    return {**plain(it), "current": it.version == of.current.version}


def app(it: App) -> dict[str, object]:
    """Show an app and its three configs: stored, visible, and live on the dynos."""
    return {
        "id": it.id,
        "name": it.name,
        "behaviour": behaviour(it.behaviour),
        "stored": it.stored,
        "visible": it.visible,
        "live": it.current.config,
        "releases": [release(one, it) for one in it.releases],
    }


def fault(it: Fault) -> dict[str, object]:
    """Show an armed fault and how many requests it has seen."""
    return dict(plain(it))


def dyno(it: Dyno) -> dict[str, object]:
    """Show a registered process."""
    return {
        "app": it.app,
        "pid": it.process.pid,
        "grace_seconds": it.grace.total_seconds(),
        "kill_at": it.kill_at and it.kill_at.isoformat(),
    }


def clock(it: Clock) -> dict[str, object]:
    """Show the time."""
    return {"now": it.now().isoformat(), "offset_seconds": it.offset.total_seconds()}


def truth(it: Truth, app: str | None) -> dict[str, object]:
    """Show what happened, oldest first, of one app or of all."""
    return {
        "patches": [plain(p) for p in it.patches if app in (None, p.app)],
        "restarts": [plain(r) for r in it.restarts if app in (None, r.app)],
        "signals": [plain(s) for s in it.signals if app in (None, s.app)],
        "requests": [
            {**counted._asdict(), "count": count}
            for counted, count in it.requests.items()
            if app in (None, counted.app)
        ],
    }
