"""Every answer is valid against Heroku's official hyper-schema, where that file is at hand."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator, FormatChecker

from local.heroku import SimulatorControls

from .platform_api import APP, PlatformApi

SCHEMA = Path(__file__).parents[4] / "shared" / "heroku-schema.json"

pytestmark = pytest.mark.skipif(
    not SCHEMA.exists(), reason=f"the official schema is not at {SCHEMA}"
)

Check = Callable[[object, str], None]


@pytest.fixture(scope="module")
def check() -> Check:
    """Validate a body against one definition, unknown properties included."""
    schema: dict[str, Any] = json.loads(SCHEMA.read_text())

    def check(body: object, definition: str) -> None:
        pointer = {"$ref": f"#/definitions/{definition}", "definitions": schema["definitions"]}
        validator = Draft4Validator(pointer, format_checker=FormatChecker())
        errors = [f"{list(e.path)}: {e.message}" for e in validator.iter_errors(body)]
        assert errors == []
        # The schema says "strictProperties": a property it does not know would be our invention.
        known = schema["definitions"][definition].get("properties")
        if known is not None and isinstance(body, dict):
            assert body.keys() <= known.keys()

    return check


@pytest.fixture(autouse=True)
def _every_kind_of_release(api: PlatformApi, controls: SimulatorControls) -> None:
    """Give the app an expired, a failed and a pending release besides those that succeeded."""
    controls.behave(APP, release_phase=True, phase_result="pending")
    controls.foreign_deploy(APP)
    controls.finish_release(APP, 4, "failed")
    api.patch({"FLAG_A": "true"})
    controls.expire_releases(APP, [1])


def test_a_release_is_valid_in_every_status(api: PlatformApi, check: Check) -> None:
    releases = api.releases()

    assert {r["status"] for r in releases} == {"expired", "succeeded", "failed", "pending"}
    for release in releases:
        check(release, "release")


def test_a_rollback_is_valid(api: PlatformApi, check: Check) -> None:
    check(api.roll_back(api.release(2)["id"]).json(), "release")


def test_config_vars_are_valid(api: PlatformApi, check: Check) -> None:
    check(api.config(), "config-var")
    check(api.release_config(2), "config-var")


@pytest.mark.parametrize(
    ("path", "definition"),
    [(f"/apps/{APP}", "app"), ("/account", "account"), ("/account/rate-limits", "rate-limit")],
)
def test_an_object_is_valid(api: PlatformApi, check: Check, path: str, definition: str) -> None:
    check(api.get(path).json(), definition)


def test_a_listed_app_is_valid(api: PlatformApi, check: Check) -> None:
    (app,) = api.get("/apps").json()

    check(app, "app")
