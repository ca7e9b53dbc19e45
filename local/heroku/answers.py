"""What the Platform API answers, one function per call.

Source: https://devcenter.heroku.com/articles/platform-api-reference
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local.heroku import ranges, representations
from local.heroku.apps import App
from local.heroku.errors import invalid
from local.heroku.releases import Changes, Release
from local.heroku.wire import Request, Response, json_response
from local.heroku.world import ACCOUNT, World

_KEY = re.compile(r"\w+", re.ASCII)

_WARNING = "A release command is running: new config vars take effect when it succeeds."


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request that was let in: authenticated, routed, and holding the world's lock."""

    world: World
    request: Request
    request_id: str
    parameters: Mapping[str, str]

    @property
    def app(self) -> App:
        """The app in the path; 404 when there is none."""
        return self.world.app(self.parameters["app"])

    @property
    def release(self) -> Release:
        """The release in the path; 404 when there is none."""
        return self.app.release(self.parameters["release"])


def account(call: Call) -> Response:
    """Answer who the token belongs to."""
    return json_response(representations.account(call.world.started_at))


def rate_limits(call: Call) -> Response:
    """Answer how many requests are left. Costs none itself."""
    return json_response({"remaining": call.world.bucket.remaining})


def apps(call: Call) -> Response:
    """List apps."""
    fields: ranges.SortFields[App] = {"id": lambda app: app.id, "name": lambda app: app.name}
    page = ranges.cut(list(call.world.apps.values()), call.request.headers.get("range"), fields)
    return _list_response(page, [representations.app(app) for app in page.items], list(fields))


def app(call: Call) -> Response:
    """Answer one app."""
    return json_response(representations.app(call.app))


def read_config_vars(call: Call) -> Response:
    """Answer the whole config of an app, secrets included, as Heroku does."""
    return _config_response(call.app)


def change_config_vars(call: Call) -> Response:
    """Merge the named keys; answer the whole config, which may still show the old values."""
    app, changes = call.app, _changes(call.request.json())
    call.world.patch(app, changes, user=ACCOUNT, request_id=call.request_id)
    return _config_response(app)


def releases(call: Call) -> Response:
    """List an app's releases; by uuid, unless a Range asks for the order of versions."""
    fields: ranges.SortFields[Release] = {"id": lambda r: r.id, "version": lambda r: r.version}
    app = call.app
    page = ranges.cut(app.releases, call.request.headers.get("range"), fields)
    bodies = [representations.release(release, app) for release in page.items]
    return _list_response(page, bodies, list(fields))


def create_release(call: Call) -> Response:
    """Roll back to `release`, or release `slug` anew."""
    app, body = call.app, call.request.json()
    if not isinstance(body, dict):
        raise invalid(_NOT_AN_OBJECT)
    target, slug = body.get("release"), body.get("slug")
    description = body.get("description", "Deploy")
    if not isinstance(description, str):
        raise invalid(_NEITHER_RELEASE_NOR_SLUG)
    with call.world.changing(app) as now:
        if isinstance(target, str):
            release = app.roll_back(target, user=ACCOUNT, now=now)
        elif isinstance(slug, str):
            release = app.release_slug(slug, description, user=ACCOUNT, now=now)
        else:
            raise invalid(_NEITHER_RELEASE_NOR_SLUG)
    return json_response(representations.release(release, app), status=201)


def release(call: Call) -> Response:
    """Answer one release."""
    return json_response(representations.release(call.release, call.app))


def release_config_vars(call: Call) -> Response:
    """Answer the config of one release: the way to tie a release to a PATCH."""
    return json_response(call.release.config)


_NOT_AN_OBJECT = "The body must be a JSON object."
_NEITHER_RELEASE_NOR_SLUG = "Name a release to roll back to or a slug, as strings."


def _changes(body: object) -> Changes:
    """Check a PATCH body. A refusal names the key, never the value."""
    if not isinstance(body, dict):
        raise invalid(_NOT_AN_OBJECT)
    for key, value in body.items():
        if not _KEY.fullmatch(key):
            message = f"Invalid config var name {key[:64]!r}."
            raise invalid(message)
        if not (value is None or isinstance(value, str)):
            message = f"The value of {key[:64]} must be a string or null."
            raise invalid(message)
    return body


def _config_response(app: App) -> Response:
    headers = {"X-Heroku-Warning": _WARNING, "Warning-Message": _WARNING} if app.pending else {}
    return json_response(app.visible, headers=headers)


def _list_response(
    page: ranges.Page[App] | ranges.Page[Release], bodies: object, fields: list[str]
) -> Response:
    headers = {"Accept-Ranges": ", ".join(fields)}
    if page.content_range is not None:
        headers["Content-Range"] = page.content_range
    if page.next_range is None:
        return json_response(bodies, headers=headers)
    return json_response(bodies, status=206, headers=headers | {"Next-Range": page.next_range})
