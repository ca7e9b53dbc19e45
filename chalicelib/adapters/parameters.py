"""What Hoist's secrets are called in Parameter Store, which keeps them encrypted with KMS.

Each is a SecureString: encrypted under the account's own key for Parameter Store, `aws/ssm`, and
bound to the parameter's ARN, so that what is encrypted under one name opens under no other.
https://docs.aws.amazon.com/kms/latest/developerguide/services-parameter-store.html
"""


def heroku_token(stage: str) -> str:
    """The Heroku token, bare."""
    return f"/hoist/{stage}/heroku-token"


def slack_webhook_url(stage: str) -> str:
    """The URL of Slack's incoming webhook."""
    return f"/hoist/{stage}/slack-webhook-url"


def totp_secret(stage: str, operator: str) -> str:
    """An operator's TOTP secret, in base32: the version that their record refers to."""
    return f"/hoist/{stage}/totp/{operator}"
