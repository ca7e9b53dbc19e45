"""A real browser, somebody in front of it, and what they look at."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from infra.paths import BUILD_DIRECTORY
from local.ministack import REGION, ROOT_KEY
from local.stack import local_stack
from tests.browser.doorway import WallClock, doorway
from tests.e2e.conftest import Town
from tests.factories import SAM
from tests.world import World

CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = BUILD_DIRECTORY / "screenshots"
#: Where npm leaves what package-lock.json names.
MODULES = BUILD_DIRECTORY / "browser"
HERE = Path(__file__).parent
WIDE: ViewportSize = {"width": 1280, "height": 900}
#: As long as a person would wait; most things take a twentieth of it.
PATIENCE_MS = 30_000
#: What the browser says of an answer that is an error, or that did not come: tests ask for both.
_HARMLESS = "Failed to load resource"
#: "Good", as browsers' makers have it. https://web.dev/articles/cls
MOST_SHIFT = 0.1
#: What the browser itself has measured of the page so far. The page blocks for as long as its
#: tasks exceed 50 ms. https://web.dev/articles/user-centric-performance-metrics
MEASURED = """(() => {
    const seen = (type) => {
        const observer = new PerformanceObserver(() => {});
        observer.observe({type, buffered: true});
        return observer.takeRecords();
    };
    const sum = (list, of) => list.reduce((total, each) => total + of(each), 0);
    const loads = [...seen("navigation"), ...seen("resource")];
    return {
        first_content: seen("paint").find(({name}) => name === "first-contentful-paint").startTime,
        largest_content: seen("largest-contentful-paint").at(-1).startTime,
        blocked: sum(seen("longtask"), ({duration}) => duration - 50),
        shifted: sum(seen("layout-shift"), ({value}) => value),
        requests: loads.length,
        transferred: sum(loads, ({transferSize}) => transferSize),
        elements: document.querySelectorAll("*").length,
    };
})()"""
#: What a test records that it measured, by `record_property`: for the end of the report.
FIGURE = "figure"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, whichever process measured them."""
    passed = terminalreporter.getreports("passed")
    told = [value for report in passed for name, value in report.user_properties if name == FIGURE]
    if told:
        terminalreporter.section("the page, measured")
    for figure in told:
        terminalreporter.line(str(figure))


def _missing(what: str) -> NoReturn:
    """Skip for want of a program; where CI is meant to have it, fail."""
    if os.environ.get("CI"):  # noqa: TID251 - the tests' own surroundings, not Hoist's settings
        pytest.fail(f"{what} CI is meant to have it.")
    pytest.skip(what)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or another that is installed; rather without what no test looks at."""
    path = next((path for name in CHROMIUMS if (path := shutil.which(name))), None)
    if path is None:
        _missing("No Chromium is installed, so nobody looked at the page: see .ci/run.")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe() -> str:
    """axe-core's source, as package-lock.json pins it."""
    source = MODULES / "node_modules" / "axe-core" / "axe.min.js"
    lock = MODULES / "package-lock.json"
    wanted = (HERE / "package-lock.json").read_bytes()
    if not (source.exists() and lock.read_bytes() == wanted):
        if shutil.which("npm") is None:
            _missing("npm is not installed, so nobody looked for what keeps people out.")
        MODULES.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, MODULES)
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
        subprocess.run(install, cwd=MODULES, check=True, timeout=120)
    return source.read_text()


@dataclass
class Seat:
    """Somebody's place in front of the page."""

    page: Page
    api: str
    #: What went wrong in the page itself, whatever the test is about.
    troubles: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    def visit(self, route: str = "") -> Page:
        """Open the page at one of its addresses, such as `#/targets`."""
        self.page.goto(f"{self.api}/console{route}")
        return self.page

    def sent(self, method: str, ending: str) -> list[Request]:
        """The requests so far to an address that ends like this."""
        return [
            request
            for request in self.requests
            if request.method == method and request.url.partition("?")[0].endswith(ending)
        ]

    def shoot(self, name: str) -> None:
        """Keep what is seen now, and what one would scroll to, for people to look at."""
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        size = self.page.viewport_size or WIDE
        tall = self.page.evaluate("document.documentElement.scrollHeight")
        self.page.set_viewport_size({"width": size["width"], "height": tall})
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")
        self.page.set_viewport_size(size)

    def listen(self) -> None:
        """Hear what goes wrong in the page, and what it sends."""
        self.page.on("console", self._said)
        self.page.on("pageerror", self._raised)
        self.page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(_HARMLESS):
            self.troubles.append(message.text)

    def _raised(self, error: Error) -> None:
        self.troubles.append(f"{error.message}\n{error.stack}")

    def _asked(self, request: Request) -> None:
        self.requests.append(request)


#: Seats somebody who has this token in front of an API's page.
Seating = Callable[..., Seat]


@pytest.fixture
def seating(browser: Browser) -> Iterator[Seating]:
    """Seats for a test. An error in a page's scripts, or against its policy, fails the test."""
    seats: list[Seat] = []

    def seat(api: str, token: str | None, **surroundings: Any) -> Seat:  # noqa: ANN401 - a browser context's
        wanted = {"viewport": WIDE, "timezone_id": "Europe/Berlin"}
        context = browser.new_context(**(wanted | surroundings))
        context.set_default_timeout(PATIENCE_MS)
        if token:
            remembered = f"sessionStorage.getItem('hoist.token') ?? '{token}'"
            context.add_init_script(f"sessionStorage.setItem('hoist.token', {remembered})")
        made = Seat(context.new_page(), api)
        made.listen()
        seats.append(made)
        return made

    yield seat
    for each in seats:
        each.page.context.close()
    assert [trouble for each in seats for trouble in each.troubles] == []


@pytest.fixture
def seat(api: str, seating: Seating) -> Seat:
    """Sam's, a superadmin's, with a clock that can be put forward."""
    made = seating(api, f"{SAM.name}.secret")
    made.page.clock.install()
    return made


@pytest.fixture
def world() -> World:
    """Hoist in memory, at the machine's own time."""
    return World(clock=WallClock())


@pytest.fixture
def api(world: World) -> Iterator[str]:
    """The address of an API over the world."""
    with doorway(world) as address:
        yield address


@pytest.fixture(scope="package")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The local stack, with a way in behind its API."""
    with (
        local_stack(tmp_path_factory.mktemp("stack")) as stack,
        pytest.MonkeyPatch.context() as environment,
    ):
        environment.setenv("AWS_ACCESS_KEY_ID", ROOT_KEY)
        environment.setenv("AWS_SECRET_ACCESS_KEY", ROOT_KEY)
        environment.setenv("AWS_DEFAULT_REGION", REGION)
        environment.setenv("AWS_ENDPOINT_URL", stack.ministack.url)
        yield Town(stack)
