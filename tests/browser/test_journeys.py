"""What operators do on the page, on the stack that production gets."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from playwright.sync_api import Locator, Page, Route, expect

from chalicelib.domain.operator import FAILURES_BEFORE_LOCK
from local.incident import FLAG
from tests.browser import scenes
from tests.browser.conftest import FIGURE, MEASURED, MOST_SHIFT, Seating
from tests.browser.hands import dialog, press
from tests.e2e.conftest import ANSWER_SECONDS, Person, Town, wait_until

#: Tells what a test measured.
Record = Callable[[str, object], None]

INTERACTIONS = 4
HOSTILE = '<img src=x onerror="document.title=`hit`"><b>bold</b>'
MANY = 10_000
#: Generous: other programs may want the machine at the same time.
FIRST_CONTENT_MS = 3_000
SETTLED_MS = 60_000


def code_field(page: Page) -> Locator:
    return page.get_by_role("textbox", name="Code", exact=True)


def actions(person: Person, promotion_id: str) -> list[str]:
    """What the audit trail says was done, having checked that it is whole."""
    trail = person("GET", f"/promotions/{promotion_id}/audit").json()
    assert trail["verified"] is True
    return [entry["action"] for entry in trail["entries"]]


def test_a_flag_is_marked_promoted_and_seen_deployed_by_keyboard_without_reloading(
    town: Town, seating: Seating
) -> None:
    app, promoter = town.app("by-keyboard"), town.hire()
    seat = seating(town.stack.api, promoter.token)
    page, keys = seat.visit(), seat.page.keyboard
    page.evaluate("window.unmoved = true")
    expect(page.get_by_role("button", name="Mark a flag…")).to_be_visible()

    reach(page, "Mark a flag…")
    keys.press("Enter")
    expect(dialog(page)).to_be_visible()
    keys.type(app)
    for text in ("dark_mode", "true", HOSTILE):
        keys.press("Tab")
        keys.type(text)
    keys.press("Tab")
    keys.press("Enter")
    expect(page.get_by_role("heading", name=f"dark_mode at {app}")).to_be_focused()
    reach(page, "Promote…")
    keys.press("Enter")
    expect(code_field(page)).to_be_focused()
    keys.type(promoter.code())
    keys.press("Enter")

    expect(page.locator("#news")).to_contain_text(
        f"dark_mode at {app} is now deployed", timeout=SETTLED_MS
    )
    expect(page.locator(".subtitle .chip")).to_have_text("deployed")
    expect(page.locator(".steps [aria-current=step] b")).to_have_text("live")
    expect(page.locator(".verified")).to_contain_text("Verified")
    expect(page.get_by_text(HOSTILE, exact=True)).to_be_visible()
    assert page.evaluate("window.unmoved") is True
    assert page.title() == f"dark_mode at {app} · Hoist"
    seat.shoot("journey-deployed")


def reach(page: Page, name: str) -> None:
    """Press Tab until a button of this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == name:
            return
    pytest.fail(f"no Tab leads to {name}")


@pytest.fixture
def incident(town: Town) -> Iterator[str]:
    """The stuck promotion: its value is live at Heroku, and no worker comes."""
    app = town.app("incident")
    with scenes.worker_away(town):
        promotion = scenes.stuck(town.backdoor(), app)
        town.heroku.foreign_patch(app, {f"FLAG_{FLAG.upper()}": "true"})
        yield promotion.id


def test_the_stuck_promotion_is_resolved_in_at_most_four_interactions(
    town: Town, seating: Seating, incident: str, record_property: Record
) -> None:
    superadmin = town.person("superadmin")
    seat = seating(town.stack.api, superadmin.token)
    page = seat.visit()
    expect(page.locator(".card")).to_contain_text("Deploying for 2 d 9 h")

    steps: list[Callable[[], object]] = [
        page.locator(".card").get_by_role("button").first.click,
        lambda: page.get_by_label("Reason").fill("Heroku shows it live; its worker died."),
        lambda: code_field(page).fill(superadmin.code()),
        lambda: dialog(page).get_by_role("button", name="Mark completed").click(),
    ]
    for step in steps:
        step()

    expect(page.locator("#news")).to_contain_text("is now deployed")
    expect(page.locator(".card")).to_have_count(0)
    expect(page.get_by_role("heading", name="Promotions")).to_be_focused()
    settled = superadmin.read(incident)
    assert (settled["state"], settled["settled_by"]) == ("deployed", "operator")
    assert settled["observed"]["finding"] == "live"
    assert actions(superadmin, incident)[-1] == "complete"
    assert len(steps) <= INTERACTIONS
    record_property(FIGURE, f"the stuck row is resolved in {len(steps)} interactions")


def test_codes_are_judged_in_words(town: Town, seating: Seating) -> None:
    app, promoter = town.app("codes"), town.hire()
    first, marked = promoter.mark(app, "first"), promoter.mark(app, "second")
    seat = seating(town.stack.api, promoter.token)
    page = seat.visit(f"#/promotions/{marked['id']}")
    press(page, "Promote…")
    # As late as can be: a code that has aged is wrong, whether it was used or not.
    spent = promoter.code()
    assert promoter.promote(first["id"], spent).status_code == 202

    said = []
    for code in (spent, *[unlike(spent)] * (FAILURES_BEFORE_LOCK + 1)):
        code_field(page).fill(code)
        dialog(page).get_by_role("button", name="Promote").click()
        expect(code_field(page)).to_have_value("")
        said.append(dialog(page).get_by_role("alert").inner_text())

    assert "The code was used before" in said[0]
    assert "Wait for the next one" in said[0]
    assert "The code is wrong" in said[1]
    assert "lock you out" in said[1]
    assert "Too many wrong codes" in said[-1]
    assert "Again from" in said[-1]
    assert all("Safe now:" in text and "runbook.md#totp_" in text for text in said)
    expect(code_field(page)).to_be_focused()
    seat.shoot("journey-locked-out")
    assert promoter.read(marked["id"])["state"] == "pending"


def unlike(code: str) -> str:
    """A code that is wrong, also in the half minutes around."""
    return "000000" if code != "000000" else "111111"


def test_a_viewer_sees_every_action_and_can_press_none(town: Town, seating: Seating) -> None:
    promoter = town.hire()
    marked = promoter.mark(town.app("viewed"), "dark_mode")
    viewer = town.person("viewer")
    page = seating(town.stack.api, viewer.token).visit(f"#/promotions/{marked['id']}")
    expect(page.locator(".verified")).to_be_visible()

    refused = {action["reason"] for action in viewer.read(marked["id"])["actions"]}

    assert page.locator("[data-of]").count() == 0
    assert page.get_by_role("button", name="Mark a flag…").count() == 0
    for reason in refused:
        expect(page.locator(".now dd").get_by_text(reason).first).to_be_visible()


def test_what_happened_while_the_page_was_offline_is_told_when_it_is_back(
    town: Town, seating: Seating
) -> None:
    promoter = town.hire()
    marked = promoter.mark(town.app("offline"), "dark_mode")
    seat = seating(town.stack.api, promoter.token)
    page = seat.visit(f"#/promotions/{marked['id']}")
    expect(page.locator(".verified")).to_be_visible()

    page.context.set_offline(offline=True)
    banner = page.locator("#connection .banner")
    expect(banner).to_contain_text("Hoist cannot be reached")
    expect(banner).to_contain_text("What you see was read at")
    promoter("POST", f"/promotions/{marked['id']}/cancel", json={})
    page.context.set_offline(offline=False)

    expect(page.locator("#news")).to_contain_text("is now cancelled")
    expect(banner).to_have_count(0)


def test_a_lost_answer_and_a_double_click_are_carried_out_once(
    town: Town, seating: Seating
) -> None:
    app, promoter = town.app("lost"), town.hire()
    marked = promoter.mark(app, "dark_mode")
    seat = seating(town.stack.api, promoter.token)
    page = seat.visit(f"#/promotions/{marked['id']}")
    page.route("**/promote", carried_out_and_lost, times=1)

    press(page, "Promote…")
    code_field(page).fill(promoter.code())
    dialog(page).get_by_role("button", name="Promote").dblclick()
    told = dialog(page).get_by_role("alert")
    expect(told).to_contain_text("It is not known whether it was carried out")
    seat.shoot("journey-no-answer")
    dialog(page).get_by_role("button", name="Send again").click()

    expect(dialog(page)).to_have_count(0)
    sent = seat.sent("POST", "/promote")
    assert len({request.headers["idempotency-key"] for request in sent}) == 1
    wait_until(lambda: promoter.read(marked["id"])["state"] == "deployed")
    assert actions(promoter, marked["id"]).count("promote") == 1
    assert len(town.patches(app)) == 1


def carried_out_and_lost(route: Route) -> None:
    """Let the request through, and lose its answer."""
    request = route.request
    requests.post(
        request.url, data=request.post_data, headers=request.headers, timeout=ANSWER_SECONDS
    )
    route.abort("connectionreset")


@pytest.fixture(scope="module")
def crowded(town: Town) -> Town:
    """The stack with a long past."""
    with ThreadPoolExecutor(4) as pool:
        parts = [(n * MANY // 4, (n + 1) * MANY // 4) for n in range(4)]
        list(pool.map(lambda part: scenes.fill(town, *part), parts))
    return town


def test_it_is_there_at_once_and_does_not_jump(
    town: Town, seating: Seating, record_property: Record
) -> None:
    page = seating(town.stack.api, town.person("viewer").token).visit()
    expect(page.locator("#freshness")).to_contain_text("ago")

    seen = page.evaluate(MEASURED)

    record_property(
        FIGURE,
        "first content after {first_content:.0f} ms, largest {largest_content:.0f} ms; "
        "blocked for {blocked:.0f} ms, layout shift {shifted:.3f}; "
        "{requests} requests, {transferred} bytes transferred".format(**seen),
    )
    assert seen["first_content"] < FIRST_CONTENT_MS
    assert seen["shifted"] < MOST_SHIFT


def test_ten_thousand_promotions_are_turned_over_page_by_page(
    crowded: Town, seating: Seating, record_property: Record
) -> None:
    viewer = crowded.person("viewer")
    page = seating(crowded.stack.api, viewer.token).visit()

    expect(page.locator(".page .row").first).to_be_visible()
    pages = [ids(page)]
    for _ in range(4):
        page.get_by_role("link", name="Older").click()
        expect(page.locator(f".page .row[data-key={pages[-1][0]}]")).to_have_count(0)
        expect(page.locator(".page .row").first).to_be_visible()
        pages.append(ids(page))
    elements = page.evaluate("document.querySelectorAll('*').length")
    page.go_back()
    expect(page.locator(f".page .row[data-key={pages[-2][0]}]")).to_be_visible()

    record_property(FIGURE, f"a page of {MANY} promotions has {elements} elements")
    assert [len(page_) for page_ in pages[1:]] == [25] * 4
    assert len({each for page_ in pages for each in page_}) == sum(map(len, pages))
    assert elements < 1_500


def ids(page: Page) -> list[str]:
    rows: list[str] = page.locator(".page .row").evaluate_all(
        "rows => rows.map(row => row.dataset.key)"
    )
    return rows
