"""What the page looks like, in every state that it can show, to everybody."""

import json

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser.conftest import Seat, Seating
from tests.browser.gallery import PICTURES, Picture
from tests.world import World

NARROW: ViewportSize = {"width": 360, "height": 740}
#: All that is not the same at night and on a narrow screen.
AT_NIGHT = ("color-contrast", "target-size")
#: How wide the page is, and what a dialog holds.
WIDEST = """Math.max(...[document.documentElement, ...document.querySelectorAll("dialog")]
    .map((element) => element.scrollWidth))"""

every_picture = pytest.mark.parametrize("picture", PICTURES, ids=lambda picture: picture.name)


def hung(picture: Picture, seating: Seating, api: str, world: World) -> Seat:
    """The picture, complete, in front of somebody."""
    token = f"{picture.who}.secret" if picture.who else None
    seat = seating(api, token)
    page = seat.visit(picture.arrange(world))
    picture.then(page, world)
    expect(page.locator(picture.shows).first).to_be_visible()
    expect(page.locator("[aria-busy], :text('Reading Heroku')")).to_have_count(0)
    return seat


def barriers(page: Page, only: tuple[str, ...] = ()) -> list[str]:
    """What axe finds that keeps people out, in a line each."""
    rules = {"target-size": {"enabled": True}}
    chosen = {"runOnly": only} if only else {"rules": rules}
    options = json.dumps(chosen | {"resultTypes": ["violations"]})
    # What lies behind a dialog is a picture of its own.
    found = page.evaluate(f"axe.run(document.querySelector('dialog') ?? document, {options})")
    return [
        f"{violation['id']}: {node['html']} ({node['failureSummary']})"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


@every_picture
def test_nothing_keeps_anybody_out(
    picture: Picture,
    world: World,
    api: str,
    seating: Seating,
    axe: str,
) -> None:
    seat = hung(picture, seating, api, world)
    page = seat.page
    page.evaluate(axe)
    by_day = barriers(page)
    seat.shoot(f"{picture.name}-wide")
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size(NARROW)
    at_night = barriers(page, AT_NIGHT)
    seat.shoot(f"{picture.name}-narrow")

    assert by_day == []
    assert at_night == []
    assert page.evaluate(WIDEST) <= NARROW["width"]
