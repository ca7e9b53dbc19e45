"""`python -m infra.restore --stage prod COMMAND`: take a stage's data back to an earlier moment.

docs/restore.md says when, in what order, and what it means. Each command does one step of it, and
changes nothing where it cannot do all of it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.clock import SystemClock
from chalicelib.domain.moment import spell
from chalicelib.ports import Clock
from infra.aws import Aws
from infra.copies import TABLES, Copy, Read, Row, Shelf, broken_chains, trails
from infra.deploy import stack_name
from infra.errors import DeployError
from infra.where import CONFIG, command_line, sentence, stack_outputs, where

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

EPILOG = """
AWS credentials and region are those of the AWS CLI (AWS_PROFILE, AWS_DEFAULT_REGION). They need:
  cloudformation:DescribeStacks            on the stack hoist-<stage>
  lambda:Put-, DeleteFunctionConcurrency   on its functions
  lambda:List-, UpdateEventSourceMapping   of the worker
  dynamodb:Scan, DescribeTable             on its tables and their rewound copies
  dynamodb:PutItem, DeleteItem,
    DescribeContinuousBackups              on its tables
  dynamodb:RestoreTableToPointInTime, and what AWS asks for with it, on both
A copy holds the hashes of all operators' tokens. It is written for your eyes only (mode 600):
keep it so, and delete it when it is not needed any more.
"""

#: What answers requests, and all that acts by itself.
_API = ("Api", "Authorize")
_OTHERS = ("Work", "Watch", "Drift", "NotifyOnCall", "NotifySlack")
_REWOUND = "-rewound"
#: AWS takes ten minutes for an empty table, and hours for a large one.
_REWOUND_WITHIN_SECONDS, _LOOK_EVERY_SECONDS = 4 * 3600, 15.0
_WRITTEN_TO = "Something else writes to them: stop, empty, import again."
#: What is safe after AWS ended a command, which may have done a part of its work.
_AGAIN = "Some of it may be done. It is safe to do again."
_AFTER_A_PART = {
    "export": "Nothing was changed. The folder is no whole copy: delete it, and export again.",
    "rewind": f"Some of the copies may be on their way, or there: delete what is named *{_REWOUND} "
    "before you rewind again. The stage's own tables are as they were.",
    "import": "Some rows may have been put back: empty, and import again.",
    "check": "Nothing was changed. It is safe to do again.",
}
#: A TOTP code's step, and how far a phone's clock may be ahead.
_STEP_SECONDS, _STEPS_AHEAD = 30, 1


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A deployed stage, with somebody's AWS credentials."""

    aws: Aws
    name: str
    #: The stack's.
    outputs: Mapping[str, str]
    clock: Clock = field(default_factory=SystemClock)

    @cached_property
    def shelf(self) -> Shelf:
        """The stage's own tables."""
        client = self.aws.session.client(
            "dynamodb", endpoint_url=self.aws.endpoint_url, config=CONFIG
        )
        names = {table: self.outputs[f"{table.capitalize()}Table"] for table in TABLES}
        return Shelf(client=client, names=names)

    @property
    def rewound(self) -> Shelf:
        """The copies of them that `rewind` makes."""
        names = {table: name + _REWOUND for table, name in self.shelf.names.items()}
        return replace(self.shelf, names=names)

    @cached_property
    def functions(self) -> "LambdaClient":
        """Where they are stopped and started."""
        return self.aws.session.client("lambda", endpoint_url=self.aws.endpoint_url, config=CONFIG)

    def hand_out_wakes(self, *, enabled: bool) -> None:
        """Let the queue call the worker, or not: each call that is refused counts as a delivery."""
        found = self.functions.list_event_source_mappings(FunctionName=self.outputs["WorkFunction"])
        for source in found["EventSourceMappings"]:
            self.functions.update_event_source_mapping(UUID=source["UUID"], Enabled=enabled)


# Commands


def stop(stage: Stage, _: argparse.Namespace) -> None:
    """Let no function of the stage begin any more."""
    stage.hand_out_wakes(enabled=False)
    for function in _API + _OTHERS:
        stage.functions.put_function_concurrency(
            FunctionName=stage.outputs[f"{function}Function"], ReservedConcurrentExecutions=0
        )
    _say(f"{stack_name(stage.name)} is stopped. What runs just now ends within a minute: wait.")


def start(stage: Stage, arguments: argparse.Namespace) -> None:
    """Let the stage's functions begin again: all, or only what answers requests."""
    for function in _API if arguments.api_only else _API + _OTHERS:
        stage.functions.delete_function_concurrency(
            FunctionName=stage.outputs[f"{function}Function"]
        )
    if not arguments.api_only:
        stage.hand_out_wakes(enabled=True)
    which = "The API" if arguments.api_only else "All"
    _say(f"{which} of {stack_name(stage.name)} is started.")


def rewind(stage: Stage, arguments: argparse.Namespace) -> None:
    """Have AWS make copies of the tables as they were at a time, and wait for them."""
    client, ends = stage.shelf.client, time.monotonic() + _REWOUND_WITHIN_SECONDS
    for name in stage.shelf.names.values():
        client.restore_table_to_point_in_time(
            SourceTableName=name,
            TargetTableName=name + _REWOUND,
            RestoreDateTime=arguments.to,
            # Their rows are what is wanted of them.
            GlobalSecondaryIndexOverride=[],
        )
    for name in stage.rewound.names.values():
        while client.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
            if time.monotonic() > ends:
                message = f"{name} is not there after {_REWOUND_WITHIN_SECONDS / 3600:.0f} h."
                raise DeployError(message, hint="It may come yet: aws dynamodb describe-table.")
            time.sleep(_LOOK_EVERY_SECONDS)
    _say(f"The tables as of {spell(arguments.to)} are there, named *{_REWOUND}: export --rewound.")


def export(stage: Stage, arguments: argparse.Namespace) -> None:
    """Write the stage's rows, or those of the rewound copies, into a new folder."""
    shelf = stage.rewound if arguments.rewound else stage.shelf
    copy = Copy(folder=arguments.folder)
    if copy.folder.exists():
        message = f"{copy.folder} is there already: a copy is written into a new folder."
        raise DeployError(message)
    counts = copy.write(shelf.rows, stage=stage.name, at=spell(stage.clock.now()))
    _say(f"{copy.folder}: {_counted(counts)}. For your eyes only.")
    _require_whole(
        copy.rows,
        hint="The copy is kept. Either the tables were written to meanwhile (stop first), or they "
        "are damaged, or the time was amid a transaction (rewind to some seconds before).",
    )


def empty(stage: Stage, arguments: argparse.Namespace) -> None:
    """Delete all rows of the stage's tables, which point-in-time recovery can bring back."""
    if arguments.confirm != stack_name(stage.name):
        message = f"This deletes every row of {stack_name(stage.name)}. Nothing was deleted."
        raise DeployError(message, hint=f"If that is meant: --confirm {stack_name(stage.name)}")
    stage.shelf.require_recoverable()
    now = stage.clock.now()
    counts = {table: stage.shelf.empty(table) for table in TABLES}
    _say(f"Deleted: {_counted(counts)}. They can be had back as of {spell(now)}.")


def put_back(stage: Stage, arguments: argparse.Namespace) -> None:
    """Put a copy's rows into the stage's tables, which must be empty; verify all of it."""
    copy = Copy(folder=arguments.folder)
    wanted = copy.counts()
    _require_whole(copy.rows, hint="Nothing was put back. Choose another copy.")
    stage.shelf.require_empty()
    now = stage.clock.now()
    for table in TABLES:
        prepare = _PREPARE.get(table, _as_it_was)
        stage.shelf.put(table, (prepare(row, now) for row in copy.rows(table)))
    found = {table: sum(1 for _ in stage.shelf.rows(table)) for table in TABLES}
    if found != wanted:
        message = f"Of {_counted(wanted)} the tables have {_counted(found)}."
        raise DeployError(message, hint=_WRITTEN_TO)
    _require_whole(stage.shelf.rows, hint=_WRITTEN_TO)
    _say(f"Put back and verified: {_counted(found)}.")


def check(stage: Stage, _: argparse.Namespace) -> None:
    """Verify the audit chain of every promotion, operator, target, catalogue and of the freezes."""
    _require_whole(
        stage.shelf.rows, hint="See docs/restore.md, or: written to meanwhile? Try again."
    )
    _say("Every audit chain holds.")


def forgotten(_: Stage, arguments: argparse.Namespace) -> None:
    """Print what one copy's audit trails tell and another's do not: what a restore forgets."""
    later, earlier = Copy(folder=arguments.folder), Copy(folder=arguments.earlier)
    known = {subject: len(trail) for subject, trail in trails(earlier.rows).items()}
    for subject, trail in sorted(trails(later.rows).items()):
        for entry in (stored.entry for stored in trail[known.get(subject, 0) :]):
            where = f"  {entry.flag} at {entry.target}" if entry.flag else ""
            print(f"{spell(entry.at)}  {subject}  {entry.action} by {entry.actor}{where}")


COMMANDS: Mapping[str, Callable[[Stage, argparse.Namespace], None]] = {
    "stop": stop,
    "export": export,
    "rewind": rewind,
    "forgotten": forgotten,
    "empty": empty,
    "import": put_back,
    "check": check,
    "start": start,
}


# What is not put back just as it was


def _as_it_was(row: Row, _: datetime) -> Row:
    return row


def _told_already(row: Row, now: datetime) -> Row:
    """An audit entry that was told when it was written: the stream must not tell it again."""
    return row | {"restored_at": {"S": spell(now)}}


def _codes_spent(row: Row, now: datetime) -> Row:
    """An operator none of whose codes up to now works any more: one may have been used since."""
    spent = int(now.timestamp()) // _STEP_SECONDS + _STEPS_AHEAD
    return row | {"last_timecode": {"N": str(spent)}}


_PREPARE: Mapping[str, Callable[[Row, datetime], Row]] = {
    "audit": _told_already,
    "operators": _codes_spent,
}


def _require_whole(read: Read, *, hint: str) -> None:
    wrong = broken_chains(read)
    if wrong:
        message = "\n".join([f"{len(wrong)} audit chains do not hold:", *wrong])
        raise DeployError(message, hint=hint)


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {table}" for table, count in counts.items())


def _say(text: str) -> None:
    print(text, file=sys.stderr)


# The command line


def _stage(arguments: argparse.Namespace) -> Stage:
    name, aws = where(arguments)
    return Stage(aws=aws, name=name, outputs=stack_outputs(aws, name))


def _parser() -> argparse.ArgumentParser:
    parser, commands = command_line(
        "restore",
        description="Take a stage's data back to an earlier moment, step by step.",
        epilog=EPILOG,
        commands=COMMANDS,
    )
    for name, add in _ADD.items():
        add(commands[name])
    return parser


def _add_export(words: argparse.ArgumentParser) -> None:
    words.add_argument("folder", type=Path, help="a new folder")
    words.add_argument("--rewound", action="store_true", help="the copies that `rewind` made")


def _add_forgotten(words: argparse.ArgumentParser) -> None:
    words.add_argument("folder", type=Path, help="the copy of what was there last")
    words.add_argument("earlier", type=Path, help="the copy that is put back")


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        message = f"{text} needs an offset, as in 2026-11-22T08:00:00Z"
        raise argparse.ArgumentTypeError(message)
    return at.astimezone(UTC)


_ADD: Mapping[str, Callable[[argparse.ArgumentParser], object]] = {
    "start": lambda words: words.add_argument(
        "--api-only", action="store_true", help="only what answers requests"
    ),
    "rewind": lambda words: words.add_argument("--to", type=_time, required=True, metavar="TIME"),
    "export": _add_export,
    "forgotten": _add_forgotten,
    "empty": lambda words: words.add_argument("--confirm", metavar="STACK"),
    "import": lambda words: words.add_argument("folder", type=Path, help="a copy"),
}


def main(words: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    arguments = _parser().parse_args(words)
    stage = None
    try:
        stage = _stage(arguments)
        COMMANDS[arguments.command](stage, arguments)
    except DeployError as error:
        _say(str(error))
        return 1
    except (ClientError, BotoCoreError) as error:
        _say(sentence(error))
        if stage:
            _say(_AFTER_A_PART.get(arguments.command, _AGAIN))
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
