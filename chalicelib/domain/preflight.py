"""What is checked before a promotion may begin: each check says what it saw."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from chalicelib.domain.catalogue import Catalogue
from chalicelib.domain.drift import Declared
from chalicelib.domain.freeze import Hold
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.release import Release, ReleaseStatus, TargetView
from chalicelib.domain.target import Target
from chalicelib.domain.waiting import held_text

#: All config vars of an app together. https://devcenter.heroku.com/articles/config-vars
CONFIG_LIMIT_BYTES = 64 * 1024
CONFIG_WARNING_BYTES = CONFIG_LIMIT_BYTES * 9 // 10
#: Scopes whose tokens may set config vars. Plain `write` may not: they are runtime secrets.
#: https://devcenter.heroku.com/articles/oauth#scopes
WRITING_SCOPES = frozenset({"global", "write-protected"})
#: Below this many calls left of the account's 4,500 an hour a promotion would go slowly.
CALLS_IN_RESERVE = 200


class Outcome(StrEnum):
    """What a check says."""

    PASS = "pass"  # noqa: S105 - a word of the API, not a password
    #: Fine for somebody who knows of it: it has to be acknowledged.
    WARN = "warn"
    #: It may not begin like this.
    BLOCK = "block"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check, with what was seen."""

    name: str
    outcome: Outcome
    seen: str
    #: What tells this finding from another one of the same check.
    finding: str = ""

    @property
    def id(self) -> str:
        """What a warning is acknowledged by: another finding is another id."""
        return f"{self.name}:{self.finding}" if self.finding else self.name


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What Hoist itself knows that bears on a promotion."""

    #: The promotion's target, if it is listed.
    target: Target | None
    #: The target's catalogue, if it has one.
    catalogue: Catalogue | None = None
    #: What was deployed of the flag at the staging app that the policy names.
    staged: Declared | None = None


@dataclass(frozen=True, kw_only=True)
class Sight:
    """What was seen at Heroku, or why nothing was."""

    view: TargetView | None = None
    #: Why it could not be read, in words; empty where it was.
    unread: str = ""
    scopes: frozenset[str] | None = None
    calls_left: int | None = None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What else bears on when and how a promotion goes."""

    #: The promotion that holds the flag's lock.
    holder: str | None
    #: What was deployed of the flag at the target last.
    declared: Declared | None = None
    #: The freeze that holds the target back at the time that counts.
    hold: Hold | None = None
    #: Promotions of the target that are `deploying`: they share a release.
    deploying: int = 0
    #: Versions of releases that promotions of ours are known to have made, and that may run.
    own_releases: frozenset[int] = field(default_factory=frozenset)


def preflight(
    promotion: Promotion,
    policy: Policy,
    sight: Sight,
    around: Surroundings,
) -> Sequence[Check]:
    """Every check of this promotion."""
    return [
        *policy_checks(promotion, policy),
        _reachable(promotion, sight),
        *_at_heroku(promotion, sight, around),
        _freeze(around),
        _flag_free(promotion, around),
    ]


def policy_checks(promotion: Promotion, policy: Policy) -> Sequence[Check]:
    """The checks that need nothing from Heroku, and that a target's policy decides.

    Taking a promotion back is admitted whatever the policy says of the flag by now.
    """
    if policy.target is None or promotion.reverts:
        return [_target_listed(promotion, policy)]
    return [
        _target_listed(promotion, policy),
        _flag_allowed(promotion, policy.target),
        _flag_known(promotion, policy.catalogue),
        _staged_before(promotion, policy.target, policy.staged),
    ]


def blocked_by(checks: Sequence[Check]) -> Check | None:
    """The first check that does not let the promotion begin."""
    return next((check for check in checks if check.outcome is Outcome.BLOCK), None)


def unacknowledged(checks: Sequence[Check], acknowledged: Collection[str]) -> list[Check]:
    """The warnings that nobody has said to know of."""
    warnings = (check for check in checks if check.outcome is Outcome.WARN)
    return [check for check in warnings if check.id not in acknowledged]


def config_size(promotion: Promotion, view: TargetView) -> Check | None:
    """Whether the app's config vars stay within Heroku's limit; `None` where they are unread.

    What does not make them grow is never blocked.
    """
    if view.config_bytes is None:
        return None
    grows_by = _grows_by(promotion, view)
    size = view.config_bytes + grows_by
    outcome = Outcome.PASS
    if size > CONFIG_LIMIT_BYTES and grows_by > 0:
        outcome = Outcome.BLOCK
    elif size > CONFIG_WARNING_BYTES:
        outcome = Outcome.WARN
    return Check(
        name="config_size",
        outcome=outcome,
        seen=f"The app's config vars would take {size} of {CONFIG_LIMIT_BYTES} bytes.",
        finding=str(size) if outcome is Outcome.WARN else "",
    )


def _grows_by(promotion: Promotion, view: TargetView) -> int:
    name = promotion.config_var
    return _size(name, promotion.value) - _size(name, view.config_vars.get(name))


def _size(name: str, value: str | None) -> int:
    # What Heroku holds may be half of a surrogate pair, which plain UTF-8 cannot spell.
    return 0 if value is None else len(f"{name}{value}".encode("utf-8", "surrogatepass"))


def _target_listed(promotion: Promotion, policy: Policy) -> Check:
    listed = policy.target is not None
    return Check(
        name="target_listed",
        outcome=Outcome.PASS if listed else Outcome.BLOCK,
        seen=f"{promotion.target} is {'a' if listed else 'no'} listed target.",
    )


def _flag_allowed(promotion: Promotion, target: Target) -> Check:
    allowed = target.allows(promotion.flag)
    patterns = ", ".join(target.flag_patterns) or "any flag"
    return Check(
        name="flag_allowed",
        outcome=Outcome.PASS if allowed else Outcome.BLOCK,
        seen=f"{target.app} takes {patterns}."
        if allowed
        else f"{target.app} takes only {patterns}; {promotion.flag} is none of these.",
    )


def _flag_known(promotion: Promotion, catalogue: Catalogue | None) -> Check:
    if catalogue is None:
        return Check(
            name="flag_known",
            outcome=Outcome.PASS,
            seen="The target names no catalogue of flags.",
        )
    known = promotion.flag in catalogue.flags
    return Check(
        name="flag_known",
        outcome=Outcome.PASS if known else Outcome.BLOCK,
        seen=f"{promotion.flag} stands in the catalogue {catalogue.id}."
        if known
        else unknown_text(promotion.flag, catalogue),
    )


def unknown_text(flag: str, catalogue: Catalogue) -> str:
    """Say that a catalogue does not know a flag, and which may have been meant."""
    near = catalogue.near(flag)
    hint = f" Did you mean {' or '.join(near)}?" if near else ""
    return f"{flag} does not stand in the catalogue {catalogue.id}.{hint}"


def _staged_before(promotion: Promotion, target: Target, staged: Declared | None) -> Check:
    app = target.staging_app
    if app is None:
        return Check(
            name="staging_app",
            outcome=Outcome.PASS,
            seen="The policy asks for no staging app.",
        )
    same = staged is not None and staged.value == promotion.value
    return Check(
        name="staging_app",
        outcome=Outcome.PASS if same else Outcome.BLOCK,
        seen=f"The same value was deployed at {app}."
        if same
        else f"The same value was not deployed at {app} last: promote it there first.",
    )


def _reachable(promotion: Promotion, sight: Sight) -> Check:
    return Check(
        name="target_reachable",
        outcome=Outcome.BLOCK if sight.unread else Outcome.PASS,
        seen=f"Heroku could not be read: {sight.unread} Nothing is known to be wrong with the "
        "promotion."
        if sight.unread
        else f"Heroku shows {promotion.target} to Hoist.",
    )


def _at_heroku(promotion: Promotion, sight: Sight, around: Surroundings) -> Iterator[Check]:
    """The checks of what Heroku shows; none where it shows nothing."""
    view = sight.view
    if view is None:
        return
    yield _scope(sight.scopes)
    yield _value_differs(promotion, view)
    yield _no_foreign_release(view, around)
    yield _last_release(view)
    yield _not_drifted(promotion, view, around.declared)
    size = config_size(promotion, view)
    if size:
        yield size
    yield _rate_budget(sight.calls_left)
    yield _restarts(promotion, view, around)


def _scope(scopes: frozenset[str] | None) -> Check:
    lacking = lacks_writing(scopes)
    if lacking:
        return Check(name="token_scope", outcome=Outcome.BLOCK, seen=lacking)
    seen = (
        "Heroku did not say what Hoist's token may do."
        if scopes is None
        else "Hoist's token may set config vars."
    )
    return Check(name="token_scope", outcome=Outcome.PASS, seen=seen)


def lacks_writing(scopes: frozenset[str] | None) -> str | None:
    """Say so where Heroku has said that a token of these scopes sets no config vars."""
    if scopes is None or scopes & WRITING_SCOPES:
        return None
    said = ", ".join(sorted(scopes)) or "none"
    return f"Hoist's token may not set config vars (scopes: {said}); write-protected is needed."


def _live_already(promotion: Promotion, view: TargetView) -> Release | None:
    """The current release, where it carries the value and the next one would carry it on."""
    return view.live(promotion) if promotion.carried_by(view.config_vars) else None


def _value_differs(promotion: Promotion, view: TargetView) -> Check:
    live = _live_already(promotion, view)
    if live:
        return Check(
            name="no_op",
            outcome=Outcome.WARN,
            seen=f"Release v{live.version} carries the value already: no PATCH is needed, and "
            "nothing changes.",
            finding=f"v{live.version}",
        )
    return Check(name="no_op", outcome=Outcome.PASS, seen="The target does not have the value yet.")


def _no_foreign_release(view: TargetView, around: Surroundings) -> Check:
    running = view.running
    if running is None or running.version in around.own_releases:
        return Check(
            name="foreign_release",
            outcome=Outcome.PASS,
            seen="No release that somebody else made is running.",
        )
    return Check(
        name="foreign_release",
        outcome=Outcome.WARN,
        seen=f"Release v{running.version}, which Hoist is not known to have made, is running: the "
        "flag would be sent when it has ended.",
        finding=f"v{running.version}",
    )


def _last_release(view: TargetView) -> Check:
    newest = view.releases[0] if view.releases else None
    if newest is None or newest.status is not ReleaseStatus.FAILED:
        return Check(
            name="last_release", outcome=Outcome.PASS, seen="The last release did not fail."
        )
    return Check(
        name="last_release",
        outcome=Outcome.WARN,
        seen=f"The last release, v{newest.version}, failed: one for this flag may fail as it did.",
        finding=f"v{newest.version}",
    )


def _not_drifted(promotion: Promotion, view: TargetView, declared: Declared | None) -> Check:
    name = promotion.config_var
    if declared is None or view.config_vars.get(name) == declared.value:
        return Check(
            name="drift",
            outcome=Outcome.PASS,
            seen="The target has of this flag what Hoist left there.",
        )
    return Check(
        name="drift",
        outcome=Outcome.WARN,
        seen=f"{name} is not what {declared.promotion_id} deployed: it was changed outside Hoist, "
        "or a promotion that failed has left its value there. Somebody may rely on what it is now.",
        finding=f"{declared.promotion_id}@v{view.newest_version}",
    )


def _rate_budget(calls_left: int | None) -> Check:
    if calls_left is None or calls_left >= CALLS_IN_RESERVE:
        left = "an unknown number" if calls_left is None else str(calls_left)
        seen, outcome = f"Of Heroku's calls an hour {left} are left.", Outcome.PASS
    else:
        seen = f"Only {calls_left} of Heroku's calls an hour are left: it would go slowly."
        outcome = Outcome.WARN
    return Check(name="rate_budget", outcome=outcome, seen=seen)


def _restarts(promotion: Promotion, view: TargetView, around: Surroundings) -> Check:
    if _live_already(promotion, view):
        seen = "No release, and so no restart."
    else:
        shared = f", shared with up to {around.deploying} more" if around.deploying else ""
        seen = f"One release{shared}: it restarts every dyno of the app once."
    return Check(name="restarts", outcome=Outcome.PASS, seen=seen)


def _freeze(around: Surroundings) -> Check:
    hold = around.hold
    if hold is None:
        return Check(name="freeze", outcome=Outcome.PASS, seen="No freeze holds the target back.")
    return Check(name="freeze", outcome=Outcome.WARN, seen=held_text(hold), finding=hold.freeze.id)


def _flag_free(promotion: Promotion, around: Surroundings) -> Check:
    own = around.holder in {promotion.id, None}
    return Check(
        name="flag_free",
        outcome=Outcome.PASS if own else Outcome.BLOCK,
        seen="No other promotion of the flag is open."
        if own
        else f"{around.holder} is an open promotion of the same flag.",
    )
