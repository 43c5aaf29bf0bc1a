"""Shares SQLAlchemy's compiled statements among all engines of a test process.

A compiled statement belongs to the cache and dialect of one engine. Each test starts its own
servers, each with an engine, which would compile all statements again.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache

_compiled: Any = LRUCache(5_000)
_dialects: list[Any] = []


def create_sharing_engine(url: str, **options: Any) -> AsyncEngine:
    """Like `create_async_engine`, for servers of the same version and with the same `options`."""
    made = create_async_engine(url, **options)
    engine = made.sync_engine
    engine._compiled_cache = _compiled
    if ready := next(filter(_knows_its_server, _dialects), None):
        engine.dialect = ready
    else:
        _dialects.append(engine.dialect)
    return made


def _knows_its_server(dialect: Any) -> bool:
    """Whether the dialect's engine ever connected, when it asks the server for its features."""
    return getattr(dialect, "server_version_info", None) is not None
