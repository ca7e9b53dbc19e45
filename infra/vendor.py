"""The bundle's dependencies: locked, hashed, pure Python, and no more than the Lambdas use."""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.errors import DeployError
from infra.paths import BUILD_DIRECTORY, ROOT

REQUIREMENTS = ROOT / "requirements.txt"

#: The services whose clients the Lambdas make. botocore describes several hundred, which is
#: three quarters of the bundle; another client's `UnknownServiceError` means: add it here.
AWS_SERVICES = frozenset({"dynamodb", "sns", "sqs", "ssm"})
#: What they ask of a service that knows far more: each operation costs when its client is made, and
#: Systems Manager's hundred and fifty take 50 ms of CPU. Another one is an AttributeError: add it.
AWS_OPERATIONS: Mapping[str, frozenset[str]] = {"ssm": frozenset({"GetParameter"})}


def vendored() -> Path:
    """Return a directory with the dependencies that requirements.txt locks, ready to be zipped.

    Kept between builds: made again only when requirements.txt, this file or the Python version
    change. Not safe to run side by side.
    """
    directory = BUILD_DIRECTORY / f"vendor-{_fingerprint()}"
    if not directory.exists():
        partial = directory.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.parent.mkdir(parents=True, exist_ok=True)
        _install(partial)
        _prune(partial)
        _require_pure_python(partial)
        partial.rename(directory)
    return directory


def _fingerprint() -> str:
    inputs = (REQUIREMENTS.read_bytes(), Path(__file__).read_bytes(), _python_version().encode())
    return hashlib.sha256(b"\0".join(inputs)).hexdigest()[:16]


def _python_version() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def _install(target: Path) -> None:
    # `--platform any` picks the py3-none-any wheel where a project also has compiled ones
    # (charset-normalizer). https://pip.pypa.io/en/stable/cli/pip_install/#cmdoption-platform
    command = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--requirement", str(REQUIREMENTS)]
    command += ["--only-binary", ":all:", "--platform", "any", "--implementation", "py"]
    command += ["--abi", "none", "--python-version", _python_version()]
    command += ["--no-compile", "--target", str(target)]
    if subprocess.run(command, check=False).returncode:  # noqa: S603 - no word of it is a user's
        message = f"pip could not install {REQUIREMENTS.name}; its own words are above."
        raise DeployError(message)


def _prune(target: Path) -> None:
    shutil.rmtree(target / "bin", ignore_errors=True)
    data = target / "botocore" / "data"
    for entry in data.iterdir():
        if entry.is_dir() and entry.name not in AWS_SERVICES:
            shutil.rmtree(entry)
    _prune_endpoints(data / "endpoints.json")
    for service, operations in AWS_OPERATIONS.items():
        for path in (data / service).glob("*/service-2.json.gz"):
            _prune_operations(path, operations)


def _prune_endpoints(path: Path) -> None:
    """The first client of a process reads where every service is, in every region."""
    endpoints = json.loads(path.read_text(encoding="utf-8"))
    for partition in endpoints["partitions"]:
        known = partition["services"]
        partition["services"] = {name: known[name] for name in known if name in AWS_SERVICES}
    path.write_text(json.dumps(endpoints), encoding="utf-8")


def _prune_operations(path: Path, kept: frozenset[str]) -> None:
    """Describe no other operations, nor the shapes that only they have."""
    service = json.loads(gzip.decompress(path.read_bytes()))
    service["operations"] = {name: service["operations"][name] for name in sorted(kept)}
    shapes: dict[str, Any] = {}
    wanted = _shapes_in(service["operations"])
    while wanted:
        name = wanted.pop()
        shapes[name] = service["shapes"][name]
        wanted |= _shapes_in(shapes[name]) - shapes.keys()
    service["shapes"] = {name: shapes[name] for name in sorted(shapes)}
    # No date: two builds of the same inputs are the same bytes.
    path.write_bytes(gzip.compress(json.dumps(service).encode(), mtime=0))


def _shapes_in(described: object) -> set[str]:
    """The names of the shapes that a part of a description refers to."""
    if isinstance(described, list):
        return set().union(*map(_shapes_in, described))
    if not isinstance(described, dict):
        return set()
    named = {described["shape"]} if isinstance(described.get("shape"), str) else set()
    return named.union(*map(_shapes_in, described.values()))


def _require_pure_python(target: Path) -> None:
    compiled = [path for path in target.rglob("*") if path.suffix in {".so", ".pyd", ".dylib"}]
    if compiled:
        names = ", ".join(str(path.relative_to(target)) for path in compiled)
        message = f"Dependencies brought compiled code, which runs on one kind of CPU only: {names}"
        raise DeployError(message)
