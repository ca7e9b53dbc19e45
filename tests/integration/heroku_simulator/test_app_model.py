"""Whatever happens to an app, in whatever order: its releases and configs stay consistent."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from local.heroku.apps import App
from local.heroku.releases import Behaviour, FailedValue, PendingShows, PhaseResult, Status, merged

USER = "operator@example.com"

behaviours = st.builds(
    Behaviour,
    release_phase=st.booleans(),
    phase_seconds=st.integers(0, 3),
    phase_result=st.sampled_from(PhaseResult),
    pending_shows=st.sampled_from(PendingShows),
    failed_value=st.sampled_from(FailedValue),
    same_value_releases=st.booleans(),
)
changes = st.dictionaries(st.sampled_from("ABC"), st.sampled_from(["1", "2", None]), max_size=2)


class AppLife(RuleBasedStateMachine):
    """Patches, deploys, rollbacks, expiries and phases in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.now = datetime(2026, 5, 9, tzinfo=UTC)
        self.app = App.create("an-app", config={"A": "0"}, user=USER, now=self.now)

    @rule(behaviour=behaviours)
    def behave(self, behaviour: Behaviour) -> None:
        self.app.behaviour = behaviour

    @rule(changes=changes)
    def patch(self, changes: dict[str, str | None]) -> None:
        wanted = merged(self.app.stored, changes)

        release = self.app.patch(changes, user=USER, now=self.now)

        assert self.app.stored == wanted
        assert release is None or release.config == wanted

    @rule()
    def deploy(self) -> None:
        self.app.deploy("1a2b3c4", user=USER, now=self.now)

    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        eligible = [r for r in self.app.releases if self.app.is_eligible_for_rollback(r)]
        target = data.draw(st.sampled_from(eligible))

        release = self.app.roll_back(target.id, user=USER, now=self.now)

        assert (release.config, release.slug) == (target.config, target.slug)

    @rule(data=st.data())
    def expire(self, data: st.DataObject) -> None:
        settled = [r.version for r in self.app.releases if r.status is not Status.PENDING]
        old = [version for version in settled if version < self.app.current.version]
        before = (self.app.stored, self.app.visible, self.app.current)

        self.app.expire(data.draw(st.lists(st.sampled_from(old))) if old else [], now=self.now)

        assert (self.app.stored, self.app.visible, self.app.current) == before

    @precondition(lambda self: self.app.pending)
    @rule(status=st.sampled_from([Status.SUCCEEDED, Status.FAILED]))
    def finish_oldest(self, status: Status) -> None:
        self.app.finish(self.app.pending[0].version, status, now=self.now)

    @rule(seconds=st.integers(1, 4))
    def pass_time(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        for release in self.app.due(self.now):
            self.app.finish(release.version, release.settles_as, now=self.now)

    @invariant()
    def versions_are_gapless(self) -> None:
        versions = [release.version for release in self.app.releases]

        assert versions == list(range(1, len(versions) + 1))

    @invariant()
    def the_current_release_is_the_newest_that_succeeded(self) -> None:
        succeeded = [r for r in self.app.releases if r.status is Status.SUCCEEDED]

        assert self.app.current == max(succeeded, key=lambda release: release.version)

    @invariant()
    def nothing_is_shown_that_is_not_stored_when_nothing_is_pending(self) -> None:
        if not self.app.pending:
            assert self.app.visible == self.app.stored


AppLife.TestCase.settings = settings(max_examples=30, stateful_step_count=25)
TestAppLife = AppLife.TestCase
