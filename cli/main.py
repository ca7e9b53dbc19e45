"""The commands, as a table of contents."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from cli import arguments, completion, show, step_up
from cli import catalogue as catalogues
from cli.chain import broken_because
from cli.client import path
from cli.program import FAILED, Hoist, current
from cli.watching import DEFAULT_WAIT_SECONDS, Watch

_PAGE = 100


@click.group(cls=Hoist)
@click.version_option(package_name="hoist")
def hoist() -> None:
    """Promote feature flags to Heroku apps.

    Where the API is and who you are stand in HOIST_API and HOIST_TOKEN, or in
    ~/.config/hoist/config.toml (HOIST_CONFIG names another file). Codes of your authenticator app
    are asked for where they are needed; scripts set HOIST_TOTP.

    Exit codes: 0 deployed or done, 1 failed, 2 usage, 3 still running when the wait ended (that
    is not a failure), 4 refused, 5 no answer, 70 a bug of hoist itself, 130 interrupted.
    """


# Looking


@hoist.command()
def me() -> None:
    """Who you are to Hoist."""
    program = current()
    program.answer(program.client().get("/me"), _introduced)


def _introduced(you: Mapping[str, Any]) -> show.Shown:
    through = f" through {show.said(you['via'])}" if you["via"] else ""
    return f"{show.said(you['name'])}, {show.said(you['role'])}{through}"


@hoist.command("list")
@click.option("--state", type=click.Choice(arguments.STATES), help="Only those in this state.")
@click.option("--target", shell_complete=completion.targets, help="Only those for this app.")
@click.option("--flag", help="Only those of this flag.")
@click.option("--limit", type=click.IntRange(1, 1000), default=25, show_default=True)
def list_promotions(limit: int, **wanted: str | None) -> None:
    """List promotions, newest first."""
    program = current()
    client, cursor = program.client(), None
    found: list[dict[str, Any]] = []
    while len(found) < limit:
        fits = min(_PAGE, limit - len(found))
        page = client.get("/promotions", limit=fits, cursor=cursor, **wanted)
        found += page["promotions"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    listed = {"promotions": found, "next_cursor": cursor}
    program.answer(listed, lambda body: show.promotions(body["promotions"]))
    if cursor:
        show.err(f"[dim]These are the newest {len(found)}; --limit shows more.[/]")


@hoist.command("show")
@arguments.promotion()
def show_promotion(promotion_id: str) -> None:
    """Show where one stands, and what you may do."""
    program = current()
    program.answer(program.client().get(path("promotions", promotion_id)), show.promotion)


@hoist.command()
@arguments.promotion(*arguments.NOT_BEGUN)
def preflight(promotion_id: str) -> None:
    """Check what would let it begin, and what not."""
    program = current()
    found = program.client().get(path("promotions", promotion_id, "preflight"))
    program.answer(found, lambda body: show.checks(body["checks"]))


@hoist.command()
@arguments.promotion()
@click.option("--verify", is_flag=True, help="Recompute the chain of hashes on this machine.")
def audit(promotion_id: str, *, verify: bool) -> None:
    """Show an audit trail. A broken one exits with 1."""
    program = current()
    client = program.client()
    # Read before its trail: an entry that is written in between is no break.
    version = client.get(path("promotions", promotion_id))["version"]
    trail = client.trail(promotion_id)
    entries = [each for each in trail["entries"] if each["version"] <= version]
    broken, checked = trail["broken_because"], "says the API"
    if not trail["verified"]:
        broken = broken or "it does not say how"
    if verify and not broken:
        broken = broken_because(entries, subject=promotion_id, version=version)
        trail["recomputed"] = {"verified": broken is None, "broken_because": broken}
        checked = "recomputed on this machine"
    program.answer(trail, lambda _: show.entries(entries))
    if broken:
        show.err(f"[bold red]The trail is broken[/] ({checked}): {show.said(broken)}.")
        click.get_current_context().exit(FAILED)
    show.err(f"[green]The trail is whole[/] ({checked}): {len(entries)} entries.")


@hoist.command()
@arguments.promotion()
def timeline(promotion_id: str) -> None:
    """Print its story as Markdown, for a retrospective."""
    program = current()
    story = program.client().markdown(path("promotions", promotion_id, "timeline"))
    if program.as_json:
        program.answer({"id": promotion_id, "timeline": story}, str)
    else:
        click.echo(show.plain(story), nl=False)


@hoist.command()
def targets() -> None:
    """List the targets and their policies."""
    program = current()
    program.answer(program.client().get("/targets"), lambda body: show.targets(body["targets"]))


@hoist.command()
def freezes() -> None:
    """List the freezes, and which are in force."""
    program = current()
    program.answer(program.client().get("/freezes"), lambda body: show.freezes(body["freezes"]))


@hoist.command()
@arguments.promotion(*arguments.UNSETTLED)
@arguments.wait
def watch(promotion_id: str, wait_seconds: float | None) -> None:
    """Watch one until it has settled."""
    _watch(promotion_id, wait_seconds, through_holds=True)


# Doing


@hoist.command()
@arguments.target
@click.argument("flag")
@click.argument("value")
@click.option("--note", help="Why, for those who read it later.")
@arguments.key
def mark(note: str | None, key: str, **wanted: str) -> None:
    """Mark a FLAG to become VALUE at a TARGET.

    Nothing changes there before it is promoted.
    """
    program = current()
    marked = program.client().post("/promotions", _given(note=note, **wanted), key=key)
    program.answer(marked, show.promotion)
    if any(each["action"] == "promote" and each["allowed"] for each in marked["actions"]):
        show.err(f"Nothing has changed yet. Promote it with: hoist promote {marked['id']}")


@hoist.command()
@arguments.promotion(*arguments.NOT_BEGUN)
@click.option("--at", "not_before", help="When it begins by itself, as in 2026-11-22T08:00:00Z.")
@click.option(
    "--acknowledge", multiple=True, metavar="ID", help="A warning that you know of, by its id."
)
def stage(promotion_id: str, not_before: str | None, acknowledge: tuple[str, ...]) -> None:
    """Stage one: preflight passes.

    With a time it begins by itself, and needs a code now.
    """
    _act(promotion_id, "stage", _given(not_before=not_before, acknowledge=list(acknowledge)))


@hoist.command()
@arguments.promotion(*arguments.NOT_BEGUN)
@click.option("--note", help="For those who read it later.")
def approve(promotion_id: str, note: str | None) -> None:
    """Approve somebody else's promotion."""
    _act(promotion_id, "approve", _given(note=note))


@hoist.command()
@arguments.promotion(*arguments.NOT_BEGUN)
@click.option(
    "--break-glass",
    metavar="REASON",
    help="Over missing approvals, a missing stage or a freeze: why, in at least 10 characters. "
    "People are told at once.",
)
@arguments.wait
@arguments.key
def promote(
    promotion_id: str, break_glass: str | None, wait_seconds: float | None, key: str
) -> None:
    """Promote, and watch until it has settled.

    What a freeze holds back begins by itself when it opens. That is watched only with --wait.
    """
    body = {} if break_glass is None else {"break_glass": True, "reason": break_glass}
    _go(promotion_id, "promote", body, key=key, wait_seconds=wait_seconds)


@hoist.command()
@arguments.promotion(*arguments.NOT_BEGUN)
@arguments.reason
def cancel(promotion_id: str, reason: str | None) -> None:
    """Withdraw one that has not begun."""
    _act(promotion_id, "cancel", _given(reason=reason))


@hoist.command()
@arguments.promotion("deploying")
@click.option("--minutes", type=click.IntRange(1, 1440), default=60, show_default=True)
@click.option("--note", help="What is being done about it.")
def ack(promotion_id: str, minutes: int, note: str | None) -> None:
    """Say that you know: no rung is raised for a while."""
    _act(promotion_id, "ack", _given(minutes=minutes, note=note))


@hoist.command()
@arguments.promotion("deploying")
@arguments.required_reason
@arguments.rca
@arguments.force
@arguments.key
def complete(promotion_id: str, key: str, **said: str | bool | None) -> None:
    """Escape hatch: say that it is live. Heroku is read as evidence."""
    _act(promotion_id, "complete", _given(**said), key=key)


@hoist.command()
@arguments.promotion("deploying")
@arguments.required_reason
@arguments.rca
@arguments.force
@arguments.key
def fail(promotion_id: str, key: str, **said: str | bool | None) -> None:
    """Escape hatch: say that it did not become live. Heroku is read as evidence."""
    _act(promotion_id, "fail", _given(**said), key=key)


@hoist.command()
@arguments.promotion("failed")
@arguments.reason
@arguments.wait
@arguments.key
def retry(promotion_id: str, reason: str | None, wait_seconds: float | None, key: str) -> None:
    """Send a failed one once more, as a new one."""
    _go(promotion_id, "retry", _given(reason=reason), key=key, wait_seconds=wait_seconds)


@hoist.command()
@arguments.promotion("deployed")
@click.option("--reason", help="Why; needed during a freeze.")
@click.option("--force", is_flag=True, help="Although the value has changed, or cannot be seen.")
@arguments.wait
@arguments.key
def rollback(
    promotion_id: str, wait_seconds: float | None, key: str, **said: str | bool | None
) -> None:
    """Take a deployed one back, by a new one."""
    _go(promotion_id, "rollback", _given(**said), key=key, wait_seconds=wait_seconds)


@hoist.group("freeze")
def freeze() -> None:
    """Set and lift windows that hold promotions back."""


@freeze.command("set")
@arguments.freeze
@arguments.required_reason
@click.option("--from", "starts_at", required=True, help="As in 2026-12-23T18:00:00Z.")
@click.option("--until", "ends_at", help="Left out: until it is lifted.")
@click.option("--target", shell_complete=completion.targets, help="Left out: all targets.")
@click.option("--rrule", help="By which it comes again (RFC 5545), as in FREQ=WEEKLY;BYDAY=FR.")
@click.option("--timezone", default="UTC", show_default=True, help="In which it comes again.")
def set_freeze(freeze_id: str, **terms: str | None) -> None:
    """Set a freeze, or change it: it is then as said here, and in nothing as it was."""
    program = current()
    program.answer(program.client().put(path("freezes", freeze_id), _given(**terms)), show.freeze)


@freeze.command("lift")
@arguments.freeze
@arguments.reason
def lift_freeze(freeze_id: str, reason: str | None) -> None:
    """Lift a freeze: what it held back begins within a minute."""
    program = current()
    program.client().delete(path("freezes", freeze_id), reason=reason)
    program.answer(
        {"id": freeze_id, "lifted": True},
        lambda body: (
            f"{show.said(body['id'])} is lifted. What it held back begins within a minute."
        ),
    )


@hoist.group("catalogue")
def catalogue() -> None:
    """Tell Hoist which flags a backend knows."""


@catalogue.command("import")
@click.argument("catalogue_id", metavar="CATALOGUE")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_catalogue(catalogue_id: str, file: Path) -> None:
    """Import a backend's feature_flags.yaml: it replaces what was imported before."""
    program = current()
    flags = catalogues.read(file)
    program.answer(
        program.client().put(path("catalogues", catalogue_id), {"flags": flags}),
        lambda body: f"{show.said(body['id'])} has {len(body['flags'])} flags.",
    )


def _given(**members: object) -> dict[str, Any]:
    return {name: member for name, member in members.items() if member is not None}


def _act(
    promotion_id: str, action: str, body: Mapping[str, Any], *, key: str | None = None
) -> None:
    current().answer(_posted(promotion_id, action, body, key=key), show.promotion)


def _go(
    promotion_id: str,
    action: str,
    body: Mapping[str, Any],
    *,
    key: str,
    wait_seconds: float | None,
) -> None:
    """Have it accepted, and watch it; a retry or rollback is watched as the new promotion."""
    accepted = _posted(promotion_id, action, body, key=key)
    show.err(f"Accepted: {show.what(accepted)}, {accepted['id']}")
    _watch(accepted["id"], wait_seconds, through_holds=wait_seconds is not None)


def _posted(
    promotion_id: str, action: str, body: Mapping[str, Any], *, key: str | None
) -> dict[str, Any]:
    client = current().client()

    def say_what() -> None:
        seen = client.get(path("promotions", promotion_id))
        show.err(f"{action.capitalize()} {show.what(seen)}, now {show.state(seen)}")

    asked = path("promotions", promotion_id, action)
    return step_up.post(client, asked, body, key=key, before_asking=say_what)


def _watch(promotion_id: str, wait_seconds: float | None, *, through_holds: bool) -> None:
    program = current()
    wait = DEFAULT_WAIT_SECONDS if wait_seconds is None else wait_seconds
    look = Watch(
        program=program, client=program.client(), wait_seconds=wait, through_holds=through_holds
    )
    look(promotion_id)
