"""`python -m infra.operators --stage prod add pat --role promoter`: who may call Hoist.

It writes to a stage's tables with AWS credentials, in place of the API: somebody has to be the
first operator, and somebody has to help where no superadmin can.
"""

import argparse
import secrets
import sys
from collections.abc import Callable, Sequence
from datetime import datetime

import pyotp
import segno
from botocore.exceptions import BotoCoreError, ClientError
from pynamodb.exceptions import PynamoDBException

from chalicelib.adapters.dynamodb.tables import code_of
from chalicelib.domain.audit import AuditEntry
from chalicelib.domain.errors import HoistError, TryAgain
from chalicelib.domain.moment import spell
from chalicelib.domain.operator import PERIOD, Operator, Role
from chalicelib.domain.record import verify_record
from chalicelib.usecases.operators import ListedOperator, listed, wanted
from chalicelib.usecases.operators_by_hand import (
    AddOperator,
    Credentials,
    DisableOperator,
    EnableOperator,
    NewOperator,
    ResetTotp,
    RotateToken,
    UnlockByHand,
)
from infra.errors import DeployError
from infra.office import Office
from infra.where import command_line, sentence, stack_outputs, where

EPILOG = """
AWS credentials and region are those of the AWS CLI (AWS_PROFILE, AWS_DEFAULT_REGION). They need:
  cloudformation:DescribeStacks       on the stack hoist-<stage>
  dynamodb:GetItem, UpdateItem, Scan  on its operators table
  dynamodb:PutItem, Query             on its audit table
  ssm:PutParameter                    on /hoist/<stage>/totp/*, to add or reset
Whoever has these may become any operator: grant them to few, and to nobody in daily work.
Every change is audited as done by aws:<their identity>.
"""


class BrokenTrailError(Exception):
    """Somebody changed an audit trail, or the record that it explains, behind Hoist's back."""


#: What is told as a sentence. Anything else is a bug, and looks like one.
_TOLD = (DeployError, BrokenTrailError, HoistError, PynamoDBException, ClientError, BotoCoreError)

_ONCE = "It is shown this once, and kept nowhere. Hand it over so that nobody else reads it."
_PEOPLE = tuple(role.value for role in Role if role is not Role.SERVICE)


# Commands


def add(office: Office, arguments: argparse.Namespace) -> None:
    """Enter an operator or a service, and print what they need to call."""
    role = Role.SERVICE if arguments.service else Role(arguments.role)
    up_to = Role(arguments.up_to or Role.PROMOTER)
    new = NewOperator(name=arguments.name, role=role, up_to=up_to)
    enter = AddOperator(
        operators=office.operators, clock=office.clock, totp_secrets=office.totp_secrets
    )
    credentials = _invent()
    operator = enter(new, credentials, actor=office.actor)
    _say(f"{operator.name} is added: {_what(listed(operator, office.clock.now()))}.")
    _print_token(operator, credentials)
    if role is not Role.SERVICE:
        _print_second_factor(operator, credentials, office.stage)


def rotate(office: Office, arguments: argparse.Namespace) -> None:
    """Replace an operator's token, and print the new one."""
    change = RotateToken(operators=office.operators, clock=office.clock)
    credentials = _invent()
    operator = change(arguments.name, credentials, actor=office.actor)
    _say(f"{operator.name} has a new token. The old one opens nothing any more.")
    _say_locked(operator, office.clock.now())
    _print_token(operator, credentials)


def reset(office: Office, arguments: argparse.Namespace) -> None:
    """Replace an operator's second factor, unlock them, and print the new one."""
    change = ResetTotp(
        operators=office.operators, clock=office.clock, totp_secrets=office.totp_secrets
    )
    credentials = _invent()
    operator = change(arguments.name, credentials, actor=office.actor)
    _say(f"{operator.name} has a new second factor. Codes of the old one are wrong from now on.")
    _print_second_factor(operator, credentials, office.stage)


def disable(office: Office, arguments: argparse.Namespace) -> None:
    """Let an operator's token and codes count for nothing."""
    change = DisableOperator(operators=office.operators, clock=office.clock)
    operator = change(arguments.name, arguments.reason, actor=office.actor)
    _say(f"{operator.name} is disabled, from the next call on.")


def enable(office: Office, arguments: argparse.Namespace) -> None:
    """Take a disabled operator's token and codes again."""
    change = EnableOperator(operators=office.operators, clock=office.clock)
    operator = change(arguments.name, actor=office.actor)
    _say(f"{operator.name} is enabled.")
    _say_locked(operator, office.clock.now())


def unlock(office: Office, arguments: argparse.Namespace) -> None:
    """Forgive an operator's wrong codes, where no superadmin can."""
    change = UnlockByHand(operators=office.operators, clock=office.clock)
    operator = change(arguments.name, actor=office.actor, reason=arguments.reason)
    _say(f"{operator.name} is not locked out. If the wrong codes were not theirs: rotate.")


def list_all(office: Office, _arguments: argparse.Namespace) -> None:
    """Print every operator, by name."""
    now = office.clock.now()
    for operator in office.operators.all():
        print(f"{operator.name:20} {_what(listed(operator, now))}")


def audit(office: Office, arguments: argparse.Namespace) -> None:
    """Print what was done to an operator's record, and whether the trail is whole.

    Raises BrokenTrailError where it is not.
    """
    operator = wanted(office.operators, arguments.name)
    # What was written since the record was read is not of its version.
    stored = office.promotions.trail(operator.subject)[: operator.version]
    for each in stored:
        print(_told(each.entry))
    verification = verify_record(operator, stored)
    if not verification.verified:
        message = f"The trail is NOT whole. Entry {verification.broken_at}: {verification.reason}."
        raise BrokenTrailError(message)
    _say(f"The trail is whole: {len(stored)} entries.")


COMMANDS: dict[str, Callable[[Office, argparse.Namespace], None]] = {
    "add": add,
    "rotate": rotate,
    "reset": reset,
    "disable": disable,
    "enable": enable,
    "unlock": unlock,
    "list": list_all,
    "audit": audit,
}


# What is printed: secrets and what was asked for to stdout, all else to stderr.


def _invent() -> Credentials:
    return Credentials(
        token_secret=secrets.token_urlsafe(32),
        totp_secret=pyotp.random_base32(),
    )


def _print_token(operator: Operator, credentials: Credentials) -> None:
    print(f"Token of {operator.name}. {_ONCE}")
    print(f"\n  {operator.name}.{credentials.token_secret}\n")


def _print_second_factor(operator: Operator, credentials: Credentials, stage: str) -> None:
    totp = pyotp.TOTP(credentials.totp_secret)
    uri = totp.provisioning_uri(name=operator.name, issuer_name=f"Hoist {stage}")
    print(f"Second factor of {operator.name}, for an authenticator app. {_ONCE}")
    print(f"\n  {uri}\n")
    if sys.stdout.isatty():
        segno.make(uri).terminal(sys.stdout, compact=True)


def _what(operator: ListedOperator) -> str:
    words = [f"service, up to {operator.up_to}" if operator.up_to else operator.role.value]
    if operator.disabled:
        words.append("disabled")
    if operator.locked_until:
        words.append(f"locked out until {spell(operator.locked_until)}")
    if operator.wrong_codes:
        words.append(f"{operator.wrong_codes} wrong codes in {PERIOD.days} days")
    return ", ".join(words)


def _told(entry: AuditEntry) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in entry.facts.items())
    head = f"{entry.version:4}  {spell(entry.at)}  {entry.action:17} by {entry.actor}"
    return f"{head}  {facts}".rstrip()


def _say_locked(operator: Operator, now: datetime) -> None:
    if operator.locked(now):
        _say(
            f"No code of theirs is looked at until {operator.locked_until:%Y-%m-%d %H:%MZ}: unlock."
        )


def _say(text: str) -> None:
    print(text, file=sys.stderr)


# The command line


def _office(arguments: argparse.Namespace) -> Office:
    stage, aws = where(arguments)
    return Office(aws=aws, stage=stage, outputs=stack_outputs(aws, stage))


def _parser() -> argparse.ArgumentParser:
    parser, commands = command_line(
        "operators", description="Say who may call Hoist.", epilog=EPILOG, commands=COMMANDS
    )
    for name, words in commands.items():
        if name != "list":
            words.add_argument("name", help="the operator")
        if name in {"disable", "unlock"}:
            words.add_argument("--reason", required=name == "disable", help="why, for the audit")
        if name == "add":
            _add_roles(words)
    return parser


def _add_roles(words: argparse.ArgumentParser) -> None:
    kind = words.add_mutually_exclusive_group(required=True)
    kind.add_argument("--role", choices=_PEOPLE)
    kind.add_argument("--service", action="store_true", help="a program that acts for operators")
    words.add_argument(
        "--up-to",
        choices=_PEOPLE,
        help="the highest role that a service may use for others (default: promoter)",
    )


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    parser = _parser()
    arguments = parser.parse_args(words)
    if arguments.command == "add" and arguments.up_to and not arguments.service:
        parser.error("--up-to is for a service")
    try:
        COMMANDS[arguments.command](_office(arguments), arguments)
    except _TOLD as error:
        _say(_sentence(error))
        return 1
    return 0


def _sentence(error: Exception) -> str:
    """What happened, and what to do about it."""
    if isinstance(error, PynamoDBException):
        return f"DynamoDB refuses ({code_of(error)}). Nothing was changed."
    if isinstance(error, TryAgain):
        return f"{error} Whether anything was changed is not known: `audit` shows it."
    return sentence(error)


if __name__ == "__main__":
    raise SystemExit(main())
