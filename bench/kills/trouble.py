"""What each kind of trial does. Every function asks for promotions, does its harm, says when."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime

from bench.kills.errand import Errand
from bench.kills.place import now
from bench.kills.plan import Kind
from tests.e2e.conftest import TICK

#: A worker's visit to a slow Heroku is over by then, more often than not.
_VISIT_SECONDS = 4.0
#: So many ask at once: each costs two Lambdas, and all of them start anew after a restart.
_CALLERS = 2
#: An answer of the API is there by then, more often than not.
_REQUEST_SECONDS = 0.5
_SWEEP_SECONDS = 0.4
_SWEEPS = 3
#: A worker gives a read up after 8 seconds without a byte, and a PATCH after 15.
_FROZEN_SECONDS = ((0.5, 8.0), (8.0, 32.0))


def worker(errand: Errand) -> datetime:
    """Kill the worker at a random moment after the promotes."""
    errand.make_heroku_slow()
    errand.mark_all()
    errand.promote_all()
    _pause(errand, _VISIT_SECONDS)
    return errand.place.kill("WorkFunction")


def wake(errand: Errand) -> datetime:
    """The same, and nothing is left that would call the next worker."""
    errand.make_heroku_slow()
    errand.mark_all()
    errand.promote_all()
    _pause(errand, _VISIT_SECONDS)
    errand.place.lose_wakes()
    return errand.place.kill("WorkFunction")


def watchdog(errand: Errand) -> datetime:
    """The same, and the sweeps that come next end before they are done."""
    harmed_at = wake(errand)
    with ThreadPoolExecutor(1) as pool:
        for _ in range(_SWEEPS):
            sweep = pool.submit(errand.place.invoke, "WatchFunction", TICK)
            _pause(errand, _SWEEP_SECONDS)
            harmed_at = errand.place.kill("WatchFunction")
            if not sweep.result():
                return harmed_at
    return harmed_at


def api(errand: Errand) -> datetime:
    """Kill the API while it is asked to mark, to promote, or both; its callers repeat."""
    with _being_asked(errand):
        harmed_at = now()
        for _ in range(errand.dice.randint(1, 3)):
            _pause(errand, _REQUEST_SECONDS)
            harmed_at = errand.place.kill("ApiFunction")
    return harmed_at


def twins(errand: Errand) -> datetime:
    """Give several workers a wake for each target at the same moment, beside the queue's own."""
    errand.make_heroku_slow()
    errand.mark_all()
    errand.promote_all()
    _pause(errand, 1.0)
    began = now()
    wakes = [target for target in errand.targets for _ in range(errand.dice.randint(2, 3))]
    with ThreadPoolExecutor(len(wakes)) as pool:
        for target in wakes:
            pool.submit(errand.place.invoke, "WorkFunction", _wake(target))
    return began


def notifier(errand: Errand) -> datetime:
    """Kill whoever tells of a broken glass, several times, while they tell of it."""
    errand.mark_all()
    errand.promote_all(break_glass=True, reason="the notice has to arrive")
    harmed_at = now()
    for _ in range(3):
        _pause(errand, 1.0)
        errand.place.kill("NotifySlackFunction")
        harmed_at = errand.place.kill("NotifyOnCallFunction")
    return harmed_at


def engine(errand: Errand) -> datetime:
    """Stop AWS while promotions are asked for and under way, and start it again."""
    with _being_asked(errand):
        _pause(errand, _VISIT_SECONDS)
        return errand.place.restart()


def heroku(errand: Errand) -> datetime:
    """Freeze Heroku amid the workers' visits, for shorter or longer than they wait for it."""
    errand.make_heroku_slow()
    errand.mark_all()
    errand.promote_all()
    _pause(errand, _VISIT_SECONDS / 2)
    return errand.place.freeze_heroku(errand.dice.uniform(*errand.dice.choice(_FROZEN_SECONDS)))


TROUBLES: Mapping[Kind, Callable[[Errand], datetime]] = {
    Kind.WORKER: worker,
    Kind.API: api,
    Kind.TWINS: twins,
    Kind.NOTIFIER: notifier,
    Kind.WAKE: wake,
    Kind.WATCHDOG: watchdog,
    Kind.ENGINE: engine,
    Kind.HEROKU: heroku,
}


@contextmanager
def _being_asked(errand: Errand) -> Iterator[None]:
    """While its promotions are asked for; ends when all are accepted."""
    errand.make_heroku_slow()
    with ThreadPoolExecutor(_CALLERS) as pool:
        asking = [pool.submit(each.mark_and_promote) for each in errand.asked]
        yield
    for each in asking:
        each.result()


def _pause(errand: Errand, seconds: float) -> None:
    """Wait for a random part of so many seconds."""
    time.sleep(errand.dice.uniform(0, seconds))


def _wake(target: str) -> dict[str, object]:
    body = json.dumps({"target": target, "promotion_id": None})
    record = {
        "messageId": "m",
        "receiptHandle": "none",
        "body": body,
        "eventSource": "aws:sqs",
    }
    return {"Records": [record]}
