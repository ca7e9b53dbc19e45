"""What each Lambda may do at AWS, and that it may do nothing else: real calls as the real roles.

MiniStack runs with `AUTH=true` and lets root assume any role that trusts a service, so each call
here is made with credentials of the deployed role itself, under the policies deployed to it.

What MiniStack cannot show is checked in the policies alone:
- It judges calls to a table's stream and to a log group by other ARNs than AWS does, and refuses
  them to everybody but root.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pytest

from infra.paths import CHALICE_DIRECTORY
from tests.e2e.aws_calls import CALLS, Call
from tests.e2e.conftest import Town
from tests.e2e.decoys import decoy
from tests.e2e.lambda_roles import FUNCTIONS, Deployment, Grant, Principal

Actions = frozenset[str]


def _of(service: str, *verbs: str) -> Actions:
    return frozenset(f"{service}:{verb}" for verb in verbs)


def _logs(group: str) -> Mapping[str, Actions]:
    return {group: _of("logs", "CreateLogStream", "PutLogEvents")}


_NOTICES: Mapping[str, Actions] = {
    "AuditTable/stream": _of(
        "dynamodb", "GetRecords", "GetShardIterator", "DescribeStream", "ListStreams"
    ),
    "OnCallTopic": _of("sns", "Publish"),
    "DeadNoticesQueue": _of("sqs", "SendMessage"),
}

#: All that each Lambda may do, by what it may do it to. A line here is a right that somebody who
#: takes the Lambda over has too: think before adding one, and see whether `LIMITS` lets you.
GRANTS: Mapping[str, Mapping[str, Actions]] = {
    "api": {
        "PromotionsTable": _of("dynamodb", "GetItem", "PutItem"),
        "PromotionsTable/index/by_month": _of("dynamodb", "Query"),
        "PromotionsTable/index/by_target": _of("dynamodb", "Query"),
        "PromotionsTable/index/deploying": _of("dynamodb", "Query"),
        "PromotionsTable/index/open": _of("dynamodb", "Query"),
        "AuditTable": _of("dynamodb", "PutItem", "Query"),
        "LocksTable": _of("dynamodb", "GetItem", "PutItem", "UpdateItem", "DeleteItem"),
        "OperatorsTable": _of("dynamodb", "GetItem", "UpdateItem", "Scan"),
        "TargetsTable": _of("dynamodb", "GetItem", "PutItem", "Scan"),
        "TotpSecrets": _of("ssm", "GetParameter"),
        "HerokuToken": _of("ssm", "GetParameter"),
        "WakesQueue": _of("sqs", "SendMessage"),
        **_logs("ApiLogs"),
    },
    "authorize": {
        "OperatorsTable": _of("dynamodb", "GetItem"),
        **_logs("AuthorizeLogs"),
    },
    "work": {
        "PromotionsTable": _of("dynamodb", "GetItem", "PutItem"),
        "PromotionsTable/index/deploying": _of("dynamodb", "Query"),
        "AuditTable": _of("dynamodb", "PutItem"),
        "LocksTable": _of("dynamodb", "GetItem", "UpdateItem", "DeleteItem", "ConditionCheckItem"),
        "TargetsTable": _of("dynamodb", "GetItem"),
        "HerokuToken": _of("ssm", "GetParameter"),
        "WakesQueue": _of(
            "sqs",
            "ReceiveMessage",
            "DeleteMessage",
            "GetQueueAttributes",
            "ChangeMessageVisibility",
        ),
        **_logs("WorkLogs"),
    },
    "watch": {
        "PromotionsTable/index/open": _of("dynamodb", "Query"),
        "PromotionsTable": _of("dynamodb", "PutItem"),
        "AuditTable": _of("dynamodb", "PutItem"),
        "LocksTable": _of("dynamodb", "GetItem", "BatchGetItem", "DeleteItem"),
        "OperatorsTable": _of("dynamodb", "GetItem"),
        "TargetsTable": _of("dynamodb", "GetItem"),
        "WakesQueue": _of("sqs", "SendMessage"),
        **_logs("WatchLogs"),
    },
    "drift": {
        "TargetsTable": _of("dynamodb", "Scan"),
        "PromotionsTable": _of("dynamodb", "GetItem", "PutItem"),
        "AuditTable": _of("dynamodb", "PutItem"),
        "LocksTable": _of("dynamodb", "GetItem", "UpdateItem"),
        "HerokuToken": _of("ssm", "GetParameter"),
        **_logs("DriftLogs"),
    },
    "notify_slack": {
        **_NOTICES,
        "SlackWebhook": _of("ssm", "GetParameter"),
        **_logs("NotifySlackLogs"),
    },
    "notify_on_call": {**_NOTICES, **_logs("NotifyOnCallLogs")},
}

ROLES = tuple(GRANTS)
NOBODY: frozenset[str] = frozenset()
NOTIFIERS = frozenset({"notify_slack", "notify_on_call"})


@dataclass(frozen=True, kw_only=True)
class Limit:
    """Who may have a right at the most, whatever GRANTS says. `*` stands for anything."""

    says: str
    actions: tuple[str, ...]
    on: str
    may: frozenset[str] = NOBODY

    def covers(self, grant: Grant) -> bool:
        """Tell whether it says anything about this right."""
        action, resource = grant
        return fnmatchcase(resource, self.on) and any(fnmatchcase(action, a) for a in self.actions)


LIMITS = (
    Limit(
        says="an audit entry is never changed or removed",
        actions=("dynamodb:Update*", "dynamodb:Delete*", "dynamodb:BatchWriteItem"),
        on="AuditTable",
    ),
    # Not the whole truth: an UpdateItem of a row that is not there makes one, and of a row that is
    # there may set its role and token. Only a condition on dynamodb:Attributes could deny that.
    Limit(
        says="no Lambda puts or removes an operator",
        actions=("dynamodb:PutItem", "dynamodb:Delete*", "dynamodb:BatchWriteItem"),
        on="OperatorsTable",
    ),
    Limit(
        says="only the API changes an operator",
        actions=("dynamodb:UpdateItem",),
        on="OperatorsTable",
        may=frozenset({"api"}),
    ),
    Limit(
        says="only who asks who calls, or who let a schedule go, knows the operators",
        actions=("*",),
        on="OperatorsTable*",
        may=frozenset({"api", "authorize", "watch"}),
    ),
    Limit(
        says="only the API reads TOTP secrets",
        actions=("*",),
        on="TotpSecrets",
        may=frozenset({"api"}),
    ),
    Limit(
        says="only who speaks to Heroku reads its token",
        actions=("*",),
        on="HerokuToken",
        may=frozenset({"api", "work", "drift"}),
    ),
    Limit(
        says="only who speaks to Slack reads its webhook",
        actions=("*",),
        on="SlackWebhook",
        may=frozenset({"notify_slack"}),
    ),
    Limit(
        says="only the worker takes wakes",
        actions=("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"),
        on="*",
        may=frozenset({"work"}),
    ),
    Limit(
        says="only who notifies publishes to the person on call",
        actions=("sns:*",),
        on="*",
        may=NOTIFIERS,
    ),
    Limit(
        says="only who notifies reads the stream of the audit trail, and nobody all of the trail",
        actions=("dynamodb:Scan", "dynamodb:GetRecords"),
        on="AuditTable*",
        may=NOTIFIERS,
    ),
    Limit(
        says="nobody reads all promotions",
        actions=("dynamodb:Scan",),
        on="PromotionsTable*",
    ),
    Limit(
        says="nobody replaces a secret",
        actions=("ssm:[!G]*",),
        on="*",
    ),
    Limit(
        says="nobody reads secrets by the dozen, or those of before",
        actions=("ssm:GetParameters*", "ssm:GetParameterHistory"),
        on="*",
    ),
    Limit(
        says="nobody destroys or refits tables and queues",
        actions=(
            "dynamodb:*Table",
            "dynamodb:UpdateContinuousBackups",
            "dynamodb:UpdateTimeToLive",
            "sqs:PurgeQueue",
            "sqs:DeleteQueue",
            "sqs:SetQueueAttributes",
        ),
        on="*",
    ),
    Limit(
        says="nobody changes what the stack is made of, or calls another Lambda",
        actions=tuple(
            f"{service}:*"
            for service in (
                "apigateway",
                "cloudformation",
                "cloudwatch",
                "events",
                "iam",
                "lambda",
                "s3",
                "sts",
            )
        ),
        on="*",
    ),
)


def _granted(role: str) -> set[Grant]:
    return {(action, on) for on, actions in GRANTS[role].items() for action in actions}


def _may(role: str, call: Call) -> bool:
    return (call.action, call.on) in _granted(role)


#: MiniStack refuses these to everybody, as the docstring above says.
def _shows_here(grant: Grant) -> bool:
    action, on = grant
    return not (action.startswith("logs:") or on.endswith("/stream"))


ALLOWED = [(role, call) for role in ROLES for call in CALLS if _may(role, call)]
FORBIDDEN = [(role, call) for role in ROLES for call in CALLS if not _may(role, call)]
ALLOWED_TO_NOBODY = [call for call in CALLS if not any(_may(role, call) for role in ROLES)]


def _named(pairs: list[tuple[str, Call]]) -> list[object]:
    return [pytest.param(role, call, id=f"{role}-{call}") for role, call in pairs]


@pytest.fixture(scope="module")
def deployment(town: Town) -> Iterator[Deployment]:
    deployed = Deployment(stack=town.stack)
    yield deployed
    # What a call that is allowed has left there would ring some time.
    deployed.root("sqs").purge_queue(QueueUrl=deployed.name("DeadNoticesQueue"))


@pytest.fixture(scope="module")
def principals(deployment: Deployment) -> Mapping[str, Principal]:
    return {role: deployment.assume(role) for role in ROLES}


def test_the_table_knows_every_lambda() -> None:
    configured = json.loads((CHALICE_DIRECTORY / "config.json").read_text())["lambda_functions"]

    assert (
        set(ROLES) == set(FUNCTIONS) == {name.replace("api_handler", "api") for name in configured}
    )


@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_granted_what_the_table_says_and_nothing_else(
    deployment: Deployment, role: str
) -> None:
    assert set(deployment.grants(role)) == _granted(role)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.says)
def test_what_no_policy_may_grant_is_not_even_in_the_table(limit: Limit) -> None:
    beyond = {
        (role, *grant)
        for role in ROLES
        if role not in limit.may
        for grant in _granted(role)
        if limit.covers(grant)
    }

    assert not beyond, limit.says


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.says)
def test_a_limit_is_about_calls_that_are_tried(limit: Limit) -> None:
    assert [call for call in CALLS if limit.covers((call.action, call.on))]


@pytest.mark.parametrize("role", ROLES)
def test_every_right_that_shows_here_is_exercised(role: str) -> None:
    tried = {(call.action, call.on) for call in CALLS}

    assert {grant for grant in _granted(role) if _shows_here(grant)} <= tried


@pytest.mark.parametrize(("role", "call"), _named(FORBIDDEN))
def test_a_role_is_denied_what_it_is_not_granted(
    deployment: Deployment, principals: Mapping[str, Principal], role: str, call: Call
) -> None:
    denied = call.denied(principals[role], deployment.name(call.on))

    assert denied, f"{role} may do {call.action} to {call.on}"
    assert deployment.role_name(role) in denied


@pytest.mark.parametrize(("role", "call"), _named(ALLOWED))
def test_a_role_may_do_what_it_is_granted(
    deployment: Deployment, principals: Mapping[str, Principal], role: str, call: Call
) -> None:
    assert call.denied(principals[role], deployment.name(call.on)) is None


@pytest.mark.parametrize("call", ALLOWED_TO_NOBODY, ids=str)
def test_a_call_that_is_denied_to_all_roles_is_a_call_that_works(
    deployment: Deployment, call: Call
) -> None:
    assert call.denied(deployment.root, decoy(deployment, call.on)) is None
