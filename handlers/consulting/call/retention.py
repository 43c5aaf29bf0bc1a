"""Retention of what calls measured."""

from datetime import datetime

from handlers.consulting.call import call
from storage.consulting.call import quality as store
from storage.engine.database import Queries


@call.forgets(kept="call_quality_kept_days")
def forget_quality(tx: Queries, before: datetime, limit: int) -> int:
    """Delete the quality of connections in old calls."""
    return store.forget_quality(tx, before, limit)
