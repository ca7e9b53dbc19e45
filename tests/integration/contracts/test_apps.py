"""`Apps`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest
import requests

from chalicelib.adapters.heroku import HerokuApps
from chalicelib.domain.errors import Refused
from chalicelib.domain.release import AppConfig, ReleaseStatus
from chalicelib.ports import Apps
from local.heroku import Simulator
from tests.fakes import FakeApps, FakeClock

APP = "shop-prod"
#: 6 + 11 and 8 + 1 bytes.
CONFIG = {"SECRET": "fake-secret", "FLAG_OLD": "1"}
#: What a config var has to be called for Heroku to take none of it.
UNACCEPTABLE = "FLAG-NEW"


@dataclass
class Token:
    """A token that is as good as it ever was."""

    token: str

    def __call__(self) -> str:
        return self.token

    def forget(self) -> None:
        """Do nothing."""


@pytest.fixture(params=["fake", "heroku"])
def apps(request: pytest.FixtureRequest) -> Iterator[Apps]:
    """Each implementation in turn, with one app that holds `CONFIG`."""
    if request.param == "fake":
        yield FakeApps(FakeClock(), stored=dict(CONFIG), unacceptable=frozenset({UNACCEPTABLE}))
        return
    with requests.Session() as session:
        session.trust_env = False
        yield _at_heroku(request.getfixturevalue("heroku"), session)


def _at_heroku(heroku: Simulator, session: requests.Session) -> HerokuApps:
    """The app, and a token that may do what Hoist needs."""
    heroku.controls.create_app(APP)
    made = heroku.controls.app(APP)["stored"]
    heroku.controls.foreign_patch(APP, dict.fromkeys(made) | CONFIG)
    heroku.controls.add_token("HRKU-hoist", scope="write-protected")
    return HerokuApps(base_url=heroku.url, token=Token("HRKU-hoist"), session=lambda: session)


def _newest(apps: Apps) -> int:
    return apps.releases(APP, after=None)[0].version


def test_of_a_config_the_flags_are_seen_and_the_size_of_all(apps: Apps) -> None:
    assert apps.config(APP) == AppConfig(flags={"FLAG_OLD": "1"}, size_bytes=26)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({"FLAG_N": "12345"}, 26 + 6 + 5),
        ({"FLAG_N": "grün"}, 26 + 6 + 5),
        ({"FLAG_N": ""}, 26 + 6),
        ({"FLAG_OLD": "12"}, 26 + 1),
        ({"FLAG_OLD": None}, 26 - 9),
    ],
)
def test_the_size_counts_the_bytes_of_names_and_values(
    apps: Apps,
    changes: Mapping[str, str | None],
    size: int,
) -> None:
    apps.set_config_vars(APP, changes)

    assert apps.config(APP).size_bytes == size


def test_the_config_vars_are_the_configs_flags(apps: Apps) -> None:
    assert apps.config(APP).flags == {"FLAG_OLD": "1"}


def test_what_is_set_and_removed_together_makes_one_release_that_carries_it(apps: Apps) -> None:
    before = _newest(apps)

    apps.set_config_vars(APP, {"FLAG_NEW": "on", "FLAG_OLD": None})

    newest = apps.releases(APP, after=before)[0]
    assert (newest.version, newest.status) == (before + 1, ReleaseStatus.SUCCEEDED)
    assert apps.release_config_vars(APP, newest.version) == {"FLAG_NEW": "on"}


def test_releases_come_newest_first_and_the_newest_is_current(apps: Apps) -> None:
    for n in range(3):
        apps.set_config_vars(APP, {"FLAG_N": str(n)})

    releases = apps.releases(APP, after=None)

    versions = [release.version for release in releases]
    assert versions == sorted(versions, reverse=True)
    assert [r.version for r in releases if r.current] == versions[:1]


def test_a_releases_config_vars_never_change(apps: Apps) -> None:
    before = _newest(apps)

    apps.set_config_vars(APP, {"FLAG_OLD": "2"})

    assert apps.release_config_vars(APP, before) == {"FLAG_OLD": "1"}


def test_a_config_var_that_heroku_does_not_take_changes_nothing(apps: Apps) -> None:
    before = _newest(apps)

    with pytest.raises(Refused):
        apps.set_config_vars(APP, {UNACCEPTABLE: "on", "FLAG_OLD": "2"})

    assert apps.config(APP) == AppConfig(flags={"FLAG_OLD": "1"}, size_bytes=26)
    assert _newest(apps) == before


def test_a_reply_says_what_the_token_may_do(apps: Apps) -> None:
    apps.config(APP)

    assert apps.scopes() == frozenset({"write-protected"})
