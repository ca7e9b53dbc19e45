"""A console as it was in the incident: it promotes from within a dyno of the app it changes.

`python -m local.console`: marks and promotes a flag through Hoist's API, prints the promotion's
id, then follows it until something ends this process. What it is to do comes as JSON on stdin,
for a token has no place among a process's arguments.
"""

import json
import sys
import time
import uuid

import requests

_FOLLOWS_FOR_SECONDS = 120
_ANSWER_SECONDS = 30


def main() -> int:
    """Promote, then follow, for two minutes at most."""
    order = json.load(sys.stdin)
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {order['token']}"
        marked = session.post(
            f"{order['api']}/promotions",
            json=order["body"],
            headers={"Idempotency-Key": str(uuid.uuid4())},
            timeout=_ANSWER_SECONDS,
        )
        marked.raise_for_status()
        promotion = f"{order['api']}/promotions/{marked.json()['id']}"
        accepted = session.post(
            f"{promotion}/promote",
            headers={"X-TOTP": order["code"]},
            timeout=_ANSWER_SECONDS,
        )
        accepted.raise_for_status()
        print(accepted.json()["id"], flush=True)
        ends = time.monotonic() + _FOLLOWS_FOR_SECONDS
        while time.monotonic() < ends:
            session.get(promotion, timeout=_ANSWER_SECONDS).raise_for_status()
            time.sleep(1)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
