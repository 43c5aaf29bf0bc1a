"""Marks functions that must run in a SERIALIZABLE transaction, such as those of a ledger.

READ COMMITTED with row locks is enough if a decision depends only on locked rows. It is not enough
if the decision depends on a query over several rows, or on the absence of rows: each of two
transactions may then decide from data that the other is about to change.

Every transaction that writes such data must be serializable too, because PostgreSQL checks
serializable transactions only against each other. On SQLite all transactions are serializable.
"""

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

from storage.engine.database import Queries

F = TypeVar("F", bound=Callable[..., Any])


def serializable(work: F) -> F:
    """Declare that `work(tx, …)` must run in a SERIALIZABLE transaction.

    `Context.transact` and the relay start such a transaction for it. The function may run several
    times, after collisions. The outermost function decides: called in a transaction that is not
    serializable, `work` raises RuntimeError.
    """

    @wraps(work)
    def checked(tx: Queries, *args: Any, **kwargs: Any) -> Any:
        if not tx.serializable:
            raise RuntimeError(f"{work.__name__} needs a serializable transaction")
        return work(tx, *args, **kwargs)

    checked.is_serializable = True  # type: ignore[attr-defined]
    return cast(F, checked)


def is_serializable(work: Callable[..., Any]) -> bool:
    """Whether `work`, or the function of a `partial`, is declared serializable."""
    while isinstance(work, partial):
        work = work.func
    return bool(getattr(work, "is_serializable", False))
