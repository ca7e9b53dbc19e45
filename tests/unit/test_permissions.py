"""Who may do what: as the page says, and, in the essentials, as it is meant to be."""

import pytest

from chalicelib.domain.promotion import State
from tests.permissions import (
    ANYTHING_GOES,
    CALLERS,
    COMMAND,
    PAGE,
    YES,
    code_asked_for,
    everything,
    page,
)

ALL = frozenset(who.label for who in CALLERS)
KNOWN = ALL - {"nobody", "disabled"}
PROMOTERS = KNOWN - {"service", "viewer"}
SUPERADMINS = frozenset({"superadmin", "service (superadmin) for superadmin"})

#: By hand, so that the page, which is written by the code, cannot bless whatever the code does.
MAY = {
    # No token is asked for.
    "health": ALL,
    "openapi": ALL,
    "console": ALL,
    "console_part": ALL,
    # Whoever is known may look.
    "me": KNOWN,
    "browse": KNOWN,
    "show": KNOWN,
    "audit": KNOWN,
    "timeline": KNOWN,
    "preflight": KNOWN,
    "list_targets": KNOWN,
    "show_target": KNOWN,
    "show_lock": KNOWN,
    "list_freezes": KNOWN,
    "show_freeze": KNOWN,
    "show_catalogue": KNOWN,
    "record_audit": KNOWN,
    # The course of a promotion.
    "mark": PROMOTERS,
    "stage": PROMOTERS,
    "stage with a time": PROMOTERS,
    "approve": PROMOTERS,
    "promote": PROMOTERS,
    "promote breaking the glass": PROMOTERS,
    "cancel": PROMOTERS,
    "ack": PROMOTERS,
    "edit": PROMOTERS,
    "retry": PROMOTERS,
    "rollback": PROMOTERS,
    # The escape hatch, and what says who may do what, and when.
    "complete": SUPERADMINS,
    "fail": SUPERADMINS,
    "put_target": SUPERADMINS,
    "put_freeze": SUPERADMINS,
    "lift_freeze": SUPERADMINS,
    "import_catalogue": SUPERADMINS,
    "list_operators": SUPERADMINS,
    "unlock_operator": SUPERADMINS,
}
BEFORE_IT_BEGINS = {State.PENDING, State.STAGED}
#: What the state of a promotion does not admit everywhere.
ADMITTED = {
    "stage": BEFORE_IT_BEGINS,
    "stage with a time": BEFORE_IT_BEGINS,
    "approve": BEFORE_IT_BEGINS,
    "promote": BEFORE_IT_BEGINS,
    "promote breaking the glass": BEFORE_IT_BEGINS,
    # Cancelling again changes nothing.
    "cancel": BEFORE_IT_BEGINS | {State.CANCELLED},
    "ack": {State.DEPLOYING},
    "complete": {State.DEPLOYING},
    "fail": {State.DEPLOYING},
    "retry": {State.FAILED},
    "rollback": {State.DEPLOYED},
}
WITH_A_CODE = {
    "stage with a time",
    "approve",
    "promote",
    "promote breaking the glass",
    "complete",
    "fail",
    "retry",
    "rollback",
    "unlock_operator",
}


def test_the_page_says_what_the_code_does() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), f"write it anew: {COMMAND}"


def test_it_has_been_decided_who_may_do_each_thing() -> None:
    asked, _ = everything()

    assert asked.keys() == MAY.keys()


@pytest.mark.parametrize("operation", MAY)
def test_only_those_who_may_are_let_through(operation: str) -> None:
    _, grid = everything()

    let_through = {who for (name, who, _), came in grid.items() if (name, came) == (operation, YES)}

    assert let_through == MAY[operation]


@pytest.mark.parametrize("operation", MAY)
def test_nobody_is_let_through_in_a_state_that_does_not_admit_it(operation: str) -> None:
    asked, grid = everything()
    states = set(State) if asked[operation].about_promotion else {None}

    admitted = {s for (name, _, s), came in grid.items() if (name, came) == (operation, YES)}

    assert admitted == ADMITTED.get(operation, states)


def test_nothing_but_caller_and_state_stood_in_the_way() -> None:
    _, grid = everything()

    assert set(grid.values()) == {YES, "unauthenticated", "role_insufficient", "state_forbids"}


def test_those_whom_api_gateway_does_not_know_get_no_further() -> None:
    asked, grid = everything()

    came = {grid[key] for key in grid if key[1] not in KNOWN and not asked[key[0]].open_to_all}

    assert came == {"unauthenticated"}


def test_who_may_not_is_told_so_whatever_the_state_is() -> None:
    asked, grid = everything()

    refused = {
        grid[name, who, state]
        for name, who, state in grid
        if who in KNOWN - MAY[name] and asked[name].about_promotion
    }

    assert refused == {"role_insufficient"}


@pytest.mark.parametrize("operation", MAY)
def test_a_code_is_asked_for_where_it_is_meant_to_be(operation: str) -> None:
    asked, grid = everything()

    needed = not asked[operation].open_to_all and code_asked_for(asked[operation], grid)

    assert needed is (operation in WITH_A_CODE)


def test_the_superadmin_of_the_page_is_one() -> None:
    assert ANYTHING_GOES.label == "superadmin"
