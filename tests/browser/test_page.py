"""How the page behaves, over a world of fakes."""

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Response, Route, expect

from chalicelib.domain.promotion import Promotion
from tests.browser import gallery
from tests.browser.conftest import FIGURE, MEASURED, MOST_SHIFT, Seat, Seating
from tests.browser.scenes import stuck
from tests.factories import KIM, PAT, SAM, TARGET, VERA
from tests.world import World

CONSOLE = Path(__file__).parents[2] / "chalicelib" / "console"
MOST_BYTES = 60_000
HOSTILE = "<img src=x onerror=\"document.title='hit'\">"

#: Shows one operator one address of the page.
Visit = Callable[..., Page]


@pytest.fixture
def seat(api: str, seating: Seating) -> Seat:
    """Sam's, a superadmin's, with a clock that can be put forward."""
    made = seating(api, f"{SAM.name}.secret")
    made.page.clock.install()
    return made


def later(page: Page, seconds: int = 60) -> None:
    """Let the page believe that so much time has passed: it reads again if it wants to."""
    page.clock.fast_forward(seconds * 1000)


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def submit(page: Page) -> None:
    dialog(page).locator("[type=submit]").click()


def promoted_by_page(world: World, page: Page) -> None:
    press(page, "Promote…")
    page.get_by_label("Code", exact=True).fill(world.code)
    submit(page)


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


def away(page: Page, path: str) -> None:
    """Answer the next request of this kind as Hoist does when a part of it is away."""
    problem = {
        "title": "Part of Hoist is away",
        "detail": "…",
        "safe_now": "wait",
        "retryable": True,
    }
    body = json.dumps(problem)

    def refuse(route: Route) -> None:
        route.fulfill(status=503, body=body, content_type="application/problem+json")

    page.route(path, refuse, times=1)


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


# Acting


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
