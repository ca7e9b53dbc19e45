"""All that may go wrong, each with the words in which a story tells it."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from itertools import product

from chalicelib.domain.release import ReleaseStatus

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class What(StrEnum):
    """What befalls somebody in the middle of what they do."""

    KILLED = "it is killed"
    AWAY = "no answer comes"
    SUSPENDED = "it is suspended for 7 s without a heartbeat, and a rival comes"
    OVERTAKEN = "it is suspended for 7 s, and a rival takes its lease and dies"
    SLOW = "it takes 9 s"
    RIVAL = "a rival comes"
    SWEEP = "the watchdog sweeps"
    DRIFT = "drift is looked for"
    LAG = "the indexes lag from now on"
    OTHER_VAR = "somebody sets another config var"
    SAME_VAR = "somebody sets the flags otherwise"
    ROLLBACK = "somebody rolls back"
    COMPLETE = "sam completes by force"
    FAIL = "sam fails by force"
    CANCEL = "kim cancels"
    ACKNOWLEDGE = "pat acknowledges"


class When(StrEnum):
    """On which side of a call."""

    BEFORE = "before"
    AFTER = "right after"


#: The call that no condition can guard.
PATCH = "set_config_vars"


@dataclass(frozen=True, kw_only=True, slots=True)
class Mishap:
    """What befalls somebody at one of the calls that they make."""

    what: What
    when: When
    #: The n-th call, or the first of this name.
    at: int | str

    def befalls(self, when: When, name: str, n: int) -> bool:
        return self.when is when and self.at in {name, n}

    def __str__(self) -> str:
        call = f"call {self.at}" if isinstance(self.at, int) else self.at
        return f"{self.what}, {self.when} {call}"


#: What becomes of a rival that takes a lease and no more.
DIES_AT_ONCE = Mishap(what=What.KILLED, when=When.AFTER, at="acquire")

#: What nobody else does, but what becomes of a process, is worth more tries.
_DEADLY = (What.KILLED, What.AWAY, What.SUSPENDED, What.OVERTAKEN)


def _mishaps(*places: int | str) -> tuple[Mishap | None, ...]:
    """Nothing, or anything at one of these calls; as often the one as the other."""
    found = tuple(
        Mishap(what=what, when=when, at=at)
        for at, when, what in product(places, When, (*What, *_DEADLY))
    )
    return (*(None,) * len(found), *found)


#: Drawn from, for each kind of actor: they make about as many calls. Some are worth more tries.
AT_WORK = _mishaps(*(PATCH, "commit") * 4, *range(1, 21))
AT_REQUESTS = _mishaps("commit", *range(1, 7))
AT_SWEEPS = _mishaps("commit", "send", *range(1, 8))


class Mood(StrEnum):
    """How Heroku answers for one app, until it changes."""

    WELL = "answers"
    SLOW = "takes 2 s for each answer"
    DOWN = "answers 503"
    THROTTLING = "answers 429"
    DENYING = "refuses Hoist's token"
    GONE = "answers 404"
    PICKY = "takes no value for alpha"
    MUTE = "takes PATCHes and answers nothing"
    DEAF = "loses PATCHes and answers nothing"
    LATE = "takes PATCHes half a minute late and answers nothing"
    SHY = "shows the newest release 3 s late"
    BLIND = "does not show what releases carry"


@dataclass(frozen=True, kw_only=True)
class Phase:
    """The release phase of an app."""

    name: str
    lasts: timedelta | None
    ends: ReleaseStatus = ReleaseStatus.SUCCEEDED

    def __str__(self) -> str:
        return self.name


PHASES = (
    Phase(name="no release phase", lasts=timedelta(0)),
    Phase(name="a release phase of 3 s", lasts=3 * SECOND),
    Phase(name="a release phase of 40 min", lasts=40 * MINUTE),
    Phase(name="a release phase that fails after 1 min", lasts=MINUTE, ends=ReleaseStatus.FAILED),
    Phase(name="a release phase that expires", lasts=MINUTE, ends=ReleaseStatus.EXPIRED),
    Phase(name="a release phase without end", lasts=None),
)


class Foreign(StrEnum):
    """What others do to an app."""

    OTHER_VAR = "somebody sets another config var"
    SAME_VAR = "somebody sets the flags otherwise"
    DEPLOY = "somebody deploys"
    ROLLBACK = "somebody rolls back"
    END_WELL = "somebody ends what runs: succeeded"
    END_BADLY = "somebody ends what runs: failed"
    OLDER_LAST = "a release that ran at the same time ends after the newest, and is current"
    FILL = "somebody fills the app's config up"


class Wakes(StrEnum):
    """What becomes of wakes besides being delivered."""

    LOST = "a wake is lost"
    DOUBLED = "a wake is doubled"
    QUEUE_AWAY = "the queue is away"
    QUEUE_BACK = "the queue is back"


class Asked(StrEnum):
    """What a target's policy asks for."""

    NOTHING = "asks for nothing"
    APPROVAL = "asks for an approval"
    SINGLY = "asks for one flag a release"
    NOT_ALPHA = "takes beta and gamma only"
