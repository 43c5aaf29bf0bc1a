"""The epoch: one name for this database's numbers, renewed when a backup is restored."""

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
    """This database's epoch; `fresh` becomes it when there is none yet."""
    tx.run(_MAKE, id=1, epoch=fresh)
    return str(tx.scalar(_GET))


def renew_epoch(tx: Queries, fresh: str) -> None:
    """After a restore: no client's numbers from before count any more."""
    tx.run(_RENEW, id=1, epoch=fresh)
