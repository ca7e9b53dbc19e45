"""Fixtures that every kind of test may use."""

import pytest

from tests.world import World


@pytest.fixture
def world() -> World:
    """Hoist over fakes, with one listed target and four operators."""
    return World()
