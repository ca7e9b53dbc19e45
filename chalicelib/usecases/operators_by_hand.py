"""Change who may call on the word of whoever has AWS credentials: for the command line tool.

Every change is audited under the operator's own name, its actor the AWS identity. Secrets come in
and are kept hashed or encrypted; none is in an entry.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chalicelib.domain.audit import Act, Action
from chalicelib.domain.errors import Code, Rejected
from chalicelib.domain.operator import NAME, Operator, Role, secret_digest, unlocked
from chalicelib.domain.record import revise
from chalicelib.ports import Clock, Lost, Operators, TotpSecrets
from chalicelib.usecases.operators import contended, wanted

_ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class NewOperator:
    """Who shall be able to call."""

    name: str
    role: Role
    #: Of a service: the highest role that it may use for others.
    up_to: Role = Role.PROMOTER


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """What an operator is told once, and nobody else."""

    token_secret: str = field(repr=False)
    totp_secret: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class _ByHand:
    """May change any operator's record."""

    operators: Operators
    clock: Clock

    def _act(self, actor: str, action: Action, **facts: str) -> Act:
        return Act(actor=actor, action=action, at=self.clock.now(), facts=facts)

    def _changed(self, name: str, change: Callable[[Operator], Operator], act: Act) -> Operator:
        """Write what `change` makes of the operator. What is so already is not written again.

        Raises `Rejected`: not found, or others keep winning.
        """
        for _ in range(_ATTEMPTS):
            before = wanted(self.operators, name)
            drafted = change(before)
            if drafted == before:
                return before
            revision = revise(before, drafted, act)
            try:
                self.operators.write(revision)
            except Lost:
                continue
            return revision.after
        raise contended()


@dataclass(frozen=True, kw_only=True)
class AddOperator(_ByHand):
    """Enter an operator. Raises `Rejected` for a name that is taken, or cannot be one.

    A service has no second factor: its TOTP secret is not kept.
    """

    totp_secrets: TotpSecrets

    def __call__(self, new: NewOperator, credentials: Credentials, *, actor: str) -> Operator:
        _require_name(new.name)
        if self.operators.get(new.name) is not None:
            raise _taken(new.name)
        service = new.role is Role.SERVICE
        entered = Operator(
            name=new.name,
            role=new.role,
            token_sha256=secret_digest(credentials.token_secret),
            totp_reference=(
                "" if service else self.totp_secrets.put(new.name, credentials.totp_secret)
            ),
            up_to=new.up_to,
        )
        facts = {"role": new.role} | ({"up_to": new.up_to} if service else {})
        act = self._act(actor, Action.ADD_OPERATOR, **facts)
        # In the place of the record that there is not yet: no token opens it.
        nobody = replace(entered, token_sha256="")
        revision = revise(nobody, entered, act)
        try:
            self.operators.write(revision)
        except Lost:
            raise _taken(new.name) from None
        return revision.after


@dataclass(frozen=True, kw_only=True)
class RotateToken(_ByHand):
    """Give an operator a new token; the old one opens nothing from the next call on."""

    def __call__(self, name: str, credentials: Credentials, *, actor: str) -> Operator:
        digest = secret_digest(credentials.token_secret)
        act = self._act(actor, Action.ROTATE_TOKEN)
        return self._changed(name, lambda operator: replace(operator, token_sha256=digest), act)


@dataclass(frozen=True, kw_only=True)
class ResetTotp(_ByHand):
    """Give an operator a new TOTP secret, and forgive the wrong codes tried with the old one.

    The newest time step that was accepted stays: with the new secret, too, only a later code is.
    A code that was judged by the old secret and is not spent yet never will be.
    """

    totp_secrets: TotpSecrets

    def __call__(self, name: str, credentials: Credentials, *, actor: str) -> Operator:
        if wanted(self.operators, name).role is Role.SERVICE:
            raise Rejected(Code.INVALID_REQUEST, f"{name} is a service: it has no second factor.")
        reference = self.totp_secrets.put(name, credentials.totp_secret)
        return self._changed(
            name,
            lambda operator: replace(unlocked(operator), totp_reference=reference),
            self._act(actor, Action.RESET_TOTP),
        )


@dataclass(frozen=True, kw_only=True)
class DisableOperator(_ByHand):
    """Let an operator's token and codes count for nothing from now on. Is idempotent."""

    def __call__(self, name: str, reason: str, *, actor: str) -> Operator:
        act = self._act(actor, Action.DISABLE_OPERATOR, reason=reason)
        return self._changed(name, lambda operator: replace(operator, disabled=True), act)


@dataclass(frozen=True, kw_only=True)
class EnableOperator(_ByHand):
    """Take a disabled operator's token and codes again. Is idempotent."""

    def __call__(self, name: str, *, actor: str) -> Operator:
        act = self._act(actor, Action.ENABLE_OPERATOR)
        return self._changed(name, lambda operator: replace(operator, disabled=False), act)


@dataclass(frozen=True, kw_only=True)
class UnlockByHand(_ByHand):
    """Forgive an operator's wrong codes where no superadmin can. Is idempotent."""

    def __call__(self, name: str, *, actor: str, reason: str | None = None) -> Operator:
        facts = {"reason": reason} if reason else {}
        return self._changed(name, unlocked, self._act(actor, Action.UNLOCK, **facts))


def _require_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise Rejected(
            Code.INVALID_REQUEST,
            "A name is 1 to 64 letters a-z, digits, dashes and underscores: it stands before the "
            "dot of the token.",
        )


def _taken(name: str) -> Rejected:
    return Rejected(
        Code.INVALID_REQUEST,
        f"There is an operator {name} already. Nothing was changed. A lost token is rotated, a "
        "lost phone reset; another person needs another name, or the audit would mix them up.",
    )
