"""Plain functions that must run in a SERIALIZABLE transaction, such as those of a ledger.

READ COMMITTED with row locks is enough where a decision rests on rows that are locked. It is not
where it rests on what was read from several rows, or on rows that are not there yet: two
transactions may then each decide by what the other one is about to change.

Every transaction that writes what the decision rests on must be serializable, too: PostgreSQL
compares serializable ones with each other only. On SQLite all transactions are.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from storage.engine.database import Queries

F = TypeVar("F", bound=Callable[..., Any])


def serializable(work: F) -> F:
    """Declare that `work(tx, …)` runs in a SERIALIZABLE transaction, and in no other.

    `Context.transact` and the relay run a function that is declared so accordingly. It may be run
    again, several times, after collisions. In a transaction of another function, which is not
    declared so, it raises RuntimeError: the outermost function decides.
    """

    @wraps(work)
    def checked(tx: Queries, *args: Any, **kwargs: Any) -> Any:
        if not tx.serializable:
            raise RuntimeError(f"{work.__name__} needs a serializable transaction")
        return work(tx, *args, **kwargs)

    checked.is_serializable = True  # type: ignore[attr-defined]
    return cast(F, checked)


def is_serializable(work: Callable[..., Any]) -> bool:
    """Whether `work` is declared so; also for a `partial` of one that is."""
    while isinstance(work, partial):
        work = work.func
    return bool(getattr(work, "is_serializable", False))
