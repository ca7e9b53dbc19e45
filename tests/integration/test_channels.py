"""Slack and the person on call, at the wire: at least once, in time, and nothing lost silently."""

import json
import random
from datetime import timedelta

import boto3
import pytest
import requests
import responses

from chalicelib.adapters.aws import AwsClients
from chalicelib.adapters.slack import APART, SlackChannel
from chalicelib.adapters.sns import SnsChannel
from chalicelib.domain.audit import Act, Action, AuditEntry
from chalicelib.domain.errors import TryAgain
from chalicelib.domain.notice import Notice, notice_of
from chalicelib.domain.promotion import Rung, advance
from chalicelib.ports import Undeliverable
from chalicelib.usecases.notify import Notify
from tests.factories import deploying
from tests.fakes import START, FakeClock

WEBHOOK = "https://hooks.slack.com/services/T0/B0/secret"
FACTS = {"alert": "stalled", "rung": "sev3", "minutes": 30, "waiting_on": "It <waits> & waits."}


def an_entry(n: int = 0) -> AuditEntry:
    promotion = deploying(flag=f"flag_{n}")
    act = Act(actor="watchdog", action=Action.ALERT, at=START, facts=FACTS)
    return advance(promotion, act, rung=Rung.SEV3).entry


def a_notice() -> Notice:
    notice = notice_of(an_entry())
    assert notice is not None
    return notice


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def slack(clock: FakeClock) -> SlackChannel:
    return SlackChannel(
        webhook_url=lambda: WEBHOOK,
        session=requests.Session,
        clock=clock,
        promotions_url="https://hoist.example/api/console#/promotions",
        runbook_url="https://hoist.example/runbook.md",
    )


@responses.activate
def test_a_notice_is_posted_with_links_to_promotion_and_runbook(slack: SlackChannel) -> None:
    responses.post(WEBHOOK, body="ok")
    notice = a_notice()

    slack.deliver(notice)

    sent = json.loads(responses.calls[0].request.body or "")
    assert sent["text"] == f"[SEV-3] {notice.title}"
    assert len(sent["blocks"]) <= 50
    links = sent["blocks"][-1]["elements"][0]["text"]
    assert f"https://hoist.example/api/console#/promotions/{notice.promotion_id}" in links
    assert "https://hoist.example/runbook.md#rung-sev3" in links


@responses.activate
def test_what_means_something_to_slack_is_escaped(slack: SlackChannel) -> None:
    responses.post(WEBHOOK, body="ok")

    slack.deliver(a_notice())

    sent = json.loads(responses.calls[0].request.body or "")
    assert "It &lt;waits&gt; &amp; waits." in sent["blocks"][1]["text"]["text"]


@responses.activate
def test_messages_keep_a_second_apart(slack: SlackChannel, clock: FakeClock) -> None:
    responses.post(WEBHOOK, body="ok")
    began = clock.now()

    for _ in range(5):
        slack.deliver(a_notice())

    assert clock.now() - began == 4 * APART


@pytest.mark.parametrize("status", [429, 500, 503])
@responses.activate
def test_what_passes_is_delivered_again(slack: SlackChannel, status: int) -> None:
    responses.post(WEBHOOK, status=status, headers={"Retry-After": "7"})

    with pytest.raises(TryAgain) as again:
        slack.deliver(a_notice())

    assert again.value.after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (400, "invalid_payload"),
        (403, "invalid_token"),
        (404, "no_active_hooks"),
        (404, "no_service"),
        (410, "channel_is_archived"),
    ],
)
@responses.activate
def test_what_is_refused_for_good_is_said_over_the_other_channel(
    slack: SlackChannel,
    status: int,
    word: str,
) -> None:
    responses.post(WEBHOOK, status=status, body=word)
    on_call = Recorder()

    told = Notify(channel=slack, fallback=on_call)(an_entry())

    assert told.undeliverable is not None
    assert word in told.undeliverable
    (notice,) = on_call.told
    assert word in notice.title
    assert a_notice().title in notice.text
    assert notice.wakes_somebody


@pytest.mark.parametrize("error", [requests.ConnectTimeout, requests.ConnectionError])
@responses.activate
def test_the_webhook_which_is_a_secret_shows_in_no_error(
    slack: SlackChannel,
    error: type[Exception],
) -> None:
    responses.post(WEBHOOK, body=error(f"no route to {WEBHOOK}"))

    with pytest.raises(TryAgain) as again:
        slack.deliver(a_notice())

    shown = repr(again.value) + repr(again.value.__cause__)
    assert "secret" not in shown
    assert again.value.__suppress_context__


class Recorder:
    """A channel that remembers."""

    def __init__(self) -> None:
        self.told: list[Notice] = []

    def deliver(self, notice: Notice) -> None:
        self.told.append(notice)


def test_only_what_is_loud_wakes_somebody() -> None:
    on_call = Recorder()
    act = Act(actor="watchdog", action=Action.ALERT, at=START, facts=FACTS | {"rung": "info"})
    calm = advance(deploying(), act, rung=Rung.INFO).entry
    notify = Notify(channel=on_call, loud_only=True)

    for entry in (calm, an_entry()):
        notify(entry)

    assert [notice.rung for notice in on_call.told] == [Rung.SEV3]


@responses.activate
def test_a_thousand_notices_through_a_sink_that_fails_a_third_of_the_time_all_arrive(
    slack: SlackChannel,
) -> None:
    dice = random.Random(20260509)  # noqa: S311 - no secret
    arrived: list[str] = []

    def sink(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        if dice.random() < 0.3:
            return 503, {}, "down"
        arrived.append(json.loads(request.body or "")["text"])
        # An answer may be lost after the message was taken: it is delivered twice then.
        return (500 if dice.random() < 0.05 else 200), {}, "ok"

    responses.add_callback(responses.POST, WEBHOOK, callback=sink)
    notify = Notify(channel=slack, fallback=Recorder())
    entries = [an_entry(n) for n in range(1_000)]
    titles = [notice.title for entry in entries if (notice := notice_of(entry))]
    position, attempts, dead = 0, 0, []

    # As Lambda reads a stream: on a failure again from the failed entry, so and so often.
    while position < len(entries):
        try:
            notify(entries[position])
        except TryAgain:
            attempts += 1
            if attempts < 100:
                continue
            dead.append(entries[position])
        position, attempts = position + 1, 0

    assert dead == []
    assert {f"[SEV-3] {title}" for title in titles} == set(arrived)
    assert len(titles) == 1_000
    # Doubles are told by their key, not by a second page: it is the same for the same episode.
    assert len(arrived) >= 1_000


@pytest.mark.parametrize(("resolves", "state"), [(False, "ALARM"), (True, "OK")])
def test_a_page_has_the_shape_of_a_cloudwatch_alarm(
    aws: None,  # noqa: ARG001 - the engine behind it
    clock: FakeClock,
    resolves: bool,  # noqa: FBT001 - a parameter of the test
    state: str,
) -> None:
    sns, sqs = boto3.client("sns"), boto3.client("sqs")
    topic = sns.create_topic(Name="on-call")["TopicArn"]
    queue = sqs.create_queue(QueueName="phone")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn["QueueArn"])
    clients = AwsClients()
    channel = SnsChannel(
        client=lambda: clients.sns,
        topic_arn=topic,
        clock=clock,
        promotions_url="https://hoist.example/api/console#/promotions",
        runbook_url="https://hoist.example/runbook.md",
    )
    notice = a_notice()
    told = Notice(**(vars(notice) | {"resolves": resolves}))

    channel.deliver(told)

    (received,) = sqs.receive_message(QueueUrl=queue)["Messages"]
    envelope = json.loads(received["Body"])
    message = json.loads(envelope["Message"])
    assert (message["AlarmName"], message["NewStateValue"]) == (notice.dedup_key, state)
    assert "runbook.md#rung-sev3" in message["AlarmDescription"]
    assert f"/console#/promotions/{notice.promotion_id}" in message["AlarmDescription"]
    assert len(envelope["Subject"]) <= 100


def test_a_channel_that_has_no_address_says_what_to_store() -> None:
    def complain() -> str:
        detail = "No webhook is stored."
        raise Undeliverable(detail)

    slack = SlackChannel(
        webhook_url=complain,
        session=requests.Session,
        clock=FakeClock(),
        promotions_url="",
        runbook_url="",
    )
    on_call = Recorder()

    told = Notify(channel=slack, fallback=on_call)(an_entry())

    assert told.undeliverable == "No webhook is stored."
    assert len(on_call.told) == 1
