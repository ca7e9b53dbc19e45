"""One CloudFormation change set: made, looked at, carried out, waited for."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from infra.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

CHANGE_SET_TIMEOUT_SECONDS = 5 * 60
#: Tables and their indexes take minutes; half an hour means that something hangs.
STACK_TIMEOUT_SECONDS = 30 * 60

#: What a failed creation leaves behind: CloudFormation lists it as a stack but never updates it.
CORPSES = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"})
#: A change set that would have created the stack was never carried out.
UNBORN = "REVIEW_IN_PROGRESS"

DELETE_IT = """\
It was never created whole. Delete what is left of it, then deploy again. Its tables are
kept, and no secret is part of it; what tables hold is yours to move or to drop.
  aws cloudformation delete-stack --stack-name {name}
  aws cloudformation wait stack-delete-complete --stack-name {name}"""
WATCH_IT = """\
Wait until it is done, then deploy again.
  aws cloudformation describe-stack-events --stack-name {name}"""


@dataclass(frozen=True, kw_only=True)
class Stack:
    """A stack that CloudFormation has, or shall have."""

    client: "CloudFormationClient"
    name: str
    poll_seconds: float

    def apply(
        self, template_url: str, parameters: Mapping[str, str], say: Callable[[str], None]
    ) -> dict[str, str]:
        """Make the stack be as the template says and return its outputs. Idempotent.

        Raises DeployError, with CloudFormation's own reasons, where that cannot be done;
        CloudFormation has then put back what was before.
        """
        before = self._describe()
        self._require_changeable(before)
        change_set = self._create_change_set(template_url, parameters, before)
        changes = self._await_change_set(change_set)
        say(f"{self.name}: {changes or 'no'} resources to change")
        if changes is not None:
            token = uuid.uuid4().hex
            self.client.execute_change_set(ChangeSetName=change_set, ClientRequestToken=token)
            self._await_stack(token)
        after = self._describe()
        outputs = after.get("Outputs", []) if after else []
        return {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def parameters(self) -> dict[str, str]:
        """Return what the stack was last deployed with; nothing where there is none."""
        stack = self._describe()
        parameters = stack.get("Parameters", []) if stack else []
        return {each["ParameterKey"]: each["ParameterValue"] for each in parameters}

    def _describe(self) -> "StackTypeDef | None":
        try:
            return self.client.describe_stacks(StackName=self.name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in str(error):
                return None
            raise

    def _require_changeable(self, stack: "StackTypeDef | None") -> None:
        status = stack["StackStatus"] if stack else UNBORN
        if status in CORPSES:
            message = f"The stack {self.name} is in {status}: CloudFormation cannot update it."
            raise DeployError(message, hint=DELETE_IT.format(name=self.name))
        if status.endswith("_IN_PROGRESS") and status != UNBORN:
            message = f"The stack {self.name} is in {status}: something else changes it just now."
            raise DeployError(message, hint=WATCH_IT.format(name=self.name))

    def _create_change_set(
        self, template_url: str, parameters: Mapping[str, str], before: "StackTypeDef | None"
    ) -> str:
        exists = before is not None and before["StackStatus"] != UNBORN
        answer = self.client.create_change_set(
            StackName=self.name,
            ChangeSetName=f"hoist-{uuid.uuid4().hex}",
            ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateURL=template_url,
            # Roles (unnamed), and SAM's transform.
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=self._parameters(template_url, parameters, before),
        )
        return answer["Id"]

    def _parameters(
        self, template_url: str, given: Mapping[str, str], before: "StackTypeDef | None"
    ) -> "list[ParameterTypeDef]":
        """List those given; any other keeps the value that it was last deployed with."""
        summary = self.client.get_template_summary(TemplateURL=template_url)
        wanted = {parameter["ParameterKey"] for parameter in summary["Parameters"]}
        had = (
            {parameter["ParameterKey"] for parameter in before.get("Parameters", [])}
            if before
            else set()
        )
        kept: list[ParameterTypeDef] = [
            {"ParameterKey": key, "UsePreviousValue": True}
            for key in sorted(wanted & had - given.keys())
        ]
        return kept + [{"ParameterKey": key, "ParameterValue": given[key]} for key in given]

    def _await_change_set(self, change_set: str) -> int | None:
        """Return how many resources it changes; `None`: it changes nothing, outputs neither."""
        deadline = time.monotonic() + CHANGE_SET_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            found = self.client.describe_change_set(ChangeSetName=change_set)
            if found["Status"] == "CREATE_COMPLETE":
                return len(found["Changes"])
            if found["Status"] == "FAILED":
                self._failed_change_set(change_set, found.get("StatusReason", ""))
                return None
            time.sleep(self.poll_seconds)
        message = f"CloudFormation prepared no change set in {CHANGE_SET_TIMEOUT_SECONDS} s."
        raise DeployError(message, hint="Nothing was changed. Deploy again.")

    def _failed_change_set(self, change_set: str, reason: str) -> None:
        self.client.delete_change_set(ChangeSetName=change_set)
        # CloudFormation calls a change set without changes failed, and only its words tell.
        if "didn't contain changes" in reason or "No updates are to be performed" in reason:
            return
        message = f"CloudFormation refuses the change set: {reason}"
        raise DeployError(message, hint="Nothing was changed.")

    def _await_stack(self, token: str) -> None:
        deadline = time.monotonic() + STACK_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            stack = self._describe()
            status = stack["StackStatus"] if stack else "DELETE_COMPLETE"
            if status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
                return
            if not status.endswith("_IN_PROGRESS"):
                message = f"The stack {self.name} ended in {status}:\n{self._failures(token)}"
                raise DeployError(message)
            time.sleep(self.poll_seconds)
        message = f"The stack {self.name} still changes after {STACK_TIMEOUT_SECONDS} s."
        raise DeployError(message, hint=WATCH_IT.format(name=self.name))

    def _failures(self, token: str) -> str:
        events = self.client.describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(
            f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason')}"
            for event in reversed(events)
            # The token marks the events of this very execution.
            if event["ResourceStatus"].endswith("_FAILED")
            and event.get("ClientRequestToken") == token
        )
