"""A table's stream, delivered to a function as Lambda's event source would.

MiniStack's own takes a batch for done whatever its function reports as failed, never stops
retrying, and runs on the thread that also hands out wakes. So it is switched off, and this keeps
the rules that the event source was given:
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html

Not as in AWS: a stream is one shard here, and MiniStack forgets it when it stops. What was not
delivered by then stays in the audit table, and nobody is told.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_sqs import SQSClient

Record = dict[str, Any]

#: Between two looks at a stream that had nothing new, and between two tries of a batch. How long
#: Lambda waits before it tries again, it does not say.
_IDLE_SECONDS = 0.5
_RETRY_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the event source was told by the template."""

    function: str
    stream: str
    batch_size: int
    event_names: frozenset[str]
    attempts: int
    max_age_seconds: float
    bisects: bool
    reports_failures: bool
    #: ARN of the queue for what is given up.
    on_failure: str

    @classmethod
    def of(cls, source: Mapping[str, Any]) -> "Rules":
        """Read them from an event source mapping, as Lambda describes it."""
        filters = source.get("FilterCriteria", {}).get("Filters", [])
        patterns = [json.loads(each["Pattern"]) for each in filters]
        return cls(
            function=source["FunctionArn"],
            stream=source["EventSourceArn"],
            batch_size=source["BatchSize"],
            event_names=frozenset(name for each in patterns for name in each["eventName"]),
            attempts=1 + source["MaximumRetryAttempts"],
            max_age_seconds=source["MaximumRecordAgeInSeconds"],
            bisects=source["BisectBatchOnFunctionError"],
            reports_failures="ReportBatchItemFailures" in source["FunctionResponseTypes"],
            on_failure=source["DestinationConfig"]["OnFailure"]["Destination"],
        )


@dataclass(frozen=True)
class Failed:
    """The function did not do all of the batch."""

    #: The first record that was not done; `None` where it raised and said nothing.
    first: int | None = None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """Delivers batches: at least once, in order, each until it is done or given up."""

    rules: Rules
    invoke: Callable[[Sequence[Record]], Failed | None]
    give_up: Callable[[Sequence[Record], str], None]
    #: Seconds since 1970.
    now: Callable[[], float]
    #: Waits that many seconds; `True` means: stop now.
    wait: Callable[[float], bool]

    def __call__(self, batch: Sequence[Record]) -> None:
        """Deliver one batch; return when nothing of it is left to do."""
        attempts = 0
        while batch:
            failed = self.invoke(batch)
            attempts += 1
            if failed is None:
                return
            if failed.first is not None and failed.first > 0:
                batch, attempts = batch[failed.first :], 0
            elif failed.first is None and self.rules.bisects and len(batch) > 1:
                middle = len(batch) // 2
                self(batch[:middle])
                batch, attempts = batch[middle:], 0
                continue
            if self._given_up(batch, attempts) or self.wait(_RETRY_SECONDS):
                return

    def _given_up(self, batch: Sequence[Record], attempts: int) -> bool:
        age = self.now() - batch[0]["dynamodb"]["ApproximateCreationDateTime"]
        if age > self.rules.max_age_seconds:
            self.give_up(batch, "MaxRecordAgeExceeded")
        elif attempts >= self.rules.attempts:
            self.give_up(batch, "RetryAttemptsExhausted")
        else:
            return False
        return True


def read(streams: Any, rules: Rules, stop: threading.Event) -> Iterator[list[Record]]:  # noqa: ANN401 - its stubs are not worth a dependency
    """Yield the stream's records from its beginning, in batches, until told to stop."""
    shard = streams.describe_stream(StreamArn=rules.stream)["StreamDescription"]["Shards"][0]
    place: dict[str, str] = {"ShardIteratorType": "TRIM_HORIZON"}
    while not stop.is_set():
        # A new iterator for each page: one is good for 15 minutes, and a batch may take an hour.
        iterator = streams.get_shard_iterator(
            StreamArn=rules.stream, ShardId=shard["ShardId"], **place
        )["ShardIterator"]
        page = streams.get_records(ShardIterator=iterator, Limit=rules.batch_size)["Records"]
        wanted = [record for record in page if record["eventName"] in rules.event_names]
        if wanted:
            yield [_as_lambda_spells(record, rules.stream) for record in wanted]
        if page:
            newest = page[-1]["dynamodb"]["SequenceNumber"]
            place = {"ShardIteratorType": "AFTER_SEQUENCE_NUMBER", "SequenceNumber": newest}
        else:
            stop.wait(_IDLE_SECONDS)


def _as_lambda_spells(record: Mapping[str, Any], stream: str) -> Record:
    spelled: Record = json.loads(json.dumps(record, default=_plain))
    return {**spelled, "eventSourceARN": stream}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    message = f"{type(value).__name__} in a stream's record"
    raise TypeError(message)


def invoked(client: "LambdaClient", rules: Rules, batch: Sequence[Record]) -> Failed | None:
    """Call the function with the batch; return what it did not do, if so."""
    try:
        answer = client.invoke(
            FunctionName=rules.function, Payload=json.dumps({"Records": batch}).encode()
        )
    except (ClientError, BotoCoreError):
        # Whether it ran is not known: that is what "at least once" is for.
        return Failed()
    if "FunctionError" in answer:
        return Failed()
    said = json.loads(answer["Payload"].read() or b"null")
    failures = (said or {}).get("batchItemFailures", []) if rules.reports_failures else []
    if not failures:
        return None
    reported = {failure["itemIdentifier"] for failure in failures}
    numbers = [record["dynamodb"]["SequenceNumber"] for record in batch]
    # As in AWS, a name that is not of the batch fails all of it.
    return Failed(min((n for n, number in enumerate(numbers) if number in reported), default=0))


def given_up(sqs: "SQSClient", rules: Rules, batch: Sequence[Record], condition: str) -> None:
    """Tell the queue for the dead which records were given up, not what they say."""
    name = rules.on_failure.rsplit(":", 1)[-1]
    first, last = batch[0]["dynamodb"], batch[-1]["dynamodb"]
    message = {
        "requestContext": {"functionArn": rules.function, "condition": condition},
        "version": "1.0",
        "DDBStreamBatchInfo": {
            "streamArn": rules.stream,
            "startSequenceNumber": first["SequenceNumber"],
            "endSequenceNumber": last["SequenceNumber"],
            "batchSize": len(batch),
        },
    }
    queue = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps(message))
