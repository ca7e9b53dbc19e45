"""Find the promotion that a request is about, as the request expects it to be, and change it."""

from collections.abc import Callable

from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.promotion import Change, Promotion
from chalicelib.ports import Lost, PromotionStore

#: What is wrong with an `If-Match` that was right once.
STALE = FieldError(field="If-Match", detail="names a version that is not the stored one any more")
_ATTEMPTS = 3


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
            errors=(STALE,),
            conflict={"version": promotion.version, "state": promotion.state},
        )


def changed(
    store: PromotionStore,
    promotion_id: str,
    change: Callable[[Promotion], Change | None],
    *,
    if_version: int | None,
) -> Promotion:
    """Write the change that `change` makes of the promotion; read it again where the write lost.

    `change` answers `None` where the promotion is as wanted already, and raises `Rejected` where
    it must not be changed. Raises `Rejected` where others keep winning.
    """
    for _ in range(_ATTEMPTS):
        promotion = wanted(store, promotion_id)
        made = change(promotion)
        if made is None:
            return promotion
        require_version(promotion, if_version)
        try:
            store.commit(made)
        except Lost:
            continue
        return made.after
    raise contended()


def contended() -> Rejected:
    """The answer where others keep winning."""
    return Rejected(
        Code.CONTENTION,
        "Others are changing this promotion at the same moment. Nothing was changed.",
    )
