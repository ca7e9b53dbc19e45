"""Secrets that are recognised wherever they turn up, and all that leaves a local stack."""

import base64
import json
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import requests

from infra.deploy import stack_name
from local.heroku.client import SimulatorControls
from local.installation import STAGE
from local.stack import LocalStack
from local.standins.queues import peek

#: A message that is cut off still shows this much of a secret, at one of its ends.
_PIECE = 12
_OURS = f"{stack_name(STAGE)}-"
#: What CloudFormation puts behind a name, to make it the only one.
_BEHIND = re.compile(r"-[0-9A-F]{8,}(\.fifo)?$")

#: Where something was said, and all that was said there.
Places = Mapping[str, str]


class Secret(Protocol):
    """Something that must not turn up, but in the places that it is kept in."""

    @property
    def what(self) -> str:
        """What it is, for whoever reads that it has leaked: not the secret itself."""
        ...

    @property
    def kept_in(self) -> frozenset[str]:
        """The places that hold it rightly."""
        ...

    def is_in(self, text: str) -> bool:
        """Tell whether it stands in the text, which is lower case, in any spelling."""
        ...


@dataclass(frozen=True, kw_only=True)
class Seed:
    """A long secret. Its core is of characters that no spelling escapes: it is found by them."""

    what: str
    core: str = field(repr=False)
    #: The secret itself, with the core in it; the core alone where it is left out.
    text: str = field(repr=False, default="")
    kept_in: frozenset[str] = frozenset()

    @classmethod
    def new(cls, what: str, around: str = "{}") -> "Seed":
        """Make a secret up. `{}` in `around` is where its core stands."""
        core = secrets.token_hex(16)
        return cls(what=what, core=core, text=around.replace("{}", core))

    def __str__(self) -> str:
        return self.text or self.core

    def is_in(self, text: str) -> bool:
        return any(needle in text for needle in self._needles())

    def _needles(self) -> Iterator[str]:
        yield self.core[:_PIECE].lower()
        yield self.core[-_PIECE:].lower()
        yield self.core.encode().hex()
        yield from map(str.lower, _in_base64(self.core.encode()))


def _in_base64(core: bytes) -> Iterator[str]:
    """What base64 makes of it, wherever in a longer text it begins."""
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + core)
        # The characters at both ends depend on what stands beside it.
        sure = encoded[4 if before else 0 : (before + len(core)) // 3 * 4].decode()
        yield sure
        yield sure.translate(str.maketrans("+/", "-_"))


@dataclass(frozen=True, kw_only=True)
class Code:
    """A one-time code: too short to be told from a piece of another number, so it stands alone."""

    what: str
    digits: str = field(repr=False)
    kept_in: frozenset[str] = frozenset()

    def is_in(self, text: str) -> bool:
        return bool(re.search(rf"(?<![0-9a-z.]){self.digits}(?![0-9a-z])", text))


def leaks(guarded: Iterable[Secret], places: Places) -> list[str]:
    """Say which secret turned up where. What it says quotes none of them."""
    lowered = {place: text.lower() for place, text in places.items()}
    return [
        f"{secret.what}: in {place}"
        for secret in guarded
        for place, text in lowered.items()
        if place not in secret.kept_in and secret.is_in(text)
    ]


@dataclass(kw_only=True)
class Record:
    """All that the API has answered, and all that `local/` has said."""

    answers: list[requests.Response] = field(default_factory=list, repr=False)
    said: list[str] = field(default_factory=list, repr=False)

    def session(self) -> requests.Session:
        """A session whose answers are recorded."""
        session = requests.Session()
        session.hooks["response"].append(self._hear)
        return session

    def _hear(self, answer: requests.Response, **_: object) -> None:
        self.answers.append(answer)


@dataclass(frozen=True, kw_only=True)
class Everything:
    """Collects all that has left a stack by now."""

    stack: LocalStack
    #: Where the stack's processes write their logs.
    logs: Path
    record: Record

    def __call__(self) -> Places:
        return dict(self._places())

    def _places(self) -> Iterator[tuple[str, str]]:
        answers = self.record.answers
        yield "an answer's body", "\n".join(answer.text for answer in answers)
        yield "an answer's headers", "\n".join(str(dict(answer.headers)) for answer in answers)
        yield "what local/ prints", "\n".join(self.record.said)
        yield "Slack", _spelled(self.stack.slack_messages())
        yield "what Heroku is sent", _spelled(self._patches())
        yield from self._tables()
        yield from self._queues()
        yield from self._function_logs()
        for log in sorted(self.logs.glob("*.log")):
            yield f"{log.name} on disk", log.read_text(errors="replace")

    def _patches(self) -> list[Any]:
        """What Hoist has PATCHed: a PATCH by somebody else has no request's id."""
        patches = SimulatorControls(self.stack.heroku).truth()["patches"]
        return [patch for patch in patches if patch["request_id"]]

    def _client(self, service: str) -> Any:  # noqa: ANN401 - any service's client
        aws = self.stack.ministack.aws
        return aws.session.client(service, endpoint_url=aws.endpoint_url)  # type: ignore[call-overload]

    def _tables(self) -> Iterator[tuple[str, str]]:
        dynamodb = self._client("dynamodb")
        for table in _ours(dynamodb.list_tables()["TableNames"]):
            pages = dynamodb.get_paginator("scan").paginate(TableName=table)
            yield _short(table), _spelled([row for page in pages for row in page["Items"]])

    def _queues(self) -> Iterator[tuple[str, str]]:
        """The on-call queue among them."""
        for url in self._client("sqs").list_queues()["QueueUrls"]:
            for name in _ours([url.rpartition("/")[2]]):
                yield _short(name), _spelled(peek(self.stack.ministack.url, url))

    def _function_logs(self) -> Iterator[tuple[str, str]]:
        logs, prefix = self._client("logs"), f"/hoist/{stack_name(STAGE)}/"
        groups = logs.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]
        for group in groups:
            name = group["logGroupName"]
            pages = logs.get_paginator("filter_log_events").paginate(logGroupName=name)
            lines = [event["message"] for page in pages for event in page["events"]]
            yield f"the log of {name.removeprefix(prefix)}", "\n".join(lines)


def _ours(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(_OURS)]


def _short(name: str) -> str:
    return _BEHIND.sub("", name.removeprefix(_OURS))


def _spelled(found: object) -> str:
    return json.dumps(found, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    """Bytes as they are: a secret among them would be readable."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
