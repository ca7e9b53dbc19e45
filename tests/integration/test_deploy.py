"""A deployment, by MiniStack's CloudFormation; and what it refuses, in CloudFormation's words."""

import json
import socket
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from infra.aws import Aws
from infra.changeset import Stack
from infra.deploy import checked_out, deploy
from infra.errors import DeployError
from infra.package import Bundle
from infra.template import merge_template
from local.ministack import MiniStack

OURS = merge_template()
PARAMETERS = OURS["Parameters"]
URL = "https://bucket.example/template.json"


@dataclass
class Site:
    """A stage that is deployed to a CloudFormation, of queues alone."""

    aws: Aws
    bundle: Bundle
    said: list[str] = field(default_factory=list)

    def deploy(self, queues: int, **parameters: str) -> Mapping[str, str]:
        template = {
            "Parameters": PARAMETERS,
            "Resources": {f"Queue{n}": {"Type": "AWS::SQS::Queue"} for n in range(queues)},
            "Outputs": {name: {"Value": {"Ref": name}} for name in PARAMETERS},
        }
        self.bundle.template.write_text(json.dumps(template))
        return deploy(
            self.aws, self.bundle, stage="dev", parameters=parameters, say=self.said.append
        )


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    directory = tmp_path_factory.mktemp("ministack")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    ministack = MiniStack.start(port, state=directory / "state", log=directory / "log")
    try:
        ministack.wait_until_answering()
        yield ministack
    finally:
        ministack.child.stop()


@pytest.fixture
def site(engine: MiniStack, tmp_path: Path) -> Iterator[Site]:
    bundle = Bundle(template=tmp_path / "sam.json", archive=tmp_path / "deployment.zip")
    bundle.archive.write_bytes(b"code")
    yield Site(engine.aws, bundle)
    client = engine.aws.session.client("cloudformation", endpoint_url=engine.url)
    client.delete_stack(StackName="hoist-dev")


def test_a_stage_is_made_and_changed_and_left_alone_where_nothing_differs(site: Site) -> None:
    site.deploy(1)
    site.deploy(3)
    outputs = site.deploy(3)

    assert site.said == [
        "hoist-dev: 1 resources to change",
        "hoist-dev: 2 resources to change",
        "hoist-dev: no resources to change",
    ]
    assert outputs["Stage"] == "dev"


def test_the_stack_remembers_what_it_was_once_deployed_with(site: Site) -> None:
    site.deploy(1, RunbookUrl="https://example.org/runbook")

    assert site.deploy(2)["RunbookUrl"] == "https://example.org/runbook"


def test_the_stack_says_which_commit_runs_and_which_ran_before(site: Site) -> None:
    def commits(outputs: Mapping[str, str]) -> tuple[str, str]:
        return outputs["Commit"], outputs["CommitBefore"]

    assert commits(site.deploy(1, Commit="a1")) == ("a1", "unknown")
    assert commits(site.deploy(2, Commit="b2")) == ("b2", "a1")
    # The same once more is no other deployment.
    assert commits(site.deploy(3, Commit="b2")) == ("b2", "a1")
    # Rolled back, and forward.
    assert commits(site.deploy(2, Commit="a1")) == ("a1", "b2")
    assert commits(site.deploy(3, Commit="c3")) == ("c3", "a1")


def test_the_template_says_so_too() -> None:
    assert {"Commit", "CommitBefore"} <= OURS["Outputs"].keys() & PARAMETERS.keys()


def test_the_commit_is_what_git_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def git(*words: str) -> str:
        command = ["git", "-c", "user.name=kim", "-c", "user.email=kim@example.org", *words]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    monkeypatch.setattr("infra.deploy.ROOT", tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert checked_out() == "unknown"
    git("init", "--quiet")
    (tmp_path / "app.py").write_text("first")
    git("add", "app.py")
    git("commit", "--quiet", "--message", "first")
    git("tag", "v1")

    assert checked_out() == git("rev-parse", "HEAD")
    (tmp_path / "app.py").write_text("second")
    assert checked_out() == git("rev-parse", "HEAD") + "-dirty"
    monkeypatch.setenv("PATH", "")
    assert checked_out() == "unknown"


# What CloudFormation refuses: its words, for MiniStack has others, and never refuses most of it


@dataclass
class Refusing:
    """A stack of CloudFormation that answers as it is told to; held to botocore's model of it."""

    stubber: Stubber
    stack: Stack

    def describes(self, status: str) -> None:
        stack = {
            "StackName": "hoist-dev",
            "StackStatus": status,
            "CreationTime": datetime(2026, 5, 9, tzinfo=UTC),
        }
        self.stubber.add_response("describe_stacks", {"Stacks": [stack]})

    def prepares(self, status: str, reason: str = "") -> None:
        self.stubber.add_response("get_template_summary", {"Parameters": []}, {"TemplateURL": URL})
        self.stubber.add_response("create_change_set", {"Id": "arn:change-set"})
        answer = {"Status": status, "StatusReason": reason, "Changes": [{"Type": "Resource"}]}
        self.stubber.add_response("describe_change_set", answer)

    def carries_out(self) -> None:
        expected = {"ChangeSetName": "arn:change-set", "ClientRequestToken": ANY}
        self.stubber.add_response("execute_change_set", {}, expected)

    def apply(self) -> str:
        """The error that comes of it, once all that was to be asked has been."""
        with pytest.raises(DeployError) as refused:
            self.stack.apply(URL, {}, lambda _: None)
        self.stubber.assert_no_pending_responses()
        return str(refused.value)


@pytest.fixture
def refusing() -> Iterator[Refusing]:
    client = boto3.client(
        "cloudformation",
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    with Stubber(client) as stubber:
        yield Refusing(stubber, Stack(client=client, name="hoist-dev", poll_seconds=0))


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"])
def test_what_was_never_created_whole_has_to_be_deleted_first(
    refusing: Refusing, status: str
) -> None:
    refusing.describes(status)

    told = refusing.apply()

    assert told.startswith(f"The stack hoist-dev is in {status}: ")
    assert "aws cloudformation delete-stack --stack-name hoist-dev" in told


def test_what_changes_just_now_is_waited_for(refusing: Refusing) -> None:
    refusing.describes("UPDATE_IN_PROGRESS")

    told = refusing.apply()

    assert "something else changes it just now" in told
    assert "Wait until it is done, then deploy again." in told


def test_a_change_set_that_is_refused_says_why(refusing: Refusing) -> None:
    refusing.describes("UPDATE_COMPLETE")
    refusing.prepares("FAILED", "Template error: no such resource")
    refusing.stubber.add_response("delete_change_set", {}, {"ChangeSetName": "arn:change-set"})

    assert refusing.apply() == (
        "CloudFormation refuses the change set: Template error: no such resource\n"
        "Nothing was changed."
    )


@pytest.mark.parametrize(
    "reason",
    [
        "The submitted information didn't contain changes. Submit different information.",
        "No updates are to be performed.",
    ],
)
def test_a_change_set_without_changes_is_no_failure(refusing: Refusing, reason: str) -> None:
    refusing.describes("UPDATE_COMPLETE")
    refusing.prepares("FAILED", reason)
    refusing.stubber.add_response("delete_change_set", {})
    refusing.describes("UPDATE_COMPLETE")

    assert refusing.stack.apply(URL, {}, lambda _: None) == {}
    refusing.stubber.assert_no_pending_responses()


def test_an_update_that_failed_names_what_failed_this_time(
    refusing: Refusing, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = uuid.UUID(int=7)
    monkeypatch.setattr("uuid.uuid4", lambda: token)
    refusing.describes("UPDATE_COMPLETE")
    refusing.prepares("CREATE_COMPLETE")
    refusing.carries_out()
    refusing.describes("UPDATE_ROLLBACK_IN_PROGRESS")
    refusing.describes("UPDATE_ROLLBACK_COMPLETE")
    event: dict[str, Any] = {
        "StackId": "arn:stack",
        "StackName": "hoist-dev",
        "Timestamp": datetime(2026, 5, 9, tzinfo=UTC),
        "ResourceStatus": "UPDATE_FAILED",
    }
    this_time = {"ClientRequestToken": token.hex}
    events = [
        event | this_time | {"EventId": "3", "LogicalResourceId": "Work"},
        event
        | this_time
        | {"EventId": "2", "LogicalResourceId": "Table", "ResourceStatusReason": "No more tables"},
        event | {"EventId": "1", "LogicalResourceId": "Queue", "ResourceStatusReason": "Earlier"},
    ]
    refusing.stubber.add_response("describe_stack_events", {"StackEvents": events})

    assert refusing.apply() == (
        "The stack hoist-dev ended in UPDATE_ROLLBACK_COMPLETE:\n"
        "  Table: No more tables\n"
        "  Work: no reason"
    )
