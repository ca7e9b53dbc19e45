"""What each control does, one function per call; where it is called is in `control_routes`.

Every function reads its fields before it changes anything, so a refused call changed nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from local.heroku import read, views
from local.heroku.dynos import GRACE_SECONDS
from local.heroku.errors import invalid
from local.heroku.fields import Fields
from local.heroku.releases import PhaseResult, Status
from local.heroku.tokens import Scope, Token
from local.heroku.world import ACCOUNT, World


@dataclass(frozen=True, kw_only=True)
class Control:
    """A control call: the world, the path's parameters, the query and the body's fields."""

    world: World
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    fields: Fields


def health(_: Control) -> object:
    """Say that it listens."""
    return {"ok": True}


def reset(call: Control) -> object:
    """Forget everything but the time."""
    call.world.reset()
    return {}


def create_app(call: Control) -> object:
    """Create an app, or replace it by a new one."""
    app = call.world.create_app(read.app_name(call.fields), read.config(call.fields))
    return views.app(app)


def show_app(call: Control) -> object:
    """Show an app with everything the Platform API hides."""
    return views.app(call.world.app(call.parameters["app"]))


def delete_app(call: Control) -> object:
    """Remove an app."""
    call.world.delete_app(call.parameters["app"])
    return {}


def set_behaviour(call: Control) -> object:
    """Change how an app behaves from its next release on; what is not named stays."""
    app = call.world.app(call.parameters["app"])
    with call.world.changing(app):
        app.behaviour = read.behaviour(call.fields, app.behaviour)
    return views.behaviour(app.behaviour)


def finish_release(call: Control) -> object:
    """End a pending release's phase by hand."""
    app, version = call.world.app(call.parameters["app"]), int(call.parameters["version"])
    result = call.fields.choice("result", PhaseResult)
    if result is PhaseResult.PENDING:
        message = "result must be succeeded or failed."
        raise invalid(message)
    with call.world.changing(app) as now:
        app.finish(version, Status(result), now=now)
    return views.release(app.release(str(version)), app)


def retry_release(call: Control) -> object:
    """Run a release phase again under a new version."""
    app, version = call.world.app(call.parameters["app"]), int(call.parameters["version"])
    with call.world.changing(app) as now:
        release = app.retry(version, user=ACCOUNT, now=now)
    return views.release(release, app)


def expire_releases(call: Control) -> object:
    """Destroy the artifacts of old releases."""
    app, versions = call.world.app(call.parameters["app"]), call.fields.wholes("versions")
    with call.world.changing(app) as now:
        app.expire(versions, now=now)
    return views.app(app)


def act_foreign(call: Control) -> object:
    """Let somebody else change an app, now."""
    app = call.world.app(call.parameters["app"])
    release = call.world.act(app.name, read.foreign_action(call.fields))
    return {"release": views.release(release, app) if release else None}


def arm_fault(call: Control) -> object:
    """Arm a fault."""
    fault = read.fault(call.fields, call.world)
    call.world.faults.arm(fault)
    return views.fault(fault)


def list_faults(call: Control) -> object:
    """List what may still fire."""
    return [views.fault(fault) for fault in call.world.faults.armed()]


def clear_faults(call: Control) -> object:
    """Disarm everything."""
    call.world.faults.clear()
    return {}


def register_dyno(call: Control) -> object:
    """Let releases of an app restart a process."""
    app = call.world.app(call.fields.text("app"))
    pid = call.fields.whole("pid")
    grace = timedelta(seconds=call.fields.number("grace_seconds", GRACE_SECONDS))
    call.world.dynos.register(app.name, pid, grace=grace)
    return {"app": app.name, "pid": pid, "grace_seconds": grace.total_seconds()}


def list_dynos(call: Control) -> object:
    """List the registered processes that still run."""
    return [views.dyno(dyno) for dyno in call.world.dynos.registered()]


def unregister_dyno(call: Control) -> object:
    """Leave a process alone."""
    call.world.dynos.unregister(int(call.parameters["pid"]))
    return {}


def set_rate_limit(call: Control) -> object:
    """Fill or empty the request bucket, or change how fast it refills."""
    bucket = call.world.bucket
    remaining = call.fields.whole("remaining", bucket.remaining)
    refill = call.fields.number("refill_per_minute", bucket.refill_per_minute)
    bucket.set(remaining=remaining, refill_per_minute=refill)
    return {"remaining": bucket.remaining, "refill_per_minute": bucket.refill_per_minute}


def show_clock(call: Control) -> object:
    """Tell the simulator's time."""
    return views.clock(call.world.clock)


def advance_clock(call: Control) -> object:
    """Move the time forward and let happen what is due by then."""
    call.world.advance(timedelta(seconds=call.fields.number("advance_seconds")))
    return views.clock(call.world.clock)


def add_token(call: Control) -> object:
    """Accept a token."""
    fields, now = call.fields, call.world.clock.now()
    value, scopes = fields.text("token"), fields.choices("scope", Scope, Scope.GLOBAL)
    expires_at = None
    if fields.has("expires_in_seconds"):
        expires_at = now + timedelta(seconds=fields.number("expires_in_seconds"))
    call.world.tokens.add(Token(value=value, scopes=scopes, expires_at=expires_at))
    return {"scope": sorted(scopes), "expires_at": expires_at and expires_at.isoformat()}


def revoke_token(call: Control) -> object:
    """Accept a token no longer."""
    call.world.tokens.revoke(call.fields.text("token"))
    return {}


def show_truth(call: Control) -> object:
    """Tell what really happened; `?app=` narrows it to one app."""
    return views.truth(call.world.truth, call.query.get("app"))
