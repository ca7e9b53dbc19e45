"""Let a service, such as a console, act for the operator who uses it."""

from dataclasses import dataclass

from chalicelib.domain.errors import Code, FieldError, Rejected
from chalicelib.domain.operator import NAME, Caller, Operator, Role, acting_for
from chalicelib.ports import Operators

HEADER = "X-On-Behalf-Of"


@dataclass(frozen=True, kw_only=True)
class ActFor:
    """Tell whom a call is for: the operator that a service names, or else the caller.

    Both records are read consistently: what was disabled or lowered counts from this call on.
    Raises `Rejected`: the caller is a person, or the service may not act for the one it names.
    """

    operators: Operators

    def __call__(self, caller: Caller, on_behalf_of: str | None) -> Caller:
        if on_behalf_of is None:
            return caller
        if caller.role is not Role.SERVICE:
            raise _person(caller)
        service = self.operators.get(caller.name)
        if service is None or service.disabled:
            raise Rejected(Code.UNAUTHENTICATED, "This service may not call any more.")
        return acting_for(service, self._operator(service, on_behalf_of))

    def _operator(self, service: Operator, name: str) -> Operator:
        operator = self.operators.get(name) if NAME.fullmatch(name) else None
        if operator is None or operator.disabled or operator.role is Role.SERVICE:
            raise Rejected(
                Code.ON_BEHALF_REFUSED,
                f"{service.name} may not act for the operator that it names in {HEADER}: there is "
                "none of that name, or they are disabled, or a service. Ask a superadmin.",
            )
        return operator


def _person(caller: Caller) -> Rejected:
    detail = "is for services only: you call for yourself"
    return Rejected(
        Code.INVALID_REQUEST,
        f"{caller.name} is no service. Leave out {HEADER}: it {detail}.",
        errors=(FieldError(field=HEADER, detail=detail),),
    )
