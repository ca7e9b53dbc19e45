"""What is deployed: whole, pure Python, and the same bytes from the same inputs."""

import hashlib
import importlib.util
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from chalicelib.adapters.parameters import heroku_token, slack_webhook_url, totp_secret
from infra import package as packaging
from infra.errors import DeployError
from infra.package import Bundle, package
from infra.vendor import AWS_SERVICES
from tests.integration.measured import of_type

#: Imports app.py from the bundle alone, as Lambda does: neither our environment nor user site.
IMPORT_APP = """
import sys
sys.path[:] = [sys.argv[1]] + [p for p in sys.path if "site-packages" not in p]
import app
from chalicelib.bootstrap import Container
from chalicelib.adapters import aws, dynamodb, heroku, heartbeat, ids, secrets, sqs, totp
from chalicelib.adapters import slack, sns
import botocore.session
for service in ("dynamodb", "sns", "sqs", "ssm"):
    botocore.session.get_session().get_service_model(service)
ssm = botocore.session.get_session().create_client("ssm", region_name="eu-central-1")
ssm.exceptions.ParameterNotFound, ssm.exceptions.ParameterVersionNotFound
from chalicelib.wire import contract
contract.check("AppName", "abc")
print(sorted(m for m in sys.modules if m.split(".")[0] in {"moto", "pytest", "click", "chalice"}))
"""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return package("prod")


def test_the_bundle_runs_on_its_own(bundle: Bundle, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle.archive) as archive:
        archive.extractall(tmp_path)

    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IMPORT_APP, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={"AWS_LAMBDA_FUNCTION_NAME": "x"},
    )

    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.replace("'", '"'))
    assert not {"moto", "pytest", "click", "chalice.cli"} & set(loaded)


def test_the_bundle_is_pure_python_and_ships_no_tools(bundle: Bundle) -> None:
    with zipfile.ZipFile(bundle.archive) as archive:
        names = archive.namelist()

    assert not [name for name in names if name.endswith((".so", ".pyd", ".dylib"))]
    assert not [name for name in names if name.startswith(("local/", "tests/", "infra/", "moto/"))]
    assert "chalicelib/openapi.json" in names


def test_every_module_has_the_bytecode_that_the_templates_python_takes_unasked(
    bundle: Bundle,
    template: dict[str, Any],
) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    functions = of_type(template, "AWS::Serverless::Function").values()
    unchecked = (0b01).to_bytes(4, "little")

    with zipfile.ZipFile(bundle.archive) as archive:
        names = set(archive.namelist())
        modules = {name for name in names if name.endswith(".py")}
        compiled = {name: importlib.util.cache_from_source(name) for name in modules}
        fits = {
            name: archive.read(bytecode)[:16]
            == importlib.util.MAGIC_NUMBER
            + unchecked
            + importlib.util.source_hash(archive.read(name))
            for name, bytecode in compiled.items()
        }

    assert {function["Runtime"] for function in functions} == {f"python{version}"}
    assert {name for name in names if name.endswith(".pyc")} == set(compiled.values())
    assert all(fits.values())


def test_the_bundle_is_less_than_half_of_what_pip_would_install(bundle: Bundle) -> None:
    with zipfile.ZipFile(bundle.archive) as archive:
        endpoints = json.loads(archive.read("botocore/data/endpoints.json"))

    # 18.9 MB: `python -m bench.cold` measures it anew.
    assert bundle.archive.stat().st_size < 7_500_000
    for partition in endpoints["partitions"]:
        assert set(partition["services"]) <= AWS_SERVICES


def test_two_builds_of_the_same_inputs_are_the_same_bytes(
    bundle: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packaging, "BUILD_DIRECTORY", tmp_path)

    again = package("prod")

    assert digest(again.archive) == digest(bundle.archive)
    assert digest(again.template) == digest(bundle.template)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_every_table_is_kept_recoverable_and_paid_by_use(template: dict[str, Any]) -> None:
    tables = of_type(template, "AWS::DynamoDB::Table")

    assert len(tables) == 5
    for name, table in tables.items():
        assert template["Resources"][name]["DeletionPolicy"] == "Retain"
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_every_function_has_a_role_of_its_own_and_kept_logs(template: dict[str, Any]) -> None:
    functions = of_type(template, "AWS::Serverless::Function")

    assert set(functions) == {
        "APIHandler",
        "Authorize",
        "Work",
        "Watch",
        "Drift",
        "NotifyOnCall",
        "NotifySlack",
    }
    roles = [json.dumps(function["Role"]) for function in functions.values()]
    assert len(set(roles)) == len(roles)
    groups = of_type(template, "AWS::Logs::LogGroup").values()
    assert {group["RetentionInDays"] for group in groups} == {90}


def test_no_policy_allows_everything(template: dict[str, Any]) -> None:
    for name, role in of_type(template, "AWS::IAM::Role").items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Resource"] != "*", name
                assert not [action for action in statement["Action"] if "*" in action], name


def test_a_secret_is_read_only_by_who_uses_it(template: dict[str, Any]) -> None:
    readers = {
        (name, statement["Resource"]["Fn::Sub"].partition(":parameter")[2])
        for name, role in of_type(template, "AWS::IAM::Role").items()
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if "ssm:GetParameter" in statement["Action"]
    }

    assert readers == {
        ("ApiHandlerRole", totp_secret("${Stage}", "*")),
        ("ApiHandlerRole", heroku_token("${Stage}")),
        ("WorkRole", heroku_token("${Stage}")),
        ("DriftRole", heroku_token("${Stage}")),
        ("NotifySlackRole", slack_webhook_url("${Stage}")),
    }


def test_wakes_and_notices_share_no_function_and_no_queue(template: dict[str, Any]) -> None:
    functions = of_type(template, "AWS::Serverless::Function")
    sources = {
        name: source["Properties"].get("Queue") or source["Properties"].get("Stream")
        for name in ("Work", "NotifyOnCall", "NotifySlack")
        for source in functions[name]["Events"].values()
    }

    assert sources["Work"] == {"Fn::GetAtt": ["WakesQueue", "Arn"]}
    assert sources["NotifyOnCall"] == {"Fn::GetAtt": ["AuditTable", "StreamArn"]}
    assert sources["NotifySlack"] == sources["NotifyOnCall"]
    for name in ("NotifyOnCallRole", "NotifySlackRole"):
        role = json.dumps(of_type(template, "AWS::IAM::Role")[name])
        assert "DeadNoticesQueue" in role
        assert "WakesQueue" not in role


def test_a_notice_that_cannot_be_delivered_is_bounded_and_ends_in_a_queue_for_the_dead(
    template: dict[str, Any],
) -> None:
    functions = of_type(template, "AWS::Serverless::Function")
    for name in ("NotifyOnCall", "NotifySlack"):
        (source,) = functions[name]["Events"].values()
        rules = source["Properties"]

        assert rules["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
        assert rules["BisectBatchOnFunctionError"] is True
        assert 0 < rules["MaximumRetryAttempts"] <= 1000
        assert 0 < rules["MaximumRecordAgeInSeconds"] <= 3600
        assert rules["DestinationConfig"] == {
            "OnFailure": {"Destination": {"Fn::GetAtt": ["DeadNoticesQueue", "Arn"]}},
        }


def test_alarms_may_publish_to_the_topic_of_whoever_is_on_call(template: dict[str, Any]) -> None:
    topic = of_type(template, "AWS::SNS::Topic")["OnCallTopic"]
    (policy,) = of_type(template, "AWS::SNS::TopicPolicy").values()
    (statement,) = policy["PolicyDocument"]["Statement"]

    # CloudWatch cannot use the AWS managed key of SNS.
    assert "KmsMasterKeyId" not in topic
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert statement["Action"] == "sns:Publish"
    assert statement["Condition"]["StringEquals"] == {
        "aws:SourceAccount": {"Ref": "AWS::AccountId"},
    }


def test_the_worker_reports_failures_by_message_and_takes_one_wake_at_a_time(
    template: dict[str, Any],
) -> None:
    source = of_type(template, "AWS::Serverless::Function")["Work"]["Events"]["WorkSqsEventSource"][
        "Properties"
    ]

    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BatchSize"] == 1


def test_a_wake_lasts_longer_than_its_worker_and_ends_in_a_queue_for_the_dead(
    template: dict[str, Any],
) -> None:
    queue = of_type(template, "AWS::SQS::Queue")["WakesQueue"]
    worker = of_type(template, "AWS::Serverless::Function")["Work"]

    assert queue["VisibilityTimeout"] > worker["Timeout"]
    assert queue["FifoQueue"] is True
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 100


def test_an_addition_to_a_function_that_app_py_lacks_stops_the_build(tmp_path: Path) -> None:
    whole = {"Type": "AWS::SQS::Queue", "Properties": {}}
    template = tmp_path / "sam.json"
    template.write_text(json.dumps({"Resources": {"Queue": whole, "Wrok": {"Properties": {}}}}))

    with pytest.raises(DeployError, match="Wrok"):
        packaging._require_whole(template)  # noqa: SLF001 - all else of the build is beside the point


def test_only_health_contract_and_page_are_open_to_all(template: dict[str, Any]) -> None:
    paths = template["Resources"]["RestAPI"]["Properties"]["DefinitionBody"]["paths"]

    open_to_all = {
        (method, path)
        for path, methods in paths.items()
        for method, operation in methods.items()
        if not operation.get("security")
    }

    assert open_to_all == {
        ("get", "/health"),
        ("get", "/openapi.json"),
        ("get", "/console"),
        ("get", "/console/{file}"),
    }
