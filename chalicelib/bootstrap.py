"""Puts the use cases together: the only file that names every adapter.

Everything is made when it is first asked for, so a Lambda imports and opens only what it uses.
"""

import os
import uuid
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.clock import SystemClock
from chalicelib.domain.audit import AuditEntry
from chalicelib.domain.errors import AccessDenied, HoistError
from chalicelib.ports import Undeliverable
from chalicelib.settings import Settings
from chalicelib.usecases.acknowledge import Acknowledge
from chalicelib.usecases.act_for import ActFor
from chalicelib.usecases.approve import Approve
from chalicelib.usecases.audit import Audit, RecordAudit
from chalicelib.usecases.authorised import Authorised
from chalicelib.usecases.authorize import Authorize
from chalicelib.usecases.browse import Browse
from chalicelib.usecases.cancel import Cancel
from chalicelib.usecases.catalogues import ImportCatalogue, ShowCatalogue
from chalicelib.usecases.conclude import Conclude
from chalicelib.usecases.drift import WatchDrift
from chalicelib.usecases.edit import Edit
from chalicelib.usecases.freezes import LiftFreeze, ListFreezes, PutFreeze, ShowFreeze
from chalicelib.usecases.gates import Gates
from chalicelib.usecases.mark import Mark
from chalicelib.usecases.notify import Notify
from chalicelib.usecases.observe import Observe
from chalicelib.usecases.operators import ListOperators, UnlockOperator
from chalicelib.usecases.preflight import Policies, Preflight, ShowPreflight
from chalicelib.usecases.promote import Promote
from chalicelib.usecases.renew import Renew
from chalicelib.usecases.show import Show
from chalicelib.usecases.stage import Stage
from chalicelib.usecases.step_up import StepUp
from chalicelib.usecases.targets import ListTargets, PutTarget, ShowLock, ShowTarget
from chalicelib.usecases.watch import Watch
from chalicelib.usecases.work import Work

if TYPE_CHECKING:
    import requests

    from chalicelib.adapters.aws import AwsClients
    from chalicelib.adapters.dynamodb import Tables
    from chalicelib.adapters.heroku import Patience
    from chalicelib.ports import (
        Apps,
        Baselines,
        Catalogues,
        Channel,
        Clock,
        Freezes,
        Heartbeat,
        Operators,
        PromotionIds,
        PromotionStore,
        SecondFactor,
        TargetLocks,
        Targets,
        Wakes,
    )


def _no_heroku_token(parameter: str) -> HoistError:
    return AccessDenied(
        f"The parameter {parameter} does not hold a Heroku token: store one there, as a "
        "SecureString. Promotions wait until then.",
        after=timedelta(minutes=1),
    )


def _no_webhook_url(parameter: str) -> HoistError:
    return Undeliverable(
        f"The parameter {parameter} does not hold the URL of a Slack webhook: store one there, as "
        "a SecureString.",
    )


class Container:
    """One of everything, for one process."""

    @cached_property
    def settings(self) -> Settings:
        """What the environment says."""
        return Settings.from_env(os.environ)  # noqa: TID251 - the one place that reads it

    # Adapters

    @cached_property
    def clock(self) -> "Clock":
        """The time of this machine."""
        return SystemClock()

    @cached_property
    def ids(self) -> "PromotionIds":
        """Names for promotions."""
        from chalicelib.adapters.ids import UlidPromotionIds

        return UlidPromotionIds()

    @cached_property
    def aws(self) -> "AwsClients":
        """AWS clients."""
        from chalicelib.adapters.aws import AwsClients

        return AwsClients()

    @cached_property
    def tables(self) -> "Tables":
        """DynamoDB tables."""
        from chalicelib.adapters.dynamodb import TableNames, Tables

        return Tables(
            TableNames(
                promotions=self.settings.hoist_promotions_table,
                audit=self.settings.hoist_audit_table,
                locks=self.settings.hoist_locks_table,
                operators=self.settings.hoist_operators_table,
                targets=self.settings.hoist_targets_table,
            ),
            session=self.aws.session,
        )

    @cached_property
    def store(self) -> "PromotionStore":
        """Promotions and their audit trail."""
        from chalicelib.adapters.dynamodb import DynamoDBPromotionStore

        return DynamoDBPromotionStore(self.tables)

    @cached_property
    def baselines(self) -> "Baselines":
        """What was deployed at each target."""
        from chalicelib.adapters.dynamodb import DynamoDBBaselines

        return DynamoDBBaselines(self.tables)

    @cached_property
    def locks(self) -> "TargetLocks":
        """Targets' leases."""
        from chalicelib.adapters.dynamodb import DynamoDBTargetLocks

        return DynamoDBTargetLocks(self.tables)

    @cached_property
    def operators(self) -> "Operators":
        """The people who may call."""
        from chalicelib.adapters.dynamodb import DynamoDBOperators

        return DynamoDBOperators(self.tables)

    @cached_property
    def targets(self) -> "Targets":
        """The apps that Hoist may change."""
        from chalicelib.adapters.dynamodb import DynamoDBTargets

        return DynamoDBTargets(self.tables)

    @cached_property
    def catalogues(self) -> "Catalogues":
        """What flags there are."""
        from chalicelib.adapters.dynamodb import DynamoDBCatalogues

        return DynamoDBCatalogues(self.tables)

    @cached_property
    def freezes(self) -> "Freezes":
        """What holds targets back."""
        from chalicelib.adapters.dynamodb import DynamoDBFreezes

        return DynamoDBFreezes(self.tables)

    @cached_property
    def wakes(self) -> "Wakes":
        """The queue of wakes."""
        from chalicelib.adapters.sqs import SqsWakes

        return SqsWakes(
            client=lambda: self.aws.sqs,
            queue_url=self.settings.hoist_wakes_queue_url,
        )

    @cached_property
    def second_factor(self) -> "SecondFactor":
        """TOTP."""
        from chalicelib.adapters.totp import PyotpSecondFactor

        return PyotpSecondFactor(
            client=lambda: self.aws.ssm,
            stage=self.settings.hoist_stage,
        )

    @cached_property
    def http(self) -> "requests.Session":
        """Connections to Heroku. Proxies and `.netrc` of the machine do not touch the token."""
        import requests

        session = requests.Session()
        session.trust_env = False
        return session

    @cached_property
    def apps(self) -> "Apps":
        """Heroku, for those who may wait for it."""
        from chalicelib.adapters.heroku import FOR_WORKER

        return self._heroku(FOR_WORKER)

    @cached_property
    def impatient_apps(self) -> "Apps":
        """Heroku, for somebody who waits for the answer: API Gateway hangs up after 29 s."""
        from chalicelib.adapters.heroku import FOR_REQUEST

        return self._heroku(FOR_REQUEST)

    def _heroku(self, patience: "Patience") -> "Apps":
        from chalicelib.adapters.heroku import HerokuApps
        from chalicelib.adapters.parameters import heroku_token
        from chalicelib.adapters.secrets import TOKEN, KeptSecret

        return HerokuApps(
            base_url=self.settings.heroku_api_url,
            token=KeptSecret(
                client=lambda: self.aws.ssm,
                parameter=heroku_token(self.settings.hoist_stage),
                shape=TOKEN,
                complaint=_no_heroku_token,
                clock=self.clock,
            ),
            session=lambda: self.http,
            patience=patience,
        )

    @cached_property
    def slack(self) -> "Channel":
        """The team's Slack channel."""
        from chalicelib.adapters.parameters import slack_webhook_url
        from chalicelib.adapters.secrets import WEBHOOK_URL, KeptSecret
        from chalicelib.adapters.slack import SlackChannel

        return SlackChannel(
            webhook_url=KeptSecret(
                client=lambda: self.aws.ssm,
                parameter=slack_webhook_url(self.settings.hoist_stage),
                shape=WEBHOOK_URL,
                complaint=_no_webhook_url,
                clock=self.clock,
            ),
            session=lambda: self.http,
            clock=self.clock,
            promotions_url=self._promotions_url,
            runbook_url=self.settings.hoist_runbook_url,
        )

    @cached_property
    def on_call(self) -> "Channel":
        """The person on call."""
        from chalicelib.adapters.sns import SnsChannel

        return SnsChannel(
            client=lambda: self.aws.sns,
            topic_arn=self.settings.hoist_on_call_topic_arn,
            clock=self.clock,
            promotions_url=self._promotions_url,
            runbook_url=self.settings.hoist_runbook_url,
        )

    @property
    def _promotions_url(self) -> str:
        """Where a person reads them: on the page."""
        return f"{self.settings.hoist_api_url}/console#/promotions"

    @staticmethod
    def entry_of(image: dict[str, Any]) -> AuditEntry:
        """The audit entry in a stream record."""
        from chalicelib.adapters.dynamodb.stream import streamed_entry

        return streamed_entry(image)

    @cached_property
    def heartbeat(self) -> "Heartbeat":
        """What keeps a worker's claims alive."""
        from chalicelib.adapters.heartbeat import ThreadHeartbeat

        return ThreadHeartbeat(locks=self.locks, wakes=self.wakes, clock=self.clock)

    # Use cases

    @cached_property
    def authorize(self) -> Authorize:
        """Tell who calls."""
        return Authorize(operators=self.operators)

    @cached_property
    def act_for(self) -> ActFor:
        """Tell whom a call is for."""
        return ActFor(operators=self.operators)

    @cached_property
    def mark(self) -> Mark:
        """Begin a promotion."""
        return Mark(
            store=self.store,
            targets=self.targets,
            catalogues=self.catalogues,
            ids=self.ids,
            clock=self.clock,
        )

    @cached_property
    def step_up(self) -> StepUp:
        """Judge codes."""
        return StepUp(
            operators=self.operators,
            second_factor=self.second_factor,
            clock=self.clock,
        )

    @cached_property
    def authorised(self) -> Authorised:
        """Write what a code authorises."""
        return Authorised(store=self.store, step_up=self.step_up)

    @cached_property
    def gates(self) -> Gates:
        """What stands between a promotion and its beginning."""
        return Gates(targets=self.targets, freezes=self.freezes)

    @cached_property
    def policies(self) -> Policies:
        """What Hoist itself knows that bears on a promotion."""
        return Policies(catalogues=self.catalogues, baselines=self.baselines)

    @cached_property
    def preflight(self) -> Preflight:
        """Every check of a promotion."""
        return Preflight(
            store=self.store,
            targets=self.targets,
            policies=self.policies,
            freezes=self.freezes,
            apps=self.impatient_apps,
            clock=self.clock,
        )

    @cached_property
    def show_preflight(self) -> ShowPreflight:
        """Every check of a promotion, for somebody who looks."""
        return ShowPreflight(store=self.store, preflight=self.preflight)

    @cached_property
    def stage(self) -> Stage:
        """Stage a promotion."""
        return Stage(authorised=self.authorised, preflight=self.preflight, clock=self.clock)

    @cached_property
    def approve(self) -> Approve:
        """Approve somebody else's promotion."""
        return Approve(authorised=self.authorised, clock=self.clock)

    @cached_property
    def promote(self) -> Promote:
        """Accept a promotion."""
        return Promote(
            authorised=self.authorised,
            gates=self.gates,
            wakes=self.wakes,
            clock=self.clock,
        )

    @cached_property
    def observe(self) -> Observe:
        """What Heroku shows of a promotion."""
        return Observe(apps=self.impatient_apps, clock=self.clock)

    @cached_property
    def conclude(self) -> Conclude:
        """Settle a promotion by hand."""
        return Conclude(
            authorised=self.authorised,
            observe=self.observe,
            wakes=self.wakes,
            clock=self.clock,
        )

    @cached_property
    def renew(self) -> Renew:
        """Send a promotion once more, or take it back."""
        return Renew(
            authorised=self.authorised,
            gates=self.gates,
            observe=self.observe,
            ids=self.ids,
            wakes=self.wakes,
            clock=self.clock,
        )

    @cached_property
    def cancel(self) -> Cancel:
        """Withdraw a promotion."""
        return Cancel(store=self.store, clock=self.clock)

    @cached_property
    def acknowledge(self) -> Acknowledge:
        """Say that somebody knows."""
        return Acknowledge(store=self.store, clock=self.clock)

    @cached_property
    def edit(self) -> Edit:
        """Change what is written about a promotion."""
        return Edit(store=self.store, clock=self.clock)

    @cached_property
    def show(self) -> Show:
        """One promotion."""
        return Show(
            store=self.store,
            locks=self.locks,
            baselines=self.baselines,
            gates=self.gates,
            clock=self.clock,
        )

    @cached_property
    def browse(self) -> Browse:
        """Many promotions."""
        return Browse(store=self.store, clock=self.clock)

    @cached_property
    def audit(self) -> Audit:
        """A promotion's trail."""
        return Audit(store=self.store)

    @cached_property
    def record_audit(self) -> RecordAudit:
        """A record's trail."""
        return RecordAudit(
            store=self.store,
            operators=self.operators,
            targets=self.targets,
            catalogues=self.catalogues,
            freezes=self.freezes,
        )

    @cached_property
    def list_targets(self) -> ListTargets:
        """Every target."""
        return ListTargets(targets=self.targets)

    @cached_property
    def show_target(self) -> ShowTarget:
        """One target."""
        return ShowTarget(
            targets=self.targets,
            baselines=self.baselines,
            freezes=self.freezes,
            clock=self.clock,
        )

    @cached_property
    def show_lock(self) -> ShowLock:
        """Who works on a target."""
        return ShowLock(targets=self.targets, locks=self.locks)

    @cached_property
    def put_target(self) -> PutTarget:
        """List a target, or change its policy."""
        return PutTarget(targets=self.targets, clock=self.clock)

    @cached_property
    def list_freezes(self) -> ListFreezes:
        """Every freeze."""
        return ListFreezes(freezes=self.freezes)

    @cached_property
    def show_freeze(self) -> ShowFreeze:
        """One freeze."""
        return ShowFreeze(freezes=self.freezes)

    @cached_property
    def put_freeze(self) -> PutFreeze:
        """Set a freeze."""
        return PutFreeze(freezes=self.freezes, targets=self.targets, clock=self.clock)

    @cached_property
    def lift_freeze(self) -> LiftFreeze:
        """Lift a freeze."""
        return LiftFreeze(freezes=self.freezes, clock=self.clock)

    @cached_property
    def show_catalogue(self) -> ShowCatalogue:
        """One catalogue."""
        return ShowCatalogue(catalogues=self.catalogues)

    @cached_property
    def import_catalogue(self) -> ImportCatalogue:
        """Import a catalogue."""
        return ImportCatalogue(catalogues=self.catalogues, clock=self.clock)

    @cached_property
    def list_operators(self) -> ListOperators:
        """Everybody who may call."""
        return ListOperators(operators=self.operators, clock=self.clock)

    @cached_property
    def unlock_operator(self) -> UnlockOperator:
        """Forgive an operator's wrong codes."""
        return UnlockOperator(operators=self.operators, step_up=self.step_up, clock=self.clock)

    @cached_property
    def work(self) -> Work:
        """Work on one target."""
        return Work(
            store=self.store,
            locks=self.locks,
            targets=self.targets,
            policies=self.policies,
            apps=self.apps,
            heartbeat=self.heartbeat,
            clock=self.clock,
            holder=lambda: uuid.uuid4().hex,
        )

    @cached_property
    def watch_drift(self) -> WatchDrift:
        """Compare what was deployed with what is there."""
        return WatchDrift(
            store=self.store,
            baselines=self.baselines,
            targets=self.targets,
            apps=self.apps,
            clock=self.clock,
        )

    @cached_property
    def notify_slack(self) -> Notify:
        """Tell the channel everything; where it refuses, tell the person on call so."""
        return Notify(channel=self.slack, fallback=self.on_call)

    @cached_property
    def notify_on_call(self) -> Notify:
        """Tell the person on call what is worth waking them for."""
        return Notify(channel=self.on_call, loud_only=True)

    @cached_property
    def watch(self) -> Watch:
        """Wake what does not move."""
        return Watch(
            store=self.store,
            locks=self.locks,
            targets=self.targets,
            freezes=self.freezes,
            policies=self.policies,
            operators=self.operators,
            wakes=self.wakes,
            clock=self.clock,
        )
