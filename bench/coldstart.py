"""One cold start in this process: `python -I -S -B bench/coldstart.py DIRECTORY FUNCTION < event`.

DIRECTORY is an unpacked bundle, and the only place besides the standard library that is imported
from, as in Lambda. The last line of stderr is what it cost, in milliseconds of CPU.
"""

import gc
import json
import sys
import time
from importlib import import_module


def main() -> None:
    """Import `app`, answer one event, and tell."""
    directory, function = sys.argv[1:]
    event = json.load(sys.stdin)
    sys.path[:] = [directory, *(path for path in sys.path if "site-packages" not in path)]
    before = set(sys.modules)
    started = time.process_time()
    app = import_module("app")
    imported = time.process_time()
    answer = getattr(app, function)(event, None)
    answered = time.process_time()
    told = {
        "imports": 1000 * (imported - started),
        "request": 1000 * (answered - imported),
        "modules": sorted(sys.modules.keys() - before),
        "clients": _clients(),
        "answer": answer,
    }
    print(file=sys.stderr)
    print(json.dumps(told, default=str), file=sys.stderr)


def _clients() -> list[str]:
    """The services that a client was made for."""
    botocore = sys.modules.get("botocore.client")
    made = [each for each in gc.get_objects() if botocore and _is(each, botocore.BaseClient)]
    return sorted(each.meta.service_model.service_name for each in made)


def _is(found: object, kind: type) -> bool:
    """Ask the object's real type: a proxy's word for it would be a call."""
    return issubclass(type(found), kind)


if __name__ == "__main__":
    main()
