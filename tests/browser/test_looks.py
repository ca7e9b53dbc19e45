"""What the page looks like, in every state that it can show, to everybody."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import FIGURES, Seat, Seating
from tests.browser.gallery import PICTURES, Picture
from tests.world import World

#: Least size of what is pressed (WCAG 2.2, 2.5.8).
TARGET_SIZE_PX = 24
NARROW: ViewportSize = {"width": 360, "height": 740}
#: How wide the page is, and what a dialog holds.
WIDEST = """Math.max(...[document.documentElement, ...document.querySelectorAll("dialog")]
    .map((element) => element.scrollWidth))"""

#: Pictures in which axe found nothing.
CLEAN: list[str] = []

every_picture = pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)


def hung(picture: Picture, seating: Seating, api: str, world: World) -> Seat:
    """The picture, complete, in front of somebody."""
    token = f"{picture.who}.secret" if picture.who else None
    seat = seating(api, token, reduced_motion="reduce")
    page = seat.visit(picture.arrange(world))
    picture.then(page, world)
    expect(page.locator(picture.shows).first).to_be_visible()
    expect(page.locator("[aria-busy], :text('Reading Heroku')")).to_have_count(0)
    return seat


def barriers(page: Page, axe: str) -> list[str]:
    """What axe finds that keeps people out, in a line each."""
    page.evaluate(axe)
    options = {"rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations"]}
    found = page.evaluate(f"axe.run(document, {json.dumps(options)})")
    return [
        f"{violation['id']}: {node['html']} ({node['failureSummary']})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@pytest.fixture(scope="module", autouse=True)
def _counted() -> Iterator[None]:
    yield
    FIGURES.append(f"axe finds nothing in {len(CLEAN)} pictures, by day and by night")


@every_picture
def test_nothing_keeps_anybody_out(
    picture: Picture,
    world: World,
    api: str,
    seating: Seating,
    axe: str,
) -> None:
    seat = hung(picture, seating, api, world)
    seat.shoot(f"{picture.name}-light")
    in_daylight = barriers(seat.page, axe)
    seat.page.emulate_media(color_scheme="dark")
    seat.shoot(f"{picture.name}-dark")
    at_night = barriers(seat.page, axe)
    seat.page.set_viewport_size(NARROW)
    seat.shoot(f"{picture.name}-narrow")
    widest = seat.page.evaluate(WIDEST)

    assert in_daylight == []
    assert at_night == []
    assert widest <= NARROW["width"]
    CLEAN.append(picture.name)
