"""Charges each command for its work: rows, and bytes in and out.

Rates count uses. This counts what each use costs, so that a command that writes a thousand rows is
not as cheap as one that writes two. The cost is known only afterwards. So it is charged then, and a
user in debt waits before the next command.

Each instance counts only its own work.
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
    """Charges work to users and addresses on one instance."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def wait_of(self, actor: Actor | None, origin: Origin) -> float:
        """Seconds to wait before the next command; 0.0 without debt."""
        if not self._limits.on:
            return 0.0
        return self._limits.wait_of(*self._account(actor, origin))

    def charge(
        self, actor: Actor | None, origin: Origin, spent: Spent, payload: int, answer: int
    ) -> None:
        """Charge for a command; `payload` and `answer` are their sizes in bytes."""
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
