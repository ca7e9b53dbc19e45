"""A cold start of each Lambda, and the bundle's size, against the naive way.

A cold start is a fresh process that imports `app` and answers its first event, from an unpacked
bundle and nothing else, in CPU time. AWS is moto in this process, Heroku and Slack are simulated:
what they spend is not counted. The baseline is an empty Chalice app that makes one boto3 client
and answers `{}` to its first request, with what `pip install` puts there: no AWS call, no code of
its own. It is given as it would be shipped, without bytecode, and once more with it.

The first table is what the bundle weighs; the next what a start costs. Exit status 1: a goal is
missed.
"""

import argparse
import compileall
import json
import os
import py_compile
import shutil
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import chalice

from bench.site import (
    Site,
    authorize_event,
    promote_event,
    request_event,
    schedule_event,
    site,
    stream_event,
    wake_event,
)
from chalicelib.adapters.dynamodb.rows import audit_row
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.promotion import Rung, advance
from infra.package import package
from infra.paths import BUILD_DIRECTORY
from infra.vendor import REQUIREMENTS
from tests.factories import deploying
from tests.fakes import START

COLD_START = Path(__file__).with_name("coldstart.py")
#: What a start may cost of the naive app's, and what the bundle may weigh of the naive one.
START_GOAL, SIZE_GOAL = 1.3, 0.5
#: Packages below this many bytes are shown together.
SMALL = 100_000
BASELINE = """
import boto3
from chalice import Chalice

app = Chalice(app_name="empty")
dynamodb = boto3.client("dynamodb")


@app.route("/")
def index():
    return {}
"""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What one cold start cost, in milliseconds of CPU."""

    imports: float
    request: float
    modules: frozenset[str]
    clients: tuple[str, ...]
    answer: Any

    @property
    def total(self) -> float:
        """From nothing to the answer."""
        return self.imports + self.request


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A Lambda, where its bundle lies unpacked, and what it is started with."""

    name: str
    directory: Path
    function: str
    event: Callable[[], Mapping[str, Any]]
    right: Callable[[Any], bool]
    starts: list[Start] = field(default_factory=list)

    def start(self, environment: Mapping[str, str]) -> None:
        """Start it once more. Raises SystemExit where it does not do what it is for."""
        start = cold_start(self.directory, self.function, self.event(), environment)
        if not self.right(start.answer):
            message = f"{self.name} answered {start.answer}"
            raise SystemExit(message)
        self.starts.append(start)

    def median(self, part: Literal["imports", "request", "total"]) -> float:
        """The median of a part."""
        return statistics.median(float(getattr(start, part)) for start in self.starts)


def cold_start(
    directory: Path, function: str, event: Mapping[str, Any], environment: Mapping[str, str]
) -> Start:
    """Start a Lambda once. Raises SystemExit, with its own words, where it fails."""
    # Neither the user's site-packages nor ours, and no bytecode is written: /var/task is read-only.
    command = [sys.executable, "-I", "-S", "-B", str(COLD_START), str(directory), function]
    done = subprocess.run(  # noqa: S603 - no word of it is a user's
        command,
        input=json.dumps(event),
        env={**environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    told = json.loads(done.stderr.splitlines()[-1])
    told |= {"modules": frozenset(told["modules"]), "clients": tuple(told["clients"])}
    return Start(**told)


def subjects(place: Site, bundle: Path) -> Iterator[Subject]:
    """Every Lambda of Hoist, each with an event that lets it do its work."""
    app = place.target("cold")

    def promote() -> Mapping[str, Any]:
        place.forget_codes()
        return promote_event(place.mark(app).id, place.code())

    def wake() -> Mapping[str, Any]:
        target = place.target(f"cold-{next(place.serial)}")
        return wake_event(place.begun(place.mark(target)))

    marked = place.mark(app)
    show = request_event("GET", "/promotions/{promotion_id}", promotion_id=marked.id)
    for name, function, event, right in (
        ("api: promote", "app", promote, _is(202)),
        ("api: show", "app", lambda: show, _is(200)),
        ("authorize", "authorize", authorize_event, _is_allowed),
        ("work", "work", wake, _is_done),
        ("watch", "watch", schedule_event, _is_nothing),
        ("drift", "drift", schedule_event, _is_nothing),
        ("notify_on_call", "notify_on_call", lambda: an_alert(place), _is_done),
        ("notify_slack", "notify_slack", lambda: an_alert(place), _is_done),
    ):
        yield Subject(name=name, directory=bundle, function=function, event=event, right=right)


def an_alert(place: Site) -> Mapping[str, Any]:
    """The stream's word of a promotion that has been deploying for half an hour."""
    facts = {"alert": "stalled", "rung": "sev3", "minutes": 30}
    act = Act(actor="watchdog", action=Action.ALERT, at=START, facts=facts)
    entry = advance(deploying(), act, rung=Rung.SEV3).entry
    return stream_event(audit_row(place.hoist.tables.audit, entry).serialize())


def _is(status: int) -> Callable[[Any], bool]:
    return lambda answer: answer["statusCode"] == status


def _is_allowed(answer: Any) -> bool:  # noqa: ANN401 - JSON
    return bool(answer["principalId"] == "kim" and answer["context"]["role"] == "promoter")


def _is_done(answer: Any) -> bool:  # noqa: ANN401 - JSON
    return bool(answer == {"batchItemFailures": []})


def _is_nothing(answer: Any) -> bool:  # noqa: ANN401 - JSON
    return answer is None


# The bundles


def unpacked(archive: Path, into: Path) -> Path:
    """The bundle, as Lambda unpacks it."""
    with zipfile.ZipFile(archive) as bundle:
        bundle.extractall(into)
    return into


def naive_bundle() -> Path:
    """What `pip install --target` makes of the same requirements, kept between runs."""
    directory = BUILD_DIRECTORY / "naive"
    stamp = directory / "requirements.txt"
    if not (stamp.exists() and stamp.read_bytes() == REQUIREMENTS.read_bytes()):
        shutil.rmtree(directory, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        command += ["--no-deps", "--require-hashes", "--requirement", str(REQUIREMENTS)]
        command += ["--no-compile", "--target", str(directory)]
        subprocess.run(command, check=True)  # noqa: S603 - no word of it is a user's
        shutil.copy(REQUIREMENTS, stamp)
    return directory


def baseline(directory: Path) -> Path:
    """An empty Chalice app with one boto3 client, installed the naive way, without bytecode."""
    shutil.copytree(naive_bundle(), directory)
    router = Path(chalice.__file__).parent
    shutil.copytree(router, directory / "chalice", ignore=shutil.ignore_patterns("__pycache__"))
    (directory / "app.py").write_text(BASELINE)
    return directory


def compiled(directory: Path, into: Path) -> Path:
    """The same, with bytecode."""
    shutil.copytree(directory, into)
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compileall.compile_dir(into, quiet=1, invalidation_mode=mode)
    return into


def weights(archive: Path) -> Counter[str]:
    """Compressed bytes in an archive, by package."""
    found: Counter[str] = Counter()
    with zipfile.ZipFile(archive) as bundle:
        for each in bundle.infolist():
            top = each.filename.partition("/")[0]
            found["metadata" if top.endswith(".dist-info") else top] += each.compress_size
    return found


def zipped(directory: Path, extra: Path, archive: Path) -> Path:
    """The naive bundle as `chalice package` would zip it, with Hoist's own code from `extra`."""
    ours = [extra / "app.py", *(extra / "chalicelib").rglob("*"), *(extra / "chalice").rglob("*")]
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as bundle:
        for root, paths in ((directory, directory.rglob("*")), (extra, iter(ours))):
            for path in paths:
                if path.is_file() and path.suffix != ".pyc":
                    bundle.write(path, path.relative_to(root))
    return archive


# What is printed


def show_sizes(archive: Path, naive: Path) -> bool:
    """Print the table of sizes; tell whether the goal is met."""
    ours, theirs = weights(archive), weights(naive)
    print("| zipped kB | naive | Hoist |\n|---|---:|---:|")
    biggest = [name for name, size in (ours | theirs).most_common() if size > SMALL]
    for name in biggest:
        print(f"| {name} | {theirs[name] / 1e3:,.0f} | {ours[name] / 1e3:,.0f} |")
    rest = [sum(each.values()) - sum(each[name] for name in biggest) for each in (theirs, ours)]
    print(f"| the others | {rest[0] / 1e3:,.0f} | {rest[1] / 1e3:,.0f} |")
    sizes = (naive.stat().st_size, archive.stat().st_size)
    ratio = sizes[1] / sizes[0]
    print(f"| **archive** | {sizes[0] / 1e3:,.0f} | {sizes[1] / 1e3:,.0f}, {ratio:.2f}x |\n")
    return ratio <= SIZE_GOAL


def show_starts(lambdas: list[Subject], naive: Subject, ready: Subject) -> bool:
    """Print the table of starts; tell whether the goal is met."""
    print("| CPU ms, median | imports | first request | both | of naive | of naive with bytecode |")
    print("|---|---:|---:|---:|---:|---:|")
    good = True
    for each in (naive, ready, *lambdas):
        total = each.median("total")
        ratios = total / naive.median("total"), total / ready.median("total")
        good = good and ratios[0] <= START_GOAL
        print(
            f"| {each.name} | {each.median('imports'):.0f} | {each.median('request'):.0f} "
            f"| {total:.0f} | {ratios[0]:.2f} | {ratios[1]:.2f} |"
        )
    return good


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold", description=main.__doc__)
    parser.add_argument("--starts", type=int, default=25, help="of each Lambda")
    parser.add_argument("--archive", type=Path, help="an older bundle, to compare")
    arguments = parser.parse_args()
    archive = arguments.archive or package("prod").archive
    with tempfile.TemporaryDirectory() as directory, site() as place:
        here = Path(directory)
        bundle = unpacked(archive, here / "hoist")
        plain = baseline(here / "naive")
        size_met = show_sizes(archive, zipped(naive_bundle(), bundle, here / "naive.zip"))
        hello = request_event("GET", "/")
        naive, ready = (
            Subject(name=name, directory=where, function="app", event=lambda: hello, right=_is(200))
            for name, where in (
                ("naive: empty app", plain),
                ("naive: with bytecode", compiled(plain, here / "naive-compiled")),
            )
        )
        lambdas = list(subjects(place, bundle))
        environment = {**place.environment, "PATH": os.defpath}
        for _ in range(arguments.starts):
            for each in (naive, ready, *lambdas):
                each.start(environment)
        start_met = show_starts(lambdas, naive, ready)
    return 0 if size_met and start_met else 1


if __name__ == "__main__":
    raise SystemExit(main())
