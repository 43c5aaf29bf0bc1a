"""Which systems this installation serves, and what waits while a system is off.

All of them are loaded, so that the rows of one that is off are known: they can be exported and
erased, and what its consumers are to hear is kept. It has no namespace, no route, no page, and none
of its timers fires. Once it is on again, it goes on where it stopped.
"""

from collections.abc import Iterable

from handlers import SYSTEMS
from handlers.kit.contract import declared_events, stored_name
from handlers.kit.registry import PLATFORM

ALL = "all"


def served_systems(named: Iterable[str]) -> frozenset[str]:
    """The systems that these names stand for, with the platform; raises ValueError."""
    names = set(named)
    unknown = names - {ALL, *SYSTEMS}
    if unknown:
        known = ", ".join(system for system in SYSTEMS if system != PLATFORM)
        raise ValueError(f"{min(unknown)!r} is not a system; the systems are {known}")
    return frozenset(SYSTEMS if ALL in names else {PLATFORM, *names})


def systems_off(served: frozenset[str]) -> frozenset[str]:
    return frozenset(SYSTEMS) - served


def waiting_events(served: frozenset[str]) -> frozenset[str]:
    """What the events of systems that are off are stored as; a timer of one waits."""
    off = tuple(f"{system}." for system in systems_off(served))
    return frozenset(name for name in map(stored_name, declared_events()) if name.startswith(off))
