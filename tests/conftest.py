"""Fixtures that every kind of test may use."""

import gc
from collections.abc import Generator, Iterator
from functools import cache
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader, Loader
from hypothesis import settings

from tests.world import World

# Counts are asserted, seconds are not: machines are noisy. With CI set, Hypothesis is repeatable.
settings.register_profile(
    "hoist", settings.get_profile(settings.get_current_profile_name()), deadline=None
)
settings.load_profile("hoist")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what stays to the end: it would look at it again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@cache
def _read(path: str) -> Any:  # noqa: ANN401 - JSON
    return JSONFileLoader().load_file(path)


class ReadOnce(JSONFileLoader):
    """Reads each of botocore's descriptions once: a test makes many sessions, a Lambda one."""

    def load_file(self, file_path: str) -> Any:  # noqa: ANN401 - JSON
        return _read(file_path)


@pytest.fixture(autouse=True, scope="session")
def botocore_reads_once() -> Iterator[None]:
    """Half of the time of tests that make containers is botocore's reading of JSON."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loader, "FILE_LOADER_CLASS", ReadOnce)
        yield


@pytest.fixture
def world() -> World:
    """Hoist over fakes, with one listed target and four operators."""
    return World()
