"""What a target waits for, in the words that its lock keeps for all that is open there."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from chalicelib.domain.ladder import RELEASE_PHASE_LASTS
from chalicelib.domain.lease import Waiting, WaitingOn
from chalicelib.domain.promotion import Promotion, Step
from chalicelib.domain.release import (
    Behind,
    Release,
    Running,
    Unproven,
    Verdict,
)
from chalicelib.domain.waiting import clock_time

#: Heroku shows within seconds what became of a value; after this long somebody should look.
PROOF_TAKES = timedelta(minutes=10)

_TOO_LONG = (
    "longer than the hour that Heroku gives a release phase. Hoist goes on looking; its output at "
    "Heroku may say what keeps it."
)


def target_word(
    open_: Sequence[Promotion],
    verdicts: Mapping[str, Verdict],
    *,
    now: datetime,
    calls_run_short: bool,
) -> WaitingOn:
    """Say what the target waits for, whose open promotions Heroku's view left unsettled.

    `verdicts` are by promotion. That all is well is said only for as long as it is usual; `since`
    is when the longest wait began.
    """
    since = _since(open_, now)
    unproven = _awaited(open_, verdicts, Unproven)
    ended = [(promotion, verdict) for promotion, verdict in unproven if verdict.release]
    if ended:
        return _proof(ended, since, now)
    running = _awaited(open_, verdicts, Running)
    if running:
        own = running[0][1].release
        began = own.created_at or _since([p for p, v in running if v.release == own], now)
        text = _running_text(own, now - began)
        return WaitingOn(kind=Waiting.OWN_RELEASE, text=text, since=since)
    behind = _awaited(open_, verdicts, Behind)
    if behind:
        foreign = behind[0][1].release
        text = _foreign_text(foreign, now - (foreign.created_at or since))
        return WaitingOn(kind=Waiting.FOREIGN_RELEASE, text=text, since=since)
    if unproven:
        return _proof(unproven, since, now)
    pace = (
        "few of the account's calls at Heroku are left, so looks come once a minute"
        if calls_run_short
        else "the next look comes within seconds"
    )
    text = f"More is left to do than one look does; {pace}. Nothing is wrong."
    return WaitingOn(kind=Waiting.WORKER, text=text, since=since)


Awaited = TypeVar("Awaited", Running, Behind, Unproven)


def _awaited(
    open_: Sequence[Promotion],
    verdicts: Mapping[str, Verdict],
    kind: type[Awaited],
) -> list[tuple[Promotion, Awaited]]:
    judged = ((promotion, verdicts.get(promotion.id)) for promotion in open_)
    return [(promotion, verdict) for promotion, verdict in judged if isinstance(verdict, kind)]


def _since(promotions: Sequence[Promotion], now: datetime) -> datetime:
    return min((p.step_entered_at or p.created_at for p in promotions), default=now)


def _proof(
    unproven: Sequence[tuple[Promotion, Unproven]], since: datetime, now: datetime
) -> WaitingOn:
    began = _since([promotion for promotion, _ in unproven], now)
    promotion, verdict = unproven[0]
    seen = _unproven_text(promotion, verdict.release)
    then = (
        "Nothing needs to be done."
        if now - began < PROOF_TAKES
        else "That takes longer than it should: look at the app's releases at Heroku."
    )
    return WaitingOn(kind=Waiting.PROOF, text=f"{seen} {then}", since=since)


def _unproven_text(promotion: Promotion, own: Release | None) -> str:
    if own is None:
        unheard = promotion.step is Step.INTENT
        asked = "may have been asked for a value" if unheard else "took what Hoist sent"
        return (
            f"Heroku {asked}; what it shows of its releases does not prove yet what became of it."
        )
    release = f"Release v{own.version}, which carries what Hoist sent,"
    if own.succeeded:
        return f"{release} has succeeded; Heroku does not show it as the current one yet."
    return f"{release} has a status that Hoist does not know: whether it is live is not proven."


def _running_text(own: Release, lasted: timedelta) -> str:
    begun = f"Release v{own.version}, which carries what Hoist sent, is still running"
    if lasted < RELEASE_PHASE_LASTS:
        return (
            f"{begun}; a release phase may take up to an hour. "
            "Nothing is wrong, and nothing needs to be done."
        )
    return f"{begun}, {_TOO_LONG}"


def _foreign_text(foreign: Release, lasted: timedelta) -> str:
    began = f" (since {clock_time(foreign.created_at)})" if foreign.created_at else ""
    begun = (
        f"Release v{foreign.version} of the target, which no open promotion is known to have made, "
        f"is still running{began}"
    )
    if lasted < RELEASE_PHASE_LASTS:
        return f"{begun}. The flag is sent when it has ended. Nothing is wrong."
    return f"{begun}, {_TOO_LONG} The flag is sent when it has ended, or a newer one is made."
