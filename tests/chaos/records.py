"""What is noted down during a run: what was asked and answered, what was shown, what is wrong."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Stream = tuple[str, str]
"""(namespace, room)"""


@dataclass(frozen=True)
class Violation:
    """Something that must not be, with enough to look for it."""

    kind: str
    what: str


@dataclass
class Asked:
    """A changing command, sent again with the same ids until it had an answer."""

    user_id: str
    namespace: str
    command: str
    payload: dict[str, Any]
    answers: list[dict[str, Any]] = field(default_factory=list)
    """Several when it was asked by two devices at once."""
    later: list[dict[str, Any]] = field(default_factory=list)
    """Those of deliberate repeats, after it was answered."""

    @property
    def ok(self) -> bool:
        """Whether it was done; of two that were asked at once the first may have been refused."""
        return any(answer["ok"] for answer in self.answers)

    @property
    def data(self) -> Any:
        return next(answer["data"] for answer in self.answers if answer["ok"])

    def __str__(self) -> str:
        return f"{self.namespace} {self.command} {self.payload} of {self.user_id}"


@dataclass(frozen=True)
class Event:
    """An event that a device showed."""

    seq: int
    id: str
    name: str


@dataclass(frozen=True)
class Fetched:
    """The device fetches the state of a room afresh: it will have all up to this number."""

    seq: int


@dataclass(frozen=True)
class Out:
    """The device learned that the room is not its person's any more."""


Entry = Event | Fetched | Out


@dataclass
class History:
    """What one device showed, stream by stream, in the order in which it did."""

    device: str
    user_id: str
    streams: dict[Stream, list[Entry]] = field(default_factory=dict)

    def note(self, stream: Stream, entry: Entry) -> None:
        self.streams.setdefault(stream, []).append(entry)


@dataclass
class Records:
    """All notes of one run."""

    violations: list[Violation] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    histories: list[History] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def found(self, kind: str, what: str) -> None:
        self.violations.append(Violation(kind, what))

    def find_all(self, violations: Iterable[Violation]) -> None:
        self.violations.extend(violations)
