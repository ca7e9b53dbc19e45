"""The restore of docs/restore.md, rehearsed: rows lost, put back, and all goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra import restore as tool
from local.stack import local_stack
from tests.e2e.conftest import Person, Town, wait_for_step, wait_until


@pytest.fixture
def own_town(tmp_path: Path, speak_to: Callable[[str], None]) -> Iterator[Town]:
    """A stack of its own: this stops it."""
    with local_stack(tmp_path) as stack:
        speak_to(stack.ministack.url)
        yield Town(stack)


def restore(state: Path, words: str) -> None:
    """One step of the restore, by the very tool that production has."""
    assert tool.main(["--state", str(state), *words.split()]) == 0


def make_recoverable(town: Town) -> None:
    """MiniStack does not take this from the template."""
    aws = town.stack.ministack.aws
    client = aws.session.client("dynamodb", endpoint_url=aws.endpoint_url)
    for name in ("Promotions", "Audit", "Locks", "Operators", "Targets"):
        client.update_continuous_backups(
            TableName=town.stack.outputs[f"{name}Table"],
            PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
        )


def break_the_glass(promoter: Person, promotion_id: str) -> None:
    """Promote so that the person on call is told."""
    answer = promoter(
        "POST",
        f"/promotions/{promotion_id}/promote",
        json={"break_glass": True, "reason": "the import is broken"},
        headers={"X-TOTP": promoter.code()},
    )
    assert answer.status_code == 202, answer.text


def told(town: Town, promotion_id: str) -> tuple[int, int]:
    """How often the person on call and Slack have heard of a broken glass."""
    pages = [page.name for page in town.stack.on_call_messages()]
    slack = [str(message) for message in town.stack.slack_messages()]
    return (
        pages.count(f"{promotion_id}-break-glass"),
        sum(promotion_id in message for message in slack),
    )


def test_an_open_promotion_survives_the_loss_of_every_row(own_town: Town, tmp_path: Path) -> None:
    app, promoter = own_town.app("restored"), own_town.hire()
    own_town.person("superadmin")("PUT", f"/targets/{app}", json={"stage_first": True})
    own_town.heroku.behave(app, release_phase=True, phase_result="pending")
    promotion_id = promoter.mark(app, "dark_mode")["id"]
    break_the_glass(promoter, promotion_id)
    release = wait_for_step(promoter, promotion_id, "released")["evidence"]["release"]
    wait_until(lambda: told(own_town, promotion_id) == (1, 1))
    make_recoverable(own_town)
    now = own_town.backdoor().clock.now().isoformat()

    restore(tmp_path, "stop")
    own_town.stack.kill_worker()
    stopped = promoter("GET", f"/promotions/{promotion_id}").status_code
    restore(tmp_path, f"rewind --to {now}")
    restore(tmp_path, f"export --rewound {tmp_path}/copy")
    restore(tmp_path, "empty --confirm hoist-local")
    lost = own_town.backdoor().store.get(promotion_id)
    restore(tmp_path, f"import {tmp_path}/copy")
    restore(tmp_path, "start")
    own_town.heroku.finish_release(app, release, "succeeded")

    assert (stopped // 100, lost) == (5, None)
    assert promoter.settled(promotion_id, within_seconds=120)["state"] == "deployed"
    assert len(own_town.patches(app)) == 1
    assert promoter("GET", f"/promotions/{promotion_id}/audit").json()["verified"] is True
    # No code from before the restore counts: the next one does.
    stored = own_town.backdoor().operators.get(promoter.token.partition(".")[0])
    assert stored is not None
    promoter.step = stored.last_timecode
    own_town.heroku.behave(app, release_phase=False)
    second = promoter.mark(app, "light_mode")["id"]
    break_the_glass(promoter, second)
    assert promoter.settled(second)["state"] == "deployed"
    # Told in order: what was put back has been passed over by the time that this is told.
    wait_until(lambda: told(own_town, second) == (1, 1))
    assert told(own_town, promotion_id) == (1, 1)
