"""Fixtures that several files of unit tests use."""

import pytest

import app
from tests.doors import Api
from tests.world import Wired, World


@pytest.fixture
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The HTTP doors, over the test's world."""
    monkeypatch.setattr(app, "hoist", Wired(world))
    return Api(world)
