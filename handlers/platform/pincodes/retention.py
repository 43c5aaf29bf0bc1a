"""How long the addresses of unused pincodes are kept."""

from datetime import datetime

from handlers.platform.pincodes import pincodes
from storage.engine.database import Queries
from storage.platform import pincodes as store


@pincodes.forgets(kept="pincodes_kept_s")
def forget_pincodes(tx: Queries, before: datetime, limit: int) -> int:
    """Delete expired pincodes soon: their addresses may belong to people without an account."""
    return store.forget_pincodes(tx, before, limit)
