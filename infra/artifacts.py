"""The bucket that CloudFormation takes a bundle from."""

import hashlib
import json
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

from infra.aws import Aws
from infra.errors import DeployError
from infra.package import Bundle

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.literals import BucketLocationConstraintType


def upload(aws: Aws, bundle: Bundle) -> str:
    """Put the bundle where CloudFormation can read it and return the template's URL. Idempotent.

    Objects are named by their content: an unchanged function stays unchanged in the change set,
    and an older template still finds its own archive.
    Raises DeployError where the bucket is somebody else's, or out of reach.
    """
    region = aws.session.region_name
    s3 = aws.session.client("s3", endpoint_url=aws.endpoint_url)
    sts = aws.session.client("sts", endpoint_url=aws.endpoint_url)
    account = sts.get_caller_identity()["Account"]
    bucket = _Bucket(s3=s3, name=f"hoist-artifacts-{account}-{region}", owner=account)
    bucket.ensure(region)
    archive = bucket.put(bundle.archive.read_bytes(), ".zip")
    code = f"s3://{bucket.name}/{archive}"
    template = bucket.put(_with_code_at(code, bundle.template), ".json")
    # A template of this size must come from S3: the call itself takes 51,200 bytes.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    return f"{s3.meta.endpoint_url}/{bucket.name}/{template}"


@dataclass(frozen=True, kw_only=True)
class _Bucket:
    """A bucket whose owner S3 checks at every call.

    Its name can be guessed, and names are shared by all accounts: whoever took it first could let
    us in, and change what we put there before CloudFormation reads it.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
    """

    s3: "S3Client"
    name: str
    #: The account that it has to belong to.
    owner: str

    def ensure(self, region: str) -> None:
        """Make the bucket unless it is there. Raises DeployError where it is not ours to use."""
        try:
            self.s3.head_bucket(Bucket=self.name, ExpectedBucketOwner=self.owner)
        except ClientError as error:
            if not _is_missing(error):
                raise self._out_of_reach(error) from error
            self._create(region)

    def _out_of_reach(self, error: ClientError) -> DeployError:
        message = (
            f"The artifacts bucket {self.name} belongs to another account than {self.owner}, or is "
            f"out of reach: {error}"
        )
        hint = (
            "Look whether `aws s3 ls` lists it. If so, ask for the right to use it. If not, "
            "somebody else has taken the name: deploy to another region, or choose another name "
            "in infra/artifacts.py."
        )
        return DeployError(message, hint=hint)

    def _create(self, region: str) -> None:
        if region == "us-east-1":  # The one region that must not be named.
            self.s3.create_bucket(Bucket=self.name)
        else:
            place = cast("BucketLocationConstraintType", region)
            self.s3.create_bucket(
                Bucket=self.name,
                CreateBucketConfiguration={"LocationConstraint": place},
            )

    def put(self, content: bytes, suffix: str) -> str:
        """Put the content unless it is there; return its key."""
        key = f"{hashlib.sha256(content).hexdigest()}{suffix}"
        try:
            self.s3.head_object(Bucket=self.name, Key=key, ExpectedBucketOwner=self.owner)
        except ClientError as error:
            if not _is_missing(error):
                raise
            self.s3.put_object(
                Bucket=self.name,
                Key=key,
                Body=content,
                ExpectedBucketOwner=self.owner,
            )
        return key


def _with_code_at(uri: str, template: Path) -> bytes:
    document = json.loads(template.read_text())
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = uri
    return json.dumps(document, separators=(",", ":")).encode()


def _is_missing(error: ClientError) -> bool:
    return error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND
