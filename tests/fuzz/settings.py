"""How schemathesis is to go about it."""

from typing import Any

from schemathesis import Config

from tests.fuzz.contract import ANSWER_SECONDS, Contract
from tests.fuzz.plan import NOBODY, Plan

#: What may come of a request that fits the contract: it is understood, or stopped for a reason
#: that no schema can tell. 400, 413 and 415 mean that the contract says too little.
ACCEPTED = ["2xx", "304", "401", "403", "404", "409", "412", "422", "429"]
#: What may come of a request that does not fit.
REFUSED = ["400", "401", "403", "404", "413", "415", "422", "429"]
#: And where a header is missing: for want of a code it is 403, if the state lets it come to that.
HEADERLESS = ["400", "401", "403", "404", "409"]
#: Where nobody is locked out, no code is looked at: a wrong one, or none, is not refused.
UNASKED = "POST /operators/{name}/unlock"


def settings_of(plan: Plan, contract: Contract) -> Config:
    """All phases, and all checks but one; in `plan.seconds` at the most."""
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
            **_statuses(ACCEPTED, REFUSED, HEADERLESS),
            # checks.unknown_methods_are_not_found says why, and checks more.
            "unsupported_method": {"enabled": False},
        },
        "operations": [
            {
                "include-name": UNASKED,
                "checks": _statuses(ACCEPTED, ["200", *REFUSED], ["200", *HEADERLESS]),
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
        schemes = contract.document["components"]["securitySchemes"]
        settings["auth"] = {"openapi": {scheme: {"bearer": plan.token} for scheme in schemes}}
    return Config.from_dict(settings)


def _statuses(accepted: list[str], refused: list[str], headerless: list[str]) -> dict[str, Any]:
    return {
        "positive_data_acceptance": {"expected-statuses": accepted},
        "negative_data_rejection": {"expected-statuses": refused},
        "missing_required_header": {"expected-statuses": headerless},
    }
