"""What an older state of the tables, put back by `infra/restore.py`, makes of a promotion."""

from pathlib import Path

import boto3
import pytest

from chalicelib.domain.promotion import State
from infra.copies import TABLES, Copy, Shelf
from tests.factories import CONFIG_VAR
from tests.integration.conftest import Backstage
from tests.integration.kit import LEASE_ENDED, Doom, Killed
from tests.integration.test_crashes import Story


def shelf(backstage: Backstage) -> Shelf:
    """The tables of the stage."""
    names = {name: getattr(backstage.settings, f"hoist_{name}_table") for name in TABLES}
    return Shelf(client=boto3.client("dynamodb"), names=names)


def put_back(copy: Copy, tables: Shelf) -> None:
    """Let the tables be as they were when the copy was made."""
    for table in TABLES:
        tables.empty(table)
        tables.put(table, copy.rows(table))


def sent(backstage: Backstage, story: Story) -> int:
    """How often Hoist sent the promotion's value."""
    taken = backstage.heroku.controls.truth(story.app)["patches"]
    return [patch["changes"] for patch in taken].count({CONFIG_VAR: "true"})


def test_a_promotion_that_is_taken_back_to_any_moment_of_its_work_is_not_sent_twice(
    backstage: Backstage, tmp_path: Path
) -> None:
    whole, tables, fresh = Doom(), shelf(backstage), Copy(folder=tmp_path / "fresh")
    fresh.write(tables.rows)
    story = Story(backstage, "never-taken-back")
    story.promote(Doom())
    story.work(whole)

    for k in range(1, len(whole.calls) + 1):
        # moto copies whole tables for a transaction: they are kept small.
        put_back(fresh, tables)
        backstage.clock.advance(LEASE_ENDED * 10)
        story = Story(backstage, f"taken-back-to-{k}")
        story.promote(Doom())
        with pytest.raises(Killed):
            story.work(Doom(kills_after=k))
        copy = Copy(folder=tmp_path / str(k))
        copy.write(tables.rows)
        story.recover()
        put_back(copy, tables)
        story.recover()
        story.assert_ended_well()

    assert len(whole.calls) >= 12


def test_what_was_queued_then_and_was_changed_since_is_sent_again(
    backstage: Backstage, tmp_path: Path
) -> None:
    story, copy = Story(backstage, "changed-since"), Copy(folder=tmp_path / "copy")
    story.promote(Doom())
    copy.write(shelf(backstage).rows)
    story.recover()
    backstage.heroku.controls.foreign_patch(story.app, {CONFIG_VAR: "false"})
    put_back(copy, shelf(backstage))

    story.recover()

    # Why docs/restore.md has somebody look before the worker is started.
    promotion = story.hoist.store.get(story.id)
    assert promotion is not None
    assert promotion.state is State.DEPLOYED
    assert sent(backstage, story) == 2


def test_what_was_sent_then_and_was_changed_since_fails_and_is_not_sent_again(
    backstage: Backstage, tmp_path: Path
) -> None:
    doom = killed_after_the_patch(backstage)
    story, copy = Story(backstage, "sent-and-changed"), Copy(folder=tmp_path / "copy")
    story.promote(Doom())
    with pytest.raises(Killed):
        story.work(doom)
    copy.write(shelf(backstage).rows)
    story.recover()
    backstage.heroku.controls.foreign_patch(story.app, {CONFIG_VAR: "false"})
    put_back(copy, shelf(backstage))

    story.recover()

    promotion = story.hoist.store.get(story.id)
    assert promotion is not None
    assert promotion.state is State.FAILED
    assert "was then replaced from outside Hoist" in (promotion.reason or "")
    assert sent(backstage, story) == 1


def killed_after_the_patch(backstage: Backstage) -> Doom:
    """What kills a worker right after its PATCH."""
    whole = Doom()
    story = Story(backstage, "how-many-calls")
    story.promote(Doom())
    story.work(whole)
    backstage.clock.advance(LEASE_ENDED * 10)
    return Doom(kills_after=next(n for n, c in enumerate(whole.calls, 1) if "PATCH" in c))
