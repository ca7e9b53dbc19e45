"""Notices to the person on call, by an SNS topic.

The message has the shape of a CloudWatch alarm's, which PagerDuty's CloudWatch integration and
AWS Chatbot understand: the alarm's name is the dedup key, `ALARM` triggers and `OK` resolves.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from chalicelib.adapters.aws import translated
from chalicelib.domain.moment import spell
from chalicelib.domain.notice import Notice
from chalicelib.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

#: SNS refuses longer ones.
_SUBJECT_LENGTH = 100


@dataclass(frozen=True, kw_only=True)
class SnsChannel:
    """`Channel` by an SNS topic."""

    client: "Callable[[], SNSClient]"
    topic_arn: str
    clock: Clock
    #: Where a promotion and the runbook can be read.
    promotions_url: str
    runbook_url: str

    def deliver(self, notice: Notice) -> None:
        """Publish one message."""
        state = "OK" if notice.resolves else "ALARM"
        see = f" See {self.promotions_url}/{notice.promotion_id}." if notice.promotion_id else ""
        message = {
            "AlarmName": notice.dedup_key,
            "AlarmDescription": f"{notice.title}. {notice.text}{see} "
            f"What is safe now: {self.runbook_url}#{notice.runbook}",
            "NewStateValue": state,
            "OldStateValue": "ALARM" if notice.resolves else "OK",
            "NewStateReason": notice.text,
            "StateChangeTime": spell(self.clock.now()),
            "Region": "",
            "Trigger": {"MetricName": notice.rung, "Namespace": "Hoist"},
        }
        subject = f"{state}: {notice.title}"
        with translated("SNS"):
            self.client().publish(
                TopicArn=self.topic_arn,
                Subject=subject.encode("ascii", "replace").decode()[:_SUBJECT_LENGTH],
                Message=json.dumps(message),
            )
