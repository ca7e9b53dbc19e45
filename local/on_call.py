"""Whoever is on call, here: a queue at the on-call topic, which one can read."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.aws import Aws
from local.standins.queues import peek

QUEUE = "hoist-local-on-call"


@dataclass(frozen=True, kw_only=True)
class Page:
    """One message that would have woken somebody."""

    id: str
    subject: str
    #: As PagerDuty and Chatbot take it: what a CloudWatch alarm says.
    message: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is about: the same for ALARM and for the OK that takes it back."""
        return str(self.message.get("AlarmName"))

    @property
    def rings(self) -> bool:
        """It says that something is wrong, not that it is well again."""
        return self.message.get("NewStateValue") == "ALARM"

    def __str__(self) -> str:
        """As a pager would show it."""
        state, text = self.message.get("NewStateValue"), self.message.get("AlarmDescription")
        return f"{state}: {self.name}\n  {text or self.subject}"


def subscribe(aws: Aws, topic_arn: str) -> str:
    """Put the queue at the topic, unless it is; return its URL. What it holds, it keeps."""
    sqs = aws.session.client("sqs", endpoint_url=aws.endpoint_url)
    sns = aws.session.client("sns", endpoint_url=aws.endpoint_url)
    url = sqs.create_queue(QueueName=QUEUE)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    allowed = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)
    return url


def pages(ministack: str, queue_url: str) -> list[Page]:
    """Return all that has arrived, oldest first. Reading changes nothing."""
    return [_page(message["Body"]) for message in peek(ministack, queue_url)]


def worth_reading(heard: Iterable[Page]) -> Iterator[Page]:
    """Leave out each OK that takes nothing back: every alarm has one, when it is first judged."""
    ringing: set[str] = set()
    for page in heard:
        if page.rings or page.name in ringing:
            yield page
        (ringing.add if page.rings else ringing.discard)(page.name)


def _page(body: str) -> Page:
    envelope = json.loads(body)
    return Page(
        id=envelope["MessageId"],
        subject=envelope.get("Subject") or "",
        message=json.loads(envelope["Message"]),
    )
