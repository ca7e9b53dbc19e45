"""`HerokuApps` against a simulator: every answer is told apart, and no secret comes through."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import requests
import responses

from chalicelib.adapters.heroku import HerokuApps
from chalicelib.domain.errors import AccessDenied, Ambiguous, Refused, TryAgain
from chalicelib.domain.release import ReleaseStatus
from local.heroku import Simulator

APP = "shop-prod"
SECRET = "fake-secret"


@dataclass
class FakeToken:
    token: str
    forgotten: int = 0

    def __call__(self) -> str:
        return self.token

    def forget(self) -> None:
        self.forgotten += 1


@dataclass
class Shop:
    """One app at Heroku, and Hoist's view of it."""

    heroku: Simulator
    token: FakeToken = field(init=False)

    def __post_init__(self) -> None:
        self.heroku.controls.create_app(APP, {"FLAG_OLD": "1", "SECRET_TOKEN": SECRET})
        self.token = FakeToken(self.heroku.token)
        session = requests.Session()
        session.trust_env = False
        self.apps = HerokuApps(
            base_url=self.heroku.url,
            token=self.token,
            session=lambda: session,
        )

    @property
    def patches(self) -> list[dict[str, str | None]]:
        return [patch["changes"] for patch in self.heroku.controls.truth(APP)["patches"]]


@pytest.fixture
def shop(heroku: Simulator) -> Shop:
    return Shop(heroku)


def test_of_an_apps_config_only_flags_come_through(shop: Shop) -> None:
    assert shop.apps.config_vars(APP) == {"FLAG_OLD": "1"}


def test_several_flags_are_set_and_removed_in_one_release(shop: Shop) -> None:
    before = shop.apps.releases(APP, after=None)[0].version

    shop.apps.set_config_vars(APP, {"FLAG_NEW": "on", "FLAG_OLD": None})

    newest = shop.apps.releases(APP, after=before)[0]
    assert newest.version == before + 1
    assert (newest.status, newest.current) == (ReleaseStatus.SUCCEEDED, True)
    assert shop.apps.release_config_vars(APP, newest.version) == {"FLAG_NEW": "on"}


def test_releases_come_newest_first_whatever_their_ids(shop: Shop) -> None:
    for n in range(5):
        shop.apps.set_config_vars(APP, {"FLAG_N": str(n)})

    versions = [release.version for release in shop.apps.releases(APP, after=None)]

    assert versions == sorted(versions, reverse=True)


def test_pages_are_followed_down_to_the_baseline(shop: Shop) -> None:
    baseline = shop.apps.releases(APP, after=None)[0].version
    for n in range(45):
        shop.apps.set_config_vars(APP, {"FLAG_N": str(n)})

    versions = {release.version for release in shop.apps.releases(APP, after=baseline)}

    assert set(range(baseline, baseline + 46)) <= versions


def test_pages_are_followed_down_to_the_current_release(shop: Shop) -> None:
    current = shop.apps.releases(APP, after=None)[0].version
    shop.heroku.controls.behave(APP, release_phase=True, phase_result="pending")
    for n in range(25):
        shop.apps.set_config_vars(APP, {"FLAG_N": str(n)})

    releases = shop.apps.releases(APP, after=None)

    assert [release.version for release in releases if release.current] == [current]


def test_a_running_release_phase_is_seen_with_its_own_config_vars(shop: Shop) -> None:
    shop.heroku.controls.behave(APP, release_phase=True, phase_result="pending")

    shop.apps.set_config_vars(APP, {"FLAG_NEW": "on"})

    newest = shop.apps.releases(APP, after=None)[0]
    assert (newest.status, newest.current) == (ReleaseStatus.PENDING, False)
    assert shop.apps.release_config_vars(APP, newest.version) == {"FLAG_NEW": "on", "FLAG_OLD": "1"}
    assert shop.apps.config_vars(APP) == {"FLAG_OLD": "1"}


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refusal_of_hoist_itself_is_nobodys_promotions_fault(shop: Shop, status: int) -> None:
    shop.heroku.controls.arm("status", status=status)

    with pytest.raises(AccessDenied) as denied:
        shop.apps.config_vars(APP)

    assert denied.value.after == timedelta(minutes=1)
    assert shop.token.forgotten == 1


@pytest.mark.parametrize("status", [404, 410])
def test_an_app_that_is_not_there_is_a_final_answer(shop: Shop, status: int) -> None:
    shop.heroku.controls.arm("status", status=status)

    with pytest.raises(Refused) as refused:
        shop.apps.config_vars(APP)

    assert str(status) in refused.value.detail


@pytest.mark.parametrize("status", [400, 422])
def test_a_config_var_that_is_not_taken_is_a_final_answer(shop: Shop, status: int) -> None:
    shop.heroku.controls.arm("status", status=status)

    with pytest.raises(Refused):
        shop.apps.set_config_vars(APP, {"FLAG_NEW": "on"})

    assert shop.patches == []


def test_an_account_that_has_to_be_verified_is_no_promotions_fault(shop: Shop) -> None:
    shop.heroku.controls.arm("status", status=422, error_id="verification_needed")

    with pytest.raises(AccessDenied):
        shop.apps.set_config_vars(APP, {"FLAG_NEW": "on"})


def test_a_release_that_heroku_does_not_show_any_more_reads_as_none(shop: Shop) -> None:
    shop.heroku.controls.arm("status", status=410)

    assert shop.apps.release_config_vars(APP, 1) is None


@pytest.mark.parametrize("status", [400, 406, 409, 422, 429, 500, 503])
def test_what_passes_is_tried_again(shop: Shop, status: int) -> None:
    shop.heroku.controls.arm("status", status=status)

    with pytest.raises(TryAgain):
        shop.apps.config_vars(APP)


def test_a_used_up_rate_limit_is_waited_for(shop: Shop) -> None:
    shop.heroku.controls.set_rate_limit(remaining=0, refill_per_minute=0)

    with pytest.raises(TryAgain) as again:
        shop.apps.config_vars(APP)

    assert again.value.after == timedelta(seconds=30)
    assert shop.apps.calls_left() == 0


def test_what_is_left_of_the_rate_limit_is_known(shop: Shop) -> None:
    shop.heroku.controls.set_rate_limit(remaining=123, refill_per_minute=0)

    shop.apps.config_vars(APP)

    assert shop.apps.calls_left() == 122


def test_a_broken_connection_is_tried_once_more_for_reading(shop: Shop) -> None:
    shop.heroku.controls.arm("reset_before_apply", method="GET")

    assert shop.apps.config_vars(APP) == {"FLAG_OLD": "1"}


def test_a_connection_that_breaks_twice_is_left_for_later(shop: Shop) -> None:
    shop.heroku.controls.arm("reset_before_apply", method="GET", times=2)

    with pytest.raises(TryAgain):
        shop.apps.config_vars(APP)


@pytest.mark.parametrize(
    ("fault", "applied"),
    [
        ({"kind": "reset_before_apply"}, False),
        ({"kind": "reset_after_apply"}, True),
        ({"kind": "status", "status": 500}, False),
        ({"kind": "html_503"}, False),
    ],
)
def test_a_patch_without_an_answer_is_sent_once_and_called_ambiguous(
    shop: Shop,
    fault: dict[str, Any],
    applied: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    shop.heroku.controls.arm(**(fault | {"method": "PATCH"}))

    with pytest.raises(Ambiguous) as ambiguous:
        shop.apps.set_config_vars(APP, {"FLAG_NEW": "on"})

    assert len(shop.patches) == int(applied)
    assert shop.heroku.controls.request_count("PATCH", "config-vars", APP) == 1
    assert "may have set the value or not" in ambiguous.value.detail


def test_a_patch_that_hangs_after_taking_effect_is_ambiguous(
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chalicelib.adapters.heroku._WRITE_SECONDS", 0.2)
    shop.heroku.controls.arm("hang_after_apply", method="PATCH", seconds=2)

    with pytest.raises(Ambiguous):
        shop.apps.set_config_vars(APP, {"FLAG_NEW": "on"})

    assert shop.patches == [{"FLAG_NEW": "on"}]


def test_an_answer_that_breaks_off_is_read_again_later(shop: Shop) -> None:
    shop.heroku.controls.arm("truncated_body", method="GET", times=2)

    with pytest.raises(TryAgain):
        shop.apps.config_vars(APP)


@pytest.mark.parametrize("body", ["", "[]", '"text"', "<html>", "nul", '{"a": 1'])
@responses.activate
def test_a_body_that_is_not_what_was_asked_for_is_read_again_later(body: str) -> None:
    url = "http://127.0.0.1:1"
    responses.get(f"{url}/apps/{APP}/config-vars", body=body)
    apps = HerokuApps(base_url=url, token=FakeToken("t"), session=requests.Session)

    with pytest.raises(TryAgain) as again:
        apps.config_vars(APP)

    assert again.value.__cause__ is None


@responses.activate
def test_a_redirect_is_not_followed_with_the_token() -> None:
    url = "http://127.0.0.1:1"
    responses.get(
        f"{url}/apps/{APP}/config-vars",
        status=302,
        headers={"Location": "http://127.0.0.1:2/"},
    )
    apps = HerokuApps(base_url=url, token=FakeToken("t"), session=requests.Session)

    with pytest.raises(TryAgain):
        apps.config_vars(APP)

    assert len(responses.calls) == 1


@responses.activate
def test_releases_are_parsed_tolerantly() -> None:
    url = "http://127.0.0.1:1"
    answer = [{"version": 3, "status": "brand-new"}, {"id": "no version"}, {"version": 2}]
    responses.get(f"{url}/apps/{APP}/releases", json=answer)
    apps = HerokuApps(base_url=url, token=FakeToken("t"), session=requests.Session)

    releases = apps.releases(APP, after=None)

    assert [(r.version, r.status, r.current) for r in releases] == [
        (3, ReleaseStatus.UNKNOWN, False),
        (2, ReleaseStatus.UNKNOWN, False),
    ]


@responses.activate
def test_requests_are_what_the_platform_api_asks_for() -> None:
    url = "http://127.0.0.1:1"
    responses.patch(f"{url}/apps/{APP}/config-vars", json={})
    apps = HerokuApps(base_url=url, token=FakeToken("HRKU-x"), session=requests.Session)

    apps.set_config_vars(APP, {"FLAG_A": "1"})

    sent = responses.calls[0].request
    assert sent.headers["Accept"] == "application/vnd.heroku+json; version=3"
    assert sent.headers["Authorization"] == "Bearer HRKU-x"
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["User-Agent"] == "hoist"
    assert sent.body == b'{"FLAG_A": "1"}'


@pytest.mark.parametrize(
    "url",
    ["https://evil.example", "http://api.heroku.com", "https://api.heroku.com.evil.example", ""],
)
def test_the_token_goes_nowhere_but_to_heroku_or_loopback(url: str) -> None:
    with pytest.raises(ValueError, match="not Heroku's API"):
        HerokuApps(base_url=url, token=FakeToken("t"), session=requests.Session)


@pytest.mark.parametrize("status", [401, 404, 409, 422, 429, 500])
def test_no_error_repeats_a_secret_or_the_token(shop: Shop, status: int) -> None:
    shop.heroku.controls.arm("status", status=status, times=2)

    with pytest.raises((TryAgain, Refused)) as error:
        shop.apps.set_config_vars(APP, {"FLAG_NEW": "hunter2"})

    shown = repr(error.value) + error.value.detail
    assert SECRET not in shown
    assert "hunter2" not in shown
    assert shop.heroku.token not in shown
