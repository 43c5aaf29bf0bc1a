"""The waiting lists of blocks, with the offers to users on them."""

from datetime import datetime

import msgspec
from sqlalchemy import (
    Column,
    ForeignKey,
    String,
    Table,
    and_,
    bindparam,
    delete,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from storage.engine.columns import Instant, metadata
from storage.engine.database import Queries
from storage.engine.personal import DeleteRow, Export, personal

waiting_list = Table(
    "waiting_list",
    metadata,
    Column("block_id", String(36), ForeignKey("blocks.id"), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id"), primary_key=True, index=True),
    Column("joined_at", Instant, nullable=False),
    Column("offer_id", String(36)),
    Column("offer_expires_at", Instant),
    info=personal(
        on_erasure_of={"user_id": DeleteRow()},
        export=Export(
            file="waiting_lists",
            description="The waiting lists that you joined.",
            columns="block_id joined_at offer_expires_at",
        ),
        not_exported="user_id offer_id",
        erased_by="availability",
    ),
)


class WaitingRow(msgspec.Struct):
    """A user on the waiting list of a block; `offer_id` is the hold of their offer."""

    block_id: str
    user_id: str
    joined_at: datetime
    offer_id: str | None
    offer_expires_at: datetime | None


_w = waiting_list.c
_JOIN = insert(waiting_list)
_IN_BLOCK = _w.block_id == bindparam("of_block")
_WAITER = (_IN_BLOCK, _w.user_id == bindparam("of_user"))
_FIND_WAITING = select(waiting_list).where(*_WAITER)
_COUNT = select(func.count()).where(_IN_BLOCK)
_POSITION = _COUNT.where(
    or_(
        _w.joined_at < bindparam("joined_at"),
        and_(_w.joined_at == bindparam("joined_at"), _w.user_id <= bindparam("of_user")),
    )
)
_NEXT = (
    select(waiting_list)
    .where(_IN_BLOCK, _w.offer_id.is_(None))
    .order_by(_w.joined_at, _w.user_id)
    .limit(bindparam("limit"))
)
_OFFERED = (
    select(waiting_list)
    .where(_IN_BLOCK, _w.offer_id.is_not(None))
    .order_by(_w.joined_at, _w.user_id)
)
_OFFER = (
    update(waiting_list)
    .where(*_WAITER)
    .values(offer_id=bindparam("new_offer"), offer_expires_at=bindparam("new_expires_at"))
)
_LEAVE = delete(waiting_list).where(*_WAITER)
_OF_WAITER = (
    select(waiting_list).where(_w.user_id == bindparam("of_user")).limit(bindparam("limit"))
)
_CLOSE = (
    delete(waiting_list)
    .where(_IN_BLOCK, _w.offer_id.is_(None))
    .returning(_w.block_id, _w.user_id, _w.joined_at, _w.offer_id, _w.offer_expires_at)
)
_COUNT_WAITS = select(func.count()).where(_w.user_id == bindparam("of_user"))


def join_waiting_list(tx: Queries, row: WaitingRow) -> None:
    tx.run(_JOIN, **msgspec.structs.asdict(row))


def find_waiting(tx: Queries, block_id: str, user_id: str) -> WaitingRow | None:
    return tx.one(WaitingRow, _FIND_WAITING, of_block=block_id, of_user=user_id)


def count_waiting(tx: Queries, block_id: str) -> int:
    count: int = tx.scalar(_COUNT, of_block=block_id)
    return count


def get_position(tx: Queries, row: WaitingRow) -> int:
    """The position of a row on its waiting list, starting at 1."""
    position: int = tx.scalar(
        _POSITION, of_block=row.block_id, of_user=row.user_id, joined_at=row.joined_at
    )
    return position


def list_next(tx: Queries, block_id: str, limit: int) -> list[WaitingRow]:
    """The first rows on the waiting list without an offer, in order."""
    return tx.all(WaitingRow, _NEXT, of_block=block_id, limit=limit)


def list_offered(tx: Queries, block_id: str) -> list[WaitingRow]:
    """The rows with an offer, in order; never more than the block has places."""
    return tx.all(WaitingRow, _OFFERED, of_block=block_id)


def keep_offer(tx: Queries, row: WaitingRow) -> None:
    tx.run(
        _OFFER,
        of_block=row.block_id,
        of_user=row.user_id,
        new_offer=row.offer_id,
        new_expires_at=row.offer_expires_at,
    )


def leave_waiting_list(tx: Queries, block_id: str, user_id: str) -> bool:
    return tx.run(_LEAVE, of_block=block_id, of_user=user_id) == 1


def list_waits(tx: Queries, user_id: str, limit: int) -> list[WaitingRow]:
    """The rows of a user, at most `limit`."""
    return tx.all(WaitingRow, _OF_WAITER, of_user=user_id, limit=limit)


def count_waits(tx: Queries, user_id: str) -> int:
    """How many waiting lists a user is on."""
    return int(tx.scalar(_COUNT_WAITS, of_user=user_id))


def close_waiting_list(tx: Queries, block_id: str) -> list[WaitingRow]:
    """Delete and return the rows of a block that have no offer."""
    return tx.all(WaitingRow, _CLOSE, of_block=block_id)
