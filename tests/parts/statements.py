"""What SQLAlchemy compiles for one engine serves all engines of a test process.

A compiled statement belongs to an engine's cache and dialect. Each test starts servers of its own,
each with an engine, and would compile all its statements anew.
"""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import LRUCache

_compiled: Any = LRUCache(5_000)
_dialects: list[Any] = []


def create_sharing_engine(url: str, **options: Any) -> AsyncEngine:
    """`create_async_engine`, for servers of one version and with the same `options`."""
    made = create_async_engine(url, **options)
    engine = made.sync_engine
    engine._compiled_cache = _compiled
    if ready := next(filter(_knows_its_server, _dialects), None):
        engine.dialect = ready
    else:
        _dialects.append(engine.dialect)
    return made


def _knows_its_server(dialect: Any) -> bool:
    """Whether its engine was ever connected: a dialect asks the server what it can do."""
    return getattr(dialect, "server_version_info", None) is not None
