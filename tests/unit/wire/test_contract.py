"""What is wrong with a body is said field by field, in words that help."""

import pytest

from chalicelib.domain.errors import Code, Rejected
from chalicelib.wire.contract import check

WHY = "The console was killed by the restart."
A_REASON = "why, in at least 10 characters, for those who read it later"


def errors(schema: str, value: object) -> dict[str, str]:
    """What is said of each field."""
    with pytest.raises(Rejected) as rejected:
        check(schema, value)
    assert rejected.value.code is Code.INVALID_REQUEST
    return {error.field: error.detail for error in rejected.value.errors}


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ("CompleteRequest", {"reason": WHY}),
        ("CompleteRequest", {"reason": "x" * 10, "rca_url": "https://wiki/rca", "force": True}),
        ("FailRequest", {"reason": "x" * 500}),
        ("RetryRequest", {}),
        ("RollbackRequest", {"reason": "", "force": False}),
        ("CatalogueRequest", {"flags": []}),
        ("CatalogueRequest", {"flags": [{"name": "a", "owner": None, "default": "x"}]}),
        ("TargetRequest", {"flag_patterns": ["billing_*"], "catalogue": None}),
    ],
)
def test_what_fits_is_let_through(schema: str, value: object) -> None:
    check(schema, value)


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ("FailRequest", {}, {"reason": "is missing"}),
        (
            "FailRequest",
            {"reason": "too short"},
            {"reason": f"must have at least 10 characters: {A_REASON}"},
        ),
        (
            "FailRequest",
            {"reason": "x" * 501},
            {"reason": f"must have at most 500 characters: {A_REASON}"},
        ),
        ("FailRequest", {"reason": 7}, {"reason": f"must be a string: {A_REASON}"}),
        (
            "CompleteRequest",
            {"reason": WHY, "force": "yes"},
            {"force": "must be a boolean: also against what Heroku shows, or without it"},
        ),
        ("CompleteRequest", {"reason": WHY, "effect": "live"}, {"effect": None}),
        ("RetryRequest", {"force": True}, {"force": "is not known here: reason"}),
        ("CatalogueRequest", {}, {"flags": "is missing"}),
        ("CatalogueRequest", {"flags": [{}]}, {"flags.0.name": "is missing"}),
        (
            "CatalogueRequest",
            {"flags": [{"name": "a"}, {"name": "b", "onwer": "kim"}]},
            {"flags.1.onwer": "is not known here; did you mean owner?"},
        ),
        (
            "CatalogueRequest",
            {"flags": [{"name": "a", "owner": 7}]},
            {"flags.0.owner": "must be a string or null"},
        ),
        ("CatalogueRequest", {"flags": ["a"]}, {"flags.0": "must be an object"}),
        (
            "CatalogueRequest",
            {"flags": [{"name": f"f{n}"} for n in range(1001)]},
            {
                "flags": "must have at most 1000 entries: all flags that the backend knows: "
                "those that are left out can no longer be marked"
            },
        ),
        ("MarkRequest", {"target": "raxx", "flag": "a", "value": ""}, {"value": None}),
        ("EditRequest", {}, {"body": "must name at least one of: note, rca_url"}),
        ("EditRequest", [], {"body": "must be a JSON object"}),
        ("EditRequest", None, {"body": "must be a JSON object"}),
    ],
)
def test_what_does_not_fit_is_said_of_its_field(
    schema: str,
    value: object,
    said: dict[str, str | None],
) -> None:
    found = errors(schema, value)

    assert found.keys() == said.keys()
    assert [found[field] for field in said if said[field]] == [s for s in said.values() if s]


def test_an_empty_text_is_said_to_be_empty() -> None:
    said = errors("MarkRequest", {"target": "raxx", "flag": "a", "value": ""})

    assert said["value"].startswith("must not be empty: ")


def test_of_a_field_that_breaks_several_rules_the_first_is_said() -> None:
    said = errors("MarkRequest", {"target": "raxx", "flag": "X" * 101, "value": "true"})

    assert list(said) == ["flag"]
    assert said["flag"].startswith("must have at most 100 characters: ")


def test_a_field_with_an_endless_name_is_named_short() -> None:
    (field,) = errors("RetryRequest", {"x" * 5000: 1})

    assert len(field) == 61


def test_a_nested_field_with_an_endless_name_is_named_short() -> None:
    (field,) = errors("CatalogueRequest", {"flags": [{"name": "a", "x" * 5000: 1}]})

    assert field == "flags.0." + "x" * 60 + "…"


def test_a_value_is_never_repeated() -> None:
    body = {"reason": ["hunter2"], "rca_url": "hunter2", "force": "hunter2"}

    assert "hunter2" not in str(errors("FailRequest", body))
