"""Catalogues of flags in DynamoDB: one row a catalogue, in the locks table."""

import json
from dataclasses import asdict, dataclass

from pynamodb.exceptions import DoesNotExist

from chalicelib.adapters.dynamodb.tables import LockRow, Tables, translated
from chalicelib.adapters.dynamodb.transaction import Transaction
from chalicelib.domain.catalogue import Catalogue, FlagEntry
from chalicelib.domain.record import Revision


@dataclass(frozen=True)
class DynamoDBCatalogues:
    """`Catalogues` in DynamoDB."""

    tables: Tables

    def get(self, catalogue_id: str) -> Catalogue | None:
        """Read one row, consistently."""
        with translated():
            try:
                row = self.tables.locks.get(_name(catalogue_id), consistent_read=True)
            except DoesNotExist:
                return None
        return _catalogue(catalogue_id, row)

    def write(self, revision: Revision[Catalogue]) -> None:
        """Put the row, where the version that was read is stored, with its audit entry."""
        catalogue = revision.after
        document = [_written(entry) for entry in catalogue.flags.values()]
        row = self.tables.locks(
            _name(catalogue.id),
            version=catalogue.version,
            audit_hash=catalogue.audit_hash,
            document=json.dumps(document, ensure_ascii=False, separators=(",", ":")),
        )
        transaction = Transaction(self.tables)
        transaction.revision(row, revision)
        transaction.write()


def _name(catalogue_id: str) -> str:
    return f"catalogue:{catalogue_id}"


def _written(entry: FlagEntry) -> dict[str, str]:
    """What is said of a flag and no more: the row must have room for the largest body taken."""
    return {name: said for name, said in asdict(entry).items() if said is not None}


def _catalogue(catalogue_id: str, row: LockRow) -> Catalogue:
    entries = [FlagEntry(**entry) for entry in json.loads(row.document or "[]")]
    return Catalogue(
        id=catalogue_id,
        flags={entry.name: entry for entry in entries},
        version=int(row.version),
        audit_hash=row.audit_hash,
    )
