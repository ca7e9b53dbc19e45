"""Races against an engine that loses no writes: many at once, one wins."""

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from chalicelib.bootstrap import Container
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.lease import Lease
from chalicelib.domain.operator import Caller, Role
from chalicelib.domain.promotion import State
from chalicelib.usecases.promote import PromoteOrder
from tests.e2e.conftest import Person, Town
from tests.fakes import FakeWakes

T = TypeVar("T")
CALLERS = 64
WORKERS = 16


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Do it `count` times at the same moment."""
    barrier = threading.Barrier(count)

    def start_together(n: int) -> T:
        barrier.wait()
        return act(n)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(start_together, range(count)))


def outcome(hoist: Container, person: Person, promotion_id: str, code: str) -> str:
    order = PromoteOrder(
        promotion_id=promotion_id,
        caller=Caller(name=person.token.partition(".")[0], role=Role.PROMOTER),
        code=code,
        if_version=None,
        key=None,
    )
    try:
        hoist.promote(order)
    except Rejected as rejected:
        return rejected.code
    return "accepted"


@pytest.mark.parametrize("promotions", [1, CALLERS])
def test_of_parallel_promotes_with_one_code_one_is_accepted(town: Town, promotions: int) -> None:
    app = town.app(f"one-code-{promotions}")
    person = town.hire()
    ids = [person.mark(app, f"flag_{n}")["id"] for n in range(promotions)]
    hoist, code = town.backdoor(), person.code()
    # Its clients are made by one thread: making them is not safe in several.
    assert hoist.store.get(ids[0]) is not None
    assert hoist.aws.ssm
    assert hoist.aws.sqs

    outcomes = at_once(CALLERS, lambda n: outcome(hoist, person, ids[n % promotions], code))

    assert outcomes.count("accepted") == 1
    assert set(outcomes) <= {"accepted", Code.TOTP_REUSED, Code.STATE_FORBIDS, Code.CONTENTION}
    accepted = [hoist.store.get(each) for each in ids]
    assert sum(p is not None and p.state is not State.PENDING for p in accepted) == 1


def test_of_workers_acquiring_one_target_one_gets_it(town: Town) -> None:
    hoist = town.backdoor()
    hoist.locks.get("nobodys")
    now = hoist.clock.now()

    leases = at_once(
        WORKERS,
        lambda n: hoist.locks.acquire("nobodys", holder=f"w{n}", now=now, until=now),
    )
    held = [
        lease
        for lease in at_once(
            WORKERS,
            lambda n: hoist.locks.acquire(
                "somebodys",
                holder=f"w{n}",
                now=now,
                until=now.replace(year=now.year + 1),
            ),
        )
        if isinstance(lease, Lease)
    ]

    attempts = [lease.attempt for lease in leases if isinstance(lease, Lease)]
    assert len(set(attempts)) == len(attempts) == WORKERS
    assert len(held) == 1


def test_of_workers_waking_one_target_at_once_one_patches(town: Town) -> None:
    app = town.app("sixteen-workers")
    promoters = [town.hire() for _ in range(3)]
    ids = [person.mark(app, f"flag_{n}")["id"] for n, person in enumerate(promoters)]
    hoist = town.backdoor()
    hoist.wakes = FakeWakes()
    for person, promotion_id in zip(promoters, ids, strict=True):
        assert outcome(hoist, person, promotion_id, person.code()) == "accepted"
    aws = town.stack.ministack.aws
    function = town.stack.outputs["WorkFunction"]
    clients = [aws.session.client("lambda", endpoint_url=aws.endpoint_url) for _ in range(WORKERS)]
    event = json.dumps(
        {
            "Records": [
                {
                    "messageId": "m",
                    "receiptHandle": "none",
                    "body": json.dumps({"target": app, "promotion_id": None}),
                    "eventSource": "aws:sqs",
                },
            ],
        },
    )

    answers = at_once(
        WORKERS,
        lambda n: clients[n].invoke(FunctionName=function, Payload=event.encode()),
    )

    assert all(answer["StatusCode"] == 200 for answer in answers)
    assert [promoters[0].settled(each)["state"] for each in ids] == ["deployed"] * 3
    assert len(town.patches(app)) == 1
