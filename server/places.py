"""Finds the place of an IP address in a MaxMind database that the operator provides."""

import ipaddress
from pathlib import Path
from typing import Any

import maxminddb

from handlers.kit.visible import one_line


class Places:
    """Names the places of addresses; without a database, all are empty."""

    def __init__(self, file: str) -> None:
        self._reader = maxminddb.open_database(Path(file)) if file else None

    def find(self, address: str) -> str:
        """`Berlin, Germany`, `Germany`, or an empty string."""
        if self._reader is None:
            return ""
        try:
            found = self._reader.get(ipaddress.ip_address(address))
        except ValueError:
            return ""
        parts = (_name(found, "city"), _name(found, "country"))
        return ", ".join(part for part in parts if part)[:200]


def _name(found: Any, what: str) -> str:
    names = found.get(what, {}).get("names", {}) if isinstance(found, dict) else {}
    name = names.get("en", "")
    return one_line(name) if isinstance(name, str) else ""
