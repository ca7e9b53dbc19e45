"""A stage's rows: out of its tables into files, and back; and whether their audit chains hold."""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.adapters.dynamodb.rows import stored_entry
from chalicelib.adapters.dynamodb.tables import AuditRow
from chalicelib.domain.audit import GENESIS, StoredEntry, verify
from infra.errors import DeployError

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: A row as DynamoDB spells it, as in `{"id": {"S": "prm_…"}}`.
Row = dict[str, Any]
#: Gives the rows of a table, by its word in `TABLES`.
Read = Callable[[str], Iterable[Row]]

TABLES = ("promotions", "audit", "locks", "operators", "targets")
_MANIFEST = "manifest.json"
#: What one transaction takes: 100 items, 4 MB. A row may have 400 kB.
_ROWS_AT_ONCE, _BYTES_AT_ONCE = 100, 3_000_000


@dataclass(frozen=True, kw_only=True)
class Shelf:
    """The five tables of a stage, or five that are like them."""

    client: "DynamoDBClient"
    #: By the words in `TABLES`.
    names: Mapping[str, str]

    def rows(self, table: str) -> Iterator[Row]:
        """Yield all rows of a table, each read consistently."""
        pages = self.client.get_paginator("scan").paginate(
            TableName=self.names[table], ConsistentRead=True
        )
        for page in pages:
            yield from page["Items"]

    def require_empty(self) -> None:
        """Raise DeployError where a table has rows: they would mix with what is put there."""
        for table, name in self.names.items():
            if self.client.scan(TableName=name, Limit=1, ConsistentRead=True)["Items"]:
                message = f"The table {table} ({name}) is not empty. Nothing was changed."
                raise DeployError(message, hint="Export it, then: empty. See docs/restore.md.")

    def put(self, table: str, rows: Iterable[Row]) -> int:
        """Put rows that are not there yet; return how many. Never overwrites one."""
        key = self._key(table)[0]
        put = ({"Put": self._new(table, row, key)} for row in rows)
        return self._written(put)

    def empty(self, table: str) -> int:
        """Delete all rows of a table; return how many that were."""
        name, key = self.names[table], self._key(table)
        keys = [{part: row[part] for part in key} for row in self.rows(table)]
        return self._written({"Delete": {"TableName": name, "Key": each}} for each in keys)

    def require_recoverable(self) -> None:
        """Raise DeployError where a table could not be had back as it is now."""
        for table, name in self.names.items():
            found = self.client.describe_continuous_backups(TableName=name)
            recovery = found["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
            if recovery["PointInTimeRecoveryStatus"] != "ENABLED":
                message = f"The table {table} ({name}) has no point-in-time recovery."
                raise DeployError(message, hint="Nothing was deleted. Turn it on first.")

    def _key(self, table: str) -> list[str]:
        described = self.client.describe_table(TableName=self.names[table])["Table"]
        return [part["AttributeName"] for part in described["KeySchema"]]

    def _new(self, table: str, row: Row, key: str) -> dict[str, Any]:
        return {
            "TableName": self.names[table],
            "Item": row,
            "ConditionExpression": "attribute_not_exists(#key)",
            "ExpressionAttributeNames": {"#key": key},
        }

    def _written(self, actions: Iterable[Any]) -> int:
        written = 0
        for some in _batches(actions):
            self.client.transact_write_items(TransactItems=some)
            written += len(some)
        return written


def _batches(actions: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    size = 0
    for action in actions:
        length = len(json.dumps(action))
        if batch and (len(batch) == _ROWS_AT_ONCE or size + length > _BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(action)
        size += length
    if batch:
        yield batch


@dataclass(frozen=True, kw_only=True)
class Copy:
    """A stage's rows in a folder: a file of JSON lines for each table, for its owner's eyes only.

    They hold what the tables hold: hashes of the tokens of all operators.
    """

    folder: Path

    def write(self, read: Read, **about: str) -> Mapping[str, int]:
        """Write all tables into a new folder; return how many rows each has."""
        self.folder.mkdir(mode=0o700, parents=True)
        counts = {
            table: self._write(f"{table}.jsonl", map(json.dumps, read(table))) for table in TABLES
        }
        self._write(_MANIFEST, [json.dumps({"rows": counts, **about})])
        return counts

    def rows(self, table: str) -> Iterator[Row]:
        """Yield the rows of a table."""
        with (self.folder / f"{table}.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)

    def counts(self) -> Mapping[str, int]:
        """How many rows each table had. Raises DeployError where the folder is no whole copy."""
        manifest = self.folder / _MANIFEST
        if not manifest.exists():
            message = f"There is no {manifest}: that is no copy, or one that was broken off."
            raise DeployError(message)
        counts: dict[str, int] = json.loads(manifest.read_text(encoding="utf-8"))["rows"]
        for table, wanted in counts.items():
            found = sum(1 for _ in self.rows(table))
            if found != wanted:
                message = f"{self.folder}: {table} has {found} rows, and had {wanted}."
                raise DeployError(message)
        return counts

    def _write(self, name: str, lines: Iterable[str]) -> int:
        written = 0
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            for line in lines:
                file.write(line + "\n")
                written += 1
        return written


# Audit chains


def trails(read: Read) -> Mapping[str, list[StoredEntry]]:
    """All audit entries by subject, oldest first."""
    found: defaultdict[str, list[StoredEntry]] = defaultdict(list)
    for row in read("audit"):
        stored = stored_entry(AuditRow.from_raw_data(row))
        found[stored.entry.subject].append(stored)
    for trail in found.values():
        trail.sort(key=lambda stored: stored.entry.version)
    return found


def broken_chains(read: Read) -> list[str]:
    """What is wrong with which subject's audit chain, in words; nothing where all hold."""
    heads, found = _heads(read), trails(read)
    wrong = []
    for subject in sorted(heads.keys() | found.keys()):
        version, head = heads.get(subject, (0, GENESIS))
        verdict = verify(found.get(subject, []), version=version, head=head)
        if not verdict.verified:
            wrong.append(f"{subject}: breaks at entry {verdict.broken_at}: {verdict.reason}")
    return wrong


def _heads(read: Read) -> dict[str, tuple[int, str]]:
    """Where each subject says that its chain ends: its version, and its newest entry's hash."""
    heads = {row["id"]["S"]: _head(row) for row in read("promotions")}
    heads |= {f"target:{row['app']['S']}": _head(row) for row in read("targets")}
    heads |= {f"operator:{row['name']['S']}": _head(row) for row in read("operators")}
    records = (row for row in read("locks") if "audit_hash" in row)
    return heads | {row["name"]["S"]: _head(row) for row in records}


def _head(row: Row) -> tuple[int, str]:
    return int(row.get("version", {"N": "0"})["N"]), row.get("audit_hash", {"S": GENESIS})["S"]
