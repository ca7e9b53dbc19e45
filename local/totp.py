"""One-time codes of the demo operators, as their phones would show them."""

import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyotp


def fresh_code(secret: str, given: Path, pause: Callable[[float], None] = time.sleep) -> str:
    """Return a code that was not given before, if need be after waiting for it (30 s at most).

    Hoist accepts each code once. `given` remembers the newest code of each secret. That it waits is
    said on stderr: what asks for a code reads stdout.
    """
    generator = pyotp.TOTP(secret)
    steps = json.loads(given.read_text()) if given.exists() else {}
    identity = generator.at(0)  # Tells the secrets apart without writing them down.
    now = time.time()  # noqa: TID251 - a phone has its own clock
    step = int(now) // generator.interval
    if step <= steps.get(identity, 0):
        step = steps[identity] + 1
        seconds = max(0.0, step * generator.interval - now)
        waiting = f"Each code works once: waiting {math.ceil(seconds)} s for the next."
        print(waiting, file=sys.stderr, flush=True)
        pause(seconds)
    given.write_text(json.dumps({**steps, identity: step}))
    return generator.generate_otp(step)
