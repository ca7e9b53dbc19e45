"""One caller, in a process of its own: Hypothesis and schemathesis are not made for threads."""

import random
import time

import schemathesis
from schemathesis import Response
from schemathesis.core.failures import Failure as CheckFailure
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from tests.fuzz.checks import checks_of
from tests.fuzz.codes import Codes
from tests.fuzz.contract import AnyCase, Contract, json_object
from tests.fuzz.known import Known
from tests.fuzz.plan import Failure, Plan, Report
from tests.fuzz.reach import Reach
from tests.fuzz.settings import settings_of

#: What requests with a method that the contract does not have count as.
UNDECLARED = "undeclared methods"
TELL_EVERY_SECONDS = 30
#: Of an answer to a failed check.
SHOWN_CHARACTERS = 500


def call(plan: Plan) -> Report:
    """Carry the plan out, as the only one in this process."""
    contract = Contract.served_at(plan.api)
    dice = random.Random(plan.seed)  # noqa: S311 - no secret
    reach = Reach(
        plan=plan,
        known=Known.at_first(contract, dice, plan.known),
        codes=Codes(operators=plan.operators, dice=dice),
        dice=dice,
    )
    for check in checks_of(plan, contract):
        schemathesis.check(check)
    for hook in (reach.before_call, reach.after_call, reach.filter_failure):
        GLOBAL_HOOK_DISPATCHER.register_hook_with_name(hook, hook.__name__)
    schema = schemathesis.openapi.from_dict(contract.closed, config=settings_of(plan, contract))
    report, told = Report(), time.monotonic()
    stream = from_schema(schema).execute()
    for event in stream:
        note(report, plan, event)
        if plan.cases and report.cases >= plan.cases:
            stream.stop()
        if time.monotonic() - told > TELL_EVERY_SECONDS:
            told = time.monotonic()
            tell(plan, report)
    return report


def tell(plan: Plan, report: Report) -> None:
    """Print how far it is."""
    failed = report.failures.total() + len(report.errors)
    # A soak shows that it lives.
    print(f"{plan.caller}: {report.cases} cases, {failed} failed", flush=True)  # noqa: T201


def note(report: Report, plan: Plan, event: events.EngineEvent) -> None:
    """Add what was sent, answered and checked, or went wrong with that."""
    match event:
        case events.ScenarioFinished():
            note_requests(report, plan, event.recorder)
        case events.NonFatalError():
            info = event.info
            error = f"{plan.caller}, {event.label}: {info.title}: {info.message}"
            report.errors.append(plan.presentable(error))
        case events.FatalError():
            raise event.exception


def note_requests(report: Report, plan: Plan, recorder: ScenarioRecorder) -> None:
    """Add a scenario's requests."""
    for case_id, interaction in recorder.interactions.items():
        case, response = recorder.cases[case_id].value, interaction.response
        declared = case.method.upper() == case.operation.method.upper()
        label = case.operation.label if declared else UNDECLARED
        answered = outcome(response)
        report.answers[plan.caller, label, answered] += 1
        for check in recorder.checks.get(case_id, ()):
            report.checks[check.name] += 1
            if check.failure_info:
                failure = Failure(
                    caller=plan.caller,
                    label=label,
                    check=check.name,
                    answered=answered,
                    message=plan.presentable(described(check.failure_info.failure, case)),
                    curl=plan.presentable(check.failure_info.code_sample),
                    body=plan.presentable(response.text[:SHOWN_CHARACTERS] if response else ""),
                )
                report.failures[failure] += 1


def outcome(response: Response | None) -> str:
    """The status, and the problem's code where there is one."""
    if response is None:
        return "no answer"
    code = json_object(response).get("code", "") if response.status_code >= 400 else ""
    return f"{response.status_code} {code}".strip()


def described(failure: CheckFailure, case: AnyCase) -> str:
    """What is wrong, and what the request was made for."""
    made_for = case.meta.phase.data.description if case.meta else "a check"
    return f"{failure.title} ({made_for}): {failure.message}"
