"""Hoist's secrets in Parameter Store, which keeps them encrypted with KMS: what they are called.

Each is a SecureString: encrypted under the account's own key for Parameter Store, `aws/ssm`, and
bound to the parameter's ARN, so that what is encrypted under one name opens under no other.
https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from chalicelib.adapters.aws import translated

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

Client = Callable[[], "SSMClient"]


def heroku_token(stage: str) -> str:
    """The Heroku token, bare."""
    return f"/hoist/{stage}/heroku-token"


def slack_webhook_url(stage: str) -> str:
    """The URL of Slack's incoming webhook."""
    return f"/hoist/{stage}/slack-webhook-url"


def totp_secret(stage: str, operator: str) -> str:
    """An operator's TOTP secret, in base32: the version that their record refers to."""
    return f"/hoist/{stage}/totp/{operator}"


def stored(client: Client, name: str) -> str | None:
    """The secret of this name, or of `name:version`; `None` where there is none.

    Raises `Unavailable`.
    """
    with translated("Parameter Store"):
        ssm = client()
        try:
            answer = ssm.get_parameter(Name=name, WithDecryption=True)
        except (ssm.exceptions.ParameterNotFound, ssm.exceptions.ParameterVersionNotFound):
            return None
    return answer["Parameter"]["Value"]


def store(client: Client, name: str, secret: str) -> int:
    """Store the secret as a new version, and return which. Raises `Unavailable`.

    The last hundred versions stay.
    """
    with translated("Parameter Store"):
        answer = client().put_parameter(
            Name=name, Value=secret, Type="SecureString", Overwrite=True
        )
    return answer["Version"]
