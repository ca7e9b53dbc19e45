"""Dollars for a million promotions and for a month in which nothing happens.

Every Lambda's handler runs over moto, and what AWS bills by is counted: requests, read and write
units with those of indexes and transactions, messages, bytes of logs, names of metrics. What
stands about is counted in the packaged template. What cannot be counted here is assumed by the
constants below: how long a call takes, and how often Lambda asks an empty queue.
"""

import argparse
import io
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TextIO, cast

import boto3
import pytest

import app
from bench.aws import REGION, Call, Reply, by_moto
from bench.site import (
    Site,
    authorize_event,
    promote_event,
    request_event,
    schedule_event,
    site,
    stream_event,
)
from bench.units import Item, read_units, write_units
from chalicelib.adapters import heartbeat
from chalicelib.bootstrap import Container
from infra.package import package
from tests.fakes import FakeClock

if TYPE_CHECKING:
    import logging

    from mypy_boto3_dynamodb import DynamoDBClient

MONTH_SECONDS = 30 * 24 * 3600
#: us-east-1, list prices, November 2026; dollars a unit.
PRICES = {
    "API Gateway: requests": 3.50e-6,
    "Lambda: requests": 0.20e-6,
    "Lambda: GB-seconds (arm64)": 0.0000133334,
    "DynamoDB: write units": 0.625e-6,
    "DynamoDB: read units": 0.125e-6,
    "SQS: FIFO requests": 0.50e-6,
    "SNS: requests": 0.50e-6,
    # Parameter Store itself is free; each secret that it reads is opened by KMS.
    "KMS: requests": 3.0e-6,
    "CloudWatch: alarms' metrics": 0.10,
    "CloudWatch: metrics of our own": 0.30,
    "CloudWatch: dashboards": 3.00,
    "CloudWatch: GB of logs": 0.50,
}
#: What is free each month, for ever, to an account that has nothing else.
FREE = {
    "Lambda: requests": 1e6,
    "Lambda: GB-seconds (arm64)": 400_000,
    "SQS: FIFO requests": 1e6,
    "SNS: requests": 1e6,
    "KMS: requests": 20_000,
    "CloudWatch: alarms' metrics": 10,
    "CloudWatch: metrics of our own": 10,
    "CloudWatch: dashboards": 3,
    "CloudWatch: GB of logs": 5,
}
#: Dollars that an idle month has to stay below, in such an account.
IDLE_GOAL = 1.0
#: Seconds that a call takes, which a Lambda is billed for while it waits.
AWS_CALL, HEROKU_CALL = 0.010, 0.200
#: How many receivers Lambda keeps at a queue in which nothing is, each for twenty seconds a time.
IDLE_RECEIVERS, RECEIVE_SECONDS = 5, 20
#: A Lambda of 512 MB has this much of a CPU. https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_GB = 0.5
CPU_SHARE = 512 / 1769
#: What Lambda itself writes to the log for each call: START, END and REPORT.
PLATFORM_LOG_BYTES = 350


#: How much of what is billed, by the names in `PRICES`.
Units = defaultdict[str, float]


def _none() -> Units:
    return defaultdict(float)


@dataclass
class Meter:
    """AWS, read off as it is billed."""

    units: Units = field(default_factory=_none)
    calls: int = 0

    def __call__(self, call: Call) -> Reply:
        """Answer as moto does, and count."""
        self.calls += 1
        service = call.service
        if service == "dynamodb":
            return self._dynamodb(call)
        names = {"sqs": "SQS: FIFO requests", "ssm": "KMS: requests", "sns": "SNS: requests"}
        self.units[names[service]] += 1
        return by_moto(call)

    def _dynamodb(self, call: Call) -> Reply:
        operation, asked = call.operation.partition(".")[2], json.loads(call.body)
        writes = list(_writes(operation, asked))
        before = [_stored(table, key) for table, key in writes]
        reply = by_moto(call)
        answer = json.loads(reply.body)
        self.units["DynamoDB: read units"] += read_units(
            operation, answer, consistent=_is_consistent(asked)
        )
        self.units["DynamoDB: write units"] += sum(
            write_units(
                old,
                _stored(table, key),
                indexes=_indexes(table),
                transaction=operation == "TransactWriteItems",
            )
            for (table, key), old in zip(writes, before, strict=True)
        )
        return reply


def _is_consistent(asked: Mapping[str, Any]) -> bool:
    return any(
        part.get("ConsistentRead") for part in (asked, *asked.get("RequestItems", {}).values())
    )


def _writes(operation: str, asked: Mapping[str, Any]) -> Iterator[tuple[str, Item]]:
    """Table and key of every item that is written, or checked in a transaction."""
    actions = [each for action in asked.get("TransactItems", ()) for each in action.values()]
    if operation in {"PutItem", "UpdateItem", "DeleteItem"}:
        actions = [asked]
    for action in actions:
        table = action["TableName"]
        whole = action.get("Key") or action["Item"]
        yield table, {name: whole[name] for name in _key(table)}


@cache
def _described(table: str) -> Mapping[str, Any]:
    return _direct().describe_table(TableName=table)["Table"]


def _key(table: str) -> Sequence[str]:
    return [each["AttributeName"] for each in _described(table)["KeySchema"]]


def _indexes(table: str) -> Mapping[str, str]:
    schemas = [each["KeySchema"] for each in _described(table).get("GlobalSecondaryIndexes", ())]
    return {schema[0]["AttributeName"]: schema[1]["AttributeName"] for schema in schemas}


def _stored(table: str, key: Item) -> Item:
    return _direct().get_item(TableName=table, Key=dict(key)).get("Item", {})


@cache
def _direct() -> "DynamoDBClient":
    """A way to moto past the meter."""
    return boto3.client("dynamodb", endpoint_url=f"https://dynamodb.{REGION}.amazonaws.com")


@dataclass
class Account:
    """An AWS account in which Hoist runs, with its meter."""

    place: Site
    meter: Meter
    #: Names of metrics that were written.
    metrics: set[str] = field(default_factory=set)
    #: Audit entries that the stream has handed on.
    streamed: set[tuple[str, str]] = field(default_factory=set)

    def invoke(self, door: Callable[[Any, None], Any], event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """Call a Lambda: all that it is billed for."""
        calls, heroku, began = self.meter.calls, self._heroku_calls(), time.thread_time()
        logged = io.StringIO()
        with redirect_stdout(logged):
            # It keeps the stream that it was made with.
            cast("logging.StreamHandler[TextIO]", app.log.registered_handler).setStream(logged)
            answer = door(event, None)
        seconds = (time.thread_time() - began) / CPU_SHARE
        seconds += (self.meter.calls - calls) * AWS_CALL
        seconds += (self._heroku_calls() - heroku) * HEROKU_CALL
        units = self.meter.units
        units["Lambda: requests"] += 1
        units["Lambda: GB-seconds (arm64)"] += seconds * MEMORY_GB
        units["CloudWatch: GB of logs"] += (len(logged.getvalue()) + PLATFORM_LOG_BYTES) / 1e9
        self.metrics |= set(_metrics(logged.getvalue()))
        return answer

    def request(self, event: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
        """A request through API Gateway and the authorizer."""
        self.meter.units["API Gateway: requests"] += 1
        self.invoke(app.authorize, authorize_event())
        answer = self.invoke(app.app, event)
        if answer["statusCode"] >= HTTPStatus.BAD_REQUEST:
            raise SystemExit(answer["body"])
        return answer

    def promote(self, target: str, number: int) -> str:
        """What an operator does: mark, promote, look."""
        self.place.forget_codes()
        body = {"target": target, "flag": f"flag_{number}", "value": "true"}
        event = request_event("POST", "/promotions", **{"Idempotency-Key": f"{target}-{number}"})
        promotion = json.loads(self.request({**event, "body": json.dumps(body)})["body"])
        self.request(promote_event(promotion["id"], self.place.code(app.hoist.clock.now())))
        return str(promotion["id"])

    def look(self, promotion_id: str) -> None:
        """What an operator does afterwards."""
        shown = self.request(
            request_event("GET", "/promotions/{promotion_id}", promotion_id=promotion_id)
        )
        if json.loads(shown["body"])["state"] != "deployed":
            raise SystemExit(shown["body"])

    def work(self) -> None:
        """Deliver every wake."""
        sqs, url = boto3.client("sqs"), self.place.settings.hoist_wakes_queue_url
        while messages := sqs.receive_message(QueueUrl=url).get("Messages"):
            (message,) = messages
            receipt = message["ReceiptHandle"]
            # Lambda's own: one to receive, one to delete.
            self.meter.units["SQS: FIFO requests"] += 2
            record = {"messageId": "m", "receiptHandle": receipt, "body": message["Body"]}
            if self.invoke(app.work, {"Records": [record]})["batchItemFailures"]:
                message_ = "a wake was put back: nothing here takes time"
                raise SystemExit(message_)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=receipt)

    def notify(self, batch: int) -> None:
        """Hand new audit entries to both channels. Reading a stream is free to Lambda."""
        table = self.place.settings.hoist_audit_table
        pages = boto3.client("dynamodb").get_paginator("scan").paginate(TableName=table)
        images = {
            (image["promotion_id"]["S"], image["version"]["N"]): image
            for page in pages
            for image in page["Items"]
        }
        fresh = [image for key, image in images.items() if key not in self.streamed]
        self.streamed |= images.keys()
        for start in range(0, len(fresh), batch):
            event = stream_event(*fresh[start : start + batch])
            for door in (app.notify_on_call, app.notify_slack):
                self.invoke(door, event)

    def _heroku_calls(self) -> int:
        return sum(each["count"] for each in self.place.heroku.controls.truth()["requests"])


def _metrics(logged: str) -> Iterator[str]:
    """Names of metrics that a Lambda's log has in CloudWatch's embedded format."""
    for line in logged.splitlines():
        if line.startswith("{"):
            for written in json.loads(line).get("_aws", {}).get("CloudWatchMetrics", ()):
                yield from (metric["Name"] for metric in written["Metrics"])


@contextmanager
def account() -> Iterator[Account]:
    """An account, warm: its clients are made, its secrets read."""
    meter = Meter()
    with site(meter) as place, pytest.MonkeyPatch.context() as patch:
        found = Account(place=place, meter=meter)
        warm = place.target("warm")
        hoist = Container()
        # Time stands still: moto's would be taken for Heroku's.
        hoist.settings, hoist.clock = place.settings, FakeClock(place.hoist.clock.now())
        patch.setattr(app, "hoist", hoist)
        # A visit of less than a second has no heartbeat; here moto may make it longer.
        patch.setattr(heartbeat, "HEARTBEAT_EVERY", timedelta(hours=1))
        # Clients that are made now are metered; the bench's own are not.
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("AWS_ENDPOINT_URL", place.aws_url)
            found.promote(warm, 0)
            found.work()
            found.notify(10)
            for door in (app.watch, app.drift):
                found.invoke(door, schedule_event())
        meter.units.clear()
        yield found


def burst(size: int) -> Units:
    """What is billed for each promotion of a burst at one target."""
    with account() as found:
        target = found.place.target("burst")
        found.meter.units.clear()
        ids = [found.promote(target, number) for number in range(size)]
        found.work()
        # One alone is the worst case: each entry is a batch of its own.
        found.notify(1 if size == 1 else 10)
        for promotion_id in ids:
            found.look(promotion_id)
        return defaultdict(float, {name: count / size for name, count in found.meter.units.items()})


def idle(targets: int) -> Units:
    """What is billed for a month in which nothing happens: sweeps, comparisons, what stands."""
    with account() as found:
        for number in range(targets):
            found.promote(found.place.target(f"idle-{number}"), number)
        found.work()
        found.meter.units.clear()
        found.metrics.clear()
        month = _none()
        for door, every in ((app.watch, 60), (app.drift, 900)):
            # Time enough for what is remembered to be read anew.
            app.hoist.clock.sleep(timedelta(seconds=every))
            found.invoke(door, schedule_event())
            for name, count in found.meter.units.items():
                month[name] += count * MONTH_SECONDS / every
            found.meter.units.clear()
        month["SQS: FIFO requests"] += IDLE_RECEIVERS * MONTH_SECONDS / RECEIVE_SECONDS
        month["CloudWatch: metrics of our own"] = len(found.metrics)
    month |= standing()
    return month


def standing() -> Units:
    """What the template has that costs by the month."""
    counted = _none()
    for resource in json.loads(package("prod").template.read_text())["Resources"].values():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            parts = resource["Properties"].get("Metrics", [{"MetricStat": {}}])
            counted["CloudWatch: alarms' metrics"] += sum("MetricStat" in part for part in parts)
        elif resource["Type"] == "AWS::CloudWatch::Dashboard":
            counted["CloudWatch: dashboards"] += 1
    return counted


def dollars(units: Mapping[str, float], *, free: bool = False) -> float:
    """What they cost."""
    return sum(_dollars(name, count, free=free) for name, count in units.items())


def _dollars(name: str, count: float, *, free: bool) -> float:
    return PRICES[name] * max(0, count - (FREE.get(name, 0) if free else 0))


def show_promotions(bursts: Mapping[int, Units]) -> None:
    """Print what a million promotions cost."""
    sizes = " | ".join(f"{size} at once: units | $ a million" for size in bursts)
    print(f"| a promotion | {sizes} |\n|---|" + "---:|---:|" * len(bursts))
    for name, price in PRICES.items():
        if any(each[name] for each in bursts.values()):
            cells = (
                f"{each[name]:.4g} | {price * each[name] * 1e6:,.2f}" for each in bursts.values()
            )
            print(f"| {name} | {' | '.join(cells)} |")
    totals = (f" | **{1e6 * dollars(each):,.2f}**" for each in bursts.values())
    print(f"| **in all** |{' |'.join(totals)} |\n")


def show_idle(month: Units) -> None:
    """Print what an idle month costs."""
    print("| an idle month | units | $ | $ beyond what is free |\n|---|---:|---:|---:|")
    for name in PRICES:
        if month[name]:
            full, rest = (_dollars(name, month[name], free=free) for free in (False, True))
            print(f"| {name} | {month[name]:,.6g} | {full:.2f} | {rest:.2f} |")
    print(f"| **in all** | | **{dollars(month):.2f}** | **{dollars(month, free=True):.2f}** |")


def main() -> int:
    """Print the tables. Exit status 1: an idle month costs a dollar, or more."""
    parser = argparse.ArgumentParser(prog="python -m bench.cost", description=main.__doc__)
    parser.add_argument("--burst", type=int, default=100, help="promotions at one target at once")
    parser.add_argument("--targets", type=int, default=10, help="that drift is looked for at")
    arguments = parser.parse_args()
    show_promotions({size: burst(size) for size in (1, arguments.burst)})
    month = idle(arguments.targets)
    show_idle(month)
    return int(dollars(month, free=True) >= IDLE_GOAL)


if __name__ == "__main__":
    raise SystemExit(main())
