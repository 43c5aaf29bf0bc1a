"""Counts what the server rejects before a handler sees it, and logs a summary once a minute.

A single rejection writes no log entry, because an attacker could cause any number of them. The
counts are in `/metrics`. The log shows each kind with its count, and no client data.
"""

import asyncio
from collections import Counter
from typing import Literal

import structlog

from rooms.tasks import Tasks
from server.telemetry import Metrics

log = structlog.get_logger("rejections")

SUMMARY_EVERY_S = 60.0
Kind = Literal[
    "tcp_connections",
    "connections",
    "visitors",
    "handshake_rate",
    "handshake",
    "request_rate",
    "entry_rate",
    "flood",
    "malformed_http",
    "malformed_packet",
    "encoded_body",
    "unexpected_body",
    "large_body",
    "slow_body",
]


class Rejections:
    """The rejections of one instance."""

    def __init__(self, metrics: Metrics) -> None:
        self._total = metrics.rejected
        self._since_summary: Counter[Kind] = Counter()
        self._tasks = Tasks()

    async def start(self) -> None:
        self._tasks.spawn(self._summarise())

    async def stop(self) -> None:
        await self._tasks.end()
        self.log_summary()

    def add(self, kind: Kind) -> None:
        self._total.labels(kind).inc()
        self._since_summary[kind] += 1

    def log_summary(self) -> None:
        """Log the counts since the last summary, if there are any."""
        if self._since_summary:
            log.warning("rejected", **dict(sorted(self._since_summary.items())))
            self._since_summary.clear()

    async def _summarise(self) -> None:
        while True:
            await asyncio.sleep(SUMMARY_EVERY_S)
            self.log_summary()
