"""Find out who calls."""

from dataclasses import dataclass

from chalicelib.domain.operator import NAME, Caller
from chalicelib.ports import Operators

_SCHEME = "bearer "


@dataclass(frozen=True, kw_only=True)
class Authorize:
    """Tell who a bearer token (`name.secret`, RFC 6750) belongs to; `None` for nobody.

    One consistent read; a disabled operator is nobody from the next call on.
    """

    operators: Operators

    def __call__(self, header: str) -> Caller | None:
        if header[: len(_SCHEME)].lower() != _SCHEME:
            return None
        name, dot, secret = header[len(_SCHEME) :].strip().partition(".")
        operator = self.operators.get(name) if dot and NAME.fullmatch(name) else None
        if operator is None or operator.disabled or not operator.owns(secret):
            return None
        return Caller(name=operator.name, role=operator.role)
