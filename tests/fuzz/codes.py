"""Right one-time codes, as many as there are operators to take turns: each works once."""

import random
import time
from dataclasses import dataclass, field

import pyotp

from local.directions import DemoOperator


@dataclass(kw_only=True)
class Codes:
    """The authenticator apps of some operators."""

    operators: tuple[DemoOperator, ...]
    dice: random.Random
    #: The newest step whose code was given away, by operator.
    steps: dict[str, int] = field(default_factory=dict)

    def fresh(self) -> tuple[DemoOperator, str] | None:
        """An operator and a code that was not given before; `None` where all have to wait."""
        now = int(time.time()) // 30  # noqa: TID251 - a phone has its own clock
        for operator in self.dice.sample(self.operators, len(self.operators)):
            # The code of the next step passes as well: it cannot age on the way.
            step = max(self.steps.get(operator.name, 0) + 1, now)
            if step <= now + 1:
                self.steps[operator.name] = step
                return operator, pyotp.TOTP(operator.totp_secret).generate_otp(step)
        return None

    def given(self) -> tuple[DemoOperator, str] | None:
        """An operator and the code that was given last, which may have been used."""
        known = [operator for operator in self.operators if operator.name in self.steps]
        if not known:
            return None
        operator = self.dice.choice(known)
        code = pyotp.TOTP(operator.totp_secret).generate_otp(self.steps[operator.name])
        return operator, code
