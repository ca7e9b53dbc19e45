"""What is known to exist, learnt from the answers: made-up names alone would find nothing."""

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemathesis import Response

from tests.fuzz.contract import AnyCase, Contract, json_object

#: Things remembered of each collection, and requests that can be repeated: the newest.
MEMORY = 200
#: How often a name is chosen for what is to be done with it.
LIKELY = 0.5


@dataclass(kw_only=True)
class Known:
    """Names, entity tags and pages."""

    contract: Contract
    dice: random.Random
    #: What there was before anything was asked: names by collection, each with its state.
    first: Mapping[str, Mapping[str, str]]
    #: The same of what is known now, the newest last.
    states: dict[str, dict[str, str]]
    #: States in which an operation was once accepted.
    fits: dict[str, set[str]] = field(default_factory=dict)
    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    #: Queries of further pages, by operation.
    pages: dict[str, deque[dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def at_first(
        cls, contract: Contract, dice: random.Random, first: Mapping[str, Mapping[str, str]]
    ) -> "Known":
        """What is known before anything was asked."""
        states = {collection: dict(things) for collection, things in first.items()}
        return cls(contract=contract, dice=dice, first=first, states=states)

    def name(self, collection: str, label: str = "") -> str | None:
        """Name one that exists; half the time, one that the operation is likely to be right for.

        Else of any state alike: there are many more of some than of others.
        """
        things = self.states.get(collection, {})
        if self.dice.random() < LIKELY:
            likely = self.fits.get(label, set())
            things = {name: state for name, state in things.items() if state in likely} or things
        elif "" in things.values():
            things = dict(self.first.get(collection) or things)
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
        subject = self._subject(case) or (collection, body.get(name, ""))
        before = self.states.get(collection, {}).get(subject[1])
        if before is not None:
            self.fits.setdefault(case.operation.label, set()).add(before)
        for thing in body.get(collection, [body]):
            if isinstance(thing.get(name), str):
                self._remember(collection, thing[name], thing.get("state", ""))
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
