"""What the page is shown: promotions as time alone would make them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from chalicelib.adapters.dynamodb import DynamoDBPromotionStore
from chalicelib.adapters.dynamodb.rows import promotion_row
from chalicelib.adapters.ids import UlidPromotionIds
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.promotion import (
    Effect,
    Promotion,
    Rung,
    SettledBy,
    State,
    Step,
    advance,
    mark,
)
from chalicelib.ports import Clock, PromotionStore
from local.incident import FLAG
from tests.e2e.conftest import Town

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

#: As long as nobody noticed it in the incident.
UNNOTICED = timedelta(hours=57, minutes=49)
MARKED_BEFORE = timedelta(hours=52)
NOTE = "Log drains tell nobody when they stop."
_ROWS_A_REQUEST = 25


@contextmanager
def worker_away(town: Town) -> Iterator[None]:
    """Let nothing work on any target meanwhile: wakes wait in their queue."""
    functions = town.stack.ministack.aws.session.client(
        "lambda", endpoint_url=town.stack.ministack.url
    )
    _switch(functions, town.stack.outputs["WorkFunction"], on=False)
    try:
        yield
    finally:
        _switch(functions, town.stack.outputs["WorkFunction"], on=True)


def _switch(functions: "LambdaClient", worker: str, *, on: bool) -> None:
    sources = functions.list_event_source_mappings(FunctionName=worker)["EventSourceMappings"]
    for source in sources:
        functions.update_event_source_mapping(UUID=source["UUID"], Enabled=on)


class Keeper(Protocol):
    """Whoever keeps promotions: the stack's own wiring, or a world of fakes."""

    @property
    def store(self) -> PromotionStore: ...

    @property
    def clock(self) -> Clock: ...


def stuck(keeper: Keeper, target: str, flag: str = FLAG) -> Promotion:
    """The incident's row: the value was sent, the worker died, and nobody looked for days.

    Its audit trail is whole. What Heroku shows is up to the caller.
    """
    accepted = keeper.clock.now() - UNNOTICED
    sent = accepted + timedelta(seconds=3)
    begun = {"state": State.DEPLOYING, "step": Step.QUEUED, "promoted_by": "pat"}
    promotion = marked(keeper, target, flag, accepted - MARKED_BEFORE, note=NOTE)
    chapters: list[tuple[datetime, str, Action, dict[str, Any]]] = [
        (accepted, "pat", Action.PROMOTE, begun | {"promoted_at": accepted}),
        (sent, "worker", Action.RECORD_INTENT, {"step": Step.INTENT, "baseline_version": 1}),
        (sent, "worker", Action.CONFIRM_PATCH, {"step": Step.PENDING_COMMIT, "patched_at": sent}),
        *(
            (accepted + timedelta(minutes=minutes), "watchdog", Action.ALERT, {"rung": rung})
            for rung, minutes in ((Rung.SEV3, 30), (Rung.WARNING, 720), (Rung.CRITICAL, 1440))
        ),
    ]
    for at, actor, action, changes in chapters:
        change = advance(promotion, Act(actor=actor, action=action, at=at), **changes)
        keeper.store.commit(change)
        promotion = change.after
    return promotion


def marked(
    keeper: Keeper,
    target: str,
    flag: str,
    at: datetime,
    *,
    note: str | None = None,
) -> Promotion:
    """A promotion that pat marked some time ago."""
    change = mark(
        promotion_id=UlidPromotionIds().new(at),
        target=target,
        flag=flag,
        value="true",
        note=note,
        act=Act(actor="pat", action=Action.MARK, at=at, facts={"value": "true"}),
    )
    keeper.store.commit(change)
    return change.after


def fill(town: Town, first: int, last: int) -> None:
    """Put promotions into the table that settled within the last weeks, one every 7 minutes."""
    keeper = town.backdoor()
    assert isinstance(keeper.store, DynamoDBPromotionStore)
    rows = keeper.store.tables.promotions
    client = town.stack.ministack.aws.session.client(
        "dynamodb", endpoint_url=town.stack.ministack.url
    )
    now = keeper.clock.now()
    for start in range(first, last, _ROWS_A_REQUEST):
        batch = [
            promotion_row(rows, settled(now - timedelta(minutes=7 * n))).serialize(null_check=False)
            for n in range(start, min(start + _ROWS_A_REQUEST, last))
        ]
        table = town.stack.outputs["PromotionsTable"]
        client.batch_write_item(
            RequestItems={table: [{"PutRequest": {"Item": row}} for row in batch]}
        )


def settled(at: datetime) -> Promotion:
    """A promotion that was deployed then, without its trail."""
    change = mark(
        promotion_id=UlidPromotionIds().new(at),
        target="long-ago",
        flag=f"flag_{at:%m%d_%H%M}",
        value="true",
        note=None,
        act=Act(actor="pat", action=Action.MARK, at=at),
    )
    return replace(
        change.after,
        state=State.DEPLOYED,
        effect=Effect.LIVE,
        settled_by=SettledBy.WORKER,
        settled_at=at + timedelta(seconds=4),
        state_entered_at=at + timedelta(seconds=4),
        promoted_by="pat",
        promoted_at=at,
    )
