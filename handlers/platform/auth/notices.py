"""What people are told about signing in: whatever may have been done by somebody else."""

from collections.abc import Iterator

from handlers.kit.notices import Notice
from handlers.kit.transaction import Transaction
from handlers.kit.wording import Plain, Value
from handlers.platform.auth import auth
from handlers.platform.auth.contracts import (
    AuthMethodAdded,
    AuthMethodRemoved,
    AuthSuccess,
    NewPasswordSet,
    SignInsFailed,
)
from handlers.platform.profile import public as profiles

MethodChanged = AuthMethodAdded | AuthMethodRemoved


@auth.notifies(NewPasswordSet, "password_set", importance="critical", says=("where",))
def warn_of_the_password(tx: Transaction, event: NewPasswordSet) -> Iterator[Notice]:
    """A new password was set. The first one is part of signing up."""
    user = profiles.get_user(tx, event.user_id)
    if tx.cause is None or user.created_at != tx.cause.at:
        yield Notice(to=event.user_id, link="/forgot", values={"where": _where(tx, event)})


@auth.notifies(AuthSuccess, "new_device", importance="critical", says=("where",))
def warn_of_the_new_device(tx: Transaction, event: AuthSuccess) -> Iterator[Notice]:
    """Somebody signed in from a device that is not known."""
    if event.new_device:
        yield Notice(
            to=event.user_id,
            link="/profile",
            data={"session_id": event.session_id},
            values={"where": _where(tx, event)},
        )


@auth.notifies(SignInsFailed, "sign_ins_failed", importance="critical", says=("count",))
def warn_of_guesses_at_the_door(tx: Transaction, event: SignInsFailed) -> Iterator[Notice]:
    """Somebody who is not signed in tried many wrong passwords."""
    if not event.signed_in:
        yield from _guesses(event)


@auth.notifies(
    SignInsFailed,
    "sign_ins_failed",
    text="password_guessed",
    importance="critical",
    says=("count",),
)
def warn_of_guesses_inside(tx: Transaction, event: SignInsFailed) -> Iterator[Notice]:
    """A device that is signed in tried many wrong passwords."""
    if event.signed_in:
        yield from _guesses(event)


@auth.notifies(
    AuthMethodAdded, "method_added", text="password_added", importance="critical", says=("where",)
)
@auth.notifies(
    AuthMethodRemoved,
    "method_removed",
    text="password_removed",
    importance="critical",
    says=("where",),
)
def tell_of_the_password(tx: Transaction, event: MethodChanged) -> Iterator[Notice]:
    """One can sign in by a password now, or no longer."""
    if event.method == "password":
        yield _method(event, where=_where(tx, event))


@auth.notifies(AuthMethodAdded, "method_added", importance="critical", says=("provider", "where"))
@auth.notifies(
    AuthMethodRemoved, "method_removed", importance="critical", says=("provider", "where")
)
def tell_of_the_provider(tx: Transaction, event: MethodChanged) -> Iterator[Notice]:
    """One can sign in at a provider now, or no longer."""
    if event.method != "password":
        provider = Plain(event.method.capitalize())
        yield _method(event, provider=provider, where=_where(tx, event))


def _method(event: MethodChanged, **values: Value) -> Notice:
    return Notice(to=event.user_id, link="/profile", data={"method": event.method}, values=values)


def _guesses(event: SignInsFailed) -> Iterator[Notice]:
    """For the owner of the account, if the address has one."""
    if event.user_id is not None:
        data = {"tries": event.tries}
        yield Notice(to=event.user_id, link="/profile", data=data, values={"count": event.tries})


def _where(
    tx: Transaction, event: AuthSuccess | NewPasswordSet | AuthMethodAdded | AuthMethodRemoved
) -> Value:
    """From which device, where and when it was done."""
    return (event.device, Plain(event.place), tx.cause.at if tx.cause else tx.now)
