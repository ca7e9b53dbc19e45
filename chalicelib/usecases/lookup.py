"""Find the promotion that a request is about, as the request expects it to be."""

from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.promotion import Promotion
from chalicelib.ports import PromotionStore


def wanted(store: PromotionStore, promotion_id: str) -> Promotion:
    """The promotion. Raises `Rejected` where there is none of that id."""
    promotion = store.get(promotion_id)
    if promotion is None:
        raise Rejected(
            Code.NOT_FOUND,
            "There is no promotion of this id. GET /promotions lists those there are.",
        )
    return promotion


def require_version(promotion: Promotion, version: int | None) -> None:
    """Raise `Rejected` where the caller decided on another version than the stored one."""
    if version is not None and version != promotion.version:
        raise Rejected(
            Code.VERSION_STALE,
            f"{promotion.id} has changed since you read it: you hold version {version}, it is at "
            f"{promotion.version} ({promotion.state}). Nothing was changed. Read it again.",
            conflict={"version": promotion.version, "state": promotion.state},
        )
