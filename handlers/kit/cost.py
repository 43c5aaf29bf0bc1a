"""The maximum cost that a command declares, and the measured cost of one use."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

KIB = 1_024


class Cost(NamedTuple):
    """The maximum cost of one use of a command, for any caller and any amount of data.

    `reads` and `writes` are rows. `kept_kib` is the size of the events and the answer that it
    stores, `answer_kib` the size of its answer. Exceeding a limit is a bug: it is logged, and the
    test in which it happens fails.
    """

    reads: int = 100
    writes: int = 50
    kept_kib: int = 64
    answer_kib: int = 64


class Metered(Protocol):
    """The cost counters of a transaction."""

    @property
    def rows_read(self) -> int: ...

    @property
    def rows_written(self) -> int: ...

    @property
    def bytes_kept(self) -> int: ...


@dataclass
class Spent:
    """The cost of a command's transactions so far, including those that were rolled back."""

    reads: int = 0
    writes: int = 0
    kept_bytes: int = 0

    def add(self, tx: Metered) -> None:
        self.reads += tx.rows_read
        self.writes += tx.rows_written
        self.kept_bytes += tx.bytes_kept

    def exceeds(self, cost: Cost, answer_bytes: int) -> bool:
        """Whether this is more than `cost` allows, for an answer of `answer_bytes`."""
        rows = self.reads > cost.reads or self.writes > cost.writes
        sizes = self.kept_bytes > cost.kept_kib * KIB or answer_bytes > cost.answer_kib * KIB
        return rows or sizes
