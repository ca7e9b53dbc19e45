"""`python -m infra.package --stage prod`: app.py and its dependencies as a zip and a SAM template.

Two builds of the same inputs give the same bytes, and unchanged inputs are not built again.
"""

import argparse
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.errors import DeployError
from infra.paths import BUILD_DIRECTORY, CHALICE_DIRECTORY, ROOT, require_stage
from infra.template import merge_template
from infra.vendor import REQUIREMENTS, vendored

#: The zip format's own beginning of time: what every file in the bundle is dated.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Bundle:
    """What a deployment needs."""

    template: Path
    archive: Path


def package(stage: str) -> Bundle:
    """Build the stage's bundle in .build/<stage>/, unless it is there. Safe side by side."""
    directory = BUILD_DIRECTORY / require_stage(stage)
    bundle = Bundle(template=directory / "sam.json", archive=directory / "deployment.zip")
    with _alone():
        directory.mkdir(exist_ok=True)
        stamp = directory / "fingerprint"
        fingerprint = _fingerprint(stage)
        if not (stamp.exists() and stamp.read_text() == fingerprint):
            stamp.unlink(missing_ok=True)
            _build(stage, directory, bundle)
            stamp.write_text(fingerprint)
    return bundle


@contextmanager
def _alone() -> Iterator[None]:
    BUILD_DIRECTORY.mkdir(parents=True, exist_ok=True)
    with (BUILD_DIRECTORY / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fingerprint(stage: str) -> str:
    # The whole version: a patch release may compile to other bytes.
    digest = hashlib.sha256(f"{stage} {sys.version}".encode())
    sources = [ROOT / "app.py", REQUIREMENTS, ROOT / "requirements-dev.txt"]
    for directory in (ROOT / "chalicelib", CHALICE_DIRECTORY, ROOT / "infra"):
        sources += [path for path in directory.rglob("*") if path.is_file() and _ships(path)]
    for path in sorted(sources):
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _ships(path: Path) -> bool:
    return "__pycache__" not in path.parts


def _build(stage: str, directory: Path, bundle: Bundle) -> None:
    # A copy, so that Chalice finds only what shall ship: no __pycache__, and a vendor/ in place of
    # its own reading of requirements.txt, which prefers compiled wheels and knows no hashes.
    project = directory / "project"
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(
        CHALICE_DIRECTORY, project / ".chalice", ignore=shutil.ignore_patterns("deploy*")
    )
    shutil.copytree(
        ROOT / "chalicelib", project / "chalicelib", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "app.py", project)
    (project / "requirements.txt").touch()
    (project / "vendor").symlink_to(vendored())
    merge = directory / "merge.json"
    merge.write_text(json.dumps(merge_template()))
    _run_chalice(project, stage, merge, directory / "out")
    _require_whole(directory / "out" / "sam.json")
    whole = directory / "whole"
    _unpack(directory / "out" / "deployment.zip", whole)
    _compile(whole)
    _pack(whole, bundle.archive)
    shutil.copy(directory / "out" / "sam.json", bundle.template)


def _run_chalice(project: Path, stage: str, merge: Path, output: Path) -> None:
    command = [sys.executable, "-c", "from chalice.cli import main; raise SystemExit(main())"]
    command += ["--project-dir", str(project), "package", "--stage", stage]
    command += ["--merge-template", str(merge), str(output)]
    surroundings = os.environ  # noqa: TID251 - a program's, not Hoist's settings
    environment = {
        **{name: value for name, value in surroundings.items() if not name.startswith("AWS_")},
        # Chalice asks for a region, though nothing that it writes depends on it.
        "AWS_DEFAULT_REGION": "us-east-1",
        # It imports app.py and then zips what lies there.
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(  # noqa: S603 - no word of it is a user's
        command, env=environment, check=False, capture_output=True, text=True
    )
    if done.returncode:
        message = f"`chalice package` failed:\n{done.stdout}{done.stderr}"
        raise DeployError(message)


def _require_whole(template: Path) -> None:
    """A resource without a type is an addition to a function that app.py does not have."""
    resources = json.loads(template.read_text())["Resources"]
    halves = [name for name, resource in resources.items() if "Type" not in resource]
    if halves:
        message = f"infra/template/*.yaml adds to what app.py does not define: {', '.join(halves)}"
        raise DeployError(message)


def _unpack(archive: Path, whole: Path) -> None:
    """What an import has left in the kept dependencies meanwhile does not ship."""
    shutil.rmtree(whole, ignore_errors=True)
    with zipfile.ZipFile(archive) as chalices:
        chalices.extractall(whole, [name for name in chalices.namelist() if _ships(Path(name))])


def _compile(whole: Path) -> None:
    """Put bytecode beside every module: each cold start would make it, and could not keep it.

    It is as good on any CPU and system, and as repeatable, as its source. Lambda runs the Python
    version that builds (Chalice names it in the template); any other would not look at it.
    "Unchecked": that it fits its source is settled here, and not once more at each start.
    """
    command = [sys.executable, "-I", "-m", "compileall", "-q", "-s", str(whole), "-p", "/var/task"]
    command += ["--invalidation-mode", "unchecked-hash", str(whole)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - no word of it is a user's
    if done.returncode:
        message = f"The bundle does not compile:\n{done.stdout}{done.stderr}"
        raise DeployError(message)


def _pack(whole: Path, archive: Path) -> None:
    """Write an archive in a fixed order: Chalice's is the file system's."""
    partial = archive.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as bundle:
        for path in sorted(path for path in whole.rglob("*") if path.is_file()):
            info = zipfile.ZipInfo(path.relative_to(whole).as_posix(), ZIP_EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            bundle.writestr(info, path.read_bytes())
    partial.rename(archive)


def main() -> int:
    """Package one stage and say where it is."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=main.__doc__)
    parser.add_argument("--stage", default="dev")
    try:
        bundle = package(parser.parse_args().stage)
    except DeployError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{bundle.archive.relative_to(ROOT)}  {bundle.archive.stat().st_size / 1e6:.1f} MB")
    print(bundle.template.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
