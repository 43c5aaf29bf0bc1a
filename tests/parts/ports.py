"""Finds ports for the processes that tests start."""

import secrets
import socket

FIRST, LAST = 10_000, 32_000
"""Below the ephemeral ports, so that no other process gets a port while its server restarts."""


def free_port() -> int:
    """A port that no process uses."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
