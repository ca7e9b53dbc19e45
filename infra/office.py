"""Where operators of one stage are entered, with somebody's AWS credentials."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING

from botocore.exceptions import NoCredentialsError
from pynamodb.connection import Connection

from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.dynamodb import (
    DynamoDBOperators,
    DynamoDBPromotionStore,
    TableNames,
    Tables,
)
from chalicelib.adapters.totp import ParameterTotpSecrets
from infra.aws import Aws
from infra.deploy import stack_name
from infra.errors import DeployError
from infra.where import CONFIG, CONNECT_SECONDS, DEPLOY, READ_SECONDS, TRIES

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


@dataclass(frozen=True)
class _Tables(Tables):
    """Tables that are spoken to as everything else of one AWS."""

    aws: Aws

    @cached_property
    def connection(self) -> Connection:
        """Credentials, region and address are `aws`'s."""
        credentials = self.aws.session.get_credentials()
        if credentials is None:
            raise NoCredentialsError
        frozen = credentials.get_frozen_credentials()
        return Connection(
            region=self.aws.session.region_name,
            host=self.aws.endpoint_url,
            connect_timeout_seconds=CONNECT_SECONDS,
            read_timeout_seconds=READ_SECONDS,
            max_retry_attempts=TRIES - 1,
            aws_access_key_id=frozen.access_key,
            aws_secret_access_key=frozen.secret_key,
            aws_session_token=frozen.token,
        )


@dataclass(frozen=True, kw_only=True)
class Office:
    """Where operators of one stage are entered."""

    aws: Aws
    stage: str
    #: The stack's.
    outputs: Mapping[str, str]

    @cached_property
    def tables(self) -> Tables:
        """The stage's tables."""
        names = {
            field.name: self._output(f"{field.name.capitalize()}Table")
            for field in fields(TableNames)
        }
        return _Tables(TableNames(**names), self.aws)

    @cached_property
    def operators(self) -> DynamoDBOperators:
        """Its operators."""
        return DynamoDBOperators(self.tables)

    @cached_property
    def promotions(self) -> DynamoDBPromotionStore:
        """Where audit trails are read."""
        return DynamoDBPromotionStore(self.tables)

    @cached_property
    def clock(self) -> SystemClock:
        """The time of this machine."""
        return SystemClock()

    @cached_property
    def totp_secrets(self) -> ParameterTotpSecrets:
        """Where the stage's API reads TOTP secrets."""
        return ParameterTotpSecrets(client=lambda: self._ssm, stage=self.stage)

    @cached_property
    def actor(self) -> str:
        """Who does it, for the audit, as in `aws:assumed-role/Admin/pat`.

        No operator can be called so: their names have no colon.
        """
        where = self.aws.endpoint_url
        client = self.aws.session.client("sts", endpoint_url=where, config=CONFIG)
        # All that follows the account: pat the user is not whoever calls a session pat.
        identity = client.get_caller_identity()["Arn"].split(":", 5)[-1]
        return f"aws:{identity}"

    @cached_property
    def _ssm(self) -> "SSMClient":
        return self.aws.session.client("ssm", endpoint_url=self.aws.endpoint_url, config=CONFIG)

    def _output(self, name: str) -> str:
        if name not in self.outputs:
            message = (
                f"The stack {stack_name(self.stage)} has no output {name}: it is an older one."
            )
            raise DeployError(message, hint=DEPLOY.format(stage=self.stage))
        return self.outputs[name]
