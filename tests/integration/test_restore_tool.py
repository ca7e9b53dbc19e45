"""`python -m infra.restore`: rows out of the tables and back, and what it refuses to do."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Never

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError

from chalicelib.adapters.clock import SystemClock
from chalicelib.adapters.dynamodb import DynamoDBPromotionStore, DynamoDBTargets, Tables
from chalicelib.adapters.dynamodb.operators import DynamoDBOperators
from chalicelib.domain.audit import Act, Action
from chalicelib.domain.operator import Operator
from chalicelib.domain.promotion import Promotion, State, Step, advance
from chalicelib.domain.record import revise
from chalicelib.domain.target import Target
from chalicelib.wire.events import inserted
from infra import restore as tool
from infra.aws import Aws
from infra.copies import TABLES, Copy, Row, Shelf
from tests.factories import KIM, a_change, an_operator
from tests.fakes import START


@dataclass
class Stage:
    """A stage with a deploying promotion, an operator and a target, and the tool at its door."""

    tables: Tables
    folder: Path
    capsys: pytest.CaptureFixture[str]
    promotion: Promotion

    @property
    def outputs(self) -> dict[str, str]:
        return {
            f"{name.capitalize()}Table": table for name, table in vars(self.tables.names).items()
        }

    @property
    def store(self) -> DynamoDBPromotionStore:
        return DynamoDBPromotionStore(self.tables)

    def __call__(self, words: str) -> tuple[int, str]:
        status = tool.main(["--stage", "prod", *words.split()])
        out, err = self.capsys.readouterr()
        return status, out + err

    def rows(self) -> dict[str, list[Row]]:
        client = boto3.client("dynamodb")
        return {
            name: client.scan(TableName=table)["Items"]
            for name, table in vars(self.tables.names).items()
        }

    def make_recoverable(self) -> None:
        for table in vars(self.tables.names).values():
            boto3.client("dynamodb").update_continuous_backups(
                TableName=table,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            )

    def emptied(self) -> None:
        self.make_recoverable()
        status, said = self("empty --confirm hoist-prod")
        assert status == 0, said

    def operator(self) -> Operator:
        operator = DynamoDBOperators(self.tables).get(KIM.name)
        assert operator is not None
        return operator

    def begin(self) -> Promotion:
        """Let the promotion begin: one more entry of its trail."""
        act = Act(actor="kim", action=Action.PROMOTE, at=START)
        change = advance(self.promotion, act, state=State.DEPLOYING, step=Step.QUEUED)
        self.store.commit(change)
        return change.after


@pytest.fixture
def stage(
    tables: Tables,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Stage:
    marked = a_change()
    stage = Stage(tables, tmp_path, capsys, marked.after)
    DynamoDBPromotionStore(tables).commit(marked)
    DynamoDBOperators(tables).put(an_operator(totp_reference="3:digest"))
    listed = Target(app=marked.after.target)
    act = Act(actor="sam", action=Action.SET_POLICY, at=START)
    DynamoDBTargets(tables).write(revise(listed, listed, act))

    def outputs(_aws: Aws, _stage: str) -> Mapping[str, str]:
        return stage.outputs

    monkeypatch.setattr(tool, "stack_outputs", outputs)
    return stage


def test_what_is_exported_emptied_and_imported_is_there_again(stage: Stage) -> None:
    before = stage.rows()
    assert stage(f"export {stage.folder}/copy")[0] == 0
    stage.emptied()
    gone = stage.rows()

    status, said = stage(f"import {stage.folder}/copy")

    assert (status, gone) == (0, {name: [] for name in TABLES}), said
    after = stage.rows()
    assert [after[name] for name in ("promotions", "locks", "targets")] == [
        before[name] for name in ("promotions", "locks", "targets")
    ]
    assert stage.operator().totp_reference == "3:digest"
    promotion = stage.store.get(stage.promotion.id)
    assert promotion == stage.promotion
    assert stage("check") == (0, "Every audit chain holds.\n")


def test_a_copy_is_for_its_owners_eyes_only(stage: Stage) -> None:
    stage(f"export {stage.folder}/copy")

    folder = stage.folder / "copy"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}


def test_a_copy_is_not_written_over(stage: Stage) -> None:
    stage(f"export {stage.folder}/copy")

    status, said = stage(f"export {stage.folder}/copy")

    assert status == 1
    assert "is there already" in said


def test_nothing_is_put_into_tables_that_are_not_empty(stage: Stage) -> None:
    stage(f"export {stage.folder}/copy")
    before = stage.rows()

    status, said = stage(f"import {stage.folder}/copy")

    assert status == 1
    assert "is not empty. Nothing was changed." in said
    assert stage.rows() == before


@pytest.mark.parametrize("words", ["empty", "empty --confirm hoist-dev"])
def test_tables_are_emptied_only_by_whoever_names_the_stack(stage: Stage, words: str) -> None:
    stage.make_recoverable()
    before = stage.rows()

    status, said = stage(words)

    assert status == 1
    assert "--confirm hoist-prod" in said
    assert stage.rows() == before


def test_tables_that_cannot_be_had_back_are_not_emptied(stage: Stage) -> None:
    before = stage.rows()

    status, said = stage("empty --confirm hoist-prod")

    assert status == 1
    assert "has no point-in-time recovery" in said
    assert stage.rows() == before


def test_a_copy_whose_chains_do_not_hold_is_kept_told_and_not_put_back(stage: Stage) -> None:
    table = boto3.resource("dynamodb").Table(stage.tables.names.audit)
    key: dict[str, str | int] = {"promotion_id": stage.promotion.id, "version": 1}
    table.update_item(
        Key=key, UpdateExpression="SET actor = :a", ExpressionAttributeValues={":a": "x"}
    )

    exported = stage(f"export {stage.folder}/copy")
    stage.emptied()
    imported = stage(f"import {stage.folder}/copy")

    wrong = f"{stage.promotion.id}: breaks at entry 1: its content was changed"
    assert exported[0] == imported[0] == 1
    assert wrong in exported[1]
    assert wrong in imported[1]
    assert stage.rows() == {name: [] for name in TABLES}


@pytest.mark.parametrize("table", ["promotions", "audit"])
def test_a_chain_without_its_subject_or_entries_does_not_hold(stage: Stage, table: str) -> None:
    for row in stage.rows()[table]:
        key = {"promotions": ("id",), "audit": ("promotion_id", "version")}[table]
        boto3.client("dynamodb").delete_item(
            TableName=stage.outputs[f"{table.capitalize()}Table"],
            Key={name: row[name] for name in key},
        )

    status, said = stage("check")

    assert status == 1
    assert stage.promotion.id in said


def test_a_copy_that_was_broken_off_is_not_put_back(stage: Stage) -> None:
    stage(f"export {stage.folder}/copy")
    stage.emptied()
    (stage.folder / "copy" / "audit.jsonl").write_text("")

    status, said = stage(f"import {stage.folder}/copy")

    assert status == 1
    assert "audit has 0 rows, and had 2" in said
    assert stage.rows() == {name: [] for name in TABLES}


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("export {folder}/other", "delete it, and export again"),
        ("empty --confirm hoist-prod", "Some of it may be done. It is safe to do again."),
        ("check", "Nothing was changed."),
    ],
)
def test_where_aws_ends_it_what_is_known_and_safe_is_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, command: str, told: str
) -> None:
    stage.make_recoverable()

    def refused(*_: object) -> Never:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.example.invalid")

    monkeypatch.setattr(Shelf, "rows", refused)
    monkeypatch.setattr(Shelf, "empty", refused)

    status, said = stage(command.format(folder=stage.folder))

    assert status == 1
    assert "dynamodb.example.invalid" in said
    assert told in said


@pytest.mark.parametrize("table", TABLES)
def test_an_import_that_is_broken_off_is_done_again_from_empty_tables(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    stage(f"export {stage.folder}/copy")
    before = stage.rows()
    stage.emptied()
    put = Shelf.put

    def until(shelf: Shelf, name: str, rows: Iterable[Row]) -> None:
        put(shelf, name, rows)
        if name == table:
            raise EndpointConnectionError(endpoint_url="https://dynamodb.example.invalid")

    with monkeypatch.context() as patched:
        patched.setattr(Shelf, "put", until)
        broken_off = stage(f"import {stage.folder}/copy")
    again = stage(f"import {stage.folder}/copy")
    stage.emptied()
    after_all = stage(f"import {stage.folder}/copy")

    assert broken_off[0] == again[0] == 1
    assert "empty, and import again" in broken_off[1]
    assert "is not empty. Nothing was changed." in again[1]
    assert after_all[0] == 0
    assert stage.rows()["promotions"] == before["promotions"]


def test_a_folder_that_is_no_copy_is_not_put_back(stage: Stage) -> None:
    status, said = stage(f"import {stage.folder}")

    assert status == 1
    assert "is no copy" in said


def test_no_code_from_before_counts_after(stage: Stage) -> None:
    stage(f"export {stage.folder}/copy")
    stage.emptied()

    stage(f"import {stage.folder}/copy")

    # The newest that a phone may have shown by now: half a minute ahead.
    now = SystemClock().now().timestamp() // 30
    assert stage.operator().last_timecode in {now, now + 1}


def test_what_is_put_back_is_not_told_again(stage: Stage) -> None:
    stage(f"export {stage.folder}/copy")
    told = stage.rows()["audit"]
    stage.emptied()
    stage(f"import {stage.folder}/copy")
    put_back = stage.rows()["audit"]

    def batch(rows: list[Row]) -> dict[str, object]:
        records = [
            {"eventName": "INSERT", "dynamodb": {"SequenceNumber": str(n), "NewImage": row}}
            for n, row in enumerate(rows)
        ]
        return {"Records": records}

    assert len(list(inserted(batch(told)))) == 2
    assert list(inserted(batch(put_back))) == []


def test_what_a_restore_forgets_is_told(stage: Stage) -> None:
    stage(f"export {stage.folder}/earlier")
    stage.begin()
    stage(f"export {stage.folder}/later")

    status, said = stage(f"forgotten {stage.folder}/later {stage.folder}/earlier")

    assert status == 0
    lines = said.splitlines()
    assert len(lines) == 1
    assert f"{stage.promotion.id}  promote by kim" in lines[0]


def test_rows_of_any_number_and_size_come_back(stage: Stage) -> None:
    table = boto3.resource("dynamodb").Table(stage.tables.names.locks)
    for n in range(120):
        table.put_item(Item={"name": f"key:kim:{n}", "fingerprint": "x" * 40_000})
    stage(f"export {stage.folder}/copy")
    before = Copy(folder=stage.folder / "copy").counts()["locks"]
    stage.emptied()

    status, said = stage(f"import {stage.folder}/copy")

    assert status == 0, said
    assert before == len(
        list(
            Shelf(client=boto3.client("dynamodb"), names={"locks": stage.tables.names.locks}).rows(
                "locks"
            )
        )
    )


def test_a_time_needs_an_offset(stage: Stage) -> None:
    with pytest.raises(SystemExit) as exit_:
        stage("rewind --to 2026-11-22T08:00:00")

    assert exit_.value.code == 2


def test_a_manifest_says_whose_copy_it_is_and_of_when(stage: Stage) -> None:
    stage(f"export {stage.folder}/copy")

    manifest = json.loads((stage.folder / "copy" / "manifest.json").read_text())
    assert manifest["stage"] == "prod"
    assert set(manifest["rows"]) == set(TABLES)
    assert manifest["at"].endswith("Z")
