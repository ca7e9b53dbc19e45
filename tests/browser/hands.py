"""What a person does at the page, and what befalls it."""

import json

from playwright.sync_api import Locator, Page, Route


def later(page: Page, seconds: int = 60) -> None:
    """Let the page believe that so much time has passed: it reads again if it wants to."""
    page.clock.fast_forward(seconds * 1000)


def dialog(page: Page) -> Locator:
    """The one that is open."""
    return page.get_by_role("dialog")


def press(page: Page, name: str) -> None:
    """Press a button."""
    page.get_by_role("button", name=name, exact=True).click()


def submit(page: Page) -> None:
    """Send what the dialog asks for."""
    dialog(page).locator("[type=submit]").click()


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
