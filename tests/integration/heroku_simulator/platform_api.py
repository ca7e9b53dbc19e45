"""A bare client of the Platform API: shows every header and hides nothing."""

from collections.abc import Sequence
from typing import Any

import requests

from local.heroku import Simulator

APP = "raxx-console-prod"
ACCEPT = "application/vnd.heroku+json; version=3"
NEWEST_FIRST = {"Range": "version ..; order=desc,max=1000"}


class PlatformApi:
    """Speaks to one simulator as its operator."""

    def __init__(self, simulator: Simulator) -> None:
        self._url = simulator.url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update(
            {"Accept": ACCEPT, "Authorization": f"Bearer {simulator.token}"}
        )

    def request(self, method: str, path: str, **options: Any) -> requests.Response:  # noqa: ANN401 - passed on
        """Send one request, with the options of `requests`."""
        return self._session.request(method, self._url + path, **{"timeout": 5, **options})

    def get(self, path: str, **headers: str | None) -> requests.Response:
        """GET with headers; `If_None_Match` becomes `If-None-Match`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.request("GET", path, headers=named)

    def config(self) -> dict[str, str]:
        """Read the app's config vars."""
        return dict(self.get(f"/apps/{APP}/config-vars").json())

    def patch(self, changes: object, **options: Any) -> requests.Response:  # noqa: ANN401 - passed on
        """PATCH the app's config vars."""
        return self.request("PATCH", f"/apps/{APP}/config-vars", json=changes, **options)

    def releases(self) -> Sequence[dict[str, Any]]:
        """List the app's releases, newest first."""
        return list(self.get(f"/apps/{APP}/releases", **NEWEST_FIRST).json())

    def latest(self) -> dict[str, Any]:
        """Read the app's newest release."""
        return self.releases()[0]

    def release(self, version: int) -> dict[str, Any]:
        """Read one release."""
        return dict(self.get(f"/apps/{APP}/releases/{version}").json())

    def release_config(self, version: int) -> dict[str, str]:
        """Read the config of one release."""
        return dict(self.get(f"/apps/{APP}/releases/{version}/config-vars").json())

    def roll_back(self, release_id: object) -> requests.Response:
        """Roll back to a release."""
        return self.request("POST", f"/apps/{APP}/releases", json={"release": release_id})

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()
