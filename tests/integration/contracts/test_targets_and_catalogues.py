"""`Targets` and `Catalogues`: records that are written together with their audit entries."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.catalogue import Catalogue, FlagEntry
from chalicelib.domain.ladder import Ladder
from chalicelib.domain.promotion import Rung
from chalicelib.domain.record import Revision, revise, verify_record
from chalicelib.domain.target import Target
from chalicelib.ports import Clash, Lost
from chalicelib.wire import requests
from chalicelib.wire.requests import MAX_CATALOGUE_BYTES, Request
from tests.factories import SAM, TARGET
from tests.fakes import START
from tests.integration.contracts.conftest import Stores

POLICY = Target(
    app=TARGET,
    description="the console",
    max_flags_per_release=7,
    ladder=Ladder(after={rung: timedelta(minutes=n) for n, rung in enumerate(list(Rung)[1:], 5)}),
    flag_patterns=("billing_*", "dark_mode"),
    staging_app="raxx-console-staging",
    min_approvals=2,
    stage_first=True,
    catalogue="backend",
)


def revised(before: Any, after: Any) -> Revision[Any]:  # noqa: ANN401 - any record
    return revise(before, after, Act(actor="sam", action=Action.SET_POLICY, at=START))


def listed(stores: Stores, target: Target) -> Target:
    """Write a target anew."""
    revision = revised(Target(app=target.app), target)
    stores.targets.write(revision)
    written: Target = revision.after
    return written


def test_a_target_is_read_back_whole(stores: Stores) -> None:
    written = listed(stores, POLICY)

    assert written.version == 1
    assert stores.targets.get(TARGET) == written


def test_a_target_that_says_nothing_is_read_back_with_what_is_usual(stores: Stores) -> None:
    written = listed(stores, Target(app=TARGET))

    assert stores.targets.get(TARGET) == written


def test_an_unlisted_target_reads_as_none(stores: Stores) -> None:
    assert stores.targets.get(TARGET) is None


def test_a_target_that_was_changed_meanwhile_is_not_written_over(stores: Stores) -> None:
    read = listed(stores, Target(app=TARGET))
    stores.targets.write(revised(read, replace(read, description="first")))

    with pytest.raises(Lost) as lost:
        stores.targets.write(revised(read, replace(read, description="second")))

    assert lost.value.clashes == {Clash.RECORD}
    target = stores.targets.get(TARGET)
    assert target is not None
    assert target.description == "first"
    assert len(stores.promotions.trail(target.subject)) == 2


def test_a_target_that_was_listed_meanwhile_is_not_listed_anew(stores: Stores) -> None:
    listed(stores, Target(app=TARGET))

    with pytest.raises(Lost):
        listed(stores, POLICY)


def test_a_targets_changes_make_a_chain(stores: Stores) -> None:
    read = listed(stores, Target(app=TARGET))
    stores.targets.write(revised(read, POLICY))

    target = stores.targets.get(TARGET)

    assert target is not None
    assert verify_record(target, stores.promotions.trail(target.subject)).verified


def test_targets_are_listed_by_name(stores: Stores) -> None:
    for app in ("bbb", "aaa"):
        listed(stores, Target(app=app))

    assert [target.app for target in stores.targets.all()] == ["aaa", "bbb"]


FLAGS = {
    "dark_mode": FlagEntry(
        name="dark_mode", description="Dark colours", owner="web", default="false"
    ),
    "plain": FlagEntry(name="plain"),
}


def test_a_catalogue_is_read_back_whole(stores: Stores) -> None:
    revision = revised(Catalogue(id="backend"), Catalogue(id="backend", flags=FLAGS))

    stores.catalogues.write(revision)

    assert stores.catalogues.get("backend") == revision.after
    assert stores.catalogues.get("frontend") is None


def largest_body(letter: str, encoding: str, bare: int) -> bytes:
    """As large a catalogue as is taken: 33 flags with long defaults, and some with none."""

    def body(letters: int) -> bytes:
        full = [{"name": f"full_{n}", "default": letter * letters} for n in range(33)]
        entries = full + [{"name": f"f{n}"} for n in range(bare)]
        spelled = json.dumps({"flags": entries}, ensure_ascii=False, separators=(",", ":"))
        return spelled.encode(encoding)

    empty = len(body(0))
    return body((MAX_CATALOGUE_BYTES - empty) // (len(body(1)) - empty))


@pytest.mark.parametrize(
    ("letter", "encoding", "bare"),
    [
        ("ж", "utf-8", 0),
        ('"', "utf-8", 0),
        ("\x01", "utf-8", 967),
        # In UTF-8, as it is stored, each of them is half as long again.
        ("中", "utf-16-le", 0),
        ("中", "utf-16-le", 967),
    ],
)
def test_the_largest_catalogue_that_is_taken_has_room(
    stores: Stores, letter: str, encoding: str, bare: int
) -> None:
    body = largest_body(letter, encoding, bare)
    sent = requests.catalogue(Request(body=body, headers={}, query={}, caller=SAM))
    revision = revised(Catalogue(id="b" * 63), Catalogue(id="b" * 63, flags=sent))

    stores.catalogues.write(revision)

    assert len(body) > 0.99 * MAX_CATALOGUE_BYTES
    assert stores.catalogues.get("b" * 63) == revision.after


def test_a_catalogue_that_was_imported_meanwhile_is_not_written_over(stores: Stores) -> None:
    empty = Catalogue(id="backend")
    stores.catalogues.write(revised(empty, replace(empty, flags=FLAGS)))

    with pytest.raises(Lost) as lost:
        stores.catalogues.write(revised(empty, empty))

    assert lost.value.clashes == {Clash.RECORD}
    catalogue = stores.catalogues.get("backend")
    assert catalogue is not None
    assert verify_record(catalogue, stores.promotions.trail(catalogue.subject)).verified
