"""One botocore session for every client, and one way to translate their errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session, get_session

from chalicelib.domain.errors import Unavailable

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

#: Shorter than any caller waits; botocore's own defaults are a minute each.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=4,
    retries={"mode": "standard", "total_max_attempts": 3},
)
#: What CloudTrail shows of a call. botocore would put together its own anew for each, which takes a
#: tenth of the call's CPU time.
_USER_AGENT = Config(user_agent="hoist")


@dataclass(frozen=True)
class AwsClients:
    """Clients, each made when it is first used: a Lambda pays only for those it needs."""

    @cached_property
    def session(self) -> Session:
        """What clients are made in. Each session reads its descriptions and credentials anew."""
        session = get_session()
        session.set_default_client_config(_USER_AGENT)
        return session

    @cached_property
    def sqs(self) -> "SQSClient":
        """Amazon SQS."""
        return cast("SQSClient", self.session.create_client("sqs", config=_CONFIG))

    @cached_property
    def sns(self) -> "SNSClient":
        """Amazon SNS."""
        return cast("SNSClient", self.session.create_client("sns", config=_CONFIG))

    @cached_property
    def ssm(self) -> "SSMClient":
        """Parameter Store, of AWS Systems Manager."""
        return cast("SSMClient", self.session.create_client("ssm", config=_CONFIG))


@contextmanager
def translated(service: str) -> Iterator[None]:
    """Raise `Unavailable`, naming the service, for whatever it or the way to it answers."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "no code")
        detail = f"{service} does not do what Hoist asks right now ({code})."
        raise Unavailable(detail) from error
    except BotoCoreError as error:
        detail = f"{service} does not answer right now ({type(error).__name__})."
        raise Unavailable(detail) from error
