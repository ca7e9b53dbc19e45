"""Puts the use cases together: the only file that names every adapter.

Everything is made when it is first asked for, so a Lambda imports and opens only what it uses.
"""

import os
import uuid
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.adapters.clock import SystemClock
from chalicelib.settings import Settings
from chalicelib.usecases.acknowledge import Acknowledge
from chalicelib.usecases.audit import Audit
from chalicelib.usecases.authorize import Authorize
from chalicelib.usecases.browse import Browse
from chalicelib.usecases.cancel import Cancel
from chalicelib.usecases.edit import Edit
from chalicelib.usecases.mark import Mark
from chalicelib.usecases.promote import Promote
from chalicelib.usecases.show import Show
from chalicelib.usecases.step_up import StepUp
from chalicelib.usecases.targets import ListTargets, PutTarget, ShowLock, ShowTarget
from chalicelib.usecases.watch import Watch
from chalicelib.usecases.work import Work

if TYPE_CHECKING:
    import requests

    from chalicelib.adapters.aws import AwsClients
    from chalicelib.adapters.dynamodb import Tables
    from chalicelib.ports import (
        Apps,
        Clock,
        Heartbeat,
        Operators,
        PromotionIds,
        PromotionStore,
        SecondFactor,
        TargetLocks,
        Targets,
        Wakes,
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
        )

    @cached_property
    def store(self) -> "PromotionStore":
        """Promotions and their audit trail."""
        from chalicelib.adapters.dynamodb import DynamoDBPromotionStore

        return DynamoDBPromotionStore(self.tables)

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
            kms=lambda: self.aws.kms,
            key_id=self.settings.hoist_totp_key_id,
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
        """Heroku."""
        from chalicelib.adapters.heroku import HerokuApps
        from chalicelib.adapters.secrets import HerokuToken

        return HerokuApps(
            base_url=self.settings.heroku_api_url,
            token=HerokuToken(
                client=lambda: self.aws.secrets_manager,
                secret_id=self.settings.hoist_heroku_secret_id,
                clock=self.clock,
            ),
            session=lambda: self.http,
        )

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
    def mark(self) -> Mark:
        """Begin a promotion."""
        return Mark(store=self.store, targets=self.targets, ids=self.ids, clock=self.clock)

    @cached_property
    def promote(self) -> Promote:
        """Accept a promotion."""
        return Promote(
            store=self.store,
            step_up=StepUp(
                operators=self.operators,
                second_factor=self.second_factor,
                clock=self.clock,
            ),
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
        return Show(store=self.store, locks=self.locks, clock=self.clock)

    @cached_property
    def browse(self) -> Browse:
        """Many promotions."""
        return Browse(store=self.store, clock=self.clock)

    @cached_property
    def audit(self) -> Audit:
        """A promotion's trail."""
        return Audit(store=self.store)

    @cached_property
    def list_targets(self) -> ListTargets:
        """Every target."""
        return ListTargets(targets=self.targets)

    @cached_property
    def show_target(self) -> ShowTarget:
        """One target."""
        return ShowTarget(targets=self.targets)

    @cached_property
    def show_lock(self) -> ShowLock:
        """Who works on a target."""
        return ShowLock(show_target=self.show_target, locks=self.locks)

    @cached_property
    def put_target(self) -> PutTarget:
        """List a target, or change its policy."""
        return PutTarget(targets=self.targets)

    @cached_property
    def work(self) -> Work:
        """Work on one target."""
        return Work(
            store=self.store,
            locks=self.locks,
            targets=self.targets,
            apps=self.apps,
            heartbeat=self.heartbeat,
            clock=self.clock,
            holder=lambda: uuid.uuid4().hex,
        )

    @cached_property
    def watch(self) -> Watch:
        """Wake what does not move."""
        return Watch(
            store=self.store,
            locks=self.locks,
            targets=self.targets,
            wakes=self.wakes,
            clock=self.clock,
        )
