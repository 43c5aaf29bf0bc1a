"""`python -m tests.kit.probe_server` serves Parley as `run.py` does, with the probe's domains.

Tests use it to kill a real process. Backfill pages are small and slow.
"""

import asyncio
from unittest.mock import patch

from handlers.kit.registry import Registry, load_domains
from server import backfilling
from server.app import App
from server.settings import read_settings
from tests.kit import probe as probes

MORE = (probes.probe, probes.latecomer)


def load_with_probe(names: tuple[str, ...]) -> Registry:
    return Registry((*load_domains(names).domains, *MORE))


async def main() -> None:
    backfilling.PAGE_SIZE = 20
    backfilling.PAUSE_S = 0.05
    with patch("server.app.load_domains", load_with_probe):
        app = App(read_settings())
    await app.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
