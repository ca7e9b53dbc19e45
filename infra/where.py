"""Where a command acts: at a stage that is deployed, or at a local stack that runs."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from infra.aws import Aws
from infra.deploy import stack_name
from infra.errors import DeployError
from infra.paths import require_stage
from local import directions
from local.ministack import root

CONNECT_SECONDS, READ_SECONDS, TRIES = 5, 10, 3
CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": TRIES},
)

#: The stage that `make run` deploys.
LOCAL_STAGE = "local"
DEPLOY = "make deploy STAGE={stage}"


def command_line(
    tool: str, *, description: str, epilog: str, commands: Mapping[str, Callable[..., object]]
) -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """A parser of one of these commands somewhere (see `where`), and that of each command.

    What a command does is told by the first line of its function's docstring.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m infra.{tool}",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_where(parser)
    added = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    told = {name: (command.__doc__ or "").split("\n", 1)[0] for name, command in commands.items()}
    each = {
        name: added.add_parser(name, help=does, description=does) for name, does in told.items()
    }
    return parser, each


def _add_where(parser: argparse.ArgumentParser) -> None:
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--stage", help="a stage of .chalice/config.json that is deployed")
    where.add_argument("--state", type=Path, help="the state of a local stack that runs: .hoist")


def where(arguments: argparse.Namespace) -> tuple[str, Aws]:
    """The stage's name and its AWS, as `--stage` or `--state` says.

    Raises DeployError where there is no such stage, or no local stack has run.
    """
    if arguments.state is None:
        return require_stage(arguments.stage), Aws(session=boto3.Session())
    file = arguments.state / directions.FILE
    here = directions.read(file)
    if here is None:
        message = f"There is no {file}."
        raise DeployError(message, hint="Start a stack first: make run")
    return LOCAL_STAGE, root(here.ministack)


def stack_outputs(aws: Aws, stage: str) -> Mapping[str, str]:
    """What CloudFormation made for the stage. Raises DeployError where there is no such stack."""
    client = aws.session.client("cloudformation", endpoint_url=aws.endpoint_url, config=CONFIG)
    try:
        stack = client.describe_stacks(StackName=stack_name(stage))["Stacks"][0]
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        message = f"There is no stack {stack_name(stage)} in this account and region."
        raise DeployError(message, hint=DEPLOY.format(stage=stage)) from error
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}


def sentence(error: Exception) -> str:
    """What happened, and what to do about it where that is known."""
    if isinstance(error, (NoCredentialsError, NoRegionError)):
        return f"{error}\nLog in as for the AWS CLI: AWS_PROFILE and AWS_DEFAULT_REGION."
    if isinstance(error, EndpointConnectionError):
        return f"{error}\nIf it is a local stack, it has to run: make run"
    return str(error)
