"""Clients that others wrote work against the simulator as they do against Heroku."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import heroku3  # type: ignore[import-untyped]
import pytest
from heroku3 import api as heroku3_api

from local.heroku import Simulator, SimulatorControls

from .platform_api import APP, PlatformApi

#: Kept between runs; git ignores it.
NODE_FOLDER = Path(__file__).parents[3] / ".build" / "heroku-client"
NODE_CLIENT = "heroku-client@3.1.4"

NODE_SCRIPT = """
const Heroku = require('heroku-client')
const [host, token, app] = process.argv.slice(2)
const heroku = new Heroku({ host, token })
const run = async () => {
  const before = await heroku.get(`/apps/${app}/config-vars`)
  const after = await heroku.patch(`/apps/${app}/config-vars`, { body: { FLAG_A: 'true' } })
  const all = await heroku.get(`/apps/${app}/releases`)
  const newest = await heroku.get(`/apps/${app}/releases`, {
    partial: true,
    headers: { Range: 'version ..; order=desc,max=1' }
  })
  const paged = await heroku.get(`/apps/${app}/releases`, {
    headers: { Range: 'version ..; order=desc,max=2' }
  })
  const back = await heroku.post(`/apps/${app}/releases`, {
    body: { release: all.find(release => release.version === 3).id }
  })
  const refused = await heroku.patch(`/apps/${app}/config-vars`, { body: { FLAG_A: true } })
    .catch(error => error)
  console.log(JSON.stringify({ before, after, all, newest, paged, back, refused: refused.body }))
}
run()
"""


@pytest.fixture
def client(simulator: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Log in with heroku3."""
    monkeypatch.setattr(heroku3_api, "HEROKU_URL", simulator.url)
    client = heroku3.from_key(simulator.token)
    yield client
    client._session.close()  # noqa: SLF001 - heroku3 offers no other way


def test_heroku3_logs_in(client: Any) -> None:  # noqa: ANN401 - heroku3 is untyped
    assert client.is_authenticated
    assert client.account().email == "operator@example.com"
    assert client.rate_limit.remaining <= 4500


def test_heroku3_reads_apps_and_releases(client: Any) -> None:  # noqa: ANN401
    app = client.app(APP)

    assert [each.name for each in client.apps()] == [APP]
    assert [release.version for release in app.releases()] == [1, 2, 3]
    assert [r.version for r in app.releases(order_by="version", limit=2, sort="desc")] == [3, 2]


def test_heroku3_changes_and_deletes_a_config_var(client: Any, api: PlatformApi) -> None:  # noqa: ANN401
    config = client.app(APP).config()

    config["FLAG_A"] = "true"
    config.update({"FLAG_B": "x", "FLAG_C": "y"})
    del config["FLAG_B"]

    assert api.config().items() >= {"FLAG_A": "true", "FLAG_C": "y"}.items()
    assert "FLAG_B" not in api.config()
    assert "FLAG_B" not in config


def test_heroku3_rolls_back(client: Any, api: PlatformApi) -> None:  # noqa: ANN401
    app = client.app(APP)
    target = app.releases()[-1]
    app.config()["FLAG_A"] = "true"

    newest = app.rollback(target.id)

    assert newest.description == "Rollback to v3"
    assert "FLAG_A" not in api.config()


def test_heroku3_meets_the_rate_limit(client: Any, controls: SimulatorControls) -> None:  # noqa: ANN401
    controls.set_rate_limit(remaining=0)

    with pytest.raises(heroku3_api.RateLimitExceeded):
        client.app(APP)


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """Install npm's heroku-client once. Without npm: skip, or fail in CI, where it must be."""
    if (NODE_FOLDER / "node_modules" / "heroku-client").exists():
        return NODE_FOLDER
    if not (shutil.which("node") and shutil.which("npm")):
        _cannot("node and npm are not installed")
    NODE_FOLDER.mkdir(parents=True, exist_ok=True)
    # Without scripts: a test must not run code that a package runs on installing.
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--fetch-retries=0"]
    done = subprocess.run(
        ["npm", "install", "--prefix", str(NODE_FOLDER), *options, NODE_CLIENT],
        cwd=NODE_FOLDER,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode != 0:
        _cannot(f"npm could not install {NODE_CLIENT}: {done.stderr[-300:]}")
    return NODE_FOLDER


def _cannot(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true":  # noqa: TID251 - whether to skip or to fail
        pytest.fail(reason)
    pytest.skip(reason)


def test_npm_heroku_client_reads_changes_pages_and_rolls_back(
    simulator: Simulator, node_modules: Path
) -> None:
    script = node_modules / "client.js"
    script.write_text(NODE_SCRIPT)

    done = subprocess.run(
        ["node", str(script), simulator.url, simulator.token, APP],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )

    seen = json.loads(done.stdout)
    assert seen["after"] == seen["before"] | {"FLAG_A": "true"}
    assert sorted(release["version"] for release in seen["all"]) == [1, 2, 3, 4]
    assert [release["version"] for release in seen["newest"]] == [4]
    assert [release["version"] for release in seen["paged"]] == [4, 3, 2, 1]
    assert seen["back"]["description"] == "Rollback to v3"
    assert seen["refused"]["id"] == "invalid_params"
