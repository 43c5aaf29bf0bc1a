"""Serves one instance until it is told to stop."""

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import structlog

from server.app import App
from server.drain import Orders
from server.http_server import Listener
from server.interpreter import freeze_loaded_objects, shorten_thread_switches
from server.logs import log_loop_error

log = structlog.get_logger("app")


class FolderInUse(Exception):
    """Another instance serves from this data folder."""


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock the data folder, because SQLite allows one instance; raises FolderInUse."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUse(f"another instance already uses {folder}") from None
        yield


async def serve(app: App, orders: Orders) -> None:
    """Run one instance until `orders` end it; raises FolderInUse."""
    with nullcontext() if app.database.shared else lock_folder(app.settings.data_dir):
        await serve_alone(app, orders)


async def serve_alone(app: App, orders: Orders) -> None:
    listener = Listener(app.web, app.capacity, app.rejections)
    asyncio.get_running_loop().set_exception_handler(log_loop_error)
    try:
        await app.start()
        freeze_loaded_objects()
        shorten_thread_switches()
        environment = app.settings.environment
        await listener.start(environment.host, environment.port)
        for host, port in listener.addresses:
            log.info("serving", url=f"http://{host}:{port}")
        await orders.obey(app.drain)
    finally:
        await app.stop()
        await listener.stop()
