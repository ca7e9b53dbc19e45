"""Each check says pass, warn or block, with what it saw."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.catalogue import Catalogue, FlagEntry
from chalicelib.domain.drift import Declared
from chalicelib.domain.freeze import Freeze, Hold
from chalicelib.domain.preflight import (
    CALLS_IN_RESERVE,
    CONFIG_LIMIT_BYTES,
    CONFIG_WARNING_BYTES,
    Check,
    Outcome,
    Policy,
    Sight,
    Surroundings,
    blocked_by,
    config_size,
    policy_checks,
    preflight,
    unacknowledged,
)
from chalicelib.domain.promotion import Promotion
from chalicelib.domain.release import AppConfig, Release, ReleaseStatus, TargetView
from chalicelib.domain.target import Target
from tests.factories import CONFIG_VAR, FLAG, TARGET, a_promotion
from tests.fakes import START

PASS, WARN, BLOCK = Outcome.PASS, Outcome.WARN, Outcome.BLOCK
STAGING = "raxx-console-staging"
ASKS_STAGING = Target(app=TARGET, staging_app=STAGING)


def a_release(version: int, **kwargs: Any) -> Release:  # noqa: ANN401 - fields of `Release`
    wanted: dict[str, Any] = {
        "id": f"r{version}",
        "status": ReleaseStatus.SUCCEEDED,
        "current": True,
    }
    return Release(version=version, **(wanted | kwargs))


def a_view(*releases: Release, **kwargs: Any) -> TargetView:  # noqa: ANN401 - fields of `TargetView`
    wanted: dict[str, Any] = {"releases": releases or (a_release(3),), "config_bytes": 1000}
    wanted["carried"] = {release.version: {} for release in wanted["releases"]}
    return TargetView(**(wanted | kwargs))


def carrying(value: str, *releases: Release) -> TargetView:
    """A view of a target that holds this value, and whose releases all carry it."""
    view = a_view(*releases, config_vars={CONFIG_VAR: value})
    return replace(view, carried={r.version: {CONFIG_VAR: value} for r in view.releases})


def a_policy(target: Target | None = None, **kwargs: Any) -> Policy:  # noqa: ANN401 - fields of `Policy`
    return Policy(target=target or Target(app=TARGET), **kwargs)


def run(
    promotion: Promotion | None = None,
    *,
    policy: Policy | None = None,
    sight: Sight | None = None,
    view: TargetView | None = None,
    **around: Any,  # noqa: ANN401 - fields of `Surroundings`
) -> dict[str, Check]:
    """All checks by name; without arguments none has anything to say."""
    promotion = promotion or a_promotion()
    found = preflight(
        promotion,
        policy or a_policy(),
        sight or Sight(view=view or a_view(), scopes=frozenset({"global"}), calls_left=4000),
        Surroundings(**({"holder": promotion.id} | around)),
    )
    return {check.name: check for check in found}


def worst(checks: dict[str, Check]) -> dict[str, Outcome]:
    """What does not pass."""
    return {name: check.outcome for name, check in checks.items() if check.outcome is not PASS}


def test_where_nothing_is_to_be_said_every_check_passes_and_says_what_it_saw() -> None:
    checks = run()

    assert worst(checks) == {}
    assert list(checks) == [
        "target_listed",
        "flag_allowed",
        "flag_known",
        "staging_app",
        "target_reachable",
        "token_scope",
        "no_op",
        "foreign_release",
        "last_release",
        "drift",
        "config_size",
        "rate_budget",
        "restarts",
        "freeze",
        "flag_free",
    ]
    assert {name: check.seen for name, check in checks.items()} == {
        "target_listed": f"{TARGET} is a listed target.",
        "flag_allowed": f"{TARGET} takes any flag.",
        "flag_known": "The target names no catalogue of flags.",
        "staging_app": "The policy asks for no staging app.",
        "target_reachable": f"Heroku shows {TARGET} to Hoist.",
        "token_scope": "Hoist's token may set config vars.",
        "no_op": "The target does not have the value yet.",
        "foreign_release": "No release that somebody else made is running.",
        "last_release": "The last release did not fail.",
        "drift": "The target has of this flag what Hoist left there.",
        "config_size": f"The app's config vars would take {1000 + len(CONFIG_VAR) + 4} of "
        f"{CONFIG_LIMIT_BYTES} bytes.",
        "rate_budget": "Of Heroku's calls an hour 4000 are left.",
        "restarts": "One release: it restarts every dyno of the app once.",
        "freeze": "No freeze holds the target back.",
        "flag_free": "No other promotion of the flag is open.",
    }


class TestPolicy:
    def test_a_target_that_is_not_listed_blocks(self) -> None:
        checks = run(policy=Policy(target=None))

        assert worst(checks) == {"target_listed": BLOCK}
        assert checks["target_listed"].seen == f"{TARGET} is no listed target."

    def test_a_flag_that_matches_no_pattern_blocks_and_the_patterns_are_named(self) -> None:
        checks = run(policy=a_policy(Target(app=TARGET, flag_patterns=("api_*", "web_*"))))

        assert worst(checks) == {"flag_allowed": BLOCK}
        assert checks["flag_allowed"].seen == (
            f"{TARGET} takes only api_*, web_*; {FLAG} is none of these."
        )

    def test_a_flag_that_matches_a_pattern_passes(self) -> None:
        checks = run(policy=a_policy(Target(app=TARGET, flag_patterns=("api_*", "console_*"))))

        assert worst(checks) == {}
        assert checks["flag_allowed"].seen == f"{TARGET} takes api_*, console_*."

    def test_a_flag_that_the_catalogue_does_not_know_blocks_and_a_near_one_is_named(self) -> None:
        near = FLAG.replace("heroku", "horeku")
        catalogue = Catalogue(id="console", flags={near: FlagEntry(name=near)})

        checks = run(policy=a_policy(catalogue=catalogue))

        assert worst(checks) == {"flag_known": BLOCK}
        assert checks["flag_known"].seen == (
            f"{FLAG} does not stand in the catalogue console. Did you mean {near}?"
        )

    def test_a_flag_that_stands_in_the_catalogue_passes(self) -> None:
        catalogue = Catalogue(id="console", flags={FLAG: FlagEntry(name=FLAG)})

        checks = run(policy=a_policy(catalogue=catalogue))

        assert worst(checks) == {}
        assert checks["flag_known"].seen == f"{FLAG} stands in the catalogue console."

    @pytest.mark.parametrize(
        ("staged", "outcome"),
        [("true", PASS), ("false", BLOCK), (None, BLOCK), ("never", BLOCK)],
    )
    def test_the_same_value_has_to_be_deployed_at_the_staging_app(
        self,
        staged: str | None,
        outcome: Outcome,
    ) -> None:
        declared = Declared(flag=FLAG, value=staged, promotion_id="prm_1")

        checks = run(policy=a_policy(ASKS_STAGING, staged=None if staged == "never" else declared))

        assert checks["staging_app"].outcome is outcome
        assert STAGING in checks["staging_app"].seen

    def test_a_removal_has_to_be_deployed_at_the_staging_app_and_not_merely_absent(self) -> None:
        removal = a_promotion(value=None)
        removed = Declared(flag=FLAG, value=None, promotion_id="prm_1")

        absent = run(removal, policy=a_policy(ASKS_STAGING))
        deployed = run(removal, policy=a_policy(ASKS_STAGING, staged=removed))

        assert absent["staging_app"].outcome is BLOCK
        assert deployed["staging_app"].outcome is PASS

    def test_taking_a_promotion_back_is_admitted_whatever_the_policy_says_by_now(self) -> None:
        reverting = a_promotion(reverts="prm_1")
        target = Target(app=TARGET, flag_patterns=("api_*",), staging_app=STAGING)

        checks = policy_checks(reverting, Policy(target=target, catalogue=Catalogue(id="console")))

        assert [(check.name, check.outcome) for check in checks] == [("target_listed", PASS)]

    def test_but_not_at_a_target_that_is_not_listed_any_more(self) -> None:
        block = blocked_by(policy_checks(a_promotion(reverts="prm_1"), Policy(target=None)))

        assert block is not None
        assert block.name == "target_listed"


class TestHeroku:
    def test_where_it_cannot_be_read_only_that_is_said_and_in_calm_words(self) -> None:
        checks = run(sight=Sight(unread="it did not answer in time."))

        assert worst(checks) == {"target_reachable": BLOCK}
        assert checks["target_reachable"].seen == (
            "Heroku could not be read: it did not answer in time. Nothing is known to be wrong "
            "with the promotion."
        )
        assert "token_scope" not in checks
        assert "freeze" in checks

    @pytest.mark.parametrize(
        ("scopes", "outcome"),
        [
            ({"global"}, PASS),
            ({"write-protected"}, PASS),
            ({"identity", "read", "write-protected"}, PASS),
            (None, PASS),
            ({"read-protected"}, BLOCK),
            # Config vars are runtime secrets, which plain `write` leaves out.
            ({"write"}, BLOCK),
            ({"identity", "read", "read-protected", "write"}, BLOCK),
        ],
    )
    def test_a_token_that_may_not_set_config_vars_blocks(
        self,
        scopes: set[str] | None,
        outcome: Outcome,
    ) -> None:
        said = None if scopes is None else frozenset(scopes)

        checks = run(sight=Sight(view=a_view(), scopes=said))

        assert checks["token_scope"].outcome is outcome

    def test_what_a_token_may_do_is_said_where_that_is_too_little(self) -> None:
        scopes = frozenset({"write", "read"})

        seen = run(sight=Sight(view=a_view(), scopes=scopes))["token_scope"].seen

        assert seen == (
            "Hoist's token may not set config vars (scopes: read, write); "
            "write-protected is needed."
        )

    def test_scopes_that_heroku_did_not_say_are_said_to_be_unknown(self) -> None:
        seen = run(sight=Sight(view=a_view(), scopes=None))["token_scope"].seen

        assert seen == "Heroku did not say what Hoist's token may do."

    def test_a_value_that_is_live_warns_and_restarts_nothing(self) -> None:
        checks = run(view=carrying("true", a_release(12)))

        assert worst(checks) == {"no_op": WARN}
        assert checks["no_op"].id == "no_op:v12"
        assert checks["no_op"].seen.startswith("Release v12 carries the value already")
        assert checks["restarts"].seen == "No release, and so no restart."

    def test_a_value_that_is_live_but_that_the_next_release_would_lose_is_sent(self) -> None:
        view = replace(carrying("true"), config_vars={CONFIG_VAR: "false"})

        checks = run(view=view)

        assert checks["no_op"].outcome is PASS
        assert checks["restarts"].seen.startswith("One release")

    def test_a_value_that_is_stored_and_not_live_is_sent(self) -> None:
        checks = run(view=a_view(config_vars={CONFIG_VAR: "true"}))

        assert checks["no_op"].outcome is PASS
        assert checks["restarts"].seen.startswith("One release")

    def test_a_release_that_somebody_else_made_and_that_runs_warns_by_its_version(self) -> None:
        running = a_release(13, status=ReleaseStatus.PENDING, current=False)

        check = run(view=a_view(running, a_release(12)))["foreign_release"]

        assert (check.outcome, check.id) == (WARN, "foreign_release:v13")
        assert check.seen.startswith("Release v13, which Hoist is not known to have made")

    def test_a_release_of_our_own_that_runs_does_not(self) -> None:
        running = a_release(13, status=ReleaseStatus.PENDING, current=False)
        view = a_view(running, a_release(12))

        assert worst(run(view=view, own_releases=frozenset({13}))) == {}
        assert "foreign_release" in worst(run(view=view, own_releases=frozenset({12})))

    def test_a_last_release_that_failed_warns_by_its_version(self) -> None:
        failed = a_release(13, status=ReleaseStatus.FAILED, current=False)

        check = run(view=a_view(failed, a_release(12)))["last_release"]

        assert (check.outcome, check.id) == (WARN, "last_release:v13")
        assert check.seen.startswith("The last release, v13, failed")

    def test_an_earlier_release_that_failed_is_over(self) -> None:
        failed = a_release(12, status=ReleaseStatus.FAILED, current=False)

        assert worst(run(view=a_view(a_release(13), failed))) == {}

    def test_an_app_that_has_no_release_yet_passes(self) -> None:
        assert worst(run(view=TargetView(releases=(), config_bytes=0))) == {}

    def test_a_flag_that_was_changed_outside_hoist_warns_of_what_was_found(self) -> None:
        declared = Declared(flag=FLAG, value="false", promotion_id="prm_1")

        check = run(
            view=a_view(a_release(12), config_vars={CONFIG_VAR: "maybe"}),
            declared=declared,
        )["drift"]

        assert (check.outcome, check.id) == (WARN, "drift:prm_1@v12")
        assert check.seen.startswith(f"{CONFIG_VAR} is not what prm_1 deployed: it was changed")

    def test_a_flag_that_is_gone_has_drifted(self) -> None:
        declared = Declared(flag=FLAG, value="false", promotion_id="prm_1")

        assert worst(run(declared=declared)) == {"drift": WARN}

    @pytest.mark.parametrize(("value", "stored"), [("false", {CONFIG_VAR: "false"}), (None, {})])
    def test_a_flag_that_is_as_hoist_left_it_passes(
        self,
        value: str | None,
        stored: dict[str, str],
    ) -> None:
        declared = Declared(flag=FLAG, value=value, promotion_id="prm_1")

        assert worst(run(view=a_view(config_vars=stored), declared=declared)) == {}

    def test_a_flag_that_was_removed_and_is_back_has_drifted(self) -> None:
        declared = Declared(flag=FLAG, value=None, promotion_id="prm_1")

        checks = run(view=a_view(config_vars={CONFIG_VAR: "false"}), declared=declared)

        assert worst(checks) == {"drift": WARN}

    @pytest.mark.parametrize(
        ("left", "outcome", "said"),
        [
            (CALLS_IN_RESERVE, PASS, str(CALLS_IN_RESERVE)),
            (CALLS_IN_RESERVE - 1, WARN, str(CALLS_IN_RESERVE - 1)),
            (0, WARN, "Only 0"),
            (None, PASS, "an unknown number"),
        ],
    )
    def test_few_calls_that_are_left_warn(
        self,
        left: int | None,
        outcome: Outcome,
        said: str,
    ) -> None:
        check = run(sight=Sight(view=a_view(), calls_left=left))["rate_budget"]

        assert check.outcome is outcome
        assert said in check.seen

    def test_how_many_promotions_share_the_restart_is_said(self) -> None:
        assert run(deploying=3)["restarts"].seen == (
            "One release, shared with up to 3 more: it restarts every dyno of the app once."
        )


class TestConfigSize:
    def sized(self, size: int, value: str | None = "true", **stored: str) -> Check:
        check = config_size(
            a_promotion(value=value),
            a_view(config_bytes=size, config_vars=stored),
        )
        assert check is not None
        return check

    @pytest.mark.parametrize(
        ("size", "outcome"),
        [
            (CONFIG_WARNING_BYTES, PASS),
            (CONFIG_WARNING_BYTES + 1, WARN),
            (CONFIG_LIMIT_BYTES, WARN),
            (CONFIG_LIMIT_BYTES + 1, BLOCK),
        ],
    )
    def test_nine_tenths_of_the_limit_warn_and_more_than_all_of_it_blocks(
        self,
        size: int,
        outcome: Outcome,
    ) -> None:
        check = self.sized(size - len(CONFIG_VAR) - len("true"))

        assert check.outcome is outcome
        assert f"would take {size} of 65536 bytes" in check.seen

    def test_a_warning_is_of_this_size(self) -> None:
        check = self.sized(CONFIG_LIMIT_BYTES - len(CONFIG_VAR) - len("true"))

        assert check.id == f"config_size:{CONFIG_LIMIT_BYTES}"

    def test_where_the_config_was_not_read_nothing_is_said(self) -> None:
        assert config_size(a_promotion(), a_view(config_bytes=None)) is None
        assert "config_size" not in run(view=a_view(config_bytes=None))

    @pytest.mark.parametrize("value", [None, "no", "yes"])
    def test_what_does_not_make_it_grow_is_not_blocked(self, value: str | None) -> None:
        check = self.sized(CONFIG_LIMIT_BYTES + 100, value=value, **{CONFIG_VAR: "yes"})

        assert check.outcome is WARN

    def test_removing_what_is_not_there_changes_no_size(self) -> None:
        assert "would take 1000 of" in self.sized(1000, value=None).seen

    @given(
        old=st.none() | st.text(st.characters(exclude_categories=())),
        new=st.none() | st.text(),
    )
    def test_bytes_of_names_and_values_are_counted_as_they_will_be(
        self,
        old: str | None,
        new: str | None,
    ) -> None:
        others = {"DATABASE_URL": "pg://\N{SNOWMAN}"}
        before = AppConfig.of(others | ({} if old is None else {CONFIG_VAR: old}))
        after = AppConfig.of(others | ({} if new is None else {CONFIG_VAR: new}))

        check = self.sized(before.size_bytes, value=new, **before.flags)

        assert f"would take {after.size_bytes} of" in check.seen


class TestSurroundings:
    def hold(self, freeze_id: str = "year-end") -> Hold:
        until = START + timedelta(days=1)
        freeze = Freeze(
            id=freeze_id,
            reason="The books are closed.",
            starts_at=START,
            ends_at=until,
            set_by="sam",
            set_at=START,
        )
        return Hold(freeze=freeze, until=until)

    def test_a_freeze_warns_with_its_reason_and_its_end(self) -> None:
        check = run(hold=self.hold())["freeze"]

        assert (check.outcome, check.id) == (WARN, "freeze:year-end")
        assert check.seen == (
            'Held back by the freeze year-end ("The books are closed.") until 2026-05-10 04:28Z.'
        )

    def test_another_promotion_of_the_flag_blocks(self) -> None:
        check = run(holder="prm_1")["flag_free"]

        assert check.outcome is BLOCK
        assert check.seen == "prm_1 is an open promotion of the same flag."

    def test_a_flag_that_nobody_holds_is_free(self) -> None:
        assert worst(run(holder=None)) == {}


class TestFindings:
    checks = (
        Check(name="one", outcome=PASS, seen=""),
        Check(name="two", outcome=WARN, seen="", finding="v12"),
        Check(name="three", outcome=BLOCK, seen=""),
        Check(name="four", outcome=WARN, seen=""),
        Check(name="five", outcome=BLOCK, seen=""),
    )

    def test_the_first_block_is_told(self) -> None:
        assert blocked_by(self.checks) == self.checks[2]
        assert blocked_by(self.checks[:2]) is None

    @pytest.mark.parametrize(
        ("acknowledged", "left"),
        [
            (set(), ["two:v12", "four"]),
            ({"two:v12"}, ["four"]),
            ({"two:v13", "two", "four"}, ["two:v12"]),
            ({"two:v12", "four", "three"}, []),
        ],
    )
    def test_a_warning_is_acknowledged_by_the_very_finding(
        self,
        acknowledged: set[str],
        left: list[str],
    ) -> None:
        assert [check.id for check in unacknowledged(self.checks, acknowledged)] == left

    @pytest.mark.parametrize("name", ["no_op", "foreign_release", "last_release", "drift"])
    def test_a_warning_about_v12_does_not_cover_v13(self, name: str) -> None:
        def seen(version: int) -> Check:
            newest = {
                "foreign_release": a_release(version, status=ReleaseStatus.PENDING, current=False),
                "last_release": a_release(version, status=ReleaseStatus.FAILED, current=False),
            }.get(name)
            releases = (newest, a_release(11)) if newest else (a_release(version),)
            declared = Declared(flag=FLAG, value="false", promotion_id="prm_1")
            return run(view=carrying("true", *releases), declared=declared)[name]

        assert seen(12).outcome is WARN
        assert unacknowledged([seen(12)], {seen(12).id}) == []
        assert unacknowledged([seen(13)], {seen(12).id}) == [seen(13)]
