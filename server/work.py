"""Charges each command for the work that it made: rows, and bytes in and out.

Rates count uses; this counts what the uses cost, so that one command that writes a thousand rows is
not as cheap as one that writes two. The price is known only when the work is done. So it is charged
then, and whoever is in debt waits before their next command.

Each instance counts for itself, since it is this instance that works.
"""

from handlers.kit.cost import Spent
from handlers.kit.kernel import Actor, Origin
from handlers.kit.networks import network_of
from server.limits import Limits

WRITES_PER_UNIT = 5
READS_PER_UNIT = 100
ANSWER_BYTES_PER_UNIT = 8_192
WRITTEN_BYTES_PER_UNIT = 4_096


class Work:
    """One an instance."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def wait_of(self, actor: Actor | None, origin: Origin) -> float:
        """Seconds to wait before the next command; 0.0 for who owes nothing."""
        if not self._limits.on:
            return 0.0
        return self._limits.wait_of(*self._account(actor, origin))

    def charge(
        self, actor: Actor | None, origin: Origin, spent: Spent, payload: int, answer: int
    ) -> None:
        """Charge for a command whose payload and answer have so many bytes."""
        if not self._limits.on:
            return
        self._limits.charge(*self._account(actor, origin), units_of(spent, payload, answer))

    def _account(self, actor: Actor | None, origin: Origin) -> tuple[str, str]:
        if actor is not None:
            return "work", actor.id
        return "work_of_visitors", network_of(origin.address)


def units_of(spent: Spent, payload: int, answer: int) -> float:
    return (
        spent.writes / WRITES_PER_UNIT
        + spent.reads / READS_PER_UNIT
        + (payload + spent.kept_bytes) / WRITTEN_BYTES_PER_UNIT
        + answer / ANSWER_BYTES_PER_UNIT
    )
