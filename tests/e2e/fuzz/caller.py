"""One caller, in a process of its own: Hypothesis and schemathesis are not made for threads."""

import random
import time
from typing import Any

import schemathesis
from schemathesis import Response
from schemathesis.core.failures import Failure as CheckFailure
from schemathesis.engine import events, from_schema
from schemathesis.engine.recorder import ScenarioRecorder
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER

from tests.e2e.fuzz.checks import checks_of
from tests.e2e.fuzz.codes import Codes
from tests.e2e.fuzz.contract import ANSWER_SECONDS, AnyCase, Contract, json_object
from tests.e2e.fuzz.known import Known
from tests.e2e.fuzz.plan import NOBODY, Failure, Plan, Report
from tests.e2e.fuzz.reach import Reach

TELL_EVERY_SECONDS = 30
#: Of an answer to a failed check.
SHOWN_CHARACTERS = 500

#: What may come of a request that fits the contract: it is understood, or stopped for a reason
#: that no schema can tell. 400, 413 and 415 mean that the contract says too little.
ACCEPTED = ["2xx", "304", "401", "403", "404", "409", "412", "422", "429"]
#: What may come of a request that does not fit: it may be refused for something else first.
REFUSED = ["400", "401", "403", "404", "409", "412", "413", "415", "422", "429"]
#: And where a header is missing: for want of a code it is 403.
HEADERLESS = ["400", "401", "403", "404", "409"]
#: Where nobody is locked out, no code is looked at: a wrong one, or none, is not refused.
UNASKED = "POST /operators/{name}/unlock"


def settings_of(plan: Plan, contract: Contract) -> schemathesis.Config:
    """How schemathesis is to go about it."""
    schemes = contract.document["components"]["securitySchemes"]
    settings: dict[str, Any] = {
        "seed": plan.seed,
        "base-url": plan.api,
        "max-time": plan.seconds,
        "request-timeout": ANSWER_SECONDS,
        "continue-on-failure": True,
        "suppress-health-check": ["all"],
        "cache": {"enabled": False},
        "generation": {"max-examples": plan.examples, "no-shrink": True, "database": "none"},
        # Not by links in answers: a URL that is none would bring schemathesis down.
        "phases": {"stateful": {"inference": {"algorithms": ["dependency-analysis"]}}},
        "checks": {
            "positive_data_acceptance": {"expected-statuses": ACCEPTED},
            "negative_data_rejection": {"expected-statuses": REFUSED},
            "missing_required_header": {"expected-statuses": HEADERLESS},
            # checks.unknown_methods_are_not_found says why, and checks more.
            "unsupported_method": {"enabled": False},
        },
        "operations": [
            {
                "include-name": UNASKED,
                "checks": {
                    "negative_data_rejection": {"expected-statuses": ["200", *REFUSED]},
                    "missing_required_header": {"expected-statuses": ["200", *HEADERLESS]},
                },
            },
        ],
        "output": {
            "sanitization": {
                "keys-to-sanitize": ["authorization", "x-totp"],
                "sensitive-markers": ["authorization", "x-totp"],
                "replacement": "REDACTED",
            },
        },
    }
    if plan.caller != NOBODY:
        settings["auth"] = {"openapi": {scheme: {"bearer": plan.token} for scheme in schemes}}
    return schemathesis.Config.from_dict(settings)


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
        note(report, plan.caller, event)
        if plan.cases and report.cases >= plan.cases:
            stream.stop()
        if time.monotonic() - told > TELL_EVERY_SECONDS:
            told = time.monotonic()
            tell(plan, report)
    return report


def tell(plan: Plan, report: Report) -> None:
    """Print how far it is."""
    failed = report.failures.total() + len(report.errors)
    print(f"{plan.caller}: {report.cases} cases, {failed} failed", flush=True)  # noqa: T201 - a soak shows that it lives


def note(report: Report, caller: str, event: events.EngineEvent) -> None:
    """Add what was sent, answered and checked, or went wrong with that."""
    match event:
        case events.ScenarioFinished():
            note_requests(report, caller, event.recorder)
        case events.NonFatalError():
            info = event.info
            report.errors.append(f"{caller}, {event.label}: {info.title}: {info.message}")
        case events.FatalError():
            raise event.exception


def note_requests(report: Report, caller: str, recorder: ScenarioRecorder) -> None:
    """Add a scenario's requests."""
    for case_id, interaction in recorder.interactions.items():
        case, response = recorder.cases[case_id].value, interaction.response
        known = case.method.upper() == case.operation.method.upper()
        label = case.operation.label if known else f"{case.method} {case.path}"
        answered = outcome(response)
        report.answers[caller, label, answered] += 1
        for check in recorder.checks.get(case_id, ()):
            report.checks[check.name] += 1
            if check.failure_info:
                failure = Failure(
                    caller=caller,
                    label=label,
                    check=check.name,
                    answered=answered,
                    message=described(check.failure_info.failure, case),
                    curl=check.failure_info.code_sample,
                    body=response.text[:SHOWN_CHARACTERS] if response else "",
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
