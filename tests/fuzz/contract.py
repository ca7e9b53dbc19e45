"""The contract as the stack serves it, and what the fuzzing reads out of it."""

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import requests
from schemathesis import Case, Response

from chalicelib.domain.operator import Role

#: A request, made up for any operation.
AnyCase: TypeAlias = Case[Any]

#: Long enough for every Lambda to start at once on a busy machine.
ANSWER_SECONDS = 60

_METHODS = ("get", "put", "post", "patch", "delete")
#: What a summary says last: who may do it, such as "(promoter)".
_NEEDED_ROLE = re.compile(rf"\([^()]*?\b({'|'.join(Role)})\b[^()]*\)$")
_ITEM_PATH = re.compile(r"/(\w+)/\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Contract:
    """An OpenAPI document."""

    document: dict[str, Any]

    @classmethod
    def served_at(cls, api: str) -> "Contract":
        """Ask the API for it, as a client would."""
        answer = requests.get(f"{api}/openapi.json", timeout=ANSWER_SECONDS)
        answer.raise_for_status()
        return cls(document=answer.json())

    @cached_property
    def operations(self) -> dict[str, dict[str, Any]]:
        """Every operation by its label, such as `GET /targets/{app}`."""
        return {
            f"{method.upper()} {path}": definition
            for path, definitions in self.document["paths"].items()
            for method, definition in definitions.items()
            if method in _METHODS
        }

    def open_to_all(self, label: str) -> bool:
        """Tell whether the operation asks for no token."""
        return self.operations[label].get("security") == []

    def needed_role(self, label: str) -> Role:
        """Who may do it at the least.

        Raises ValueError where the operation's summary does not end with that.
        """
        summary = self.operations[label]["summary"]
        named = _NEEDED_ROLE.search(summary)
        if named is None:
            message = f"The summary of {label} does not end with the role that it needs: {summary}"
            raise ValueError(message)
        return Role(named[1])

    @cached_property
    def names(self) -> dict[str, str]:
        """What names a thing of each collection: `promotions` have an `id`, `targets` an `app`."""
        found = (_ITEM_PATH.match(path) for path in self.document["paths"])
        return {match[1]: match[2] for match in found if match}

    @cached_property
    def closed(self) -> dict[str, Any]:
        """The document with every schema closed: a field that it does not name is wrong, too."""
        closed = deepcopy(self.document)
        for schema in _objects(closed["components"]["schemas"]):
            schema.setdefault("additionalProperties", False)
        return closed


def _objects(schemas: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - JSON
    """Every schema in there that names properties."""
    if isinstance(schemas, dict):
        if isinstance(schemas.get("properties"), dict) and "type" in schemas:
            yield schemas
        for inner in schemas.values():
            yield from _objects(inner)
    elif isinstance(schemas, list):
        for inner in schemas:
            yield from _objects(inner)


def json_object(response: Response) -> dict[str, Any]:
    """The answer's body, where it is a JSON object."""
    if not response.content or "json" not in response.headers.get("content-type", [""])[0]:
        return {}
    body = response.json()
    return body if isinstance(body, dict) else {}
