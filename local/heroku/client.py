"""A client of the control API, for tests and demo scripts.

Method for method what `control_routes` lists; a refusal raises `requests.HTTPError` with
the simulator's own words.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import requests

from local.heroku.dynos import GRACE_SECONDS

_TIMEOUT_SECONDS = 10

#: Parsed JSON.
Json = dict[str, Any]


class SimulatorControls:
    """Steers a simulator, in this process or in another, by its URL."""

    def __init__(self, url: str) -> None:
        self._base = f"{url.rstrip('/')}/_simulator"

    # Apps

    def reset(self) -> None:
        """Forget everything but the time."""
        self._call("POST", "/reset")

    def create_app(self, name: str, config: Mapping[str, str] | None = None) -> Json:
        """Create an app, or replace it; it also holds a few fake secrets."""
        return self._object("POST", "/apps", name=name, config=dict(config or {}))

    def app(self, name: str) -> Json:
        """Show releases with their configs, `behaviour`, and `stored`, `visible`, `live` config."""
        return self._object("GET", f"/apps/{name}")

    def delete_app(self, name: str) -> None:
        """Remove an app."""
        self._call("DELETE", f"/apps/{name}")

    def behave(self, app: str, **behaviour: str | float | bool) -> Json:
        """Change the fields of `local.heroku.releases.Behaviour` that are named."""
        return self._object("PATCH", f"/apps/{app}/behaviour", **behaviour)

    # Releases

    def finish_release(self, app: str, version: int, result: str = "succeeded") -> Json:
        """End a pending release's phase."""
        return self._object("POST", f"/apps/{app}/releases/{version}/finish", result=result)

    def retry_release(self, app: str, version: int) -> Json:
        """Run a release phase again under a new version."""
        return self._object("POST", f"/apps/{app}/releases/{version}/retry")

    def expire_releases(self, app: str, versions: Sequence[int]) -> Json:
        """Destroy the artifacts of old releases."""
        return self._object("POST", f"/apps/{app}/releases/expire", versions=list(versions))

    # Other writers

    def foreign_patch(self, app: str, changes: Mapping[str, str | None]) -> Json:
        """Let somebody else change config vars."""
        return self._object("POST", f"/apps/{app}/foreign", verb="patch", changes=dict(changes))

    def foreign_deploy(self, app: str, commit: str = "1a2b3c4") -> Json:
        """Let somebody else deploy code."""
        return self._object("POST", f"/apps/{app}/foreign", verb="deploy", commit=commit)

    def foreign_rollback(self, app: str, version: int | None = None) -> Json:
        """Let somebody else roll back; without a version, to the release before the current."""
        return self._object("POST", f"/apps/{app}/foreign", verb="rollback", version=version)

    # Faults

    def arm(self, kind: str, **match_and_details: object) -> Json:
        """Arm a fault: the fields of `local.heroku.faults.Fault`."""
        return self._object("POST", "/faults", kind=kind, **match_and_details)

    def faults(self) -> list[Json]:
        """List the faults that may still fire."""
        return list(self._call("GET", "/faults"))

    def clear_faults(self) -> None:
        """Disarm everything."""
        self._call("DELETE", "/faults")

    # Dynos

    def register_dyno(self, app: str, pid: int, grace_seconds: float = GRACE_SECONDS) -> Json:
        """Let releases of an app restart a process."""
        return self._object("POST", "/dynos", app=app, pid=pid, grace_seconds=grace_seconds)

    def dynos(self) -> list[Json]:
        """List the registered processes that still run."""
        return list(self._call("GET", "/dynos"))

    def unregister_dyno(self, pid: int) -> None:
        """Leave a process alone."""
        self._call("DELETE", f"/dynos/{pid}")

    # Account and time

    def set_rate_limit(self, **bucket: float) -> Json:
        """Set `remaining`, `refill_per_minute`, or both."""
        return self._object("PATCH", "/rate-limit", **bucket)

    def add_token(
        self, token: str, scope: str = "global", expires_in_seconds: float | None = None
    ) -> Json:
        """Accept a token. `scope` may be several words, with spaces between."""
        return self._object(
            "POST", "/tokens", token=token, scope=scope, expires_in_seconds=expires_in_seconds
        )

    def revoke_token(self, token: str) -> None:
        """Accept a token no longer."""
        self._call("POST", "/tokens/revoke", token=token)

    def clock(self) -> Json:
        """Tell the simulator's time."""
        return self._object("GET", "/clock")

    def advance_clock(self, seconds: float) -> Json:
        """Move the time forward; what is due by then has happened on return."""
        return self._object("POST", "/clock", advance_seconds=seconds)

    # Truth

    def truth(self, app: str | None = None) -> Json:
        """Tell what really happened: `patches`, `restarts`, `signals`, `requests`."""
        return self._object("GET", f"/truth?app={app}" if app else "/truth")

    def request_count(self, method: str, route: str, app: str | None = None) -> int:
        """Count the requests that reached a route, refused and failed ones included."""
        return sum(
            each["count"]
            for each in self.truth(app)["requests"]
            if (each["method"], each["route"]) == (method, route)
        )

    def _object(self, method: str, path: str, /, **fields: object) -> Json:
        return dict(self._call(method, path, **fields))

    def _call(self, method: str, path: str, /, **fields: object) -> Any:  # noqa: ANN401 - JSON
        with requests.Session() as session:
            # Without the environment's proxies, which cannot reach this machine's loopback.
            session.trust_env = False
            response = session.request(
                method,
                self._base + path,
                json=fields if method != "GET" else None,
                timeout=_TIMEOUT_SECONDS,
            )
        if not response.ok:
            message = f"{method} {path}: {response.status_code} {response.text}"
            raise requests.HTTPError(message, response=response)
        return response.json()
