"""Work that is done again and again, whatever happens to one round of it."""

from collections.abc import Awaitable

import structlog

from server.logs import where
from storage.engine.database import StorageUnavailable

log = structlog.get_logger("rounds")


async def run_job(work: Awaitable[object]) -> None:
    """A round that failed is followed by the next: a database may be away, a row may be odd."""
    try:
        await work
    except StorageUnavailable as error:
        log.warning("database_away", error=str(error))
    except Exception as raised:
        log.error("round_failed", error=type(raised).__name__, where=where(raised))
