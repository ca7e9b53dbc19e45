"""What one caller is to do, and what came of it: all that passes between the processes."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from local.directions import DemoOperator

_NO_5XX = ("2", "3", "4")

#: The caller who is nobody: no token, or one that nobody was given.
NOBODY = "nobody"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one caller does in a process of its own."""

    api: str
    #: A role, or NOBODY.
    caller: str
    #: What the caller comes with; of NOBODY, what is no token.
    token: str = field(repr=False)
    #: Whose codes are used: operators of the caller's role, or whom a service acts for.
    operators: tuple[DemoOperator, ...] = field(repr=False)
    #: What no answer may hold.
    secrets: tuple[str, ...] = field(repr=False)
    #: Names of what exists, by collection, each with its state.
    known: Mapping[str, Mapping[str, str]]
    seed: int
    #: Enough is enough, and a little more; `None` goes on until the time is over.
    cases: int | None
    seconds: int
    #: Cases that are made up for each operation before the next turn.
    examples: int

    def presentable(self, text: str) -> str:
        """The text without secrets, and without what a terminal would act on."""
        for secret in self.secrets:
            text = text.replace(secret, "REDACTED")
        return "".join(
            each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode()
            for each in text
        )


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A check that failed. Failures that are equal are of one kind."""

    caller: str
    label: str
    check: str
    answered: str
    message: str
    #: A request that a person can repeat, and what came back, of the first of its kind.
    curl: str = field(compare=False)
    body: str = field(compare=False)

    def __str__(self) -> str:
        return (
            f"{self.check} of {self.label} by {self.caller}, answered {self.answered}:\n"
            f"  {self.message}\n  {self.curl}\n  {self.body}"
        )


@dataclass(kw_only=True)
class Report:
    """What came of it. Reports of several callers add up."""

    #: Requests by caller, operation and answer, such as `200` or `409 state_forbids`.
    answers: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    #: How often each check was made.
    checks: Counter[str] = field(default_factory=Counter)
    #: How often each kind of failure was seen.
    failures: Counter[Failure] = field(default_factory=Counter)
    #: What the Lambdas logged of bugs, and how often.
    bugs: Counter[str] = field(default_factory=Counter)
    #: What kept the fuzzing from its work.
    errors: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Requests sent and judged."""
        return self.answers.total()

    @property
    def server_errors(self) -> int:
        """Requests answered with 500 or above, or not at all."""
        return sum(n for (*_, answer), n in self.answers.items() if not answer.startswith(_NO_5XX))

    @property
    def good(self) -> bool:
        """Tell whether nothing failed."""
        return not (self.failures or self.bugs or self.errors or self.server_errors)

    def __add__(self, other: "Report") -> "Report":
        """Both in one."""
        return Report(
            answers=self.answers + other.answers,
            checks=self.checks + other.checks,
            failures=self.failures + other.failures,
            bugs=self.bugs + other.bugs,
            errors=self.errors + other.errors,
        )
