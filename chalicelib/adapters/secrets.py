"""Secrets from Secrets Manager, kept for five minutes."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from chalicelib.adapters.aws import translated
from chalicelib.domain.errors import AccessDenied
from chalicelib.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

#: What an HTTP header can carry (RFC 6750 section 2.1).
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+", re.ASCII)
KEPT_FOR = timedelta(minutes=5)


@dataclass(kw_only=True)
class HerokuToken:
    """The Heroku token: read when first needed, and anew after five minutes or a refusal."""

    client: "Callable[[], SecretsManagerClient]"
    secret_id: str
    clock: Clock
    _token: str = field(default="", repr=False)
    _read_at: datetime | None = None

    def __call__(self) -> str:
        """The token. Raises `AccessDenied` where the secret holds none."""
        now = self.clock.now()
        if self._read_at is None or now - self._read_at > KEPT_FOR:
            self._token, self._read_at = self._read(), now
        return self._token

    def forget(self) -> None:
        """Heroku refused it: it may have been replaced since it was read."""
        self._read_at = None

    def _read(self) -> str:
        try:
            with translated("Secrets Manager"):
                answer = self.client().get_secret_value(SecretId=self.secret_id)
            token = json.loads(answer["SecretString"])["token"].strip()
        except (AttributeError, KeyError, TypeError, ValueError):
            token = ""
        if not _TOKEN.fullmatch(token):
            detail = (
                "The Heroku token's secret does not hold a token: store "
                '{"token": "HRKU-…"} in Secrets Manager. Promotions wait until then.'
            )
            # Not chained: the failed parse would show a piece of the secret.
            raise AccessDenied(detail, after=timedelta(minutes=1)) from None
        return str(token)
