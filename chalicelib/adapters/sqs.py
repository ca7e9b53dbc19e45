"""Wakes in an SQS FIFO queue; the message group is the target."""

import json
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from chalicelib.adapters.aws import translated

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_sqs import SQSClient


@dataclass(frozen=True, kw_only=True)
class SqsWakes:
    """`Wakes` in SQS."""

    client: "Callable[[], SQSClient]"
    queue_url: str

    def send(self, target: str, *, promotion_id: str | None = None) -> None:
        """Queue a wake.

        Its deduplication id is always new: SQS would drop a second wake within five minutes,
        even where the first has long been worked off.
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/using-messagededuplicationid-property.html
        """
        with translated("SQS"):
            self.client().send_message(
                QueueUrl=self.queue_url,
                MessageBody=json.dumps({"target": target, "promotion_id": promotion_id}),
                MessageGroupId=target,
                MessageDeduplicationId=uuid.uuid4().hex,
            )

    def hold(self, receipt: str, *, lasts: timedelta) -> None:
        """Set how long the message stays invisible, from now."""
        with translated("SQS"):
            self.client().change_message_visibility(
                QueueUrl=self.queue_url,
                ReceiptHandle=receipt,
                VisibilityTimeout=max(0, round(lasts.total_seconds())),
            )
