"""The doors of the operator's page, and what the browser is told about it."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from tests.doors import CONTRACT, Api

CONSOLE = Path(__file__).parents[2] / "chalicelib" / "console"
PARTS = sorted(path.name for path in CONSOLE.iterdir() if path.name != "index.html")


def test_the_page_is_served_with_a_strict_policy(api: Api) -> None:
    answer = api("GET", "/console")

    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = dict(
        part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; ")
    )
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("name", PARTS)
def test_each_of_its_files_is_served_as_it_is_kept(api: Api, name: str) -> None:
    answer = api("GET", f"/console/{name}")

    kinds = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}
    assert answer.headers["Content-Type"] == kinds[Path(name).suffix]
    assert answer.body == (CONSOLE / name).read_text()
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize("name", ["", *PARTS[:1]])
def test_a_browser_that_has_a_file_is_not_sent_it_again(api: Api, name: str) -> None:
    path = f"/console/{name}".rstrip("/")
    first = api("GET", path)

    again = api("GET", path, headers={"If-None-Match": f'"other", W/{first.headers["ETag"]}'})

    assert first.headers["Cache-Control"] == "no-cache"
    assert (again.status, again.body) == (304, "")
    assert again.headers["ETag"] == first.headers["ETag"]


def test_the_contract_and_the_page_name_all_of_its_files() -> None:
    parameter = CONTRACT["paths"]["/console/{file}"]["get"]["parameters"][0]
    named = re.findall(r'"console/(\S+)"', (CONSOLE / "index.html").read_text())

    assert parameter["schema"]["enum"] == PARTS
    assert sorted(named) == PARTS


@pytest.mark.parametrize("name", ["index.html", "nothing.js", "..", "__init__.py"])
def test_there_is_no_other_file(api: Api, name: str) -> None:
    assert api("GET", f"/console/{name}").problem == (404, "not_found")


def test_a_list_is_the_same_until_more_than_its_ages_changes(api: Api) -> None:
    api.mark()
    first = api("GET", "/promotions")
    known = {"If-None-Match": first.headers["ETag"]}
    api.world.clock.advance(timedelta(minutes=1))

    later = api("GET", "/promotions", headers=known)
    api.mark({"target": "raxx-console-prod", "flag": "dark_mode", "value": "true"})
    changed = api("GET", "/promotions", headers=known)

    assert first.headers["ETag"].startswith('W/"')
    assert (later.status, later.body, later.headers["ETag"]) == (304, "", first.headers["ETag"])
    assert changed.status == 200
    assert changed.headers["ETag"] != first.headers["ETag"]
