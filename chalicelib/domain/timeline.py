"""A promotion's audit trail as Markdown, ready for a retrospective."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from chalicelib.domain.audit import AuditEntry, StoredEntry, Verification
from chalicelib.domain.promotion import Promotion, State

#: What is not worth a reader's time: said elsewhere in the line, or meant for machines.
_LEFT_OUT = frozenset({"totp_timecode", "release_id", "flags_in_patch"})
#: Facts for which "nothing" is a finding.
_MAY_BE_ABSENT = frozenset({"value", "previous_value"})


def timeline(
    promotion: Promotion,
    trail: Sequence[StoredEntry],
    verification: Verification,
    *,
    now: datetime,
) -> str:
    """Write the retrospective's facts: what, how long, and each transition with its moment.

    What is done again and again, with nothing between, takes one line.
    """
    return "\n".join(_lines(promotion, trail, verification, now)) + "\n"


def _lines(
    promotion: Promotion,
    trail: Sequence[StoredEntry],
    verification: Verification,
    now: datetime,
) -> Iterator[str]:
    yield f"# {promotion.flag} at {promotion.target}"
    yield ""
    yield f"- Promotion: `{promotion.id}`"
    yield f"- Value: {_code(promotion.value)}"
    yield f"- State: `{promotion.state}`" + (
        f", effect `{promotion.effect}`" if promotion.effect else ""
    )
    if promotion.reason:
        yield f"- Reason: {_text(promotion.reason)}"
    if promotion.rca_url:
        yield f"- Retrospective: <{promotion.rca_url}>"
    yield from _durations(promotion, now)
    whole = "verified" if verification.verified else f"**broken**: {verification.reason}"
    yield f"- Audit trail: {whole}"
    yield ""
    yield "## Timeline (all times UTC)"
    yield ""
    yield "| time | after | who | what |"
    yield "|---|---:|---|---|"
    began = trail[0].entry.at if trail else now
    for (who, what), alike in groupby((each.entry for each in trail), key=_who_did_what):
        first, *more = alike
        again = f" ({len(more)} times more, the last at {_moment(more[-1])})" if more else ""
        row = [_moment(first), spoken(first.at - began), who, what + again]
        yield "| " + " | ".join(row) + " |"


def _who_did_what(entry: AuditEntry) -> tuple[str, str]:
    what = f"{_text(entry.action)}: `{entry.to_state}`"
    told = "; ".join(
        f"{_text(name)} {_cell(value)}"
        for name, value in entry.facts.items()
        if name not in _LEFT_OUT and (value is not None or name in _MAY_BE_ABSENT)
    )
    return _text(entry.actor), what + (told and f". {told}")


def _moment(entry: AuditEntry) -> str:
    return f"{entry.at:%Y-%m-%d %H:%M:%S}"


def _durations(promotion: Promotion, now: datetime) -> Iterator[str]:
    """Both ages, which the incident's report mixed up: of the promotion, and of its deployment."""
    ended = promotion.settled_at or now
    still = "" if promotion.settled_at else " so far"
    yield f"- From mark to end: {spoken(ended - promotion.created_at)}{still}"
    if promotion.promoted_at and (
        promotion.state is State.DEPLOYING or promotion.settled_at is not None
    ):
        yield f"- In `deploying`: {spoken(ended - promotion.promoted_at)}{still}"


def spoken(duration: timedelta) -> str:
    """A duration as people say it, to the second."""
    seconds = int(duration.total_seconds())
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"


def _text(value: object) -> str:
    """Text that means nothing to Markdown: a note must not become a heading or a row."""
    flat = " ".join(str(value).split())
    return "".join(f"\\{char}" if char in "\\|<>`*_[]#" else char for char in flat)


def _code(value: Any) -> str:  # noqa: ANN401 - a fact's value
    if value is None:
        return "(absent)"
    flat = " ".join(str(value).split()).replace("`", "'")
    return f"`{flat}`" if flat else "(empty)"


def _cell(value: Any) -> str:  # noqa: ANN401 - a fact's value
    """The same in a table, whose cells end at a bar; facts within a fact stand in brackets."""
    match value:
        case Mapping():
            told = (
                f"{_text(name)} {_cell(fact)}" for name, fact in value.items() if fact is not None
            )
            return f"({'; '.join(told)})"
        case list() | tuple():
            return ", ".join(_cell(each) for each in value) or "(none)"
        case _:
            return _code(value).replace("|", "\\|")
