"""What is audited reaches people, by ways that do not wait for each other."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import requests

from chalicelib.adapters.dynamodb.rows import audit_row
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.promotion import Rung, State, Step, advance
from local.stack import local_stack
from tests.e2e.conftest import ANSWER_SECONDS, Town, wait_until
from tests.factories import deploying
from tests.fakes import START

WAITING = 10_000


@pytest.fixture
def own_town(
    tmp_path: Path,
    speak_to: Callable[[str], None],
) -> Iterator[Town]:
    """A stack of its own, for what would be in the way of other tests."""
    with local_stack(tmp_path) as stack:
        speak_to(stack.ministack.url)
        yield Town(stack)


def test_a_stall_reaches_slack_and_the_person_on_call_and_is_taken_back(town: Town) -> None:
    app = town.app("stalled")
    town.heroku.arm("status", status=503, method="GET", app=app, times=1000)
    promoter, hoist = town.hire(), town.backdoor()
    marked = promoter.mark(app, "dark_mode")
    promotion = hoist.store.get(marked["id"])
    assert promotion is not None
    long_ago = hoist.clock.now() - timedelta(minutes=31)
    act = Act(actor="kim", action=Action.PROMOTE, at=long_ago)
    hoist.store.commit(advance(promotion, act, state=State.DEPLOYING, step=Step.QUEUED))

    town.invoke("WatchFunction")
    assert promoter.read(marked["id"])["rung"] == "sev3"
    town.heroku.clear_faults()
    promoter.settled(marked["id"], within_seconds=120)

    def told() -> list[str]:
        texts = [str(message["text"]) for message in town.stack.slack_messages()]
        return [text for text in texts if f"dark_mode at {app}" in text]

    wait_until(lambda: len(told()) >= 2)
    assert told()[0].startswith("[SEV-3] dark_mode at stalled is deploying for 3")
    assert told()[-1].startswith("[RESOLVED] dark_mode at stalled deployed")
    key = f"{marked['id']}-stalled"
    wait_until(lambda: len([p for p in town.stack.on_call_messages() if p.name == key]) >= 2)
    pages = [page for page in town.stack.on_call_messages() if page.name == key]
    assert [page.rings for page in pages] == [True, False]


def test_ten_thousand_notices_waiting_for_slack_do_not_delay_a_promotion(own_town: Town) -> None:
    requests.post(
        f"{own_town.stack.slack}/fail",
        json={"status": 503},
        timeout=ANSWER_SECONDS,
    ).raise_for_status()
    hoist = own_town.backdoor()
    facts = {"alert": "stalled", "rung": "info", "minutes": 30, "waiting_on": None}
    act = Act(actor="watchdog", action=Action.ALERT, at=START, facts=facts)
    model = hoist.tables.audit
    # PynamoDB sends 25 a request.
    with model.batch_write() as batch:
        for _ in range(WAITING):
            entry = advance(deploying(flag="noise"), act, rung=Rung.INFO).entry
            batch.save(audit_row(model, entry))
    app = own_town.app("undisturbed")
    promoter = own_town.hire()
    marked = promoter.mark(app, "dark_mode")
    began = time.monotonic()

    promoter.promote(marked["id"])
    settled = promoter.settled(marked["id"])

    took = time.monotonic() - began
    assert settled["state"] == "deployed"
    assert own_town.stack.slack_messages() == []
    print(f"settled in {took:.1f} s with {WAITING:,} notices waiting for Slack")  # noqa: T201 - the figure
