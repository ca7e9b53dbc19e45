"""What things cost, in counts that no machine's mood changes: docs/performance.md has the times.

A figure here may fall. Where it has to rise, that is a decision, and is made here.
"""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

import app
from bench.accept import a_promote, contest
from bench.aws import Call, Reply, by_moto
from bench.bursts import burst, hoist
from bench.cold import Start, subjects, unpacked
from bench.cost import IDLE_GOAL, dollars, idle, standing
from bench.cost import burst as billed
from bench.site import Site, site
from infra.package import package

#: The clients that each Lambda's first event makes. Each costs ten milliseconds or more.
CLIENTS = {
    "api: promote": ("dynamodb", "sqs", "ssm"),
    "api: show": ("dynamodb",),
    "authorize": ("dynamodb",),
    "work": ("dynamodb", "sqs", "ssm"),
    "watch": ("dynamodb", "sqs"),
    "drift": ("dynamodb", "ssm"),
    "notify_on_call": ("sns",),
    "notify_slack": ("ssm",),
}
#: Modules imported, the standard library's included.
MODULES = {
    "api: promote": 530,
    "api: show": 520,
    "authorize": 520,
    "work": 590,
    "watch": 520,
    "drift": 590,
    "notify_on_call": 480,
    "notify_slack": 570,
}
#: Never needed by a Lambda, and half a second of a cold start if all were.
NEVER = {"boto3", "s3transfer", "chalice.cli", "click", "moto", "pytest"}
ONLY_FOR_HEROKU_AND_SLACK = {"requests"}


class _Heard:
    """AWS by moto; remembers which services were called."""

    def __init__(self) -> None:
        self.services: set[str] = set()

    def __call__(self, call: Call) -> Reply:
        self.services.add(call.service)
        return by_moto(call)


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Start, set[str]]]:
    """One cold start of each Lambda from the bundle, and the services that it called."""
    bundle = unpacked(package("prod").archive, tmp_path_factory.mktemp("bundle"))
    heard = _Heard()
    with site(heard) as place:
        return dict(_started(place, heard, bundle))


def _started(
    place: Site, heard: _Heard, bundle: Path
) -> Iterator[tuple[str, tuple[Start, set[str]]]]:
    for each in subjects(place, bundle):
        heard.services.clear()
        each.start({**place.environment, "PATH": os.defpath})
        yield each.name, (each.starts[0], set(heard.services))


def test_every_lambda_makes_only_the_clients_that_it_calls(
    starts: dict[str, tuple[Start, set[str]]],
) -> None:
    made = {name: start.clients for name, (start, _) in starts.items()}
    called = {name: tuple(sorted(services)) for name, (_, services) in starts.items()}

    assert made == CLIENTS
    assert called == made


def test_a_cold_start_imports_no_more_than_it_did(
    starts: dict[str, tuple[Start, set[str]]],
) -> None:
    counts = {name: len(start.modules) for name, (start, _) in starts.items()}

    assert {name for name, count in counts.items() if count > MODULES[name]} == set(), counts
    for name, (start, _) in starts.items():
        assert not NEVER & start.modules, name
        speaks_http = name in {"work", "drift", "notify_slack"}
        assert speaks_http or not ONLY_FOR_HEROKU_AND_SLACK & start.modules, name


def test_a_warm_promote_makes_fewer_function_calls_than_bare_boto3_for_its_aws_calls() -> None:
    with contest("promote", a_promote, app.app) as both:
        ours, bare = both.function_calls()

    assert len(both.tape.said) == 6
    assert ours <= 0.9 * bare


def test_a_promotion_is_billed_no_more_than_it_was() -> None:
    units = billed(1)

    most = {
        "API Gateway: requests": 3,
        "Lambda: requests": 19,
        "DynamoDB: write units": 58,
        "DynamoDB: read units": 16,
        "SQS: FIFO requests": 4,
    }
    assert {name for name in most if units[name] > most[name]} == set(), units
    # Secrets are read once by a process, and remembered.
    assert units["KMS: requests"] == 0


def test_what_stands_about_costs_no_more_than_it_did() -> None:
    assert standing() == {
        "CloudWatch: alarms' metrics": 19,
        "CloudWatch: dashboards": 1,
    }


def test_an_idle_month_costs_less_than_a_dollar() -> None:
    assert dollars(idle(targets=2), free=True) < IDLE_GOAL


def test_a_hundred_promotions_at_one_target_take_four_releases_and_eighteen_calls() -> None:
    outcome = burst(100, 1, lambda _: timedelta(0), hoist)

    assert outcome.releases <= 4
    assert outcome.calls <= 18


def test_a_hundred_behind_a_release_phase_of_a_minute_take_half_a_call_each() -> None:
    outcome = burst(100, 1, lambda _: timedelta(minutes=1), hoist)

    assert outcome.releases <= 4
    assert outcome.calls <= 50


def test_what_one_look_could_not_send_is_looked_at_again_within_seconds() -> None:
    outcome = burst(1_000, 1, lambda _: timedelta(0), hoist)

    assert outcome.poll <= 5
    assert outcome.releases <= 22


def test_a_thousand_at_fifty_targets_take_little_longer_than_the_slowest_targets_releases() -> None:
    phases = [timedelta(seconds=60 - 6 * (number % 10)) for number in range(50)]

    outcome = burst(1_000, 50, phases.__getitem__, hoist)

    assert outcome.releases <= 100
    assert outcome.seconds <= 1.5 * outcome.releasing + outcome.poll
