"""A stack that is stopped and started again goes on where it was."""

from collections.abc import Callable
from pathlib import Path

from local.stack import local_stack
from tests.e2e.conftest import Person, Town, wait_for_step


def test_an_open_promotion_survives_a_restart_of_everything(
    tmp_path: Path,
    speak_to: Callable[[str], None],
) -> None:
    with local_stack(tmp_path) as stack:
        speak_to(stack.ministack.url)
        first = Town(stack)
        operator = stack.operators["promoter"]
        person = Person(stack.api, operator.token, operator.totp_secret)
        app = stack.directions.targets[0]
        first.heroku.behave(app, release_phase=True, phase_result="pending")
        promotion_id = person.mark(app, "dark_mode")["id"]
        assert person.promote(promotion_id).status_code == 202
        release = wait_for_step(person, promotion_id, "released")["evidence"]["release"]

    with local_stack(tmp_path) as stack:
        speak_to(stack.ministack.url)
        second = Town(stack)
        person.api = stack.api
        second.heroku.finish_release(app, release, "succeeded")
        settled = person.settled(promotion_id, within_seconds=150)

        assert stack.operators["promoter"] == operator
        assert settled["state"] == "deployed"
        assert len(second.patches(app)) == 1
