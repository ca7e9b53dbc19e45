"""The AWS that a stack is deployed to: Amazon's, or a stand-in."""

from dataclasses import dataclass

import boto3


@dataclass(frozen=True, kw_only=True)
class Aws:
    """Credentials, a region and, for a stand-in, where it answers."""

    session: boto3.Session
    endpoint_url: str | None = None
    #: How often to look whether CloudFormation is done.
    poll_seconds: float = 2.0
