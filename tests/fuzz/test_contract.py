"""The served contract holds, whoever calls: some minutes of what `make soak` does for longer.

On a stack of their own: freezes, locked operators and promotions that never end stay behind.
"""

from collections.abc import Iterator

import pytest

from local.stack import local_stack
from tests.fuzz.contract import Contract
from tests.fuzz.fuzzing import CALLERS, Effort, fuzz
from tests.fuzz.plan import Report

#: The same requests each time, as far as the answers are the same: `make soak` tries others.
EFFORT = Effort(seed=20261122, cases=None, seconds=105, examples=10)
#: A third of what two slow cores do in the time.
LEAST_REQUESTS = 1000


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Report, Contract]]:
    with local_stack(tmp_path_factory.mktemp("fuzzed")) as stack:
        yield fuzz(stack, EFFORT), Contract.served_at(stack.api)


def test_no_request_meets_a_server_error(fuzzed: tuple[Report, Contract]) -> None:
    report, _ = fuzzed

    assert (report.server_errors, report.bugs) == (0, {})


def test_every_answer_is_what_the_contract_promises(fuzzed: tuple[Report, Contract]) -> None:
    report, _ = fuzzed

    assert "\n\n".join([*report.errors, *map(str, report.failures)]) == ""


def test_every_caller_tries_every_operation(fuzzed: tuple[Report, Contract]) -> None:
    report, contract = fuzzed

    tried = {(caller, label) for caller, label, _ in report.answers}
    assert {(caller, label) for caller in CALLERS for label in contract.operations} <= tried
    assert report.cases >= LEAST_REQUESTS


def test_every_operation_that_reads_is_carried_out(fuzzed: tuple[Report, Contract]) -> None:
    report, contract = fuzzed

    done = {label for _, label, answer in report.answers if answer.startswith("2")}
    assert {label for label in contract.operations if label.startswith("GET ")} <= done
