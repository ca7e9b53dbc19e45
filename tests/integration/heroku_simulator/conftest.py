"""A simulator per test, with a clock that stands still until the test moves it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from local.heroku import Simulator, SimulatorControls
from local.heroku.clock import Clock

from .platform_api import APP, PlatformApi

START = datetime(2026, 5, 9, 4, 28, tzinfo=UTC)


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    """Start a simulator with one app, at a time that does not pass."""
    with Simulator(apps=[APP], clock=Clock(now=lambda: START)) as simulator:
        yield simulator


@pytest.fixture
def controls(simulator: Simulator) -> SimulatorControls:
    """Steer the simulator."""
    return simulator.controls


@pytest.fixture
def api(simulator: Simulator) -> Iterator[PlatformApi]:
    """Use the simulator as a client."""
    api = PlatformApi(simulator)
    yield api
    api.close()
