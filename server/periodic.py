"""Runs rounds of periodic work so that a failed round does not end it."""

from collections.abc import Awaitable

import structlog

from server.logs import where
from storage.engine.database import StorageUnavailable

log = structlog.get_logger("rounds")


async def run_job(work: Awaitable[object]) -> None:
    """Run one round and log its failure, such as an unavailable database or an invalid row."""
    try:
        await work
    except StorageUnavailable as error:
        log.warning("database_away", error=str(error))
    except Exception as raised:
        log.error("round_failed", error=type(raised).__name__, where=where(raised))
