"""Notices to users about sign-ins and sign-in methods: changes that an attacker may have made."""

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
from handlers.platform.auth.devices import where
from handlers.platform.profile import public as profiles

MethodChanged = AuthMethodAdded | AuthMethodRemoved


@auth.notifies(NewPasswordSet, "password_set", importance="critical", says=("where",))
def warn_of_new_password(tx: Transaction, event: NewPasswordSet) -> Iterator[Notice]:
    """A new password was set. The first password, set at sign-up, needs no notice."""
    user = profiles.get_user(tx, event.user_id)
    if tx.cause is None or user.created_at != tx.cause.at:
        yield Notice(to=event.user_id, link="/forgot", values={"where": _where(tx, event)})


@auth.notifies(AuthSuccess, "new_device", importance="critical", says=("where",))
def warn_of_new_device(tx: Transaction, event: AuthSuccess) -> Iterator[Notice]:
    """Someone signed in from an unknown device."""
    if event.new_device:
        yield Notice(
            to=event.user_id,
            link="/profile",
            data={"session_id": event.session_id},
            values={"where": _where(tx, event)},
        )


@auth.notifies(SignInsFailed, "sign_ins_failed", importance="critical", says=("count",))
def warn_of_failed_sign_ins(tx: Transaction, event: SignInsFailed) -> Iterator[Notice]:
    """Someone without a session tried many wrong passwords."""
    if not event.signed_in:
        yield from _failure_notices(event)


@auth.notifies(
    SignInsFailed,
    "sign_ins_failed",
    text="password_guessed",
    importance="critical",
    says=("count",),
)
def warn_of_guesses_in_session(tx: Transaction, event: SignInsFailed) -> Iterator[Notice]:
    """A signed-in device tried many wrong passwords."""
    if event.signed_in:
        yield from _failure_notices(event)


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
def notify_of_password_method(tx: Transaction, event: MethodChanged) -> Iterator[Notice]:
    """The password was added as a sign-in method, or removed."""
    if event.method == "password":
        yield _method_notice(event, where=_where(tx, event))


@auth.notifies(AuthMethodAdded, "method_added", importance="critical", says=("provider", "where"))
@auth.notifies(
    AuthMethodRemoved, "method_removed", importance="critical", says=("provider", "where")
)
def notify_of_provider_method(tx: Transaction, event: MethodChanged) -> Iterator[Notice]:
    """A provider was added as a sign-in method, or removed."""
    if event.method != "password":
        provider = Plain(event.method.capitalize())
        yield _method_notice(event, provider=provider, where=_where(tx, event))


def _method_notice(event: MethodChanged, **values: Value) -> Notice:
    return Notice(to=event.user_id, link="/profile", data={"method": event.method}, values=values)


def _failure_notices(event: SignInsFailed) -> Iterator[Notice]:
    """A notice to the owner of the account, if the address has one."""
    if event.user_id is not None:
        data = {"tries": event.tries}
        yield Notice(to=event.user_id, link="/profile", data=data, values={"count": event.tries})


def _where(
    tx: Transaction, event: AuthSuccess | NewPasswordSet | AuthMethodAdded | AuthMethodRemoved
) -> Value:
    """The device, place and time of the event."""
    return where(event.device, event.place, tx.cause.at if tx.cause else tx.now)
