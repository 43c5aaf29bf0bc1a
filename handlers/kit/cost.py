"""What a command may cost at most, and what one use of it did cost."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

KIB = 1_024


class Cost(NamedTuple):
    """The most that one use of a command takes, whoever asks and whatever is there.

    `reads` and `writes` are rows. `kept_kib` is the size of what it stores as events and as a kept
    answer, `answer_kib` that of its answer. A command that takes more is a bug: it is logged, and
    the test that saw it fails.
    """

    reads: int = 100
    writes: int = 50
    kept_kib: int = 64
    answer_kib: int = 64


class Metered(Protocol):
    """What a transaction knows of its own cost."""

    @property
    def rows_read(self) -> int: ...

    @property
    def rows_written(self) -> int: ...

    @property
    def bytes_kept(self) -> int: ...


@dataclass
class Spent:
    """What a command's transactions have cost so far, those that were undone too."""

    reads: int = 0
    writes: int = 0
    kept_bytes: int = 0

    def add(self, tx: Metered) -> None:
        self.reads += tx.rows_read
        self.writes += tx.rows_written
        self.kept_bytes += tx.bytes_kept

    def exceeds(self, cost: Cost, answer_bytes: int) -> bool:
        """Whether it is more than a command may take that answered with so many bytes."""
        rows = self.reads > cost.reads or self.writes > cost.writes
        sizes = self.kept_bytes > cost.kept_kib * KIB or answer_bytes > cost.answer_kib * KIB
        return rows or sizes
