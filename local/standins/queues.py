"""The two metrics of a queue that alarms look at, which AWS emits each minute."""

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_ANSWER_SECONDS = 10


@dataclass(frozen=True, kw_only=True)
class Queues:
    """The queues of one MiniStack."""

    sqs: "SQSClient"
    ministack: str
    _urls: dict[str, str] = field(default_factory=dict)

    def measure(self, queue: str, metric: str) -> float:
        """Return the metric's value now, in the unit that AWS gives it."""
        messages = peek(self.ministack, self._url(queue))
        if metric == "ApproximateNumberOfMessagesVisible":
            return sum(1 for message in messages if message["IsVisible"])
        if metric == "ApproximateAgeOfOldestMessage":
            now = time.time()  # noqa: TID251 - SQS has its own clock
            return max((now - message["SentTimestamp"] for message in messages), default=0.0)
        unknown = f"{metric} is not measured here: add it"
        raise NotImplementedError(unknown)

    def _url(self, queue: str) -> str:
        if queue not in self._urls:
            self._urls[queue] = self.sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        return self._urls[queue]


def peek(ministack: str, queue_url: str) -> list[dict[str, Any]]:
    """Return a queue's messages, oldest first, and leave them there, as SQS itself cannot."""
    answer = requests.get(
        f"{ministack}/_ministack/sqs/messages",
        params={"QueueUrl": queue_url},
        timeout=_ANSWER_SECONDS,
    )
    answer.raise_for_status()
    found: list[dict[str, Any]] = [
        message
        for regions in answer.json()["messages"].values()
        for queues in regions.values()
        for messages in queues.values()
        for message in messages
    ]
    return found
