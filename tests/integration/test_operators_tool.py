"""`python -m infra.operators`: what it writes, what it prints, and what it keeps to itself."""

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pyotp
import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError, NoRegionError
from botocore.stub import Stubber

from chalicelib.adapters.dynamodb import DynamoDBOperators, DynamoDBPromotionStore, Tables
from chalicelib.adapters.parameters import totp_secret
from chalicelib.adapters.totp import ParameterTotpSecrets, PyotpSecondFactor
from chalicelib.domain.audit import Action
from chalicelib.domain.errors import Unavailable
from chalicelib.domain.operator import Caller, Operator, Role
from chalicelib.ports import SecondFactor
from chalicelib.usecases.authorize import Authorize
from infra import operators as tool
from infra.aws import Aws
from infra.errors import DeployError
from infra.office import Office
from infra.where import stack_outputs
from local.directions import Directions
from tests.factories import KIM, SAM, an_operator
from tests.fakes import START, FakeClock

TOKEN = re.compile(r"^  ([\w-]+)\.([\w-]+)$", re.MULTILINE)
URI = re.compile(r"^  (otpauth://\S+)$", re.MULTILINE)


class Terminal(io.StringIO):
    """A stdout that a person reads."""

    def isatty(self) -> bool:
        return True


@dataclass
class Run:
    """What one call of the tool answered."""

    status: int
    stdout: str
    stderr: str

    @property
    def token(self) -> tuple[str, str]:
        found = TOKEN.search(self.stdout)
        assert found
        return found[1], found[2]

    @property
    def uri(self) -> str:
        found = URI.search(self.stdout)
        assert found
        return found[1]


@dataclass
class Stage:
    """A deployed stage, and the tool at its door."""

    tables: Tables
    capsys: pytest.CaptureFixture[str]

    @property
    def operators(self) -> DynamoDBOperators:
        return DynamoDBOperators(self.tables)

    @property
    def outputs(self) -> dict[str, str]:
        names = vars(self.tables.names)
        return {f"{name.capitalize()}Table": table for name, table in names.items()}

    def __call__(self, words: str) -> Run:
        status = tool.main(["--stage", "prod", *words.split()])
        return Run(status, *self.capsys.readouterr())

    def operator(self, name: str = "kim") -> Operator:
        operator = self.operators.get(name)
        assert operator is not None
        return operator

    def caller(self, run: Run) -> Caller | None:
        """Whom the printed token belongs to."""
        return Authorize(operators=self.operators)(f"Bearer {'.'.join(run.token)}")

    def accepts(self, run: Run, name: str = "kim", by: SecondFactor | None = None) -> bool:
        """Does Hoist take a code of the printed second factor?"""
        factor = by or PyotpSecondFactor(client=lambda: boto3.client("ssm"), stage="prod")
        totp = pyotp.parse_uri(run.uri)
        assert isinstance(totp, pyotp.TOTP)
        code, now = totp.at(START), FakeClock().now()
        return factor.timecode(self.operator(name), code, at=now) is not None

    def told(self, name: str = "kim") -> list[tuple[str, str]]:
        trail = DynamoDBPromotionStore(self.tables).trail(f"operator:{name}")
        return [(each.entry.actor, each.entry.action) for each in trail]


@pytest.fixture
def stage(
    tables: Tables,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    stage = Stage(tables, capsys)

    def outputs(_aws: Aws, _stage: str) -> Mapping[str, str]:
        return stage.outputs

    # moto's CloudFormation is not installed; `stack_outputs` is tested below.
    monkeypatch.setattr(tool, "stack_outputs", outputs)
    return stage


# Adding


def test_who_is_added_may_call_and_prove_themselves(stage: Stage) -> None:
    run = stage("add kim --role promoter")

    assert run.status == 0
    assert stage.caller(run) == KIM
    assert stage.accepts(run)


def test_the_authenticator_app_shows_whose_and_where_it_is(stage: Stage) -> None:
    uri = stage("add kim --role promoter").uri

    parsed = pyotp.parse_uri(uri)
    assert (parsed.name, parsed.issuer) == ("kim", "Hoist prod")


def test_a_service_gets_a_token_and_no_second_factor(stage: Stage) -> None:
    run = stage("add console --service --up-to viewer")

    assert stage.caller(run) == Caller(name="console", role=Role.SERVICE)
    assert stage.operator("console").up_to is Role.VIEWER
    assert "otpauth" not in run.stdout


def test_a_service_acts_for_promoters_unless_told_otherwise(stage: Stage) -> None:
    stage("add console --service")

    assert stage.operator("console").up_to is Role.PROMOTER


def test_a_name_that_is_taken_is_told_as_a_sentence_and_prints_no_secret(stage: Stage) -> None:
    stage("add kim --role promoter")

    again = stage("add kim --role superadmin")

    assert (again.status, again.stdout) == (1, "")
    assert again.stderr.startswith("There is an operator kim already.")
    assert stage.operator().role is Role.PROMOTER


@pytest.mark.parametrize(
    "words",
    [
        "add kim",
        "add kim --role service",
        "add kim --role promoter --service",
        "add kim --role promoter --up-to viewer",
        "disable kim",
        "rotate",
        "paint kim",
    ],
)
def test_a_command_that_makes_no_sense_is_a_usage_error(stage: Stage, words: str) -> None:
    with pytest.raises(SystemExit) as end:
        stage(words)

    assert end.value.code == 2


def test_a_stage_or_a_local_stack_has_to_be_named() -> None:
    with pytest.raises(SystemExit) as end:
        tool.main(["list"])

    assert end.value.code == 2


# Changing


def test_a_rotated_token_is_worth_nothing_and_the_new_one_calls(stage: Stage) -> None:
    first = stage("add kim --role promoter")

    second = stage("rotate kim")

    assert stage.caller(first) is None
    assert stage.caller(second) == KIM
    assert "otpauth" not in second.stdout


def test_rotating_the_token_of_who_is_locked_out_says_that_they_still_are(stage: Stage) -> None:
    stage.operators.put(an_operator(KIM, locked_until=START.replace(year=2100)))

    assert "until 2100-05-09 04:28Z: unlock" in stage("rotate kim").stderr


def test_a_reset_second_factor_replaces_the_old_one(stage: Stage) -> None:
    first = stage("add kim --role promoter")

    second = stage("reset kim")

    assert not stage.accepts(first)
    assert stage.accepts(second)
    assert TOKEN.search(second.stdout) is None


def test_who_is_disabled_cannot_call_until_enabled(stage: Stage) -> None:
    run = stage("add kim --role promoter")

    stage("disable kim --reason left")
    disabled = stage.caller(run)
    stage("enable kim")

    assert (disabled, stage.caller(run)) == (None, KIM)


def test_unlocking_takes_codes_again(stage: Stage) -> None:
    stage.operators.put(an_operator(KIM, locked_until=START.replace(year=2100), locks=1))

    stage("unlock kim")

    assert stage.operator().locked_until is None


def test_every_change_is_audited_with_who_did_it_at_aws(stage: Stage) -> None:
    for words in ("add kim --role promoter", "rotate kim", "reset kim"):
        stage(words)
    for words in ("disable kim --reason left", "enable kim"):
        stage(words)

    actors = {actor for actor, _ in stage.told()}
    assert [action for _, action in stage.told()] == [
        "add_operator",
        "rotate_token",
        "reset_totp",
        "disable_operator",
        "enable_operator",
    ]
    # moto's identity. No operator's name has a colon.
    assert actors == {"aws:user/moto"}


def actor(given: Mapping[str, str]) -> str:
    """Whom the audit names where these credentials are used."""
    session = boto3.Session(
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given.get("SessionToken"),
    )
    return Office(aws=Aws(session=session), stage="prod", outputs={}).actor


@pytest.mark.usefixtures("aws")
def test_a_user_is_told_apart_from_sessions_of_roles_that_have_their_name() -> None:
    sts, iam = boto3.client("sts"), boto3.client("iam")
    iam.create_user(UserName="kim")
    user: Any = iam.create_access_key(UserName="kim")["AccessKey"]
    sessions: Any = [
        sts.assume_role(RoleArn=f"arn:aws:iam::123456789012:role/{role}", RoleSessionName="kim")
        for role in ("HoistAdmin", "ReadOnly")
    ]

    actors = [actor(user), *(actor(session["Credentials"]) for session in sessions)]

    assert actors == [
        "aws:user/kim",
        "aws:assumed-role/HoistAdmin/kim",
        "aws:assumed-role/ReadOnly/kim",
    ]


@pytest.mark.parametrize("command", ["rotate", "reset", "disable --reason x", "enable", "audit"])
def test_an_unknown_operator_is_told_as_a_sentence(stage: Stage, command: str) -> None:
    run = stage(f"{command} nobody")

    assert (run.status, run.stdout) == (1, "")
    assert run.stderr == "There is no operator of this name.\n"


# Printing


def test_operators_are_listed_with_what_is_special_about_them(stage: Stage) -> None:
    later = START.replace(year=2100)
    stage.operators.put(an_operator(KIM, locked_until=later, wrong_codes=5, wrong_since=later))
    stage.operators.put(an_operator(SAM, disabled=True))
    stage("add console --service")

    run = stage("list")

    assert run.stdout.splitlines() == [
        "console              service, up to promoter",
        (
            "kim                  promoter, locked out until 2100-05-09T04:28:00.000000Z, "
            "5 wrong codes in 30 days"
        ),
        "sam                  superadmin, disabled",
    ]


def test_an_audit_trail_is_printed_and_verified(stage: Stage) -> None:
    stage("add kim --role promoter")
    stage("disable kim --reason left")

    run = stage("audit kim")

    first, second = run.stdout.splitlines()
    assert "add_operator" in first
    assert "role promoter" in first
    assert "disable_operator" in second
    assert "reason left" in second
    assert (run.status, run.stderr) == (0, "The trail is whole: 2 entries.\n")


def test_an_audit_trail_that_was_changed_is_an_error(stage: Stage) -> None:
    stage("add kim --role promoter")
    stage("disable kim --reason left")
    row = stage.tables.audit.get("operator:kim", 1)
    row.update([stage.tables.audit.actor.set("mallory")])

    run = stage("audit kim")

    assert run.status == 1
    assert run.stderr == "The trail is NOT whole. Entry 1: its content was changed.\n"


@pytest.mark.usefixtures("stage")
def test_a_terminal_shows_a_qr_code_too(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)

    tool.main(["--stage", "prod", "add", "kim", "--role", "promoter"])

    assert URI.search(terminal.getvalue())
    assert "▄▄▄▄▄" in terminal.getvalue()


def test_what_is_no_terminal_gets_no_qr_code(stage: Stage) -> None:
    assert "▄" not in stage("add kim --role promoter").stdout


def test_secrets_are_printed_once_and_kept_nowhere(stage: Stage) -> None:
    added = stage("add kim --role promoter")
    runs = [stage("rotate kim"), stage("reset kim"), stage("list"), stage("audit kim")]
    secrets = [added.token[1], runs[0].token[1]]
    secrets += [pyotp.parse_uri(run.uri).secret for run in (added, runs[1])]

    stored = repr([stage.operator(), DynamoDBPromotionStore(stage.tables).trail("operator:kim")])
    kept = stored + added.stderr + "".join(run.stderr for run in runs)
    kept += runs[2].stdout + runs[3].stdout
    assert [secret for secret in secrets if secret in kept] == []
    assert "shown this once" in added.stdout


def test_of_an_operator_whose_secret_is_gone_that_is_told(stage: Stage) -> None:
    stage("add kim --role promoter")
    factor = PyotpSecondFactor(client=lambda: boto3.client("ssm"), stage="prod")
    version, _, digest = stage.operator().totp_reference.partition(":")

    for caller, reference in (
        (SAM, f"{version}:{digest}"),
        (KIM, f"2:{digest}"),
        (KIM, f"{version}:{digest[::-1]}"),
        (KIM, ""),
    ):
        lost = an_operator(caller, totp_reference=reference)
        with pytest.raises(Unavailable, match=f"secret of {lost.name} is not in Parameter Store"):
            factor.timecode(lost, "123456", at=START)


def test_a_secret_that_is_put_in_the_place_of_a_deleted_one_does_not_count(stage: Stage) -> None:
    stage("add kim --role promoter")
    ssm, name = boto3.client("ssm"), totp_secret("prod", "kim")
    ssm.delete_parameter(Name=name)

    ParameterTotpSecrets(client=lambda: ssm, stage="prod").put("kim", pyotp.random_base32())

    factor = PyotpSecondFactor(client=lambda: ssm, stage="prod")
    with pytest.raises(Unavailable, match="reset"):
        factor.timecode(stage.operator(), "123456", at=START)


def test_a_warm_process_takes_the_codes_of_a_reset_at_once(stage: Stage) -> None:
    added = stage("add kim --role promoter")
    warm = PyotpSecondFactor(client=lambda: boto3.client("ssm"), stage="prod")
    assert stage.accepts(added, by=warm)
    boto3.client("ssm").delete_parameter(Name=totp_secret("prod", "kim"))

    reset = stage("reset kim")

    assert (stage.accepts(added, by=warm), stage.accepts(reset, by=warm)) == (False, True)
    assert stage.told()[-1] == ("aws:user/moto", Action.RESET_TOTP)


def test_who_is_entered_twice_keeps_their_second_factor(stage: Stage) -> None:
    added = stage("add kim --role promoter")

    again = stage("add kim --role promoter")

    assert again.status == 1
    assert stage.accepts(added)
    history = boto3.client("ssm").get_parameter_history(Name=totp_secret("prod", "kim"))
    assert len(history["Parameters"]) == 1


def test_an_entry_that_was_broken_off_is_made_the_next_time(stage: Stage) -> None:
    secrets = ParameterTotpSecrets(client=lambda: boto3.client("ssm"), stage="prod")
    secrets.put("kim", pyotp.random_base32())

    added = stage("add kim --role promoter")

    assert added.status == 0
    assert stage.accepts(added)


def test_a_reset_that_was_broken_off_leaves_the_old_secret(stage: Stage) -> None:
    added = stage("add kim --role promoter")
    secrets = ParameterTotpSecrets(client=lambda: boto3.client("ssm"), stage="prod")

    secrets.put("kim", pyotp.random_base32())

    assert stage.accepts(added)


# What goes wrong is told as a sentence


def stubbed(fill: Callable[[Stubber], None]) -> Aws:
    """An AWS whose CloudFormation answers so."""
    client = boto3.client("cloudformation", region_name="eu-west-1")
    stubber = Stubber(client)
    fill(stubber)
    stubber.activate()

    class Session(boto3.Session):
        def client(self, *_args: Any, **_kwargs: Any) -> Any:  # noqa: ANN401 - boto3's signature
            return client

    return Aws(session=Session())


@pytest.mark.usefixtures("aws")
def test_a_stacks_outputs_are_found_by_its_stage() -> None:
    stack = {"StackName": "hoist-prod", "StackStatus": "CREATE_COMPLETE", "CreationTime": START}
    output = {"OutputKey": "WorkFunction", "OutputValue": "work"}
    aws = stubbed(
        lambda stubber: stubber.add_response(
            "describe_stacks",
            {"Stacks": [stack | {"Outputs": [output]}]},
            {"StackName": "hoist-prod"},
        ),
    )

    assert stack_outputs(aws, "prod") == {"WorkFunction": "work"}


@pytest.mark.usefixtures("aws")
def test_a_stage_that_is_not_deployed_says_how_to_deploy_it() -> None:
    aws = stubbed(
        lambda stubber: stubber.add_client_error(
            "describe_stacks",
            "ValidationError",
            "Stack with id hoist-prod does not exist",
        ),
    )

    with pytest.raises(DeployError, match="make deploy STAGE=prod"):
        stack_outputs(aws, "prod")


def test_a_stack_that_is_older_than_the_tool_says_so(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without = {name: value for name, value in stage.outputs.items() if name != "LocksTable"}
    monkeypatch.setattr(tool, "stack_outputs", lambda _aws, _stage: without)

    run = stage("list")

    assert run.status == 1
    assert "has no output LocksTable" in run.stderr


def test_a_stage_that_nobody_knows_is_not_looked_for(stage: Stage) -> None:
    assert tool.main(["--stage", "prdo", "list"]) == 1
    assert "Unknown stage 'prdo'" in stage.capsys.readouterr().err


def test_what_aws_forbids_is_told_as_a_sentence(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gone = stage.outputs | {"OperatorsTable": "gone"}
    monkeypatch.setattr(tool, "stack_outputs", lambda _aws, _stage: gone)

    run = stage("list")

    assert (run.status, run.stdout) == (1, "")
    assert run.stderr == "DynamoDB refuses (ResourceNotFoundException). Nothing was changed.\n"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (Unavailable("DynamoDB does not answer."), "Whether anything was changed is not known"),
        (NoRegionError(), "Log in as for the AWS CLI"),
        (NoCredentialsError(), "Log in as for the AWS CLI"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:4800/"), "it has to run: make run"),
    ],
)
def test_what_keeps_it_from_working_is_told_with_what_is_known(
    stage: Stage,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    sentence: str,
) -> None:
    def away(_aws: Aws, _stage: str) -> Mapping[str, str]:
        raise error

    monkeypatch.setattr(tool, "stack_outputs", away)

    run = stage("rotate kim")

    assert run.status == 1
    assert sentence in run.stderr


# A local stack


def test_where_no_local_stack_has_run_it_says_how_to_start_one(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert tool.main(["--state", str(tmp_path), "list"]) == 1
    assert "Start a stack first: make run" in capsys.readouterr().err


def test_a_local_stack_is_spoken_to_as_root_where_its_directions_say(
    stage: Stage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spoken: list[tuple[str | None, str]] = []

    def outputs(aws: Aws, name: str) -> Mapping[str, str]:
        spoken.append((aws.endpoint_url, name))
        message = "enough"
        raise DeployError(message)

    monkeypatch.setattr(tool, "stack_outputs", outputs)
    here = Directions(
        api="",
        heroku="",
        heroku_token="",
        ministack="http://127.0.0.1:4800",
        operators={},
        targets=(),
    )
    here.write(tmp_path / "local.json")

    status = tool.main(["--state", str(tmp_path), "list"])

    assert (status, stage.capsys.readouterr().err) == (1, "enough\n")
    assert spoken == [("http://127.0.0.1:4800", "local")]
