"""Moving about in the page, and signing in."""

import re

from playwright.sync_api import expect

from tests.browser import gallery
from tests.browser.conftest import Seat, Seating
from tests.browser.hands import dialog, later, press
from tests.factories import SAM
from tests.world import World

# Moving about


def test_the_back_button_goes_back_and_headings_take_the_focus(world: World, seat: Seat) -> None:
    promotion = world.mark("dark_mode")
    page = seat.visit("#/?state=pending")
    page.get_by_role("link", name="dark_mode").click()
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    expect(page).to_have_url(re.compile(promotion.id))

    page.go_back()

    expect(page.get_by_role("heading", name="Promotions")).to_be_focused()
    expect(page.get_by_label("State")).to_have_value("pending")
    expect(page).to_have_title("Promotions · Hoist")


def test_filters_are_part_of_the_address(world: World, seat: Seat) -> None:
    world.mark("dark_mode")
    world.promoted("new_checkout")
    page = seat.visit()

    page.get_by_label("State").select_option("deploying")
    expect(page.locator(".row .flag")).to_have_text(["new_checkout"])
    page.get_by_role("link", name="Clear").click()
    page.get_by_role("textbox", name="Flag").fill("dark_mode")
    page.keyboard.press("Enter")

    expect(page.locator(".row .flag")).to_have_text(["dark_mode"])
    expect(page).to_have_url(re.compile("#/.flag=dark_mode$"))


def test_who_goes_through_a_filter_by_keyboard_stays_there(world: World, seat: Seat) -> None:
    world.mark("dark_mode")
    page = seat.visit()
    page.get_by_label("State").focus()

    for state in ("deploying", "staged", "pending"):
        page.keyboard.press("ArrowDown")
        expect(page).to_have_url(re.compile(f"state={state}$"))
        expect(page.get_by_label("State")).to_be_focused()


def test_a_skip_link_leads_past_the_header(world: World, seat: Seat) -> None:
    world.mark("dark_mode")
    page = seat.visit()
    expect(page.locator(".row")).to_be_visible()

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.locator("main")).to_be_focused()
    expect(page.locator(".row")).to_be_visible()


def test_going_back_closes_a_dialog(world: World, seat: Seat) -> None:
    world.mark("dark_mode")
    page = seat.visit()
    page.get_by_role("link", name="dark_mode").click()
    press(page, "Promote…")

    page.go_back()

    expect(dialog(page)).to_have_count(0)
    expect(page.get_by_role("heading", name="Promotions")).to_be_focused()


# Signing in


def test_the_skip_link_does_not_stand_in_the_way_of_signing_in(api: str, seating: Seating) -> None:
    page = seating(api, None).visit("#main")
    page.get_by_label("Token").fill("kim.secret")

    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Promotions")).to_be_focused()


def test_a_token_is_kept_in_the_tab_and_never_in_an_address(api: str, seating: Seating) -> None:
    seat = seating(api, None)
    page = seat.visit("#/targets")
    page.get_by_label("Token").fill("kim.secret")
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_contain_text("kim promoter")
    expect(page.get_by_role("heading", name="Targets")).to_be_visible()

    page.reload()
    expect(page.locator("#who")).to_contain_text("kim promoter")
    press(page, "Sign out")
    page.reload()

    expect(page.get_by_label("Token")).to_be_focused()
    assert not [request.url for request in seat.requests if "secret" in request.url]
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [
        0,
        0,
        "",
    ]


def test_who_is_disabled_is_signed_out_and_told_why(world: World, seat: Seat) -> None:
    page = seat.visit(gallery.at(world.promoted("dark_mode")))
    expect(page.locator(".verified")).to_be_visible()

    world.operators.operators.pop(SAM.name)
    later(page)

    expect(page.get_by_label("Token")).to_be_focused()
    expect(page.get_by_role("alert")).to_contain_text("The bearer token is missing or unknown")
    assert page.evaluate("sessionStorage.length") == 0
