"""Values with all that a test does not care about filled in."""

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.operator import Caller, Operator, Role
from chalicelib.domain.promotion import Change, Promotion, State, Step, mark
from tests.fakes import START, FakePromotionIds

TARGET = "raxx-console-prod"
FLAG = "console_heroku_log_drain_alerting"
CONFIG_VAR = "FLAG_CONSOLE_HEROKU_LOG_DRAIN_ALERTING"

KIM = Caller(name="kim", role=Role.PROMOTER)
#: Another promoter.
PAT = Caller(name="pat", role=Role.PROMOTER)
VERA = Caller(name="vera", role=Role.VIEWER)
SAM = Caller(name="sam", role=Role.SUPERADMIN)


def a_change(**kwargs: Any) -> Change:  # noqa: ANN401 - arguments of `mark`
    """The transition that marks a promotion."""
    at: datetime = kwargs.pop("at", START)
    wanted = {
        "promotion_id": FakePromotionIds().new(at),
        "target": TARGET,
        "flag": FLAG,
        "value": "true",
        "note": None,
        "act": Act(actor=KIM.name, action=Action.MARK, at=at, facts={"value": "true"}),
    }
    return mark(**(wanted | kwargs))


def a_promotion(**kwargs: Any) -> Promotion:  # noqa: ANN401 - fields of `Promotion`
    """A marked promotion with these fields."""
    return replace(a_change().after, **kwargs)


def deploying(**kwargs: Any) -> Promotion:  # noqa: ANN401 - fields of `Promotion`
    """A promotion that was accepted."""
    wanted = {
        "state": State.DEPLOYING,
        "step": Step.QUEUED,
        "step_entered_at": START,
        "promoted_at": START,
        "promoted_by": KIM.name,
    }
    return a_promotion(**(wanted | kwargs))


def an_operator(caller: Caller = KIM, **kwargs: Any) -> Operator:  # noqa: ANN401 - fields of `Operator`
    """An operator whose token's secret is `secret`."""
    wanted: dict[str, Any] = {
        "name": caller.name,
        "role": caller.role,
        "token_sha256": hashlib.sha256(b"secret").hexdigest(),
        "totp_reference": "1:digest",
    }
    return Operator(**(wanted | kwargs))
