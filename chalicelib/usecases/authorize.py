"""Find out who calls."""

import re
from dataclasses import dataclass

from chalicelib.domain.operator import Caller
from chalicelib.ports import Operators

_SCHEME = "bearer "
#: What an operator can be called: nothing else is looked up.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


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
        operator = self.operators.get(name) if dot and _NAME.fullmatch(name) else None
        if operator is None or operator.disabled or not operator.owns(secret):
            return None
        return Caller(name=operator.name, role=operator.role)
