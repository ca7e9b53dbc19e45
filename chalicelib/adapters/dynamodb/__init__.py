"""Hoist's tables in DynamoDB, through PynamoDB 6."""

from chalicelib.adapters.dynamodb.baselines import DynamoDBBaselines
from chalicelib.adapters.dynamodb.catalogues import DynamoDBCatalogues
from chalicelib.adapters.dynamodb.freezes import DynamoDBFreezes
from chalicelib.adapters.dynamodb.locks import DynamoDBTargetLocks
from chalicelib.adapters.dynamodb.operators import DynamoDBOperators
from chalicelib.adapters.dynamodb.promotions import DynamoDBPromotionStore
from chalicelib.adapters.dynamodb.tables import TableNames, Tables
from chalicelib.adapters.dynamodb.targets import DynamoDBTargets

__all__ = [
    "DynamoDBBaselines",
    "DynamoDBCatalogues",
    "DynamoDBFreezes",
    "DynamoDBOperators",
    "DynamoDBPromotionStore",
    "DynamoDBTargetLocks",
    "DynamoDBTargets",
    "TableNames",
    "Tables",
]
