"""Decisions about users."""

import msgspec

from handlers.kit.codes import check_language, check_zone
from handlers.kit.contract import given
from handlers.kit.errors import NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.blocking import public as blocking
from handlers.platform.profile.contracts import (
    PeopleView,
    PersonView,
    SettingsChange,
    UpdateProfile,
    UserSettings,
    UserUpdated,
    UserView,
)
from storage.platform import profile as store
from storage.platform.profile import UserRow


def get_me(tx: Transaction) -> UserView:
    return view_of(get_row(tx, tx.actor.id))


def get_row(tx: Transaction, user_id: str) -> UserRow:
    """The user's row; raises NotFound."""
    row = store.find_user(tx, user_id)
    if row is None:
        raise NotFound
    return row


def lock_row(tx: Transaction, user_id: str) -> UserRow:
    """The user's row, locked for a change until the commit.

    Raises NotFound, also for an erased account: a command of its owner may arrive too late.
    """
    row = store.lock_user(tx, user_id)
    if row is None or store.is_erased(row.id, row.email):
        raise NotFound
    return row


def update_me(tx: Transaction, ask: UpdateProfile) -> UserView:
    changes = dict(given(ask))
    if "language" in changes:
        check_language("$.language", changes["language"])
    if "time_zone" in changes:
        check_zone("$.time_zone", changes["time_zone"])
    row = lock_row(tx, tx.actor.id)
    settings = changes.get("settings", SettingsChange())
    changes["settings"] = {**row.settings, **msgspec.to_builtins(settings)}
    return save(tx, msgspec.structs.replace(row, **changes))


def save(tx: Transaction, row: UserRow) -> UserView:
    """Store a changed user, whose row is locked, and publish `UserUpdated`."""
    row.updated_at = tx.now
    store.update_user(tx, row)
    user = view_of(row)
    tx.publish(UserUpdated(user=user))
    return user


def list_people(tx: Transaction, user_ids: list[str]) -> PeopleView:
    """The names and pictures of users; without the picture of those who blocked the actor."""
    blockers = set(blocking.list_blockers(tx, tx.actor.id, user_ids))
    people = {
        row.id: PersonView(
            first_name=row.first_name,
            last_name=row.last_name,
            picture_id=None if row.id in blockers else row.picture_id,
        )
        for row in store.list_users(tx, user_ids)
    }
    return PeopleView(people=people)


def view_of(row: UserRow) -> UserView:
    fields = msgspec.structs.asdict(row)
    return UserView(**{**fields, "settings": msgspec.convert(row.settings, UserSettings)})
