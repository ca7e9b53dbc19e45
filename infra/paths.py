"""Where things are in the repository, and what differs between stages."""

import json
from pathlib import Path

from infra.errors import DeployError

ROOT = Path(__file__).resolve().parent.parent
BUILD_DIRECTORY = ROOT / ".build"
CHALICE_DIRECTORY = ROOT / ".chalice"


def require_stage(stage: str) -> str:
    """Return `stage`, if .chalice/config.json lists it: a typing error must make no new stack."""
    known = json.loads((CHALICE_DIRECTORY / "config.json").read_text())["stages"]
    if stage not in known:
        message = f"Unknown stage {stage!r}: .chalice/config.json lists {', '.join(known)}."
        raise DeployError(message)
    return stage
