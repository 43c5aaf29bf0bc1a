"""Users and their profiles. Addresses are stored in lower case and are unique."""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Boolean, Column, String, Table, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, Json, metadata
from storage.engine.database import Queries
from storage.engine.personal import ClearColumns, Export, personal


def erased_address(user_id: str) -> str:
    """The placeholder for the address of an erased account: undeliverable by RFC 2606."""
    return f"{user_id}@deleted.invalid"


def is_erased(user_id: str, email: str) -> bool:
    """Whether the address is the placeholder of an erased account."""
    return email == erased_address(user_id)


users = Table(
    "users",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("email_verified", Boolean, nullable=False),
    Column("first_name", String(100), nullable=False),
    Column("last_name", String(100), nullable=False),
    Column("language", String(2), nullable=False),
    Column("time_zone", String(64), nullable=False),
    Column("roles", Json, nullable=False),
    Column("settings", Json, nullable=False),
    Column("picture_id", String(36)),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    info=personal(
        on_erasure_of={
            "id": ClearColumns(
                {
                    "email": erased_address,
                    "email_verified": False,
                    "first_name": "Deleted",
                    "last_name": "account",
                    "language": "en",
                    "time_zone": "UTC",
                    "roles": [],
                    "settings": {},
                    "picture_id": None,
                }
            )
        },
        unchanged="id created_at updated_at",
        export=Export(
            file="profile",
            description="Your profile.",
            columns="id email email_verified first_name last_name language time_zone roles "
            "settings picture_id created_at updated_at",
        ),
        erased_at_closing=True,
    ),
)


class UserRow(msgspec.Struct):
    id: str
    email: str
    email_verified: bool
    first_name: str
    last_name: str
    language: str
    time_zone: str
    roles: list[str]
    settings: dict[str, Any]
    picture_id: str | None
    created_at: datetime
    updated_at: datetime


_u = users.c
_ALL = select(users)
_BY_ID = _ALL.where(_u.id == bindparam("user_id"))
_LOCK = _BY_ID.with_for_update(key_share=True)
_BY_EMAIL = _ALL.where(_u.email == bindparam("address"))
_LOCK_BY_EMAIL = _BY_EMAIL.with_for_update(key_share=True)
_BY_IDS = _ALL.where(_u.id.in_(bindparam("user_ids", expanding=True)))
_ANYBODY = select(_u.id).limit(1)
_INSERT = insert(users).on_conflict_do_nothing(index_elements=[_u.email]).returning(_u.id)
_UPDATE = (
    update(users)
    .where(_u.id == bindparam("user_id"))
    .values(
        email=bindparam("new_email"),
        email_verified=bindparam("new_email_verified"),
        first_name=bindparam("new_first_name"),
        last_name=bindparam("new_last_name"),
        language=bindparam("new_language"),
        time_zone=bindparam("new_time_zone"),
        roles=bindparam("new_roles"),
        settings=bindparam("new_settings"),
        picture_id=bindparam("new_picture_id"),
        updated_at=bindparam("new_updated_at"),
    )
)


def insert_user(tx: Queries, user: UserRow) -> bool:
    """Insert a user; False if the address is taken."""
    return tx.scalar(_INSERT, **msgspec.structs.asdict(user)) is not None


def find_user(tx: Queries, user_id: str) -> UserRow | None:
    return tx.one(UserRow, _BY_ID, user_id=user_id)


def lock_user(tx: Queries, user_id: str) -> UserRow | None:
    """Find the row and lock it against other changes until the commit."""
    return tx.one(UserRow, _LOCK, user_id=user_id)


def find_user_by_email(tx: Queries, email: str) -> UserRow | None:
    return tx.one(UserRow, _BY_EMAIL, address=email)


def lock_user_by_email(tx: Queries, email: str) -> UserRow | None:
    """Find the row and lock it, so that the address stays theirs until the commit."""
    return tx.one(UserRow, _LOCK_BY_EMAIL, address=email)


def is_empty(tx: Queries) -> bool:
    """Whether nobody has signed up yet."""
    return tx.scalar(_ANYBODY) is None


def list_users(tx: Queries, user_ids: list[str]) -> list[UserRow]:
    return tx.all(UserRow, _BY_IDS, user_ids=user_ids)


def update_user(tx: Queries, user: UserRow) -> None:
    tx.run(
        _UPDATE,
        user_id=user.id,
        new_email=user.email,
        new_email_verified=user.email_verified,
        new_first_name=user.first_name,
        new_last_name=user.last_name,
        new_language=user.language,
        new_time_zone=user.time_zone,
        new_roles=user.roles,
        new_settings=user.settings,
        new_picture_id=user.picture_id,
        new_updated_at=user.updated_at,
    )
