"""The bucket of a deployment: made where it is missing, and never anybody else's."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.model import OperationModel

from infra.artifacts import upload
from infra.aws import Aws
from infra.errors import DeployError
from infra.package import Bundle

#: moto's account, and another.
OURS, SOMEBODYS = "123456789012", "210987654321"
BUCKET = f"hoist-artifacts-{OURS}-eu-west-1"


@dataclass
class Guard:
    """The check that S3 makes of the owner that a call expects, which moto leaves out.

    moto lets every call in, as the policy of a foreign bucket may.
    """

    owner: str = OURS
    #: What was called, and of that what would go to anybody's bucket.
    called: list[str] = field(default_factory=list)
    unguarded: list[str] = field(default_factory=list)

    def __call__(self, *, model: OperationModel, params: dict[str, Any], **_: object) -> None:
        expected = params["headers"].get("x-amz-expected-bucket-owner")
        self.called.append(model.name)
        if expected is None:
            self.unguarded.append(model.name)
        elif expected != self.owner:
            refused: Any = {
                "Error": {"Code": "403", "Message": "Forbidden"},
                "ResponseMetadata": {"HTTPStatusCode": 403},
            }
            raise ClientError(refused, model.name)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    made = Bundle(template=tmp_path / "sam.json", archive=tmp_path / "hoist.zip")
    function = {"Type": "AWS::Serverless::Function", "Properties": {"CodeUri": "."}}
    made.template.write_text(json.dumps({"Resources": {"Work": function}}))
    made.archive.write_bytes(b"code")
    return made


@pytest.fixture
def put(aws: None, bundle: Bundle) -> Callable[[Guard], str]:  # noqa: ARG001 - the engine behind it
    """Upload the bundle, past a guard."""

    def uploaded(guard: Guard) -> str:
        session = boto3.Session()
        session.events.register("before-call.s3", guard)
        return upload(Aws(session=session), bundle)

    return uploaded


def test_the_template_that_is_uploaded_takes_its_code_from_beside_it(
    put: Callable[[Guard], str],
) -> None:
    url = put(Guard())

    s3 = boto3.client("s3")
    template = json.load(s3.get_object(Bucket=BUCKET, Key=url.rpartition("/")[2])["Body"])
    uri = template["Resources"]["Work"]["Properties"]["CodeUri"]
    assert uri.startswith(f"s3://{BUCKET}/")
    code = s3.get_object(Bucket=BUCKET, Key=uri.rpartition("/")[2])["Body"]
    assert code.read() == b"code"


def test_what_is_there_already_is_not_put_again(put: Callable[[Guard], str]) -> None:
    first, guard = put(Guard()), Guard()

    again = put(guard)

    assert again == first
    assert guard.called == ["HeadBucket", "HeadObject", "HeadObject"]


def test_every_call_names_the_owner_but_the_one_that_makes_the_bucket(
    put: Callable[[Guard], str],
) -> None:
    guard = Guard()

    put(guard)

    assert guard.called.count("PutObject") == 2
    assert guard.unguarded == ["CreateBucket"]


def test_into_somebody_elses_bucket_nothing_is_put(put: Callable[[Guard], str]) -> None:
    boto3.client("s3").create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": "eu-west-1"},
    )
    guard = Guard(owner=SOMEBODYS)

    with pytest.raises(DeployError, match=f"{BUCKET} belongs to another account than {OURS}, or"):
        put(guard)

    assert guard.called == ["HeadBucket"]
