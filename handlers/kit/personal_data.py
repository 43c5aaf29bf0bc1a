"""What domains do about personal data, declared on them; the platform runs it for an account.

An account is **planned** to be deleted, and some weeks later **closed** and **erased**, unless its
owner **restores** it in between. An **export** gives its owner all that is kept of them. Tables
declare what becomes of their rows by themselves (`storage/engine/personal.py`). Beside its code
(`handlers/<system>/<domain>/personal.py`), a domain declares what more there is to do:

    @booking.personal_data.erase(Stage.AGREEMENTS)
    def call_off_bookings(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
        "Cancel what is still to come."

All of it runs also for a domain that is not served: what it kept is still personal data.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

import msgspec

from handlers.kit.kept_json import KeptClasses, Steps
from handlers.kit.transaction import Transaction
from handlers.kit.uniqueness import WrongDeclaration

F = TypeVar("F", bound=Callable[..., Any])
Rows = list[dict[str, Any]]


class Stage(IntEnum):
    """The order in which steps run.

    Within a stage, domains go in the order of the table of contents, and a domain's steps in the
    order in which they are declared.
    """

    AGREEMENTS = 1
    """What others count on, such as bookings."""
    REQUESTS = 2
    """What the person waits for, such as places in lines."""
    CONTENT = 3
    """What they wrote, and where they took part."""
    FILES = 4
    """What they uploaded, once nothing refers to it any more."""
    ROWS = 5
    """What the declarations of tables say."""
    COPIES = 6
    """What others were told of them and is kept."""


OfAccount = Callable[[Transaction, str], None]
"""Does all that there is to do, in the transaction that it is given, for the user of this id."""
Withdraw = Callable[[Transaction, str, int], int]
"""Calls off at most `limit` things of a user; how many, 0 when there are none left."""
Erase = Callable[[Transaction, str, str, int], str | None]
"""Erases at most `limit` things of a user after what it answered last ("" at first).

Gives where to go on, None at the end. It may be run again, from anywhere: it must find by itself
what is left."""
ListRows = Callable[[Transaction, str, str, int], tuple[Rows, str | None]]
"""A page of a user's rows for an export after what it answered last, and where to go on."""


class ExportedFile(NamedTuple):
    """A file of an export: its path there, and the key of the object with its content."""

    path: str
    key: str


ListFiles = Callable[[Transaction, str, str, int], tuple[list[ExportedFile], str | None]]


@dataclass(frozen=True)
class Step:
    """A part of a withdrawal or an erasure, under a name that events keep."""

    name: str
    stage: Stage
    run: Callable[..., Any]


@dataclass(frozen=True)
class ExportedRows:
    """A JSON file of an export that a domain writes, beside those of its tables."""

    file: str
    description: str
    list_page: ListRows


@dataclass(frozen=True)
class ExportedFiles:
    """Files of an export; `count` says how many of a user there are, for its progress."""

    count: Callable[[Transaction, str], int]
    list_page: ListFiles


def more(done: int, limit: int) -> str | None:
    """What a step answers that finds by itself what is left: it is done when it did too few."""
    return "more" if done >= limit else None


@dataclass
class PersonalData:
    """What one domain declares."""

    planned: list[OfAccount] = field(default_factory=list)
    restored: list[OfAccount] = field(default_factory=list)
    holds: list[Callable[[Transaction, str], bool]] = field(default_factory=list)
    closing: list[OfAccount] = field(default_factory=list)
    closed: list[OfAccount] = field(default_factory=list)
    withdrawals: list[tuple[Stage, Withdraw]] = field(default_factory=list)
    erasures: list[tuple[Stage, Erase]] = field(default_factory=list)
    exported_rows: list[ExportedRows] = field(default_factory=list)
    exported_files: list[ExportedFiles] = field(default_factory=list)
    dropped_files: list[Callable[[Transaction, str, list[str]], None]] = field(default_factory=list)
    related_ids: list[Callable[[Transaction, str], Collection[str]]] = field(default_factory=list)

    def on_planned(self, run: F) -> F:
        """Register what happens in the transaction that plans a deletion: `run(tx, user_id)`."""
        self.planned.append(run)
        return run

    def on_restored(self, run: F) -> F:
        """Register what happens in the transaction that takes it back: `run(tx, user_id)`."""
        self.restored.append(run)
        return run

    def withdraw(self, stage: Stage) -> Callable[[F], F]:
        """Register what is called off in pages once a deletion is planned (`Withdraw`)."""

        def register(run: F) -> F:
            self.withdrawals.append((stage, run))
            return run

        return register

    def hold_erasure(self, run: F) -> F:
        """Register what an erasure has to wait for: `run(tx, user_id)` is true as long as it does.

        It is looked at when the account is due and then once a day; meanwhile the owner may still
        restore the account.
        """
        self.holds.append(run)
        return run

    def on_closing(self, run: F) -> F:
        """Register what happens as the account is closed: `run(tx, user_id)`.

        The user's own row, address and ways to sign in are still there.
        """
        self.closing.append(run)
        return run

    def on_closed(self, run: F) -> F:
        """Register the same for when they are gone, in the same transaction."""
        self.closed.append(run)
        return run

    def erase(self, stage: Stage) -> Callable[[F], F]:
        """Register what is erased in pages once the account is closed (`Erase`)."""

        def register(run: F) -> F:
            self.erasures.append((stage, run))
            return run

        return register

    def export_rows(self, file: str, description: str) -> Callable[[F], F]:
        """Register a JSON file of an export: `ListRows`, and what the README says of it."""

        def register(run: F) -> F:
            self.exported_rows.append(ExportedRows(file, description, run))
            return run

        return register

    def export_files(self, count: Callable[[Transaction, str], int]) -> Callable[[F], F]:
        """Register files of an export: `ListFiles`, and how many there are."""

        def register(run: F) -> F:
            self.exported_files.append(ExportedFiles(count, run))
            return run

        return register

    def on_files_dropped(self, run: F) -> F:
        """Register what forgets uploads that go with their owner: `run(tx, user_id, upload_ids)`.

        It runs in the transaction that drops them, so that nothing refers to a dropped one.
        """
        self.dropped_files.append(run)
        return run

    def find_related_ids(self, run: F) -> F:
        """Register other ids under which kept JSON has personal fields of somebody.

        `run(tx, user_id)` gives those of things that only this person named, such as groups.
        """
        self.related_ids.append(run)
        return run


class AllPersonalData:
    """What all domains declare, in the order in which it runs.

    `answers` are the views of commands by `<namespace> <command>`, `steps` the classes of what
    their steps give, `cards` the views of cards by kind.
    Raises WrongDeclaration when two steps or files have one name.
    """

    def __init__(
        self,
        domains: Iterable[tuple[str, PersonalData]],
        answers: Mapping[str, Any],
        cards: Mapping[str, type[msgspec.Struct]],
        steps: Mapping[str, Steps] | None = None,
    ) -> None:
        named = list(domains)
        parts = [part for _, part in named]
        self.planned = [one for part in parts for one in part.planned]
        self.restored = [one for part in parts for one in part.restored]
        self.holds = [one for part in parts for one in part.holds]
        self.closing = [one for part in parts for one in part.closing]
        self.closed = [one for part in parts for one in part.closed]
        self.withdrawals = _in_order((name, part.withdrawals) for name, part in named)
        self.erasures = _in_order((name, part.erasures) for name, part in named)
        self.exported_rows = [one for part in parts for one in part.exported_rows]
        self.exported_files = [one for part in parts for one in part.exported_files]
        self.dropped_files = [one for part in parts for one in part.dropped_files]
        self._related_ids = [one for part in parts for one in part.related_ids]
        _check_unique("file of an export", (one.file for one in self.exported_rows))
        self.kept = KeptClasses(answers, cards, steps)

    def find_related_ids(self, tx: Transaction, user_id: str) -> set[str]:
        """All ids under which kept JSON has personal fields of this person, but their own."""
        return {one for find in self._related_ids for one in find(tx, user_id)}


def _in_order(declared: Iterable[tuple[str, list[tuple[Stage, Any]]]]) -> dict[str, Step]:
    """By name, all steps in the order in which they run."""
    steps = [
        Step(f"{domain}.{run.__name__}", stage, run)
        for domain, found in declared
        for stage, run in found
    ]
    _check_unique("step", (step.name for step in steps))
    return {step.name: step for step in sorted(steps, key=lambda step: step.stage)}


def _check_unique(what: str, names: Iterator[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise WrongDeclaration(f"two domains declare the {what} {name}")
        seen.add(name)
