"""Everything that the page can show, each with the world that makes it show that."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from playwright.sync_api import Page, expect

from chalicelib.domain.promotion import Promotion
from chalicelib.domain.release import ReleaseStatus
from tests.browser.scenes import stuck
from tests.factories import KIM, PAT, SAM, TARGET, VERA
from tests.world import World

CONFIG_VAR = "FLAG_CONSOLE_HEROKU_LOG_DRAIN_ALERTING"


def _nothing(_: Page, __: World) -> None:
    """It is seen as it comes."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One thing to look at: how it comes about, where it is, and what shows that it is there."""

    name: str
    #: Makes the world so; returns the page's address.
    arrange: Callable[[World], str]
    #: What is done to see it.
    then: Callable[[Page, World], None] = _nothing
    #: What is seen when it is all there.
    shows: str
    who: str | None = SAM.name


def at(promotion: Promotion) -> str:
    """Where a promotion is shown."""
    return f"#/promotions/{promotion.id}"


def opened(name: str) -> Callable[[Page, World], None]:
    """Press a button that opens a dialog."""

    def press(page: Page, _: World) -> None:
        page.get_by_role("button", name=f"{name}…").click()

    return press


def filled(name: str, **fields: str) -> Callable[[Page, World], None]:
    """Open a dialog, fill it, and send it; `now` is the code that counts."""

    def fill(page: Page, world: World) -> None:
        opened(name)(page, world)
        if fields.get("totp") == "now":
            fields["totp"] = world.code
        for field, text in fields.items():
            page.locator(f"dialog [name={field}]").fill(text)
        page.locator("dialog [type=submit]").click()

    return fill


# Worlds


def live_and_stuck(world: World) -> Promotion:
    """The incident's row, and what makes its value live."""
    promotion = stuck(world, TARGET)
    world.apps.foreign_write(**{CONFIG_VAR: "true"})
    return promotion


def town(world: World) -> str:
    """One of each."""
    world.clock.advance(-timedelta(days=9))
    ended = world.mark("old_banner")
    world.clock.advance(timedelta(days=5))
    world.promoted("search_rewrite", value="v3")
    world.work()
    world.cancel_it(
        world.mark("beta_pricing").id, caller=KIM, if_version=None, reason="Not before the audit."
    )
    world.apps.unacceptable = frozenset({"FLAG_IMPORT_V2"})
    world.promoted("import_v2")
    world.work()
    world.clock.advance(timedelta(days=4))
    assert ended.id in world.watchdog().expired
    live_and_stuck(world)
    world.mark("dark_mode", note="For the autumn campaign.")
    world.stage(world.mark("new_checkout", value="on"), not_before=later(world, hours=6))
    world.mark("motd", value="Welcome. " * 60)
    return "#/"


def later(world: World, **kwargs: float) -> datetime:
    return world.clock.now() + timedelta(**kwargs)


def frozen_and_drifted(world: World) -> str:
    world.promoted("dark_mode")
    world.work()
    world.apps.foreign_write(FLAG_DARK_MODE="false")
    world.drift_watch()
    world.freeze(ends_at=later(world, days=11))
    return "#/"


def held(world: World) -> str:
    """Promoted while a freeze holds its target back."""
    world.freeze(ends_at=later(world, days=11))
    promotion = world.mark("dark_mode")
    world.accept(promotion)
    return at(promotion)


def lengthy(world: World) -> str:
    """The longest that the contract lets pass."""
    promotion = world.mark("f" * 100, value="long " * 819, note="why " * 125)
    reason = "Because. " * 55
    world.cancel_it(promotion.id, caller=KIM, if_version=None, reason=reason)
    world.freeze(reason=reason[:199])
    return at(promotion)


def drifted(world: World) -> str:
    frozen_and_drifted(world)
    return at(next(iter(world.store.promotions.values())))


def pending(world: World) -> str:
    return at(world.mark("dark_mode", note="For the autumn campaign."))


def wants_approval(world: World) -> str:
    world.policy(min_approvals=2, stage_first=True)
    promotion = world.mark("dark_mode")
    world.approve(promotion, PAT)
    return at(promotion)


def scheduled(world: World) -> str:
    promotion = world.mark("dark_mode")
    world.stage(promotion, not_before=later(world, hours=6))
    return at(promotion)


def released(world: World) -> str:
    """Its release runs, and a worker holds the target."""
    world.apps.phase = None
    promotion = world.promoted("dark_mode")
    world.work()
    return at(promotion)


def deployed(world: World) -> str:
    promotion = world.promoted("dark_mode")
    world.work()
    return at(promotion)


def failed(world: World) -> str:
    world.apps.phase = None
    promotion = world.promoted("dark_mode")
    world.work()
    world.apps.end_release(2, ReleaseStatus.FAILED)
    world.work()
    return at(promotion)


def cancelled(world: World) -> str:
    promotion = world.mark("dark_mode")
    world.stage(promotion)
    world.cancel_it(promotion.id, caller=KIM, if_version=None, reason="Not today.")
    return at(promotion)


def expired(world: World) -> str:
    world.clock.advance(-timedelta(days=8))
    promotion = world.mark("dark_mode")
    world.clock.advance(timedelta(days=8))
    world.watchdog()
    return at(promotion)


def broken_trail(world: World) -> str:
    promotion = world.mark("dark_mode")
    stored = world.store.entries[promotion.id]
    stored[0] = replace(stored[0], entry=replace(stored[0].entry, actor="mallory"))
    return at(promotion)


def queued(world: World) -> str:
    """Three at one target, behind somebody else's release."""
    world.apps.phase = None
    world.apps.release("Deploy 1a2b3c4")
    for flag in ("dark_mode", "new_checkout", "billing_v2"):
        world.promoted(flag)
    world.work()
    world.mark("search_rewrite")
    return f"#/targets/{TARGET}"


def unlucky(world: World) -> str:
    """What preflight warns of."""
    world.apps.foreign_write(FLAG_DARK_MODE="true")
    world.freeze()
    return at(world.mark("dark_mode"))


def somewhere(route: str) -> Callable[[World], str]:
    return lambda _: route


def signed_in_as(token: str) -> Callable[[Page, World], None]:
    def sign_in(page: Page, _: World) -> None:
        page.get_by_label("Token").fill(token)
        page.get_by_role("button", name="Sign in").click()

    return sign_in


def stuck_row(world: World) -> str:
    return at(live_and_stuck(world))


def stuck_and_not_live(world: World) -> str:
    return at(stuck(world, TARGET))


def offline(page: Page, _: World) -> None:
    expect(page.locator(".page .none, .page .row").first).to_be_visible()
    page.context.set_offline(offline=True)


REASON = "Heroku shows it live; the worker died after the PATCH."

PICTURES = [
    Picture(name="sign-in", arrange=somewhere(""), who=None, shows="form.sign-in"),
    Picture(
        name="sign-in-refused",
        arrange=somewhere(""),
        who=None,
        then=signed_in_as("kim.guess"),
        shows=".problem",
    ),
    Picture(name="list", arrange=town, shows=".card"),
    Picture(name="list-viewer", arrange=town, who=VERA.name, shows=".card"),
    Picture(name="list-banners", arrange=frozen_and_drifted, shows=".banner.is-drift"),
    Picture(name="list-empty", arrange=somewhere("#/"), shows=".open .none"),
    Picture(name="list-offline", arrange=town, then=offline, shows=".banner.is-offline"),
    Picture(name="list-found", arrange=lambda w: (town(w), "#/?state=failed")[1], shows=".row"),
    Picture(name="filter-refused", arrange=somewhere("#/?flag=Dark+Mode"), shows=".problem"),
    Picture(name="not-found", arrange=somewhere(f"#/promotions/prm_0{'0' * 25}"), shows=".problem"),
    Picture(name="pending", arrange=pending, shows=".trail li"),
    Picture(name="wants-approval", arrange=wants_approval, shows=".trail li"),
    Picture(name="scheduled", arrange=scheduled, shows=".trail li"),
    Picture(name="held", arrange=held, shows=".trail li"),
    Picture(name="lengthy", arrange=lengthy, shows=".trail li"),
    Picture(name="released", arrange=released, shows=".trail li"),
    Picture(name="stalled", arrange=stuck_row, shows=".evidence .checks"),
    Picture(name="deployed", arrange=deployed, shows=".trail li"),
    Picture(name="drifted", arrange=drifted, shows=".banner.is-drift"),
    Picture(name="failed", arrange=failed, shows=".trail li"),
    Picture(name="cancelled", arrange=cancelled, shows=".trail li"),
    Picture(name="expired", arrange=expired, shows=".trail li"),
    Picture(name="broken-trail", arrange=broken_trail, shows=".broken"),
    Picture(name="targets", arrange=somewhere("#/targets"), shows=".row"),
    Picture(name="target", arrange=queued, shows=".lock"),
    Picture(
        name="dialog-mark", arrange=somewhere("#/"), then=opened("Mark a flag"), shows="dialog"
    ),
    Picture(
        name="dialog-mark-refused",
        arrange=somewhere("#/"),
        then=filled("Mark a flag", flag="Dark-Mode", value="true"),
        shows="dialog .problem",
    ),
    Picture(name="dialog-stage", arrange=unlucky, then=opened("Stage"), shows="dialog .tick"),
    Picture(
        name="dialog-stage-refused",
        arrange=unlucky,
        then=filled("Stage"),
        shows="dialog .problem",
    ),
    Picture(
        name="dialog-promote",
        arrange=pending,
        then=opened("Promote"),
        shows="dialog details",
    ),
    Picture(
        name="dialog-code-wrong",
        arrange=pending,
        then=filled("Promote", totp="000000"),
        shows="dialog .problem",
    ),
    Picture(
        name="dialog-break-glass",
        arrange=wants_approval,
        then=opened("Break the glass"),
        shows="dialog details",
    ),
    Picture(name="dialog-ack", arrange=stuck_row, then=opened("Acknowledge"), shows="dialog"),
    Picture(
        name="dialog-complete",
        arrange=stuck_row,
        then=opened("Mark completed"),
        shows="dialog .lead",
    ),
    Picture(
        name="dialog-complete-forced",
        arrange=stuck_and_not_live,
        then=filled("Mark completed", reason=REASON, totp="now"),
        shows="dialog .tick",
    ),
    Picture(name="dialog-rollback", arrange=deployed, then=opened("Roll back"), shows="dialog"),
]
