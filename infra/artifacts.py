"""The bucket that CloudFormation takes a bundle from."""

import hashlib
import json
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
    """
    region = aws.session.region_name
    s3 = aws.session.client("s3", endpoint_url=aws.endpoint_url)
    sts = aws.session.client("sts", endpoint_url=aws.endpoint_url)
    bucket = f"hoist-artifacts-{sts.get_caller_identity()['Account']}-{region}"
    _ensure_bucket(s3, bucket, region)
    archive = _put(s3, bucket, bundle.archive.read_bytes(), ".zip")
    template = _put(s3, bucket, _with_code_at(f"s3://{bucket}/{archive}", bundle.template), ".json")
    # A template of this size must come from S3: the call itself takes 51,200 bytes.
    # https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
    return f"{s3.meta.endpoint_url}/{bucket}/{template}"


def _ensure_bucket(s3: "S3Client", bucket: str, region: str) -> None:
    try:
        s3.head_bucket(Bucket=bucket)
    except ClientError as error:
        if not _is_missing(error):
            message = f"The artifacts bucket {bucket} is out of reach: {error}"
            hint = "Does it belong to another account? May you use S3?"
            raise DeployError(message, hint=hint) from error
    else:
        return
    if region == "us-east-1":  # The one region that must not be named.
        s3.create_bucket(Bucket=bucket)
    else:
        place = cast("BucketLocationConstraintType", region)
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": place})


def _with_code_at(uri: str, template: Path) -> bytes:
    document = json.loads(template.read_text())
    for resource in document["Resources"].values():
        if resource["Type"] == "AWS::Serverless::Function":
            resource["Properties"]["CodeUri"] = uri
    return json.dumps(document, separators=(",", ":")).encode()


def _put(s3: "S3Client", bucket: str, content: bytes, suffix: str) -> str:
    key = f"{hashlib.sha256(content).hexdigest()}{suffix}"
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if not _is_missing(error):
            raise
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    return key


def _is_missing(error: ClientError) -> bool:
    return error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND
