"""What the page shows, over a world of fakes."""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, Response, expect

from chalicelib.domain.promotion import Promotion
from tests.browser import gallery
from tests.browser.conftest import FIGURE, MEASURED, MOST_SHIFT, Seat, Seating
from tests.browser.hands import away, later, press
from tests.browser.scenes import stuck
from tests.factories import KIM, TARGET
from tests.world import World

CONSOLE = Path(__file__).parents[2] / "chalicelib" / "console"
MOST_BYTES = 60_000
HOSTILE = "<img src=x onerror=\"document.title='hit'\">"


# What it is made of


def test_it_weighs_at_most_60_kilobytes_and_asks_nobody_else_for_anything(
    seat: Seat, record_property: Callable[[str, object], None]
) -> None:
    bodies: dict[str, int] = {}
    seat.page.on("response", lambda response: bodies.update({response.url: len(response.body())}))

    page = seat.visit()
    expect(page.get_by_role("heading", name="Promotions")).to_be_visible()
    page.wait_for_load_state("networkidle")

    files = {url: size for url, size in bodies.items() if "/console" in url}
    weight = sum(path.stat().st_size for path in CONSOLE.iterdir())
    record_property(FIGURE, f"the page weighs {weight} bytes in {len(files)} files")
    assert sum(files.values()) == weight <= MOST_BYTES
    assert all(url.startswith((seat.api, "data:")) for url in bodies)


def test_nothing_on_it_is_markup_that_was_not_written_here() -> None:
    sources = {path.name: path.read_text() for path in CONSOLE.iterdir()}

    assert [name for name, text in sources.items() if re.search(r"innerHTML|outerHTML", text)] == []
    page = sources["index.html"]
    assert re.findall(r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=", page) == []
    assert re.findall(r'(?:src|href)="(?:https?:|/)', page) == []


def test_what_comes_from_outside_stays_text(world: World, seat: Seat) -> None:
    promotion = world.mark("dark_mode", value=HOSTILE, note=HOSTILE)
    world.freeze(reason=HOSTILE)
    world.cancel_it(promotion.id, caller=KIM, if_version=None, reason=HOSTILE)

    page = seat.visit()
    expect(page.get_by_text(HOSTILE).first).to_be_visible()
    page.get_by_role("link", name="dark_mode").click()

    expect(page.get_by_text(f"Reason: {HOSTILE}")).to_be_visible()
    assert page.locator("main img").count() == 0
    assert "hit" not in page.title()


# Reading


@pytest.mark.parametrize("arrange", [gallery.town, gallery.stuck_row, gallery.queued])
def test_nothing_jumps_while_it_is_read_piece_by_piece(
    arrange: Callable[[World], str], world: World, api: str, seating: Seating
) -> None:
    page = seating(api, "sam.secret").visit(arrange(world))
    expect(page.locator("#freshness")).to_contain_text("ago")

    assert page.evaluate(MEASURED)["shifted"] < MOST_SHIFT


def test_a_list_that_has_not_changed_is_answered_without_a_body(world: World, seat: Seat) -> None:
    world.mark("dark_mode")
    answered: list[int] = []

    def note(response: Response) -> None:
        if "/promotions" in response.url:
            answered.append(response.status)

    seat.page.on("response", note)
    page = seat.visit()
    expect(page.locator(".row")).to_have_count(1)
    expect(page.locator("#freshness")).to_contain_text("ago")
    world.clock.advance(timedelta(minutes=3))

    with page.expect_response(lambda response: "limit=25" in response.url):
        later(page)

    expect(page.locator(".row .age, .row [data-since]")).to_have_text("1 min")
    assert set(answered[:4]) == {200}
    assert set(answered[4:]) == {304}


def test_a_change_is_told_and_shown_without_anybody_asking(world: World, seat: Seat) -> None:
    promotion = world.promoted("dark_mode")
    page = seat.visit()
    expect(page.locator(".row .chip")).to_have_text("deploying")

    world.work(promotion)
    later(page)

    expect(page.locator("#news")).to_contain_text(f"dark_mode at {TARGET} is now deployed")
    expect(page.locator(".page .row .chip")).to_have_text("deployed")
    expect(page.locator("#news")).to_have_attribute("role", "status")


def test_a_hidden_page_reads_nothing_until_it_is_seen_again(world: World, seat: Seat) -> None:
    world.mark("dark_mode")
    page = seat.visit()
    expect(page.locator("#freshness")).to_contain_text("ago")

    turn(page, hidden=True)
    before = len(seat.requests)
    for _ in range(10):
        later(page)
    unseen = len(seat.requests) - before
    world.mark("new_checkout")
    turn(page, hidden=False)

    expect(page.locator(".row")).to_have_count(2)
    assert unseen == 0


def turn(page: Page, *, hidden: bool) -> None:
    """Have the browser say that the page is hidden, or seen again."""
    page.evaluate(
        """(hidden) => {
            Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange", {bubbles: true}));
        }""",
        hidden,
    )


def test_what_is_open_is_kept_while_the_page_is_read_again(world: World, seat: Seat) -> None:
    page = seat.visit(gallery.at(world.mark("dark_mode")))
    press(page, "Read Heroku")
    page.locator("summary").click()
    page.get_by_role("button", name="Cancel…").focus()

    world.clock.advance(timedelta(minutes=2))
    with page.expect_response("**/promotions/prm_*"):
        later(page)

    expect(page.locator(".ages")).to_contain_text("2 min")
    expect(page.locator("details")).to_have_attribute("open", "")
    expect(page.get_by_role("button", name="Cancel…")).to_be_focused()


def test_times_are_the_viewers_and_tell_utc(world: World, api: str, seating: Seating) -> None:
    page = seating(api, "sam.secret", timezone_id="Asia/Tokyo").visit(
        gallery.at(world.mark("dark_mode"))
    )
    marked = page.locator(".ages time").first

    shown, utc = marked.inner_text(), marked.get_attribute("title") or ""

    assert (int(shown[-5:-3]) - int(utc[11:13])) % 24 == 9
    assert utc.endswith("UTC")
    expect(page.locator("#freshness")).to_contain_text("Japan Standard Time")


def test_a_wrong_clock_in_front_of_it_changes_no_age(
    world: World, api: str, seating: Seating
) -> None:
    promotion = stuck(world, TARGET)
    seat = seating(api, "sam.secret")
    seat.page.clock.install(time=world.clock.now() - timedelta(days=3))

    page = seat.visit(gallery.at(promotion))

    expect(page.locator(".ages")).to_contain_text("In deploying2 d 9 h")
    expect(page.locator(".stalled .lead")).to_contain_text("Deploying for 2 d 9 h")


def test_what_is_away_at_first_is_tried_again_and_hides_nothing(world: World, seat: Seat) -> None:
    promotion = gallery.live_and_stuck(world)
    away(seat.page, "**/audit")

    page = seat.visit(gallery.at(promotion))

    expect(page.locator("#connection")).to_contain_text("Part of Hoist is away")
    expect(page.get_by_role("button", name="Mark completed…")).to_be_visible()
    later(page)
    expect(page.locator(".verified")).to_be_visible()
    expect(page.locator("#connection .banner")).to_have_count(0)


def test_a_stalled_promotion_is_shown_also_while_heroku_cannot_be_read(
    world: World, seat: Seat
) -> None:
    promotion = gallery.live_and_stuck(world)
    away(seat.page, "**/preflight")
    page = seat.visit(gallery.at(promotion))
    expect(page.locator(".evidence")).to_contain_text("What Heroku shows is not known")

    press(page, "Read Heroku again")

    expect(page.locator(".evidence .lead")).to_contain_text("it is live")


# Where it stands


STEPS = ["marked", "staged", "queued", "PATCH", "release", "live"]


@pytest.mark.parametrize(
    ("arrange", "stands", "said"),
    [
        (gallery.pending, "marked", ""),
        (gallery.scheduled, "staged", ""),
        (gallery.released, "release", "its release runs"),
        (gallery.deployed, "live", ""),
        (gallery.failed, "release", "failed here"),
        (gallery.cancelled, "staged", "cancelled here"),
        (gallery.expired, "marked", "expired here"),
    ],
)
def test_the_steps_say_where_it_stands(
    arrange: Callable[[World], str], stands: str, said: str, world: World, seat: Seat
) -> None:
    page = seat.visit(arrange(world))
    expect(page.locator(".verified")).to_be_visible()

    current = page.locator(".steps [aria-current=step]")

    expect(page.locator(".steps li b")).to_have_text(STEPS)
    expect(current.locator("b")).to_have_text(stands)
    expect(current).to_contain_text(said)


def test_both_ages_are_told_apart(world: World, seat: Seat) -> None:
    page = seat.visit(gallery.at(stuck(world, TARGET)))

    said = page.locator(".ages")

    expect(said).to_contain_text("Since marked4 d 13 h")
    expect(said).to_contain_text("In deploying2 d 9 h")


def test_a_stalled_promotion_is_told_by_word_picture_and_border(world: World, seat: Seat) -> None:
    promotion: Promotion = stuck(world, TARGET)
    world.promoted("dark_mode")

    page = seat.visit("#/?state=deploying")

    row = page.locator(f".row[data-key={promotion.id}]")
    expect(row.locator(".chip")).to_have_text("stalled")
    expect(row.locator(".chip svg")).to_be_visible()
    assert row.evaluate("row => getComputedStyle(row).boxShadow") != "none"
    expect(page.locator(".row .chip").first).to_have_text("deploying")


def test_all_that_are_stalled_are_counted_also_those_without_a_card(
    world: World, seat: Seat
) -> None:
    for n in range(4):
        stuck(world, TARGET, f"flag_{n}")

    page = seat.visit()

    expect(page.get_by_role("heading", name="Stalled: 4 need somebody")).to_be_visible()
    expect(page.locator(".card")).to_have_count(3)
    expect(page).to_have_title("(4 stalled) Promotions · Hoist")


def test_a_target_shows_its_queue_in_turn_and_what_it_waits_for(world: World, seat: Seat) -> None:
    page = seat.visit(gallery.queued(world))

    flags = page.locator(".queue .flag")

    expect(flags).to_have_text(["dark_mode", "new_checkout", "billing_v2"])
    expect(page.locator(".lock")).to_contain_text("is still running")
