"""What is known to exist, learnt from the answers: made-up names alone would find nothing."""

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemathesis import Response

from tests.e2e.fuzz.contract import AnyCase, Contract, json_object

#: Things remembered of each collection, and requests that can be repeated: the newest.
MEMORY = 200


@dataclass(kw_only=True)
class Known:
    """Names, entity tags, pages and accepted requests."""

    contract: Contract
    dice: random.Random
    #: The state of each thing, by collection and name.
    states: dict[str, dict[str, str]]
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Queries of further pages, by operation.
    pages: dict[str, deque[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def at_first(
        cls, contract: Contract, dice: random.Random, states: Mapping[str, Mapping[str, str]]
    ) -> "Known":
        """What is known before anything was asked."""
        return cls(
            contract=contract,
            dice=dice,
            states={collection: dict(things) for collection, things in states.items()},
        )

    def name(self, collection: str) -> str | None:
        """Name one that exists, of any state alike: there are many more of some than of others."""
        things = self.states.get(collection)
        if not things:
            return None
        state = self.dice.choice(sorted(set(things.values())))
        return self.dice.choice([name for name, its in things.items() if its == state])

    def tag(self, case: AnyCase) -> str | None:
        """The newest entity tag of what the request is about."""
        return self.tags.get(self._subject(case) or ("", ""))

    def page(self, label: str) -> dict[str, Any] | None:
        """A query for a page that follows on one that was given."""
        pages = self.pages.get(label)
        return dict(self.dice.choice(pages)) if pages else None

    def learn(self, case: AnyCase, response: Response) -> None:
        """Remember what the answer tells."""
        collection = _collection(case)
        if response.status_code >= 300 or collection not in self.contract.names:
            return
        body = json_object(response)
        name = self.contract.names[collection]
        for thing in body.get(collection, [body]):
            if isinstance(thing.get(name), str):
                self._remember(collection, thing[name], thing.get("state", ""))
        subject = self._subject(case) or (collection, body.get(name, ""))
        if case.method == "DELETE":
            self.states.get(collection, {}).pop(subject[1], None)
        if "etag" in response.headers:
            self.tags[subject] = response.headers["etag"][0]
        if body.get("next_cursor"):
            query = {**case.query, "cursor": body["next_cursor"]}
            self.pages.setdefault(case.operation.label, deque(maxlen=MEMORY)).append(query)

    def _subject(self, case: AnyCase) -> tuple[str, str] | None:
        """What the request's path names."""
        collection = _collection(case)
        name = case.path_parameters.get(self.contract.names.get(collection, ""))
        return (collection, name) if isinstance(name, str) else None

    def _remember(self, collection: str, name: str, state: str) -> None:
        things = self.states.setdefault(collection, {})
        things.pop(name, None)
        things[name] = state
        if len(things) > MEMORY:
            del things[next(iter(things))]


def _collection(case: AnyCase) -> str:
    return case.path.split("/")[1]
