"""How often each fault, and each end, was met: what is never met is not tested."""

from collections import Counter
from collections.abc import Iterable

from chalicelib.domain.audit import Action
from chalicelib.domain.lease import Waiting
from chalicelib.domain.promotion import Effect, Rung, SettledBy, State, Step
from tests.life.faults import Foreign, Mood, Wakes, What, When

#: Why a promotion failed or ended, by a few words of what was written down.
REASONS = (
    "made no release for it",
    "changed outside Hoist",
    "was then replaced",
    "became the current one after it",
    "its output at Heroku",
    "has expired",
    "Preflight did not let it begin",
    "422",
    "404",
    "held back by",
    "Nobody promoted it",
)
#: What only settled records, or records of other kinds, know.
_OTHER_ACTIONS = frozenset(
    {
        Action.EDIT,
        Action.ADD_OPERATOR,
        Action.ROTATE_TOKEN,
        Action.RESET_TOTP,
        Action.DISABLE_OPERATOR,
        Action.ENABLE_OPERATOR,
        Action.LOCK_OUT,
        Action.UNLOCK,
        Action.SET_POLICY,
        Action.SET_FREEZE,
        Action.LIFT_FREEZE,
        Action.IMPORT_CATALOGUE,
    },
)
#: What a worker leaves at a target's lock.
_WORDS = (
    Waiting.WORKER,
    Waiting.OWN_RELEASE,
    Waiting.FOREIGN_RELEASE,
    Waiting.PROOF,
    Waiting.HEROKU,
    Waiting.HEROKU_ACCESS,
)


class Tally:
    """Counts, by a name that says what was met."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.steps = 0

    def met(self, name: str) -> None:
        self.counts[name] += 1

    def never(self, names: Iterable[str]) -> list[str]:
        """Those of the names that were not met."""
        return [name for name in names if not self.counts[name]]


def faults() -> list[str]:
    """Every fault that has to be met."""
    return [
        *(f"mishap {what}, {when}" for what in What for when in When),
        *(f"heroku {mood}" for mood in Mood if mood is not Mood.WELL),
        *(f"others: {what}" for what in Foreign),
        *(f"wakes: {what}" for what in Wakes),
    ]


def ends() -> list[str]:
    """Every state, step, end and word that has to be met."""
    return [
        *(f"state {state}" for state in State),
        *(f"step {step}" for step in Step),
        *(f"{State.DEPLOYED} by {by}, effect {effect}" for by, effect in _DEPLOYED),
        *(f"{State.FAILED} by {by}, effect {effect}" for by, effect in _FAILED),
        *(f"action {action}" for action in Action if action not in _OTHER_ACTIONS),
        *(f"rung {rung}" for rung in Rung),
        *(f"reason: {reason}" for reason in REASONS),
        *(f"waits for {word}" for word in _WORDS),
    ]


_WORKER, _OPERATOR = SettledBy.WORKER, SettledBy.OPERATOR
_DEPLOYED = (
    (_WORKER, Effect.LIVE),
    *((_OPERATOR, effect) for effect in Effect),
)
_FAILED = (
    (_WORKER, Effect.NONE),
    (_WORKER, Effect.STORED_NOT_LIVE),
    (_WORKER, Effect.UNKNOWN),
    *((_OPERATOR, effect) for effect in Effect),
)
