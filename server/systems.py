"""Determines which systems this installation serves, and which events wait while one is off.

All systems are loaded, so that the rows of one that is off can be exported and erased, and its
consumers' deliveries are kept. It has no namespaces, routes or pages, and its timers do not fire.
When it is on again, it continues where it stopped.
"""

from collections.abc import Iterable

from handlers import SYSTEMS
from handlers.kit.contract import declared_events, stored_name
from handlers.kit.registry import PLATFORM

ALL = "all"


def served_systems(named: Iterable[str]) -> frozenset[str]:
    """The systems that these names select, and the platform; raises ValueError."""
    names = set(named)
    unknown = names - {ALL, *SYSTEMS}
    if unknown:
        known = ", ".join(system for system in SYSTEMS if system != PLATFORM)
        raise ValueError(f"{min(unknown)!r} is not a system; the systems are {known}")
    return frozenset(SYSTEMS if ALL in names else {PLATFORM, *names})


def systems_off(served: frozenset[str]) -> frozenset[str]:
    return frozenset(SYSTEMS) - served


def waiting_events(served: frozenset[str]) -> frozenset[str]:
    """The stored names of the events of systems that are off; their timers wait."""
    off = tuple(f"{system}." for system in systems_off(served))
    return frozenset(name for name in map(stored_name, declared_events()) if name.startswith(off))
