"""The worker checks once more what it is about to begin, before it sends anything."""

from dataclasses import replace

import pytest

from chalicelib.domain.catalogue import Catalogue, FlagEntry
from chalicelib.domain.drift import Declared
from chalicelib.domain.errors import Ambiguous, Unavailable
from chalicelib.domain.notice import notice_of
from chalicelib.domain.preflight import CONFIG_LIMIT_BYTES
from chalicelib.domain.promotion import Effect, Promotion, SettledBy, State, Step
from chalicelib.usecases.renew import RenewOrder
from tests.factories import CONFIG_VAR, FLAG, PAT, TARGET
from tests.world import World

STAGING = "raxx-console-staging"


def block(world: World) -> None:
    """From now on the target takes only flags of the API's."""
    world.policy(flag_patterns=("api_*",))


def filled(world: World, *, but: int) -> None:
    """Leave so many bytes of the app's config vars."""
    world.apps.stored = {"FILL": "x" * (CONFIG_LIMIT_BYTES - len("FILL") - but)}


def reverting(world: World, **kwargs: object) -> Promotion:
    """An accepted promotion that takes another one back."""
    promotion = world.promoted(**kwargs)  # type: ignore[arg-type]
    world.store.promotions[promotion.id] = replace(promotion, reverts="prm_1")
    return promotion


class TestBlocked:
    def test_it_fails_with_its_effect_and_reason_before_anything_is_sent(
        self,
        world: World,
    ) -> None:
        promotion = world.promoted()
        block(world)

        report = world.work(promotion)

        failed = world.now(promotion)
        assert (failed.state, failed.effect, failed.settled_by) == (
            State.FAILED,
            Effect.NONE,
            SettledBy.WORKER,
        )
        assert failed.reason == (
            f"Preflight did not let it begin: {TARGET} takes only api_*; {FLAG} is none of these. "
            "Hoist sent nothing."
        )
        assert world.apps.patches == []
        assert world.history(promotion) == ["mark", "promote", "settle"]
        assert report.settled == (failed,)
        assert report.look_again is None

    def test_its_flag_is_free_again_and_people_are_told(self, world: World) -> None:
        promotion = world.promoted()
        block(world)
        world.work(promotion)
        world.policy()

        assert world.mark().state is State.PENDING
        notice = notice_of(world.store.trail(promotion.id)[-1].entry)
        assert notice is not None
        assert "failed (effect: none)" in notice.title

    def test_what_is_stored_already_is_said_to_be(self, world: World) -> None:
        world.apps.stored[CONFIG_VAR] = "true"
        promotion = world.promoted()
        block(world)

        world.work(promotion)

        assert world.now(promotion).effect is Effect.STORED_NOT_LIVE

    def test_the_others_of_its_batch_go_on(self, world: World) -> None:
        blocked = [world.promoted("web_one"), world.promoted("web_two")]
        passing = [world.promoted("api_one"), world.promoted("api_two")]
        block(world)

        world.work(blocked[0])

        assert [world.now(each).state for each in blocked] == [State.FAILED] * 2
        assert [world.now(each).state for each in passing] == [State.DEPLOYED] * 2
        assert world.apps.patches == [{"FLAG_API_ONE": "true", "FLAG_API_TWO": "true"}]
        assert all(world.verified(each) for each in (*blocked, *passing))

    def test_they_take_no_place_of_the_others_in_a_batch(self, world: World) -> None:
        for flag in ("web_one", "web_two", "api_one", "api_two"):
            world.promoted(flag)
        world.policy(flag_patterns=("api_*",), max_flags_per_release=2)
        began = world.clock.now()

        world.work()

        assert world.apps.patches == [{"FLAG_API_ONE": "true", "FLAG_API_TWO": "true"}]
        assert world.clock.now() == began

    def test_a_target_that_is_not_listed_any_more_takes_nothing(self, world: World) -> None:
        promotion = world.promoted()
        del world.targets.targets[TARGET]

        world.work(promotion)

        reason = world.now(promotion).reason
        assert reason is not None
        assert f"{TARGET} is no listed target." in reason
        assert world.apps.patches == []

    def test_a_flag_that_its_catalogue_lost_fails(self, world: World) -> None:
        promotion = world.promoted()
        world.policy(catalogue="console")
        world.catalogues.catalogues["console"] = Catalogue(id="console")

        world.work(promotion)

        assert world.now(promotion).state is State.FAILED

    def test_a_flag_that_stands_in_its_catalogue_goes(self, world: World) -> None:
        promotion = world.promoted()
        world.policy(catalogue="console")
        known = {FLAG: FlagEntry(name=FLAG)}
        world.catalogues.catalogues["console"] = Catalogue(id="console", flags=known)

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED

    @pytest.mark.parametrize(
        ("value", "state"),
        [("true", State.DEPLOYED), ("false", State.FAILED)],
    )
    def test_what_is_deployed_at_the_staging_app_by_now_decides(
        self,
        world: World,
        value: str,
        state: State,
    ) -> None:
        promotion = world.promoted()
        world.policy(staging_app=STAGING)
        there = Declared(flag=FLAG, value=value, promotion_id="prm_at_staging")
        world.store.declared[STAGING] = {FLAG: there}

        world.work(promotion)

        assert world.now(promotion).state is state

    def test_what_an_index_shows_that_lags_is_failed_once(self, world: World) -> None:
        promotion = world.promoted()
        block(world)
        world.store.lagging[promotion.id] = promotion
        world.work(promotion)

        world.work(promotion)

        assert world.history(promotion) == ["mark", "promote", "settle"]

    def test_what_is_live_already_needs_no_check(self, world: World) -> None:
        world.apps.foreign_write(**{CONFIG_VAR: "true"})
        promotion = world.promoted()
        block(world)

        world.work(promotion)

        assert world.now(promotion).effect is Effect.LIVE
        assert world.apps.patches == []

    def test_while_a_foreign_release_runs_nothing_is_judged(self, world: World) -> None:
        world.apps.phase = None
        world.apps.release("Deploy 1a2b3c4")
        promotion = world.promoted()
        block(world)

        world.work(promotion)

        assert world.now(promotion).step is Step.QUEUED


class TestConfigSize:
    def test_a_value_for_which_there_is_no_room_fails_and_says_how_much_is_there(
        self,
        world: World,
    ) -> None:
        filled(world, but=len(CONFIG_VAR) + len("true") - 1)
        promotion = world.promoted()

        world.work(promotion)

        assert world.now(promotion).reason == (
            "Preflight did not let it begin: The app's config vars would take 65537 of 65536 "
            "bytes. Hoist sent nothing."
        )
        assert world.apps.patches == []

    def test_one_that_fits_to_the_byte_goes_with_its_warning(self, world: World) -> None:
        filled(world, but=len(CONFIG_VAR) + len("true"))
        promotion = world.promoted()

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED

    def test_bytes_are_counted_and_not_characters(self, world: World) -> None:
        filled(world, but=len(CONFIG_VAR) + len("\N{SNOWMAN}"))
        promotion = world.promoted(value="\N{SNOWMAN}")

        world.work(promotion)

        assert world.now(promotion).state is State.FAILED

    def test_half_a_surrogate_pair_at_heroku_stops_nobody(self, world: World) -> None:
        world.apps.foreign_write(**{CONFIG_VAR: "\ud83d"})
        promotion = world.promoted()

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED


class TestAdmitted:
    def test_what_was_begun_is_gone_through_with(self, world: World) -> None:
        world.apps.failures["set_config_vars"] = [Ambiguous()]
        promotion = world.promoted()
        world.work(promotion)
        assert world.now(promotion).step is Step.INTENT
        block(world)

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED

    def test_also_where_only_its_answer_was_lost(self, world: World) -> None:
        world.apps.failures["set_config_vars_answer"] = [Ambiguous()]
        promotion = world.promoted()
        world.work(promotion)
        block(world)

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED
        assert len(world.apps.patches) == 1

    def test_taking_a_promotion_back_is_admitted(self, world: World) -> None:
        promotion = reverting(world)
        world.policy(flag_patterns=("api_*",), catalogue="console", staging_app=STAGING)
        world.catalogues.catalogues["console"] = Catalogue(id="console")

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED

    def test_a_rollback_of_what_the_policy_no_longer_takes_is_sent(self, world: World) -> None:
        deployed = world.promoted()
        world.work(deployed)
        block(world)
        order = RenewOrder(
            promotion_id=deployed.id,
            caller=PAT,
            code=world.code,
            if_version=None,
            key=None,
        )

        taken_back = world.renew.rollback(order).promotion
        world.work(taken_back)

        assert world.now(taken_back).state is State.DEPLOYED
        assert world.apps.patches[-1] == {CONFIG_VAR: None}

    def test_a_removal_makes_room_where_there_was_none(self, world: World) -> None:
        world.apps.stored = {"FILL": "x" * CONFIG_LIMIT_BYTES, CONFIG_VAR: "true"}
        world.apps.release("Set config vars")
        promotion = world.promoted(value=None)

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED
        assert world.apps.patches == [{CONFIG_VAR: None}]

    def test_neither_approvals_nor_a_freeze_stop_what_is_deploying(self, world: World) -> None:
        promotion = world.promoted()
        world.policy(min_approvals=2, stage_first=True)
        world.freeze()

        world.work(promotion)

        assert world.now(promotion).state is State.DEPLOYED


def test_a_catalogue_that_cannot_be_read_fails_nothing(world: World) -> None:
    promotion = world.promoted()
    world.policy(catalogue="console")

    def unreadable(catalogue_id: str) -> None:
        raise Unavailable(catalogue_id)

    world.catalogues.get = unreadable  # type: ignore[method-assign]

    with pytest.raises(Unavailable):
        world.work(promotion)

    assert world.now(promotion).step is Step.QUEUED
    assert world.lock.due(world.clock.now())
