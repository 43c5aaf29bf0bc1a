"""Functions about users that other domains call in their own transactions."""

from collections.abc import Callable

import msgspec

from handlers.kit.addresses import canonical_address
from handlers.kit.errors import NotFound
from handlers.kit.life import RolesChanged
from handlers.kit.transaction import Transaction
from handlers.kit.wording import Reader
from handlers.platform.profile import STUDENT, service
from handlers.platform.profile.contracts import UserCreated, UserView
from storage.platform import profile as store
from storage.platform.profile import UserRow


class UnknownRole(ValueError):
    """No domain declares this role."""


def create_user(tx: Transaction, email: str, first_name: str, last_name: str) -> UserView | None:
    """Create a student with a verified address; None if the address is taken."""
    row = UserRow(
        id=tx.new_id(),
        email=normal_email(email),
        email_verified=True,
        first_name=first_name,
        last_name=last_name,
        language="en",
        time_zone="UTC",
        roles=[STUDENT],
        settings={},
        picture_id=None,
        created_at=tx.now,
        updated_at=tx.now,
    )
    if not store.insert_user(tx, row):
        return None
    user = service.view_of(row)
    tx.publish(UserCreated(user=user))
    return user


def change_email(tx: Transaction, user_id: str, email: str) -> UserView | None:
    """Change a user's address to a verified one in normal form; None if it is taken."""
    row = service.lock_row(tx, user_id)
    owner = store.find_user_by_email(tx, email)
    if owner is not None and owner.id != user_id:
        return None
    return service.save(tx, msgspec.structs.replace(row, email=email, email_verified=True))


def change_picture(tx: Transaction, picture_id: str | None) -> tuple[UserView, str | None]:
    """Change or remove the actor's picture, a public upload; also returns the previous one's id."""
    row = service.lock_row(tx, tx.actor.id)
    before = row.picture_id
    return service.save(tx, msgspec.structs.replace(row, picture_id=picture_id)), before


def normal_email(email: str) -> str:
    """The form of an address in which addresses are stored and compared.

    A text that is not an address stays as it is: nobody has it.
    """
    try:
        return canonical_address(email)
    except ValueError:
        return email


def reader_of(user: UserView) -> Reader:
    """The language, time zone and clock in which texts for this user are written."""
    return Reader(user.language, user.time_zone, user.settings.clock)


def get_user(tx: Transaction, user_id: str) -> UserView:
    """Raises NotFound."""
    return service.view_of(service.get_row(tx, user_id))


def lock_user(tx: Transaction, user_id: str) -> UserView:
    """Get a user and lock the row against other changes until the commit.

    Raises NotFound, also for an erased account.
    """
    return service.view_of(service.lock_row(tx, user_id))


def is_closed(user: UserView) -> bool:
    """Whether the account was erased."""
    return store.is_erased(user.id, user.email)


def hold_user(tx: Transaction, user_id: str) -> bool:
    """Lock a user, erased or not, until the commit; returns False if erased. Raises NotFound."""
    row = store.lock_user(tx, user_id)
    if row is None:
        raise NotFound
    return not store.is_erased(row.id, row.email)


def find_user_by_email(tx: Transaction, email: str) -> UserView | None:
    row = store.find_user_by_email(tx, normal_email(email))
    return service.view_of(row) if row else None


def lock_user_by_email(tx: Transaction, email: str) -> UserView | None:
    """Find a user and lock the row, so that the address stays theirs until the commit."""
    row = store.lock_user_by_email(tx, normal_email(email))
    return service.view_of(row) if row else None


def is_empty(tx: Transaction) -> bool:
    """Whether nobody has signed up yet."""
    return store.is_empty(tx)


def list_users(tx: Transaction, user_ids: list[str]) -> dict[str, UserView]:
    """The existing users among these ids, by id."""
    return {row.id: service.view_of(row) for row in store.list_users(tx, user_ids)}


def add_role(tx: Transaction, user_id: str, role: str) -> UserView:
    """Add a role; it applies to the user's open connections at once.

    Raises NotFound, and UnknownRole for a role that no domain declares.
    """
    if role not in tx.kernel.roles:
        raise UnknownRole(role)
    return _set_roles(tx, user_id, lambda roles: {*roles, role})


def remove_role(tx: Transaction, user_id: str, role: str) -> UserView:
    """Remove a role; it applies to the user's open connections at once. Raises NotFound."""
    return _set_roles(tx, user_id, lambda roles: roles - {role})


def _set_roles(tx: Transaction, user_id: str, change: Callable[[set[str]], set[str]]) -> UserView:
    row = service.lock_row(tx, user_id)
    roles = in_order(tx, change(set(row.roles)))
    if roles == row.roles:
        return service.view_of(row)
    tx.publish(RolesChanged(user_id=user_id, roles=roles))
    return service.save(tx, msgspec.structs.replace(row, roles=roles))


def in_order(tx: Transaction, roles: set[str]) -> list[str]:
    """Sort roles by the order of domains; roles of domains that are not served come last."""
    declared = [role for role in tx.kernel.roles if role in roles]
    return declared + sorted(roles.difference(declared))
