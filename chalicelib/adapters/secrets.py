"""Secrets from Parameter Store, kept for five minutes."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.adapters.parameters import Client, stored
from chalicelib.domain.errors import HoistError
from chalicelib.ports import Clock

KEPT_FOR = timedelta(minutes=5)

#: What an `Authorization` header can carry (RFC 6750 section 2.1).
TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]+", re.ASCII)
#: Slack's webhooks; on this machine, a stand-in for them.
WEBHOOK_URL = re.compile(
    r"https://hooks\.slack(-gov)?\.com/[A-Za-z0-9/_-]+|http://127\.0\.0\.1:\d+[A-Za-z0-9/_-]*",
    re.ASCII,
)


@dataclass(kw_only=True)
class KeptSecret:
    """A SecureString parameter: read when first needed, and anew after five minutes."""

    client: Client
    parameter: str
    #: What a usable value looks like.
    shape: re.Pattern[str]
    #: Raised, with its name, where it is not there or holds no usable value: somebody has to store
    #: one.
    complaint: Callable[[str], HoistError]
    clock: Clock
    _value: str = field(default="", repr=False)
    _read_at: datetime | None = None

    def __call__(self) -> str:
        """The value. Raises `complaint` where there is none that can be used."""
        now = self.clock.now()
        if self._read_at is None or now - self._read_at > KEPT_FOR:
            self._value, self._read_at = self._read(), now
        return self._value

    def forget(self) -> None:
        """It was refused where it was used: it may have been replaced since it was read."""
        self._read_at = None

    def _read(self) -> str:
        value = (stored(self.client, self.parameter) or "").strip()
        if not self.shape.fullmatch(value):
            raise self.complaint(self.parameter)
        return value
