"""How long the addresses of unspent pincodes are kept."""

from datetime import datetime

from handlers.pincodes import pincodes
from storage import pincodes as store
from storage.engine import Queries


@pincodes.forgets(kept="pincodes_kept_s")
def forget_pincodes(tx: Queries, before: datetime, limit: int) -> int:
    """Forget expired pincodes soon: their addresses may be strangers'."""
    return store.forget_pincodes(tx, before, limit)
