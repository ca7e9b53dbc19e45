"""The Lambdas' roles as they are deployed: what their policies say, and AWS called as each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore.config import Config

from chalicelib.adapters.parameters import heroku_token, slack_webhook_url, totp_secret
from chalicelib.domain.operator import Role
from infra.aws import Aws
from infra.deploy import stack_name
from local.directions import NAMES
from local.installation import STAGE
from local.stack import LocalStack

#: The template's output that names the function, by its name in app.py.
FUNCTIONS: Mapping[str, str] = {
    "api": "ApiFunction",
    "authorize": "AuthorizeFunction",
    "work": "WorkFunction",
    "watch": "WatchFunction",
    "drift": "DriftFunction",
    "notify_slack": "NotifySlackFunction",
    "notify_on_call": "NotifyOnCallFunction",
}

#: What secrets are called, by what the tests call them: CloudFormation knows none of them.
PARAMETERS: Mapping[str, str] = {
    "HerokuToken": heroku_token(STAGE),
    "SlackWebhook": slack_webhook_url(STAGE),
    "TotpSecrets": totp_secret(STAGE, NAMES[Role.PROMOTER]),
}

#: An action, and the logical id of what it is done to: a part of a table as `Table/index/open`.
Grant = tuple[str, str]

#: A refusal is an answer here: asked once, it is given once.
_ONCE = Config(retries={"total_max_attempts": 1})
#: What follows a table's name in the ARN of an index or of the stream; the stream's date is left.
_PART_OF_A_TABLE = re.compile(r"/(index/\w+|stream)")


@dataclass(frozen=True)
class Principal:
    """Somebody who calls AWS: a role, or root. Makes one client a service."""

    session: boto3.Session
    endpoint_url: str | None
    _clients: dict[str, Any] = field(default_factory=dict)

    def __call__(self, service: str) -> Any:  # noqa: ANN401 - any service's client
        """The service, called as this principal."""
        if service not in self._clients:
            self._clients[service] = self.session.client(  # type: ignore[call-overload]
                service, endpoint_url=self.endpoint_url, config=_ONCE
            )
        return self._clients[service]


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What CloudFormation made in a local stack, and who may do what to it."""

    stack: LocalStack

    @property
    def aws(self) -> Aws:
        """Root's AWS."""
        return self.stack.ministack.aws

    @cached_property
    def root(self) -> Principal:
        """Who may do everything."""
        return Principal(self.aws.session, self.aws.endpoint_url)

    @cached_property
    def account(self) -> str:
        """The account's number."""
        return str(self.root("sts").get_caller_identity()["Account"])

    @cached_property
    def resources(self) -> Mapping[str, tuple[str, str]]:
        """Type and physical name of everything, by logical id; and what has none."""
        name = stack_name(STAGE)
        found = self.root("cloudformation").describe_stack_resources(StackName=name)
        made = {
            each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"])
            for each in found["StackResources"]
        }
        bucket = f"hoist-artifacts-{self.account}-{self.aws.session.region_name}"
        return {
            **made,
            "Stack": ("AWS::CloudFormation::Stack", name),
            "Artifacts": ("AWS::S3::Bucket", bucket),
            **{name: ("AWS::SSM::Parameter", path) for name, path in PARAMETERS.items()},
        }

    def name(self, logical: str) -> str:
        """What calls name a resource by; of an index, its table's name."""
        return self.resources[logical.partition("/")[0]][1]

    def role_name(self, role: str) -> str:
        """The name of the role that the function runs under."""
        function = self.stack.outputs[FUNCTIONS[role]]
        configuration = self.root("lambda").get_function_configuration(FunctionName=function)
        return str(configuration["Role"].rpartition("/")[2])

    def assume(self, role: str) -> Principal:
        """Become the function's role, with the rights that its policy gives and no others."""
        given = self.root("sts").assume_role(
            RoleArn=f"arn:aws:iam::{self.account}:role/{self.role_name(role)}",
            RoleSessionName="test",
        )["Credentials"]
        session = boto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=self.aws.session.region_name,
        )
        return Principal(session, self.aws.endpoint_url)

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Every statement of the role's deployed policies."""
        iam, name = self.root("iam"), self.role_name(role)
        attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
        assert not attached, "policies beside the role's own are not read here"
        return [
            statement
            for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
            for statement in iam.get_role_policy(RoleName=name, PolicyName=policy)[
                "PolicyDocument"
            ]["Statement"]
        ]

    def grants(self, role: str) -> Iterator[Grant]:
        """Every action that the role's deployed policies allow, with what it is allowed on."""
        for statement in self.statements(role):
            # Anything cleverer than a list of actions on a list of resources has to be read anew.
            assert statement.keys() <= {"Sid", "Effect", "Action", "Resource", "Condition"}
            assert statement["Effect"] == "Allow"
            for action in _listed(statement["Action"]):
                for arn in _listed(statement["Resource"]):
                    yield action, self._logical(arn)

    def _logical(self, arn: str) -> str:
        """The logical id of what an ARN names; the ARN itself where it is none of the stack's."""
        named = arn.split(":", 5)[-1]
        fitting = {
            logical: len(_last(name))
            for logical, (_, name) in self.resources.items()
            if _last(name) in named or _under(named, name)
        }
        if not fitting:
            return arn
        logical = max(fitting, key=fitting.__getitem__)
        part = _PART_OF_A_TABLE.search(named)
        return f"{logical}/{part[1]}" if part else logical


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _under(pattern: str, name: str) -> bool:
    """Is it a parameter that the pattern ends in a `*` for?"""
    return pattern.endswith("/*") and f"parameter{name}".startswith(pattern[:-1])


def _last(name: str) -> str:
    """A physical name as it stands in an ARN: of a queue's URL and of an ARN, the last part."""
    if name.startswith("http"):
        return name.rpartition("/")[2]
    return name.rpartition(":")[2] if name.startswith("arn:") else name
