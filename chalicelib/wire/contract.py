"""The contract, `openapi.json`, and checking JSON against its schemas."""

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import fastjsonschema

from chalicelib.domain.errors import Code, FieldError, Rejected

_PATH = Path(__file__).parent.parent / "openapi.json"


@cache
def openapi() -> str:
    """The contract as it is served."""
    return _PATH.read_text(encoding="utf-8")


@cache
def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(openapi())
    return document


def schema(name: str) -> dict[str, Any]:
    """One of the contract's component schemas."""
    found: dict[str, Any] = _document()["components"]["schemas"][name]
    return found


@cache
def _validator(name: str) -> Any:  # noqa: ANN401 - fastjsonschema's type
    wanted = {
        "components": _document()["components"],
        "$ref": f"#/components/schemas/{name}",
    }
    return fastjsonschema.compile(wanted, use_default=False, fast_fail=False)


def check(name: str, value: object) -> None:
    """Raise `Rejected`, naming every field that is wrong, unless `value` fits the schema."""
    try:
        _validator(name)(value)
    except fastjsonschema.JsonSchemaValuesException as failed:
        raise rejected(_unique(failed.errors)) from None
    except fastjsonschema.JsonSchemaValueException as failed:
        raise rejected(_unique([failed])) from None


def rejected(errors: tuple[FieldError, ...]) -> Rejected:
    """The answer to fields that are wrong: what is said first names the first of them."""
    first = errors[0]
    more = f" ({len(errors) - 1} more below)" if len(errors) > 1 else ""
    return Rejected(
        Code.INVALID_REQUEST,
        f"{first.field} {first.detail}{more}. Nothing was changed.",
        errors=errors,
    )


def _unique(failures: list[Any]) -> tuple[FieldError, ...]:
    """One error a field, the first: a wrong type also breaks every other rule."""
    errors: dict[str, FieldError] = {}
    for failure in failures:
        for error in _field_errors(failure):
            errors.setdefault(error.field, error)
    return tuple(errors.values())


def _field_errors(failure: Any) -> Iterator[FieldError]:  # noqa: ANN401 - fastjsonschema's type
    properties: Mapping[str, Any] = failure.definition.get("properties", {})
    at = failure.path[1:]
    if failure.rule == "required":
        for name in failure.rule_definition:
            if name not in failure.value:
                yield FieldError(field=".".join([*at, name]), detail="is missing")
    elif failure.rule == "additionalProperties":
        for name in failure.value:
            if name not in properties:
                field = ".".join([*at, _shown(name)])
                yield FieldError(field=field, detail=_unknown(name, properties))
    elif failure.rule == "minProperties":
        detail = f"must name at least one of: {', '.join(sorted(properties))}"
        yield FieldError(field="body", detail=detail)
    else:
        detail = _detail(failure) if at else "must be a JSON object"
        yield FieldError(field=".".join(at) or "body", detail=detail)


def _unknown(name: str, properties: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, properties, n=1)
    known = ", ".join(sorted(properties)) or "none"
    return f"is not known here; did you mean {near[0]}?" if near else f"is not known here: {known}"


def _shown(name: str) -> str:
    """A field's name as it may be repeated: short, for it comes from outside."""
    shown_at_most = 60
    return name if len(name) <= shown_at_most else name[:shown_at_most] + "…"


def _detail(failure: Any) -> str:  # noqa: ANN401 - fastjsonschema's type
    limit = failure.rule_definition
    types = " or ".join(limit if isinstance(limit, list) else [str(limit)])
    rule = {
        "type": f"must be {'an' if types[0] in 'aeiou' else 'a'} {types}",
        "enum": f"must be one of {limit}",
        "minimum": f"must be at least {limit}",
        "maximum": f"must be at most {limit}",
        "minLength": "must not be empty"
        if limit == 1
        else f"must have at least {limit} characters",
        "maxLength": f"must have at most {limit} characters",
        "maxItems": f"must have at most {limit} entries",
        "pattern": f"must match {limit}",
    }.get(failure.rule, "is not valid")
    described = failure.definition.get("description", "")
    return f"{rule}: {described}" if described else rule
