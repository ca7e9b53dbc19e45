"""`python -m infra.deploy --stage prod`: package a stage and make CloudFormation have it so."""

import argparse
import subprocess
import sys
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from chalicelib.adapters.parameters import heroku_token, slack_webhook_url
from infra.artifacts import upload
from infra.aws import Aws
from infra.changeset import Stack
from infra.errors import DeployError
from infra.package import Bundle, package
from infra.paths import ROOT

NEXT_STEPS = """
Next:
  1. Give Hoist its Heroku token, if it does not have it yet (scope: write-protected). Type this,
     then paste the token, which does not show, and end the line:
       read -rs SECRET && printf %s "$SECRET" | aws ssm put-parameter --type SecureString \\
         --overwrite --value file:///dev/stdin --name {heroku_token}
  2. Tell it where to post in Slack, if it does not know yet, likewise: an incoming webhook's URL.
       read -rs SECRET && printf %s "$SECRET" | aws ssm put-parameter --type SecureString \\
         --overwrite --value file:///dev/stdin --name {slack_webhook_url}
  3. Subscribe whoever is on call to alerts and alarms (PagerDuty, Chatbot; an address for now:
     make deploy STAGE={stage} ON_CALL_EMAIL=...):
       aws sns subscribe --topic-arn {OnCallTopicArn} --protocol https --notification-endpoint ...
  4. Enter the first operator, a superadmin; the token and the QR code are shown once:
       make operator STAGE={stage} ARGS="add <name> --role superadmin"
  5. List the Heroku apps that it may change, with that operator's token:
       curl -X PUT {ApiUrl}/targets/my-app -H "Authorization: Bearer $TOKEN" \\
         -H 'Content-Type: application/json' -d '{{}}'
  6. See whether it answers:
       curl {ApiUrl}/health
"""
LEADS_NOWHERE = """\
Alarms, notices and problems link to {RunbookUrl}, which leads nowhere. Say once where people can
read it; the stack remembers:
       make deploy STAGE={stage} RUNBOOK_URL=https://.../docs/runbook.md
"""


def stack_name(stage: str) -> str:
    """Return what CloudFormation calls the stage."""
    return f"hoist-{stage}"


def deploy(
    aws: Aws,
    bundle: Bundle,
    *,
    stage: str,
    parameters: Mapping[str, str],
    say: Callable[[str], None] = print,
) -> dict[str, str]:
    """Deploy the bundle as the stack `hoist-<stage>` and return the stack's outputs. Idempotent.

    Raises DeployError; what was deployed before then stays.
    """
    template_url = upload(aws, bundle)
    stack = Stack(
        client=aws.session.client("cloudformation", endpoint_url=aws.endpoint_url),
        name=stack_name(stage),
        poll_seconds=aws.poll_seconds,
    )
    before = stack.parameters().get("Commit")
    replaced = {} if before in {None, parameters.get("Commit")} else {"CommitBefore": before}
    return stack.apply(template_url, {"Stage": stage, **replaced, **parameters}, say)


def checked_out() -> str:
    """Return the commit that is checked out, with `-dirty` where its files were changed.

    `unknown` where this is no checkout, or git is not installed.
    """
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run([*command, "--abbrev=40"], check=True, capture_output=True, text=True)  # noqa: S603 - no word of it is a user's
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def next_steps(stage: str, outputs: Mapping[str, str]) -> str:
    """Return what is left to do by hand once the stage is deployed, and how."""
    relative = not urlsplit(outputs["RunbookUrl"]).scheme
    text = NEXT_STEPS + (f"\n{LEADS_NOWHERE}" if relative else "")
    return text.format(
        stage=stage,
        heroku_token=heroku_token(stage),
        slack_webhook_url=slack_webhook_url(stage),
        **outputs,
    )


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        message = f"{text!r} is not NAME=VALUE"
        raise argparse.ArgumentTypeError(message)
    return name, value


def main() -> int:
    """Deploy a stage to AWS, with the credentials and region that the AWS CLI would use."""
    parser = argparse.ArgumentParser(prog="python -m infra.deploy", description=main.__doc__)
    parser.add_argument("--stage", required=True, help="a stage of .chalice/config.json")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        type=_parameter,
        metavar="NAME=VALUE",
        help="a parameter of the template, such as RunbookUrl; repeatable, remembered by the stack",
    )
    arguments = parser.parse_args()
    try:
        aws = Aws(session=boto3.Session())
        bundle = package(arguments.stage)
        outputs = deploy(
            aws,
            bundle,
            stage=arguments.stage,
            parameters={"Commit": checked_out(), **dict(arguments.parameter)},
        )
    except (NoCredentialsError, NoRegionError) as error:
        advice = "Log in as for the AWS CLI: AWS_PROFILE and AWS_DEFAULT_REGION."
        print(f"{error}\n{advice}", file=sys.stderr)
        return 1
    except (DeployError, ClientError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    for name, value in sorted(outputs.items()):
        print(f"{name:22} {value}")
    print(next_steps(arguments.stage, outputs))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
