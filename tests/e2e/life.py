"""Hoist and those who use it, among secrets that all of them know and none may tell."""

import hashlib
import json
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from http import HTTPStatus
from typing import Any

import requests

from chalicelib.adapters.parameters import store
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.operator import Role
from chalicelib.domain.promotion import State, Step, advance
from local.bulletin import Bulletin
from local.heroku.client import SimulatorControls
from local.stack import LocalStack
from tests.e2e.conftest import Person, Town, wait_until
from tests.e2e.gossip import Gossip, GossipingHeroku
from tests.e2e.leaks import Code, Record, Secret, Seed

HTML = "text/html"

#: What each secret is, by a short name, and what stands around its core.
SEEDED: dict[str, tuple[str, str]] = {
    "database": ("an app's DATABASE_URL", "postgres://app:{}@db.invalid:5432/app?a=1&b=2"),
    "old database": ("DATABASE_URL of an earlier release", "postgres://app:{}@db.invalid/app"),
    "key base": ("an app's SECRET_KEY_BASE", '"{}"\\ <é> 100% +/='),
    "salt": ("FEATURE_FLAG_SALT, which has FLAG within its name", "{}"),
    "flagship": ("FLAGSHIP_API_KEY, which begins with FLAG", "{}"),
    "lower case": ("flag_lower, which is no FLAG_", "{}"),
    "heroku token": ("the Heroku token", "HRKU-{}"),
    "webhook": ("the Slack webhook's path", "/services/T0LIFE/B0LIFE/{}"),
    "key": ("an Idempotency-Key", "{}"),
    "wrong token": ("a token that is nobody's", "{}"),
    "pasted": ("what a caller pasted into the wrong place", "{}"),
    "not base32": ("a TOTP secret that was entered wrongly", "0189 {}"),
    "poison": ("what somebody put into the queue of wakes", "{}"),
}

#: The config vars of every app that are none of Hoist's business, and the secrets that they hold.
CONFIG_VARS = {
    "DATABASE_URL": "old database",
    "SECRET_KEY_BASE": "key base",
    "FEATURE_FLAG_SALT": "salt",
    "FLAGSHIP_API_KEY": "flagship",
    "flag_lower": "lower case",
}


def seeds() -> dict[str, Seed]:
    """Make up the secrets of one life."""
    return {short: Seed.new(what, around) for short, (what, around) in SEEDED.items()}


@dataclass(repr=False)
class Careful(Person):
    """Somebody whose codes are remembered, for they must not turn up either."""

    codes: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        # pytest shows what a test that fails was given.
        return self.name

    @property
    def name(self) -> str:
        """As the audit trail has it."""
        return self.token.partition(".")[0]

    def code(self) -> str:
        self.codes.append(super().code())
        return self.codes[-1]

    def secrets(self) -> list[Secret]:
        """What only they know."""
        token = self.token.partition(".")[2]
        digest = hashlib.sha256(token.encode()).hexdigest()
        return [
            Seed(what=f"{self.name}'s token", core=token),
            Seed(
                what=f"the digest of {self.name}'s token",
                core=digest,
                kept_in=frozenset({"OperatorsTable"}),
            ),
            Seed(what=f"{self.name}'s TOTP secret", core=self.totp_secret),
            *(Code(what=f"a code of {self.name}", digits=code) for code in self.codes),
        ]


@dataclass(repr=False)
class Life:
    """A stack of its own, those who use it, and what goes on there."""

    stack: LocalStack
    heroku: GossipingHeroku
    record: Record
    seeds: dict[str, Seed]
    #: A word that is no secret, and that gets everywhere.
    word: str = field(default_factory=lambda: f"w{secrets.token_hex(12)}")
    people: list[Careful] = field(default_factory=list)
    #: Promotions that reach a state by themselves.
    awaited: list[tuple[Careful, str, State]] = field(default_factory=list)

    @cached_property
    def town(self) -> Town:
        return Town(self.stack)

    @cached_property
    def controls(self) -> SimulatorControls:
        return self.heroku.controls

    @cached_property
    def bulletin(self) -> Bulletin:
        """What `make run` prints of notices."""
        here = self.stack.directions
        return Bulletin(
            ministack=here.ministack,
            slack=here.slack,
            on_call_queue=here.on_call_queue,
            say=self.record.said.append,
        )

    @property
    def guarded(self) -> list[Secret]:
        """All that must not turn up."""
        return [
            *self.seeds.values(),
            *(each for person in self.people for each in person.secrets()),
        ]

    def quote(self, *short: str) -> str:
        """Secrets, as said by somebody who should not."""
        return " ".join(str(self.seeds[each]) for each in short)

    @property
    def heroku_knows(self) -> str:
        """All that Heroku could quote."""
        return self.quote("heroku token", "database", *CONFIG_VARS.values())

    # Who takes part

    def _remembered(self, person: Person) -> Careful:
        session = self.record.session()
        careful = Careful(person.api, person.token, person.totp_secret, session=session)
        self.people.append(careful)
        return careful

    def hire(self, role: Role = Role.PROMOTER) -> Careful:
        """Somebody new."""
        person = self._remembered(self.town.hire())
        if role is not Role.PROMOTER:
            operators = self.town.backdoor().operators
            known = operators.get(person.name)
            assert known is not None
            operators.put(replace(known, role=role))  # type: ignore[attr-defined]
        return person

    @cached_property
    def viewer(self) -> Careful:
        """Who only reads."""
        return self._remembered(self.town.person("viewer"))

    @cached_property
    def pat(self) -> Careful:
        """A promoter, for all that needs no code."""
        return self._remembered(self.town.person("promoter"))

    @cached_property
    def sam(self) -> Careful:
        """A superadmin."""
        return self._remembered(self.town.person("superadmin"))

    # What goes on

    def app(self, name: str) -> str:
        """A new target with secrets in its config vars, and in those of its earlier releases."""
        held = {var: str(self.seeds[seed]) for var, seed in CONFIG_VARS.items()}
        self.controls.create_app(name, held)
        self.controls.foreign_patch(name, {"DATABASE_URL": str(self.seeds["database"])})
        self.done(self.sam("PUT", f"/targets/{name}", json={"description": f"It is {name}."}))
        return name

    def promoted(
        self, app: str, flag: str = "dark_mode", value: str = "true"
    ) -> tuple[Careful, str]:
        """Somebody, and their promotion, which was accepted just now."""
        person = self.hire()
        marked = person.mark(app, flag, value)
        self.done(person.promote(marked["id"]), HTTPStatus.ACCEPTED)
        return person, marked["id"]

    def accepted_without_a_wake(self, app: str, *, ago: timedelta = timedelta()) -> str:
        """A promotion that was accepted, and that no worker knows of before the watchdog does."""
        promotion_id: str = self.pat.mark(app, "dark_mode")["id"]
        hoist = self.town.backdoor()
        promotion = hoist.store.get(promotion_id)
        assert promotion is not None
        act = Act(actor=self.pat.name, action=Action.PROMOTE, at=hoist.clock.now() - ago)
        hoist.store.commit(advance(promotion, act, state=State.DEPLOYING, step=Step.QUEUED))
        return promotion_id

    def expect(self, state: State, promoted: tuple[Careful, str]) -> None:
        """Have it seen, when all has settled, that this promotion came to this end."""
        self.awaited.append((*promoted, state))

    @staticmethod
    def done(answer: requests.Response, *statuses: int) -> None:
        """See that a request was answered as it should: what is not made shows nothing."""
        assert answer.status_code in (statuses or (HTTPStatus.OK,)), answer.text

    def gossip(self, app: str, status: int, **said: Any) -> None:  # noqa: ANN401 - fields of `Gossip`
        """Let Heroku's next answer for the app quote every secret that it knows."""
        page = f"<html><body>{self.heroku_knows}</body></html>"
        words = json.dumps({"id": "invalid_params", "message": f"Invalid: {self.heroku_knows}"})
        body = page if said.get("content_type") == HTML else words
        self.heroku.say(Gossip(app=app, status=status, **{"body": body, **said}))

    # Behind the API

    def client(self, service: str) -> Any:  # noqa: ANN401 - any service's client
        """An AWS service, as root."""
        aws = self.stack.ministack.aws
        return aws.session.client(service, endpoint_url=aws.endpoint_url)  # type: ignore[call-overload]

    def store_secret(self, parameter: str, value: str, *, readers: tuple[str, ...]) -> None:
        """Put a secret into Parameter Store, and have those who know an older one read it anew."""
        store(lambda: self.client("ssm"), parameter, value)
        for function in readers:
            self.stack.ministack.kill_lambda(self.stack.outputs[function])

    def wait_for_log(self, function: str, words: str) -> None:
        """Wait until a function has logged this."""
        configuration = self.client("lambda").get_function_configuration(
            FunctionName=self.stack.outputs[function]
        )
        group = configuration["LoggingConfig"]["LogGroup"]
        search = self.client("logs").get_paginator("filter_log_events")

        def logged() -> bool:
            pages = search.paginate(logGroupName=group)
            return any(words in event["message"] for page in pages for event in page["events"])

        wait_until(logged)
