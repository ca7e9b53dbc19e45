"""Every caller at once, each in a process of its own, on one running stack."""

import math
import multiprocessing
from dataclasses import dataclass

from chalicelib.domain.operator import Role
from local.stack import LocalStack
from tests.fuzz.bugs import bugs
from tests.fuzz.caller import call
from tests.fuzz.plan import NOBODY, Plan, Report
from tests.fuzz.scene import Scene

#: Who calls, and how large their share of the cases is: who may do more tries more.
CALLERS = {
    NOBODY: 1,
    Role.VIEWER: 1,
    Role.SERVICE: 2,
    Role.PROMOTER: 3,
    Role.SUPERADMIN: 3,
}
#: For starting the processes, and for the requests that are under way when the time is over.
SLACK_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How much is to be tried."""

    seed: int
    #: By all callers together; `None` goes on until the time is over.
    cases: int | None
    seconds: int
    #: Cases that are made up for each operation and caller before the next turn.
    examples: int


def fuzz(stack: LocalStack, effort: Effort) -> Report:
    """Try the API as everybody; all reports in one.

    Bounded in time. The stack must not be needed for anything else: what is left behind are
    freezes, locked operators and promotions that never end.
    """
    scene = Scene.made_in(stack)
    plans = [_plan(scene, effort, caller, n) for n, caller in enumerate(CALLERS)]
    # Not forked: a fork takes over locks that threads hold.
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(len(plans)) as pool:
        reports = pool.map_async(call, plans, chunksize=1).get(effort.seconds + SLACK_SECONDS)
    return sum(reports, Report(bugs=bugs(stack)))


def _plan(scene: Scene, effort: Effort, caller: str, n: int) -> Plan:
    return Plan(
        api=scene.stack.api,
        caller=caller,
        token=scene.token(caller),
        operators=scene.operators[Role.VIEWER if caller == NOBODY else Role(caller)],
        secrets=scene.secrets(),
        known=scene.known,
        # One after the other would be the next soak's.
        seed=effort.seed * len(CALLERS) + n,
        cases=effort.cases and math.ceil(effort.cases * CALLERS[caller] / sum(CALLERS.values())),
        seconds=effort.seconds,
        examples=effort.examples,
    )
