"""The record of a run: commands with their answers, displayed events, and violations."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Stream = tuple[str, str]
"""(namespace, room)"""


@dataclass(frozen=True)
class Violation:
    """A violation, with enough details to investigate it."""

    kind: str
    what: str


@dataclass
class Asked:
    """A changing command, which is repeated with the same ids until it is answered."""

    user_id: str
    namespace: str
    command: str
    payload: dict[str, Any]
    answers: list[dict[str, Any]] = field(default_factory=list)
    """Its answers; several if two devices sent it at once."""
    later: list[dict[str, Any]] = field(default_factory=list)
    """The answers to deliberate repeats, after the first answer."""

    @property
    def ok(self) -> bool:
        """Whether it succeeded; of two sent at once, the first may have been refused."""
        return any(answer["ok"] for answer in self.answers)

    @property
    def data(self) -> Any:
        return next(answer["data"] for answer in self.answers if answer["ok"])

    def __str__(self) -> str:
        return f"{self.namespace} {self.command} {self.payload} of {self.user_id}"


@dataclass(frozen=True)
class Event:
    """An event that a device displayed."""

    seq: int
    id: str
    name: str


@dataclass(frozen=True)
class Fetched:
    """The device fetched the state of a room, which includes everything up to this number."""

    seq: int


@dataclass(frozen=True)
class Out:
    """The device learned that its user no longer has the room."""


Entry = Event | Fetched | Out


@dataclass
class History:
    """What one device displayed, by stream, in order."""

    device: str
    user_id: str
    streams: dict[Stream, list[Entry]] = field(default_factory=dict)

    def note(self, stream: Stream, entry: Entry) -> None:
        self.streams.setdefault(stream, []).append(entry)


@dataclass
class Records:
    """The whole record of one run."""

    violations: list[Violation] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    histories: list[History] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def found(self, kind: str, what: str) -> None:
        self.violations.append(Violation(kind, what))

    def find_all(self, violations: Iterable[Violation]) -> None:
        self.violations.extend(violations)
