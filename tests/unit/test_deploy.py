"""What whoever deploys is told to do next."""

import string

import pytest

from infra.deploy import LEADS_NOWHERE, NEXT_STEPS, next_steps
from infra.template import merge_template

OUTPUTS = {name: f"the {name}" for name in merge_template()["Outputs"]}


def test_whoever_deploys_is_told_of_what_the_stack_says_and_where_secrets_go() -> None:
    words = {word for _, word, _, _ in string.Formatter().parse(NEXT_STEPS + LEADS_NOWHERE) if word}

    assert words - OUTPUTS.keys() == {"stage", "heroku_token", "slack_webhook_url"}


def test_what_is_to_be_typed_names_the_stage() -> None:
    steps = next_steps("dev", OUTPUTS)

    assert "make operator STAGE=dev" in steps
    assert "--name /hoist/dev/heroku-token\n" in steps
    assert "--name /hoist/dev/slack-webhook-url\n" in steps
    assert "make deploy STAGE=dev ON_CALL_EMAIL=" in steps
    assert "-d '{}'" in steps


@pytest.mark.parametrize(
    ("runbook", "warned"),
    [("docs/runbook.md", True), ("https://example.org/docs/runbook.md", False)],
)
def test_a_runbook_that_nobody_can_open_is_warned_of(runbook: str, *, warned: bool) -> None:
    steps = next_steps("dev", OUTPUTS | {"RunbookUrl": runbook})

    assert ("make deploy STAGE=dev RUNBOOK_URL=https://" in steps) is warned
