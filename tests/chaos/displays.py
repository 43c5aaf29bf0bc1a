"""Checks that every device displayed the stored events: each once, in order, none missing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from storage.platform.chat.members import Interval
from storage.platform.chat.messages import MessageRow
from tests.chaos.records import Entry, Event, Fetched, History, Out, Stream, Violation
from tests.chaos.shown import Shown
from tests.chaos.truth import Logged, Truth


@dataclass(frozen=True)
class Screen:
    """The final display of one device; `there` is whether it should be connected."""

    shown: Shown
    there: bool = True

    @property
    def history(self) -> History:
        return self.shown.history


def check_logs(truth: Truth) -> Iterator[Violation]:
    """The numbers of each stream increase by one."""
    for stream, log in truth.logs.items():
        numbers = [logged.seq for logged in log]
        if numbers != list(range(1, truth.heads[stream] + 1)):
            yield Violation("numbers with a gap", f"{stream}: {numbers}, {truth.heads[stream]}")


def check_histories(screens: Iterable[Screen], truth: Truth) -> Iterator[Violation]:
    """Each device displayed every event of its streams once, in order, up to the last."""
    for screen in screens:
        for stream, entries in screen.history.streams.items():
            log = {logged.seq: logged for logged in truth.logs.get(stream, [])}
            where = f"{screen.history.device} in {stream}"
            cursor = yield from _walk(where, entries, log)
            head = truth.heads.get(stream, 0)
            if screen.there and cursor is not None and cursor < head:
                missing = [log[n] for n in range(cursor + 1, head + 1) if n in log]
                yield Violation("acknowledged and lost", f"{where}: {brief(missing)} at the end")


def _walk(
    where: str, entries: list[Entry], log: dict[int, Logged]
) -> Iterator[Violation] | Any:  # returns the last number, None if the user left
    cursor: int | None = None
    for entry in entries:
        if isinstance(entry, Out):
            cursor = None
        elif isinstance(entry, Fetched):
            cursor = max(entry.seq, cursor or 0)
        else:
            yield from _compare(where, entry, log)
            yield from _follows(where, entry, cursor, log)
            cursor = entry.seq
    return cursor


def _compare(where: str, event: Event, log: dict[int, Logged]) -> Iterator[Violation]:
    logged = log.get(event.seq)
    if logged is None:
        yield Violation("shown and not stored", f"{where}: {event}")
    elif (logged.id, logged.name) != (event.id, event.name):
        yield Violation("shown and not stored", f"{where}: {event}, stored is {brief([logged])}")


def _follows(
    where: str, event: Event, cursor: int | None, log: dict[int, Logged]
) -> Iterator[Violation]:
    if cursor is None or event.seq == cursor + 1:
        return
    if event.seq == cursor:
        yield Violation("shown twice", f"{where}: {event}")
    elif event.seq < cursor:
        yield Violation("out of order", f"{where}: {event} after number {cursor}")
    else:
        missing = [log[n] for n in range(cursor + 1, event.seq) if n in log]
        yield Violation("acknowledged and lost", f"{where}: {brief(missing)} before {event}")


def brief(logged: list[Logged]) -> str:
    return ", ".join(f"{one.name} {one.seq} {one.id} {one.at:%H:%M:%S.%f}" for one in logged[:5])


def check_screens(screens: Iterable[Screen], truth: Truth) -> Iterator[Violation]:
    """The final display of each device matches the database.

    For the time before its user was added again, it shows the state that it received then.
    """
    by_conversation: dict[str, list[MessageRow]] = {}
    for row in truth.messages:
        by_conversation.setdefault(row.conversation_id, []).append(row)
    deleted_at = dict(_deletions(truth))
    for screen in screens:
        if not screen.there:
            continue
        for conversation_id in _conversations_of(screen.history.user_id, truth):
            intervals = truth.intervals(conversation_id, screen.history.user_id)
            rows = [r for r in by_conversation.get(conversation_id, []) if within(r.seq, intervals)]
            shown = screen.shown.chats.get(conversation_id, {})
            rows = [r for r in rows if r.seq >= intervals[-1].from_seq or r.id in shown]
            where = f"{screen.history.device} in conversation {conversation_id}"
            yield from _compare_messages(where, shown, rows, intervals, deleted_at)
        yield from _compare_bookings(screen, truth)
        yield from _compare_blocks(screen, truth)


def _conversations_of(user_id: str, truth: Truth) -> list[str]:
    """The conversations of which a user is a member now."""
    mine = [one for one in truth.members if one.user_id == user_id and one.to_seq is None]
    return [one.conversation_id for one in mine]


def within(seq: int, intervals: list[Interval]) -> bool:
    return any(
        one.from_seq <= seq and (one.to_seq is None or seq <= one.to_seq) for one in intervals
    )


def _deletions(truth: Truth) -> Iterator[tuple[str, int]]:
    for log in truth.logs.values():
        for logged in log:
            if logged.name == "MESSAGE_DELETED":
                yield logged.read()["message"]["id"], logged.seq


def _compare_messages(
    where: str,
    shown: dict[str, Any],
    rows: list[MessageRow],
    intervals: list[Interval],
    deleted_at: dict[str, int],
) -> Iterator[Violation]:
    stored = {row.id: row for row in rows}
    for message_id in stored.keys() - shown.keys():
        yield Violation("acknowledged and lost", f"{where}: message {message_id} is not shown")
    for message_id in shown.keys() - stored.keys():
        yield Violation("shown and not stored", f"{where}: message {message_id}")
    known = [message_id for message_id in shown if message_id in stored]
    if known != [row.id for row in rows if row.id in shown]:
        yield Violation("out of order", f"{where}: the messages are not in their order")
    for message_id in known:
        row, message = stored[message_id], shown[message_id]
        # A user does not learn of changes while they are not a member.
        changed_at = deleted_at.get(row.id, row.said_seq)
        told = within(changed_at, intervals)
        if told and (message["text"], message["deleted"]) != (row.text, row.deleted):
            yield Violation(
                "acknowledged and lost",
                f"{where}: message {message_id} shows {message['text'][:40]!r}, "
                f"stored is {row.text[:40]!r} (number {changed_at})",
            )


def _compare_bookings(screen: Screen, truth: Truth) -> Iterator[Violation]:
    user_id = screen.history.user_id
    if ("/booking", f"user:{user_id}") not in screen.history.streams:
        return
    for row in truth.bookings:
        if user_id not in (row.student_id, row.consultant_id):
            continue
        shown = screen.shown.bookings.get(row.id)
        if shown is None or (shown["status"], shown["version"]) != (row.status, row.version):
            told = shown and (shown["status"], shown["version"])
            what = f"booking {row.id} is {row.status, row.version}, shown is {told}"
            yield Violation("acknowledged and lost", f"{screen.history.device}: {what}")


def _compare_blocks(screen: Screen, truth: Truth) -> Iterator[Violation]:
    for pool in truth.pools:
        shown = screen.shown.blocks.get(pool.id)
        if shown is not None and shown["taken"] != pool.taken:
            what = f"block {pool.id} has {pool.taken} taken, shown are {shown['taken']}"
            yield Violation("acknowledged and lost", f"{screen.history.device}: {what}")


def streams_behind(screens: Iterable[Screen], heads: dict[Stream, int]) -> list[str]:
    """Streams in which a connected device has not received the last event yet."""
    behind = []
    for screen in screens:
        for stream, entries in screen.history.streams.items() if screen.there else ():
            last = entries[-1]
            if not isinstance(last, Out) and last.seq < heads.get(stream, 0):
                behind.append(f"{screen.history.device} in {stream}: {last.seq}")
    return behind
