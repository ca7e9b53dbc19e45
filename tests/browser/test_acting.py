"""What the page's buttons do, over a world of fakes."""

from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser import gallery
from tests.browser.conftest import Seat, Seating
from tests.browser.hands import away, dialog, later, press, submit
from tests.browser.scenes import stuck
from tests.factories import KIM, PAT, SAM, TARGET, VERA
from tests.world import World


@pytest.mark.parametrize("who", [VERA, KIM, SAM])
def test_actions_are_those_that_the_api_offers(
    who: object, world: World, api: str, seating: Seating
) -> None:
    name = getattr(who, "name")  # noqa: B009
    seat = seating(api, f"{name}.secret")
    with seat.page.expect_response("**/promotions/prm_*") as read:
        page = seat.visit(gallery.scheduled(world))
    expect(page.locator(".verified")).to_be_visible()

    offered = read.value.json()["actions"]

    may = {each["action"] for each in offered if each["allowed"]}
    reasons = {each["reason"] for each in offered if not each["allowed"]}
    buttons = page.locator("[data-of]")
    assert set(buttons.evaluate_all("all => all.map(each => each.dataset.do)")) == may
    assert set(page.locator(".now dd").all_inner_texts()) == reasons


def test_a_double_click_opens_one_dialog(seat: Seat) -> None:
    page = seat.visit()

    page.get_by_role("button", name="Mark a flag…").dblclick()
    # Not by Escape: the second click may have opened the list of a field, which it would close.
    dialog(page).get_by_role("button", name="Close").click()

    expect(dialog(page)).to_have_count(0)


def test_escape_gives_the_focus_back(world: World, seat: Seat) -> None:
    page = seat.visit(gallery.at(world.mark("dark_mode")))
    press(page, "Promote…")
    expect(page.get_by_label("Code", exact=True)).to_be_focused()

    page.keyboard.press("Escape")

    expect(dialog(page)).to_have_count(0)
    expect(page.get_by_role("button", name="Promote…")).to_be_focused()


def test_the_focus_is_not_lost_when_what_has_it_goes_away(world: World, seat: Seat) -> None:
    promotion = gallery.live_and_stuck(world)
    page = seat.visit()
    card = page.locator(".card").get_by_role("button").first
    card.focus()

    world.work(promotion)
    later(page)

    expect(page.locator(".card")).to_have_count(0)
    expect(page.get_by_role("heading", name="Promotions")).to_be_focused()


def test_what_is_missing_is_said_at_its_field_and_nothing_is_sent(world: World, seat: Seat) -> None:
    page = seat.visit(gallery.at(stuck(world, TARGET)))
    press(page, "Mark completed…")
    reason = page.get_by_role("textbox", name="Reason")
    reason.fill("too short")

    submit(page)

    expect(reason).to_be_focused()
    expect(reason).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#reason-left")).to_have_text("9 of at least 10 characters.")
    expect(page.locator("#totp-error")).not_to_be_empty()
    assert seat.sent("POST", "/complete") == []


def test_force_is_offered_only_after_heroku_showed_something_else(world: World, seat: Seat) -> None:
    promotion = stuck(world, TARGET)
    page = seat.visit(gallery.at(promotion))
    press(page, "Mark completed…")
    assert dialog(page).get_by_role("checkbox").count() == 0
    page.get_by_role("textbox", name="Reason").fill("The value was moved elsewhere.")
    page.get_by_label("Code", exact=True).fill(world.code)

    submit(page)
    expect(dialog(page).get_by_role("alert")).to_contain_text("Heroku shows something else")
    dialog(page).get_by_role("checkbox").check()
    submit(page)

    expect(page.locator("#news")).to_contain_text("is now deployed")
    assert world.history(promotion)[-1] == "complete"


def test_warnings_are_ticked_by_their_ids_and_a_time_asks_for_a_code(
    world: World, seat: Seat
) -> None:
    page = seat.visit(gallery.unlucky(world))
    press(page, "Stage…")
    warnings = dialog(page).get_by_role("checkbox")
    expect(warnings).to_have_count(2)
    for each in warnings.all():
        each.check()
    expect(page.locator("#totp")).to_be_hidden()
    page.get_by_label("Begins by itself at").fill("2099-07-01T08:00")
    expect(page.locator("#totp")).to_be_visible()
    expect(dialog(page)).to_contain_text("That is 2099-07-01 06:00:00 UTC.")
    page.get_by_label("Begins by itself at").fill("")

    submit(page)

    expect(page.locator(".subtitle .chip")).to_have_text("staged")
    (staged,) = world.store.promotions.values()
    entry = world.store.trail(staged.id)[-1].entry
    assert entry.facts["acknowledged"] == ["freeze:year-end", "no_op:v2"]


def test_a_time_is_sent_with_its_offset(world: World, api: str, seating: Seating) -> None:
    promotion = world.mark("dark_mode")
    page = seating(api, "sam.secret", timezone_id="Asia/Tokyo").visit(gallery.at(promotion))
    press(page, "Stage…")
    wanted = (world.clock.now() + timedelta(hours=30)).replace(second=0, microsecond=0)
    page.get_by_label("Begins by itself at").fill(f"{wanted + timedelta(hours=9):%Y-%m-%dT%H:%M}")
    expect(dialog(page)).to_contain_text(f"That is {wanted:%Y-%m-%d %H:%M:%S} UTC.")
    page.get_by_label("Code", exact=True).fill(world.code)

    submit(page)

    expect(page.locator(".subtitle .chip")).to_have_text("staged")
    assert world.now(promotion).not_before == wanted


def test_what_changed_meanwhile_is_not_overwritten(world: World, seat: Seat) -> None:
    promotion = world.mark("dark_mode")
    page = seat.visit(gallery.at(promotion))
    press(page, "Cancel…")
    world.approve(promotion, PAT)

    submit(page)

    told = dialog(page).get_by_role("alert")
    expect(told).to_contain_text("It has changed since you read it")
    expect(dialog(page)).to_contain_text("decide again")
    assert world.now(promotion).state == "pending"


@pytest.mark.parametrize("answer", ["lost", "503"])
def test_what_nobody_knows_is_sent_again_as_the_very_same_request(
    answer: str, world: World, seat: Seat
) -> None:
    promotion = gallery.live_and_stuck(world)
    page = seat.visit(gallery.at(promotion))

    if answer == "lost":
        page.route("**/complete", lambda route: route.abort("connectionreset"), times=1)
    else:
        away(page, "**/complete")
    press(page, "Mark completed…")
    reason = page.get_by_role("textbox", name="Reason")
    reason.fill("Heroku shows it live.")
    page.get_by_label("Code", exact=True).fill(world.code)
    submit(page)
    expect(dialog(page).get_by_role("alert")).to_be_visible()
    expect(reason).to_have_js_property("readOnly", value=True)

    press(page, "Send again")

    expect(page.locator("#news")).to_contain_text("is now deployed")
    first, second = seat.sent("POST", "/complete")
    assert first.post_data == second.post_data
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
    assert first.headers["if-match"] == second.headers["if-match"]


def test_each_dialog_has_a_key_of_its_own(seat: Seat) -> None:
    page = seat.visit("#/")
    for flag in ("dark_mode", "new_checkout"):
        press(page, "Mark a flag…")
        dialog(page).get_by_role("textbox", name="Flag").fill(flag)
        dialog(page).get_by_role("textbox", name="Value").fill("true")
        submit(page)
        expect(page.get_by_role("heading", level=1)).to_contain_text(flag)

    keys = [request.headers["idempotency-key"] for request in seat.sent("POST", "/promotions")]

    assert len(set(keys)) == 2


def test_a_retry_leads_to_the_new_promotion(world: World, seat: Seat) -> None:
    page = seat.visit(gallery.failed(world))
    press(page, "Retry…")
    page.get_by_label("Code", exact=True).fill(world.code)

    submit(page)

    expect(page.locator(".subtitle .chip")).to_have_text("deploying")
    expect(page.locator(".about")).to_contain_text("Sends once more")


def test_the_timeline_is_downloaded(world: World, seat: Seat) -> None:
    promotion = world.mark("dark_mode")
    page = seat.visit(gallery.at(promotion))

    with page.expect_download() as saved:
        press(page, "Download timeline")

    assert saved.value.suggested_filename == f"{promotion.id}.md"
    assert "dark_mode" in Path(saved.value.path()).read_text()
