"""What is deployed: whole, pure Python, and the same bytes from the same inputs."""

import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra import package as packaging
from infra.package import Bundle, package

#: Imports app.py from the bundle alone, as Lambda does: neither our environment nor user site.
IMPORT_APP = """
import sys
sys.path[:] = [sys.argv[1]] + [p for p in sys.path if "site-packages" not in p]
import app
from chalicelib.bootstrap import Container
from chalicelib.adapters import aws, dynamodb, heroku, heartbeat, ids, secrets, sqs, totp
from chalicelib.wire import contract
contract.check("AppName", "abc")
print(sorted(m for m in sys.modules if m.split(".")[0] in {"moto", "pytest", "click", "chalice"}))
"""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return package("prod")


@pytest.fixture(scope="module")
def template(bundle: Bundle) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bundle.template.read_text())
    return found


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


def test_the_bundle_is_pure_python_and_ships_neither_tools_nor_caches(bundle: Bundle) -> None:
    with zipfile.ZipFile(bundle.archive) as archive:
        names = archive.namelist()

    assert not [name for name in names if name.endswith((".so", ".pyd", ".dylib"))]
    assert not [name for name in names if "__pycache__" in name]
    assert not [name for name in names if name.startswith(("local/", "tests/", "infra/", "moto/"))]
    assert "chalicelib/openapi.json" in names


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


def resources(template: dict[str, Any], kind: str) -> dict[str, Any]:
    found = template["Resources"]
    return {name: each["Properties"] for name, each in found.items() if each["Type"] == kind}


def test_every_table_is_kept_recoverable_and_paid_by_use(template: dict[str, Any]) -> None:
    tables = resources(template, "AWS::DynamoDB::Table")

    assert len(tables) == 5
    for name, table in tables.items():
        assert template["Resources"][name]["DeletionPolicy"] == "Retain"
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_every_function_has_a_role_of_its_own_and_kept_logs(template: dict[str, Any]) -> None:
    functions = resources(template, "AWS::Serverless::Function")

    assert set(functions) == {"APIHandler", "Authorize", "Work", "Watch"}
    roles = [json.dumps(function["Role"]) for function in functions.values()]
    assert len(set(roles)) == len(roles)
    groups = resources(template, "AWS::Logs::LogGroup").values()
    assert {group["RetentionInDays"] for group in groups} == {90}


def test_no_policy_allows_everything(template: dict[str, Any]) -> None:
    for name, role in resources(template, "AWS::IAM::Role").items():
        for policy in role["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert statement["Resource"] != "*", name
                assert not [action for action in statement["Action"] if "*" in action], name


def test_only_the_worker_reads_the_heroku_token(template: dict[str, Any]) -> None:
    readers = [
        name
        for name, role in resources(template, "AWS::IAM::Role").items()
        if "secretsmanager:GetSecretValue" in json.dumps(role)
    ]

    assert readers == ["WorkRole"]


def test_the_worker_reports_failures_by_message_and_takes_one_wake_at_a_time(
    template: dict[str, Any],
) -> None:
    source = resources(template, "AWS::Serverless::Function")["Work"]["Events"][
        "WorkSqsEventSource"
    ]["Properties"]

    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BatchSize"] == 1


def test_a_wake_lasts_longer_than_its_worker_and_ends_in_a_queue_for_the_dead(
    template: dict[str, Any],
) -> None:
    queue = resources(template, "AWS::SQS::Queue")["WakesQueue"]
    worker = resources(template, "AWS::Serverless::Function")["Work"]

    assert queue["VisibilityTimeout"] > worker["Timeout"]
    assert queue["FifoQueue"] is True
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 100
