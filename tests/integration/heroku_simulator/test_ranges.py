"""Lists: the spellings of Range that real clients send, and walking from page to page."""

from itertools import chain

import pytest

from local.heroku import SimulatorControls

from .platform_api import APP, PlatformApi

PATH = f"/apps/{APP}/releases"
RELEASES = 12


@pytest.fixture(autouse=True)
def _history(controls: SimulatorControls) -> None:
    """Bring the app to a dozen releases; a new one has three."""
    for number in range(RELEASES - 3):
        controls.foreign_patch(APP, {"N": str(number)})


def _versions(api: PlatformApi, header: str) -> list[int]:
    return [release["version"] for release in api.get(PATH, Range=header).json()]


def test_the_default_order_is_by_uuid(api: PlatformApi) -> None:
    reply = api.get(PATH)

    ids = [release["id"] for release in reply.json()]
    assert (reply.status_code, len(ids)) == (200, RELEASES)
    assert ids == sorted(ids)


@pytest.mark.parametrize(
    ("spelling", "expected"),
    [
        ("version ..; order=desc,max=1", [12]),
        ("version ..; max=15, order=desc", list(range(12, 0, -1))),
        ("version ..; order=desc,max=2;", [12, 11]),
        ("version ..; ;", list(range(1, 13))),
        ("version ]10..", [11, 12]),
        ("version 10..; max=2", [10, 11]),
        ("version 3..5", [3, 4, 5]),
        ("version ]11..; order=desc,max=2", [10, 9]),
        ("version ..", list(range(1, 13))),
        ("version ]12..", []),
    ],
)
def test_a_spelling_means_these_versions(
    api: PlatformApi, spelling: str, expected: list[int]
) -> None:
    assert _versions(api, spelling) == expected


def test_the_spelling_of_heroku_client_is_the_whole_list_by_id(api: PlatformApi) -> None:
    reply = api.get(PATH, Range="id ..; max=1000")

    assert reply.status_code == 200
    assert reply.json() == api.get(PATH).json()


def test_a_range_on_a_patch_is_ignored(api: PlatformApi) -> None:
    reply = api.patch({"FLAG_A": "true"}, headers={"Range": "id ..; max=1000"})

    assert reply.status_code == 200


@pytest.mark.parametrize("first", ["id ..; max=5", "version ..; order=desc,max=5"])
def test_next_range_leads_through_the_whole_list_once(api: PlatformApi, first: str) -> None:
    pages, header, statuses = [], first, []

    while header:
        reply = api.get(PATH, Range=header)
        pages.append([release["version"] for release in reply.json()])
        statuses.append(reply.status_code)
        header = reply.headers.get("Next-Range", "")

    assert statuses == [206, 206, 200]
    assert [len(page) for page in pages] == [5, 5, 2]
    assert sorted(chain.from_iterable(pages)) == list(range(1, RELEASES + 1))


def test_a_page_says_what_it_holds(api: PlatformApi) -> None:
    reply = api.get(PATH, Range="version ..; order=desc,max=2")

    assert reply.headers["Content-Range"] == "version 12..11"
    assert reply.headers["Accept-Ranges"] == "id, version"


@pytest.mark.parametrize(
    "nonsense",
    [
        "bytes=0-499",
        "colour ..",
        "version",
        "version ..; max=0",
        "version ..; max=1001",
        "version ..; max=many",
        "version ..; order=5",
        "version ..; order=sideways",
        "version ..; page=2",
        "version abc..",
    ],
)
def test_nonsense_is_not_satisfiable(api: PlatformApi, nonsense: str) -> None:
    reply = api.get(PATH, Range=nonsense)

    assert reply.status_code == 416
    assert reply.json()["id"] == "requested_range_not_satisfiable"


def test_apps_are_listed_by_name(api: PlatformApi, controls: SimulatorControls) -> None:
    controls.create_app("aaa-first")

    reply = api.get("/apps", Range="name ..")

    assert [app["name"] for app in reply.json()] == ["aaa-first", APP]
