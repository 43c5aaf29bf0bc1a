"""The epoch: the identity of the database's sequence numbers, renewed by restoring a backup."""

from sqlalchemy import Column, Integer, String, Table, select
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import metadata
from storage.engine.database import Queries
from storage.engine.personal import not_personal

epochs = Table(
    "epochs",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", String(36), nullable=False),
    info=not_personal("id epoch"),
)

_insert = insert(epochs)
_MAKE = _insert.on_conflict_do_nothing(index_elements=[epochs.c.id])
_RENEW = _insert.on_conflict_do_update(
    index_elements=[epochs.c.id], set_={"epoch": _insert.excluded.epoch}
)
_GET = select(epochs.c.epoch)


def get_epoch(tx: Queries, fresh: str) -> str:
    """The epoch of this database; stores `fresh` if there is none yet."""
    tx.run(_MAKE, id=1, epoch=fresh)
    return str(tx.scalar(_GET))


def renew_epoch(tx: Queries, fresh: str) -> None:
    """Replace the epoch after a restore, which invalidates the sequence numbers of all clients."""
    tx.run(_RENEW, id=1, epoch=fresh)
