"""What people see: words and tables. Scripts take `--json`."""

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.markup import escape

from cli.sheet import Column, Facts, Sheet

#: What can be shown.
Shown = str | Sheet | Facts

#: Where nobody looks, nothing is folded: a line stays a line for grep.
_UNFOLDED = 10_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LONGEST_VALUE = 40
_COLOURS = {
    "pending": "cyan",
    "staged": "cyan",
    "deploying": "yellow",
    "deployed": "green",
    "failed": "red",
    "cancelled": "dim",
    "expired": "dim",
}
_OUTCOMES = {"pass": "[green]pass[/]", "warn": "[yellow]WARN[/]", "block": "[red]BLOCK[/]"}
_SAFE_NOW = {
    "wait": "Waiting is safe.",
    "investigate": "Look before you do anything else.",
}


def out(shown: Shown) -> None:
    """Print a result."""
    _console(stderr=False).print(shown, crop=False)


def err(markup: str) -> None:
    """Print anything else. The terminal breaks its lines, so that ids and commands stay whole."""
    _console(stderr=True).print(markup, soft_wrap=True)


@contextmanager
def busy(what: str) -> Iterator[Callable[[str], None]]:
    """Show at a terminal that something goes on; gives what prints a line meanwhile."""
    console = _console(stderr=True)
    with console.status(what):
        yield lambda markup: console.print(markup, soft_wrap=True)


def harmless(text: str) -> str:
    """A line that gives the terminal no orders."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def said(text: object) -> str:
    """What somebody wrote, as it is: neither markup, nor orders to the terminal."""
    # rich would double a backslash at the end, in case that a tag follows.
    return escape(f"{harmless(str(text))}.")[:-1]


def plain(text: str) -> str:
    """A text of several lines, without orders to the terminal."""
    return "\n".join(map(harmless, text.split("\n")))


def state(promotion: Mapping[str, Any]) -> str:
    """A promotion's state, and how far it has come."""
    name = promotion["state"]
    shown = f"[{_COLOURS.get(name, 'default')}]{said(name)}[/]"
    if name != "deploying":
        return shown
    step = f" ({said(promotion['step'])})" if promotion["step"] else ""
    stalled = " [bold red]! stalled[/]" if promotion["rung"] not in {None, "info"} else ""
    return f"{shown}{step}{stalled}"


def what(promotion: Mapping[str, Any]) -> str:
    """What a promotion does, in short."""
    flag, target = said(promotion["flag"]), said(promotion["target"])
    return f"{flag} = {value(promotion['value'], longest=_LONGEST_VALUE)} at {target}"


def promotions(listed: Sequence[Mapping[str, Any]]) -> Shown:
    """Many promotions."""
    if not listed:
        return "There are none."
    columns = ("promotion", None), ("flag", 14), ("target", 10), ("state", 9), ("since mark", 7)
    return _sheet(
        columns,
        [
            (
                said(each["id"]),
                f"{said(each['flag'])} = {value(each['value'], longest=_LONGEST_VALUE)}",
                said(each["target"]),
                f"{state(each)} [dim]{_roughly(each['state_age_seconds'])}[/]",
                lasted(each["age_seconds"]),
            )
            for each in listed
        ],
    )


def promotion(seen: Mapping[str, Any]) -> Shown:
    """One promotion, a line a fact."""
    facts = {
        "promotion": said(seen["id"]),
        "flag": f"{said(seen['flag'])} at {said(seen['target'])}",
        "value": value(seen["value"]),
        "state": state(seen) + (f", effect {said(seen['effect'])}" if seen["effect"] else ""),
        "waiting on": _text(seen["waiting_on"] and seen["waiting_on"]["text"]),
        "reason": _text(seen["reason"]),
        "note": _text(seen["note"]),
        "since mark": f"{lasted(seen['age_seconds'])}, by {said(seen['created_by'])}",
        "in state": lasted(seen["state_age_seconds"]),
        "promoted by": _text(seen["promoted_by"]),
        "begins": _begins(seen),
        "acknowledged": _acknowledged(seen),
        "release": _release(seen["evidence"]),
        "Heroku showed": _text(seen["observed"] and seen["observed"]["said"]),
        "drift": _drift(seen["drift"]),
        "approvals": ", ".join(said(each["by"]) for each in seen["approvals"]),
        "retries": _text(seen["retries"]),
        "takes back": _text(seen["reverts"]),
        "retrospective": _text(seen["rca_url"]),
        "you may": ", ".join(said(each["action"]) for each in seen["actions"] if each["allowed"]),
    }
    return Facts(facts=[(name, fact) for name, fact in facts.items() if fact])


def checks(found: Sequence[Mapping[str, Any]]) -> Shown:
    """What preflight saw."""
    if not found:
        return "It has settled: there is nothing to check any more."
    columns = ("check", None), ("", None), ("seen", 30)
    rows = [(said(each["id"]), _OUTCOMES[each["outcome"]], said(each["seen"])) for each in found]
    return _sheet(columns, rows)


def entries(trail: Sequence[Mapping[str, Any]]) -> Shown:
    """An audit trail."""
    columns = (
        ("#", None),
        ("when", 14),
        ("who", 8),
        ("what", None),
        ("state", None),
        ("facts", 20),
    )
    return _sheet(
        columns,
        [
            (
                said(each["version"]),
                local_time(each["at"]),
                said(each["actor"]),
                said(each["action"]),
                said(each["to_state"] or ""),
                "; ".join(f"{said(name)} {_fact(fact)}" for name, fact in each["facts"].items()),
            )
            for each in trail
        ],
    )


def targets(listed: Sequence[Mapping[str, Any]]) -> Shown:
    """The targets and their policies."""
    if not listed:
        return "There are none."
    columns = (
        *(("target", None), ("flags", 10), ("approvals", None)),
        *(("stage first", None), ("staging app", 10), ("catalogue", 10)),
    )
    return _sheet(
        columns,
        [
            (
                said(each["app"]),
                said(", ".join(each["flag_patterns"]) or "any"),
                said(each["min_approvals"]),
                "yes" if each["stage_first"] else "no",
                said(each["staging_app"] or "none"),
                said(each["catalogue"] or "none"),
            )
            for each in listed
        ],
    )


def freezes(listed: Sequence[Mapping[str, Any]]) -> Shown:
    """The freezes, and whether they hold anything back."""
    if not listed:
        return "There are none."
    columns = (
        *(("freeze", None), ("target", 10), ("now", None)),
        *(("until", 10), ("next", 10), ("again", 8), ("reason", 15)),
    )
    return _sheet(
        columns,
        [
            (
                said(each["id"]),
                said(each["target"] or "all"),
                "[yellow]in force[/]" if each["in_force"] else "open",
                _until(each),
                local_time(each["next_begins_at"]),
                said(each["rrule"] or "once"),
                said(each["reason"]),
            )
            for each in listed
        ],
    )


def freeze(each: Mapping[str, Any]) -> Shown:
    """One freeze."""
    return freezes([each])


def problem(refused: Mapping[str, Any], advice: str | None) -> str:
    """What went wrong, where, and what is safe and useful now."""
    lines = [f"[bold red]{said(refused['title'])}[/] [dim]({said(refused['code'])})[/]"]
    lines += [said(refused["detail"])] if refused["detail"] != refused["title"] else []
    # The first one stands in the detail.
    errors = refused.get("errors", ())[1:]
    lines += [f"  {said(error['field'])}: {said(error['detail'])}" for error in errors]
    checks = (refused.get("conflict") or {}).get("checks", ())
    lines += [
        f"  {_OUTCOMES.get(check['outcome'], '')} {said(check['id'])}: {said(check['seen'])}"
        for check in checks
    ]
    lines += [said(advice)] if advice else []
    lines += [f"[dim]{said(_footer(refused))}[/]"]
    return "\n".join(lines)


def value(text: str | None, *, longest: int | None = None) -> str:
    """A flag's value; one that is to go says so."""
    if text is None:
        return "[dim](absent)[/]"
    return said(text if longest is None or len(text) <= longest else f"{text[:longest]}…")


def lasted(seconds: int | None) -> str:
    """A duration as people say it."""
    if seconds is None:
        return "unknown"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def local_time(at: str | None) -> str:
    """A moment in the reader's own zone, and which zone that is."""
    return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M:%S %Z}" if at else ""


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, emoji=False)
    if console.no_color:
        console = Console(stderr=stderr, highlight=False, emoji=False, color_system=None)
    if not console.is_terminal and "COLUMNS" not in os.environ:  # noqa: TID251 - a terminal's, not Hoist's
        console.width = _UNFOLDED
    return console


def _sheet(
    columns: Sequence[tuple[str, int | None]],
    rows: Sequence[Sequence[str]],
) -> Sheet:
    return Sheet(
        columns=[Column(name=name, narrowest=narrowest) for name, narrowest in columns], rows=rows
    )


def _text(text: str | None) -> str:
    return said(text) if text else ""


def _fact(fact: object) -> str:
    return said(fact if isinstance(fact, str) else json.dumps(fact))


def _roughly(seconds: int | None) -> str:
    """The greater of a duration's two units."""
    return " ".join(lasted(seconds).split()[:2])


def _release(evidence: Mapping[str, Any] | None) -> str:
    return f"v{said(evidence['release'])}" if evidence and evidence["release"] else ""


def _drift(drift: Mapping[str, Any] | None) -> str:
    return f"[yellow]{said(drift['kind'])}[/] since {local_time(drift['since'])}" if drift else ""


def _begins(seen: Mapping[str, Any]) -> str:
    """A time that has passed would say nothing of one that is held back."""
    by_time = seen["waiting_on"] and seen["waiting_on"]["kind"] == "time"
    return local_time(seen["not_before"]) if by_time else ""


def _acknowledged(seen: Mapping[str, Any]) -> str:
    until = seen["acknowledged_until"]
    if seen["state"] != "deploying" or not until:
        return ""
    return f"by {said(seen['acknowledged_by'])}, until {local_time(until)}"


def _until(freeze: Mapping[str, Any]) -> str:
    if not freeze["in_force"]:
        return ""
    return local_time(freeze["until"]) or "it is lifted"


def _footer(refused: Mapping[str, Any]) -> str:
    """What is safe now, and where to read on."""
    safe = _SAFE_NOW.get(str(refused["safe_now"]), "")
    more = f"More: {refused['type']}" if "type" in refused else ""
    trace = f"Request {refused['request_id']}" if refused["code"] == "internal" else ""
    return " ".join(each for each in (safe, more, trace) if each)
