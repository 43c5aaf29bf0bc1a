"""Users' settings for reminders and calendars."""

import msgspec
from sqlalchemy import Boolean, Column, ForeignKey, Integer, String, Table, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

calendar_settings = Table(
    "calendar_settings",
    metadata,
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True),
    Column("remind_day", Boolean, nullable=False),
    Column("remind_hour", Boolean, nullable=False),
    Column("remind_minutes", Boolean, nullable=False),
    Column("feed_serial", Integer, nullable=False),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="reminders",
            description="Which reminders of bookings you get.",
            columns="remind_day remind_hour remind_minutes",
        ),
        not_exported="user_id feed_serial",
    ),
)


class SettingsRow(msgspec.Struct):
    """A user's settings; a new `feed_serial` makes the address of the calendar invalid."""

    user_id: str
    remind_day: bool = True
    remind_hour: bool = True
    remind_minutes: bool = True
    feed_serial: int = 1


_INSERT = insert(calendar_settings)
_KEEP = _INSERT.on_conflict_do_update(
    index_elements=[calendar_settings.c.user_id],
    set_={
        column.name: _INSERT.excluded[column.name]
        for column in calendar_settings.columns
        if column.name != "user_id"
    },
)
_FIND = select(calendar_settings).where(calendar_settings.c.user_id == bindparam("of_user"))


def find_settings(tx: Queries, user_id: str) -> SettingsRow:
    """A user's settings, or the defaults."""
    return tx.one(SettingsRow, _FIND, of_user=user_id) or SettingsRow(user_id)


def keep_settings(tx: Queries, row: SettingsRow) -> None:
    tx.run(_KEEP, **msgspec.structs.asdict(row))
