"""Ports for what tests start."""

import secrets
import socket

FIRST, LAST = 10_000, 32_000
"""Below those that systems give to whoever asks for any: nobody gets one by chance while what was
started on it is down for a moment."""


def free_port() -> int:
    """One that nobody has."""
    while True:
        port = FIRST + secrets.randbelow(LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
