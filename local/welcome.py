"""What `make run` says when all is up: where it is, and a promotion to copy and paste."""

import os
import shlex
import sys
from pathlib import Path

from local import directions
from local.directions import Directions

_WELCOME = """
Hoist runs at {api}
  the page   {api}/console
  Heroku     {heroku}
  MiniStack  {ministack}
  Slack      {slack}/messages
  on call    {on_call}
  logs       {logs}
  all this   {file}

Operators and their bearer tokens:
{operators}
A code of an authenticator app, which the page asks for where it is needed (viewer and superadmin
have their own):
  {totp}

Promote a flag there, or in another terminal by `hoist`:

  export HOIST_API={api} HOIST_TOKEN={token}
  {hoist} mark {target} dark_mode true
  HOIST_TOTP=$({totp}) {hoist} promote prm_…

or by the API itself:

  API={api}
  TOKEN={token}
  ID=$(curl -s $API/promotions -H "Authorization: Bearer $TOKEN" \\
    -H 'Content-Type: application/json' -H "Idempotency-Key: $(date +%s)" \\
    -d '{{"target": "{target}", "flag": "hello_world", "value": "true"}}' \\
    | {python} -c 'import json, sys; print(json.load(sys.stdin)["id"])')
  curl -fsS -o /dev/null -X POST $API/promotions/$ID/promote -H "Authorization: Bearer $TOKEN" \\
    -H "X-TOTP: $({totp})"
  for n in $(seq 30); do
    STATE=$(curl -s $API/promotions/$ID -H "Authorization: Bearer $TOKEN" \\
      | grep -o '"state":"[a-z]*"')
    echo $STATE; [ "$STATE" = '"state":"deployed"' ] && break; sleep 1
  done

What Slack and whoever is on call are told appears below.
Ctrl-C stops it; the next start finds its data.
"""


def welcome(here: Directions, state: Path) -> str:
    """Return the text for the stack that `here` leads to."""
    python = shlex.quote(os.path.relpath(sys.executable))
    hoist = shlex.quote(os.path.relpath(Path(sys.executable).with_name("hoist")))
    return _WELCOME.format(
        api=here.api,
        heroku=here.heroku,
        ministack=here.ministack,
        slack=here.slack,
        on_call=_local(state, python, "on-call"),
        logs=state / "logs",
        file=state / directions.FILE,
        operators="\n".join(
            f"  {role:10} {operator.token}" for role, operator in here.operators.items()
        ),
        token=here.operators["promoter"].token,
        target=here.targets[-1],
        python=python,
        hoist=hoist,
        totp=_local(state, python, "totp promoter"),
    )


def _local(state: Path, python: str, command: str) -> str:
    return f"HOIST_STATE={shlex.quote(str(state))} {python} -m local {command}"
