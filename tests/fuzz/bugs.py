"""What the Lambdas logged of bugs: a caller is only told that there is one."""

import json
from collections import Counter
from typing import Any

from local.stack import LocalStack

#: Of a traceback: enough to see where and why.
SHOWN_FRAMES = 4


def bugs(stack: LocalStack) -> Counter[str]:
    """How often each bug was met, by its exception and where it came from."""
    aws = stack.ministack.aws
    logs = aws.session.client("logs", endpoint_url=aws.endpoint_url)
    met: Counter[str] = Counter()
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            lines = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group["logGroupName"], filterPattern='"bug"'
            )
            for page in lines:
                for line in page["events"]:
                    met.update(_bug(line["message"]))
    return met


def _bug(line: str) -> list[str]:
    try:
        entry = json.loads(line)
    except ValueError:
        return []
    if not isinstance(entry, dict) or entry.get("action") != "bug":
        return []
    trace: dict[str, Any] = entry["stack_trace"]
    frames = [
        f"  {frame['file'].rpartition('/code/')[2]}:{frame['line']} {frame['statement']}"
        for frame in trace["frames"][-SHOWN_FRAMES:]
    ]
    return ["\n".join([f"{trace['type']}: {trace['value']}", *frames])]
