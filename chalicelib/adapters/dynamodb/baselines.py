"""What Hoist deployed at each target, in one row a target of the locks table.

The row `baseline:<app>` has two attributes a flag: `flag:<flag>`, which the transaction that
deploys it sets, and `drift:<flag>` while a drift is told. Attributes of their own, so that
transactions of several flags never write over each other.
"""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.adapters.dynamodb.tables import Tables, read_time, translated
from chalicelib.adapters.dynamodb.transaction import Transaction
from chalicelib.domain.drift import Baseline, Declared, Drift, DriftKind
from chalicelib.domain.moment import spell
from chalicelib.domain.promotion import Change, Promotion
from chalicelib.ports import Clash

_FLAG, _DRIFT = "flag:", "drift:"


@dataclass(frozen=True)
class DynamoDBBaselines:
    """`Baselines` in DynamoDB."""

    tables: Tables

    def get(self, target: str) -> Baseline:
        """Read one row, consistently."""
        # Bound for its meta table: the row's attributes are not those of a model.
        table = self.tables.locks.Meta.table_name
        with translated():
            answer = self.tables.connection.get_item(table, _name(target), consistent_read=True)
        item: dict[str, Any] = answer.get("Item", {})
        texts = {name: value["S"] for name, value in item.items() if "S" in value}
        declared = (
            _declared(name.removeprefix(_FLAG), text)
            for name, text in texts.items()
            if name.startswith(_FLAG)
        )
        drifts = (
            _drift(name.removeprefix(_DRIFT), text)
            for name, text in texts.items()
            if name.startswith(_DRIFT)
        )
        return Baseline(
            target=target,
            declared={each.flag: each for each in declared},
            drifts={each.flag: each for each in drifts if each},
        )

    def record(
        self,
        baseline: Baseline,
        declared: Declared,
        drift: Drift | None,
        change: Change,
    ) -> None:
        """Set or remove the flag's drift, where flag and drift are as they were read."""
        known = baseline.drifts.get(declared.flag)
        names = {"#flag": _FLAG + declared.flag, "#drift": _DRIFT + declared.flag}
        values = {":declared": {"S": _spelled(declared)}}
        as_read = "attribute_not_exists(#drift)"
        if known:
            values[":known"] = {"S": _drift_spelled(known)}
            as_read = "#drift = :known"
        expression = "REMOVE #drift"
        if drift:
            values[":drift"] = {"S": _drift_spelled(drift)}
            expression = "SET #drift = :drift"
        transaction = Transaction(self.tables)
        transaction.transition(change)
        transaction.add(
            "update",
            Clash.BASELINE,
            _update(self.tables, baseline.target, expression, names, values)
            | {"ConditionExpression": f"#flag = :declared AND {as_read}"},
        )
        transaction.write()


def declaring(tables: Tables, promotion: Promotion) -> dict[str, Any]:
    """The update by which a deployed promotion becomes what its flag was deployed as last."""
    declared = Declared(
        flag=promotion.flag,
        value=promotion.value,
        promotion_id=promotion.id,
    )
    return _update(
        tables,
        promotion.target,
        "SET #flag = :declared",
        {"#flag": _FLAG + promotion.flag},
        {":declared": {"S": _spelled(declared)}},
    )


def _update(
    tables: Tables,
    target: str,
    expression: str,
    names: dict[str, str],
    values: dict[str, Any],
) -> dict[str, Any]:
    return {
        "TableName": tables.locks.Meta.table_name,
        "Key": {"name": {"S": _name(target)}},
        "UpdateExpression": expression,
        "ExpressionAttributeNames": names,
        "ExpressionAttributeValues": values,
    }


def _name(target: str) -> str:
    return f"baseline:{target}"


def _spelled(declared: Declared) -> str:
    return json.dumps([declared.promotion_id, declared.value])


def _declared(flag: str, text: str) -> Declared:
    promotion_id, value = json.loads(text)
    return Declared(flag=flag, value=value, promotion_id=promotion_id)


def _drift_spelled(drift: Drift) -> str:
    return json.dumps([drift.kind, spell(drift.since)])


def _drift(flag: str, text: str) -> Drift | None:
    kind, since = json.loads(text)
    began = read_time(since)
    return Drift(flag=flag, kind=DriftKind(kind), since=began) if began else None
