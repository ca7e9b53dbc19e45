"""`HerokuApps` against a simulator: every answer is told apart, and no secret comes through."""

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
import requests
import responses

from chalicelib.adapters.heroku import FOR_REQUEST, FOR_WORKER, HerokuApps, Patience
from chalicelib.domain.errors import AccessDenied, Ambiguous, Refused, TryAgain
from chalicelib.domain.release import ReleaseStatus
from local.heroku import Simulator

APP = "shop-prod"
SECRET = "fake-secret"
READ_AND_SET = frozenset({"read", "write-protected"})


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

    def use_token(self, token: str, *, scope: str) -> None:
        self.heroku.controls.add_token(token, scope=scope)
        self.token.token = token

    @property
    def requests(self) -> int:
        """How many requests reached Heroku."""
        return sum(each["count"] for each in self.heroku.controls.truth(APP)["requests"])

    @property
    def patches(self) -> list[dict[str, str | None]]:
        return [patch["changes"] for patch in self.heroku.controls.truth(APP)["patches"]]


@pytest.fixture
def shop(heroku: Simulator) -> Shop:
    return Shop(heroku)


def test_of_an_apps_config_only_flags_come_through(shop: Shop) -> None:
    assert shop.apps.config(APP).flags == {"FLAG_OLD": "1"}


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


def test_what_lies_far_back_takes_few_pages(shop: Shop) -> None:
    baseline = shop.apps.releases(APP, after=None)[0].version
    for n in range(230):
        shop.apps.set_config_vars(APP, {"FLAG_N": str(n)})
    shop.apps.take_usage()

    shop.apps.releases(APP, after=baseline)

    assert shop.apps.take_usage().calls == 3


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
    assert shop.apps.config(APP).flags == {"FLAG_OLD": "1"}


@pytest.mark.parametrize("status", [401, 402, 403])
def test_a_refusal_of_hoist_itself_is_nobodys_promotions_fault(shop: Shop, status: int) -> None:
    shop.heroku.controls.arm("status", status=status)

    with pytest.raises(AccessDenied) as denied:
        shop.apps.config(APP)

    assert denied.value.after == timedelta(minutes=1)
    assert shop.token.forgotten == 1


@pytest.mark.parametrize("status", [404, 410])
def test_an_app_that_is_not_there_is_a_final_answer(shop: Shop, status: int) -> None:
    shop.heroku.controls.arm("status", status=status)

    with pytest.raises(Refused) as refused:
        shop.apps.config(APP)

    assert str(status) in refused.value.detail


def test_an_app_that_is_not_there_is_named_in_words(shop: Shop) -> None:
    with pytest.raises(Refused) as refused:
        shop.apps.config("shop-prdo")

    assert refused.value.detail == (
        "Heroku answered 404 not_found to /apps/shop-prdo/config-vars: it has no such app, "
        "or does not show it to Hoist's account, and would answer the same again."
    )


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
        shop.apps.config(APP)


def test_a_used_up_rate_limit_is_waited_for(shop: Shop) -> None:
    shop.heroku.controls.set_rate_limit(remaining=0, refill_per_minute=0)

    with pytest.raises(TryAgain) as again:
        shop.apps.config(APP)

    assert again.value.after == timedelta(seconds=30)
    assert shop.apps.calls_left() == 0


def test_what_is_left_of_the_rate_limit_is_known(shop: Shop) -> None:
    shop.heroku.controls.set_rate_limit(remaining=123, refill_per_minute=0)

    shop.apps.config(APP)

    assert shop.apps.calls_left() == 122


def test_a_broken_connection_is_tried_once_more_for_reading(shop: Shop) -> None:
    shop.heroku.controls.arm("reset_before_apply", method="GET")

    assert shop.apps.config(APP).flags == {"FLAG_OLD": "1"}


def test_a_connection_that_breaks_twice_is_left_for_later(shop: Shop) -> None:
    shop.heroku.controls.arm("reset_before_apply", method="GET", times=2)

    with pytest.raises(TryAgain):
        shop.apps.config(APP)


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


def test_a_patch_that_hangs_after_taking_effect_is_ambiguous(shop: Shop) -> None:
    apps = replace(shop.apps, patience=replace(FOR_WORKER, write_seconds=0.2))
    shop.heroku.controls.arm("hang_after_apply", method="PATCH", seconds=2)

    with pytest.raises(Ambiguous):
        apps.set_config_vars(APP, {"FLAG_NEW": "on"})

    assert shop.patches == [{"FLAG_NEW": "on"}]


@pytest.mark.parametrize(
    ("header", "scopes"),
    [
        ("global", frozenset({"global"})),
        ("read write-protected", READ_AND_SET),
        ("read,write-protected", READ_AND_SET),
        (" read ,  write-protected, ", READ_AND_SET),
        ("", None),
        (" , ", None),
        (None, None),
    ],
)
@responses.activate
def test_scopes_are_parsed_tolerantly(
    header: str | None,
    scopes: frozenset[str] | None,
) -> None:
    url = "http://127.0.0.1:1"
    headers = {} if header is None else {"Oauth-Scope": header}
    responses.get(f"{url}/apps/{APP}/config-vars", json={}, headers=headers)
    apps = HerokuApps(base_url=url, token=FakeToken("t"), session=requests.Session)

    apps.config(APP)

    assert apps.scopes() == scopes


@pytest.mark.parametrize(
    ("body", "size"),
    [("{}", 0), (r'{"A": "\ud800"}', 4), ('{"A": null}', 1), ('{"A": 12}', 1)],
)
@responses.activate
def test_a_config_is_measured_tolerantly(body: str, size: int) -> None:
    url = "http://127.0.0.1:1"
    responses.get(f"{url}/apps/{APP}/config-vars", body=body)
    apps = HerokuApps(base_url=url, token=FakeToken("t"), session=requests.Session)

    assert apps.config(APP).size_bytes == size


def test_nothing_is_known_of_scopes_before_the_first_reply(shop: Shop) -> None:
    assert shop.apps.scopes() is None


def test_every_scope_of_the_token_is_known(shop: Shop) -> None:
    shop.use_token("HRKU-two", scope="read write-protected")

    shop.apps.config(APP)

    assert shop.apps.scopes() == READ_AND_SET


def test_a_refused_token_still_says_its_scope(shop: Shop) -> None:
    shop.use_token("HRKU-blind", scope="read")

    with pytest.raises(AccessDenied):
        shop.apps.config(APP)

    assert shop.apps.scopes() == frozenset({"read"})


def test_a_token_that_may_only_read_is_refused_before_anything_is_sent(shop: Shop) -> None:
    shop.apps.require_writing()
    shop.use_token("HRKU-reader", scope="read-protected")
    shop.apps.config(APP)
    sent = shop.requests

    with pytest.raises(AccessDenied, match="scopes: read-protected") as denied:
        shop.apps.require_writing()

    assert (shop.requests, shop.token.forgotten) == (sent, 1)
    assert "HRKU-reader" not in str(denied.value)
    shop.use_token("HRKU-writer", scope="write-protected")
    shop.apps.config(APP)
    shop.apps.require_writing()


def test_a_reply_without_scopes_takes_back_what_was_known(shop: Shop) -> None:
    shop.apps.config(APP)
    shop.heroku.controls.revoke_token(shop.heroku.token)

    with pytest.raises(AccessDenied):
        shop.apps.config(APP)

    assert shop.apps.scopes() is None


def _hanging_reads(shop: Shop, patience: Patience) -> float:
    """Make the three reads of a request while Heroku hangs; how many seconds that takes."""
    apps = replace(shop.apps, patience=patience)
    started = time.monotonic()
    for read in (
        lambda: apps.config(APP),
        lambda: apps.releases(APP, after=None),
        lambda: apps.release_config_vars(APP, 1),
    ):
        with pytest.raises(TryAgain):
            read()
    return time.monotonic() - started


def test_a_request_waits_once_for_each_read_while_heroku_hangs(shop: Shop) -> None:
    shop.heroku.controls.arm("hang", seconds=30, times=None)

    seconds = _hanging_reads(shop, replace(FOR_REQUEST, read_seconds=0.5))

    assert seconds == pytest.approx(3 * 0.5, abs=1)
    assert shop.requests == 3


@pytest.mark.parametrize("kind", ["hang", "reset_before_apply"])
def test_a_request_tries_no_broken_connection_again(shop: Shop, kind: str) -> None:
    shop.heroku.controls.arm(kind, seconds=0.1, times=None)

    _hanging_reads(shop, FOR_REQUEST)

    assert shop.requests == 3


def test_three_reads_of_a_request_end_well_before_api_gateway_gives_up() -> None:
    waits_for_answers = 3 * FOR_REQUEST.read_seconds
    worst = waits_for_answers + 3 * FOR_REQUEST.connect_seconds

    assert waits_for_answers <= 13
    assert worst < 29 - 10


@pytest.mark.parametrize("patience", [FOR_WORKER, FOR_REQUEST])
@responses.activate
def test_reading_and_setting_are_waited_for_as_patience_says(patience: Patience) -> None:
    url = "http://127.0.0.1:1"
    responses.get(f"{url}/apps/{APP}/config-vars", json={})
    responses.patch(f"{url}/apps/{APP}/config-vars", json={})
    apps = HerokuApps(
        base_url=url,
        token=FakeToken("t"),
        session=requests.Session,
        patience=patience,
    )

    apps.config(APP)
    apps.set_config_vars(APP, {"FLAG_A": "1"})

    waited = [call.request.req_kwargs["timeout"] for call in responses.calls]  # type: ignore[attr-defined]
    assert waited == [
        (patience.connect_seconds, patience.read_seconds),
        (patience.connect_seconds, patience.write_seconds),
    ]


class _DiesWhileKept(BaseHTTPRequestHandler):
    """Answers a connection's first request, and resets the connection at its second."""

    protocol_version = "HTTP/1.1"
    answered = False

    def do_GET(self) -> None:
        if self.answered:
            # Lingering for zero seconds makes close() send RST where it would send FIN.
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            return
        self.answered = True
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@contextmanager
def _a_heroku_that_forgets_connections() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _DiesWhileKept) as server:
        server.daemon_threads = True
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("patience", [FOR_WORKER, FOR_REQUEST])
def test_a_connection_that_died_while_it_was_kept_costs_no_answer(patience: Patience) -> None:
    with _a_heroku_that_forgets_connections() as url, requests.Session() as session:
        apps = HerokuApps(
            base_url=url,
            token=FakeToken("t"),
            session=lambda: session,
            patience=patience,
        )

        sizes = [apps.config(APP).size_bytes for _ in range(3)]

    assert sizes == [0, 0, 0]


def test_an_answer_that_breaks_off_is_read_again_later(shop: Shop) -> None:
    shop.heroku.controls.arm("truncated_body", method="GET", times=2)

    with pytest.raises(TryAgain):
        shop.apps.config(APP)


@pytest.mark.parametrize("body", ["", "[]", '"text"', "<html>", "nul", '{"a": 1'])
@responses.activate
def test_a_body_that_is_not_what_was_asked_for_is_read_again_later(body: str) -> None:
    url = "http://127.0.0.1:1"
    responses.get(f"{url}/apps/{APP}/config-vars", body=body)
    apps = HerokuApps(base_url=url, token=FakeToken("t"), session=requests.Session)

    with pytest.raises(TryAgain) as again:
        apps.config(APP)

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
        apps.config(APP)

    assert len(responses.calls) == 1


@responses.activate
def test_releases_are_parsed_tolerantly() -> None:
    url = "http://127.0.0.1:1"
    answer = [
        {"version": 3, "status": "brand-new", "created_at": "2026-05-09T04:28:00"},
        {"id": "no version"},
        {"version": None},
        {"version": 2, "created_at": "yesterday"},
    ]
    responses.get(f"{url}/apps/{APP}/releases", json=answer)
    apps = HerokuApps(base_url=url, token=FakeToken("t"), session=requests.Session)

    releases = apps.releases(APP, after=None)

    assert [(r.version, r.status, r.current) for r in releases] == [
        (3, ReleaseStatus.UNKNOWN, False),
        (2, ReleaseStatus.UNKNOWN, False),
    ]
    # A time without its offset can be compared with others all the same.
    assert [r.created_at for r in releases] == [datetime(2026, 5, 9, 4, 28, tzinfo=UTC), None]


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

    with pytest.raises((TryAgain, Refused)) as setting:
        shop.apps.set_config_vars(APP, {"FLAG_NEW": "hunter2"})
    with pytest.raises((TryAgain, Refused)) as reading:
        shop.apps.config(APP)

    shown = repr(setting.value) + setting.value.detail + repr(reading.value) + reading.value.detail
    assert SECRET not in shown
    assert "hunter2" not in shown
    assert shop.heroku.token not in shown
