"""Checks that acknowledged changes of messages and group members happened exactly once."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from tests.chaos.records import Asked, Violation
from tests.chaos.truth import Truth

POSSIBLE = {"NOT_FOUND", "CONFLICT", "WRONG_STATE", "BLOCK_FULL", "OVERLAPS"}
"""The refusals that may occur in a run."""
EVENT_OF = {
    "send": "MESSAGE_SENT",
    "edit": "MESSAGE_EDITED",
    "delete": "MESSAGE_DELETED",
    "remove_member": "MEMBER_REMOVED",
}


def check_answers(asked: Iterable[Asked]) -> Iterator[Violation]:
    """Every command has an answer, a possible one, and the same one for repeats."""
    for one in asked:
        if not one.answers:
            yield Violation("not answered", str(one))
        for answer in [*one.answers, *one.later]:
            if not answer["ok"] and answer["error"]["code"] not in POSSIBLE:
                yield Violation("answered in error", f"{one}: {answer['error']}")
        yield from _check_repeats(one)


def _check_repeats(one: Asked) -> Iterator[Violation]:
    """A refusal uses up no request id, so it may precede the stored answer but not follow it."""
    for answer in one.later:
        if not answer["ok"]:
            yield Violation("two answers", f"{one}: first done, then {answer['error']}")
    kept = [essence(a["data"]) for a in [*one.answers, *one.later] if a["ok"]]
    if any(answer != kept[0] for answer in kept):
        yield Violation("two answers", f"{one}: {kept}")


def essence(data: Any) -> Any:
    """The constant part of an answer: a repeated answer shows that a message was deleted."""
    return (data["id"], data["seq"]) if "client_id" in data else data


def check_messages(asked: Iterable[Asked], truth: Truth) -> Iterator[Violation]:
    """A sent message is stored once, as acknowledged; a refused one is not stored."""
    rows = Counter((r.conversation_id, r.sender_id, r.client_id) for r in truth.messages)
    by_id = {row.id: row for row in truth.messages}
    for one in asked:
        if (one.namespace, one.command) != ("/chat", "send"):
            continue
        key = (one.payload["conversation_id"], one.user_id, one.payload["client_id"])
        if rows[key] != one.ok:
            kind = "acknowledged and lost" if one.ok else "refused and done"
            yield Violation(kind, f"{one}: stored {rows[key]} times")
        elif one.ok:
            row = by_id.get(one.data["id"])
            if row is None or row.seq != one.data["seq"]:
                yield Violation("acknowledged and lost", f"{one}: {one.data['id']} is not there")


def check_changes(asked: Iterable[Asked], truth: Truth) -> Iterator[Violation]:
    """Each acknowledged change caused one event, and there are no others."""
    wanted = Counter(
        (EVENT_OF[one.command], _subject(one))
        for one in asked
        if one.namespace == "/chat" and one.command in EVENT_OF and one.ok
    )
    found: Counter[tuple[str, str]] = Counter()
    for (namespace, room), log in truth.logs.items():
        if namespace == "/chat" and room.startswith("chat:"):
            found.update(
                (logged.name, _subject_of_event(room, logged.read()))
                for logged in log
                if logged.name in EVENT_OF.values()
            )
    for what in wanted.keys() | found.keys():
        if wanted[what] > found[what]:
            counts = f"acknowledged {wanted[what]} times, stored {found[what]} times"
            yield Violation("acknowledged and lost", f"{what}: {counts}")
        elif wanted[what] < found[what]:
            counts = f"acknowledged {wanted[what]} times, stored {found[what]} times"
            yield Violation("done twice", f"{what}: {counts}")


def _subject(one: Asked) -> str:
    if one.command == "remove_member":
        return f"{one.payload['conversation_id']} {one.payload['user_id']}"
    return str(one.data["id"])


def _subject_of_event(room: str, data: Any) -> str:
    if "user_id" in data:
        return f"{room.removeprefix('chat:')} {data['user_id']}"
    return str(data["message"]["id"])


def check_undone(truth: Truth) -> Iterator[Violation]:
    """Consumers have processed all deliveries."""
    for one in truth.undone:
        yield Violation("left undone", str(one))


def check_told(truth: Truth) -> Iterator[Violation]:
    """Messages and members match the last event about them."""
    last: dict[str, Any] = {}
    inside: dict[tuple[str, str], list[tuple[int, int | None]]] = {}
    for (namespace, room), log in truth.logs.items():
        if namespace != "/chat" or not room.startswith("chat:"):
            continue
        for logged in log:
            data = logged.read()
            if "message" in data:
                last[data["message"]["id"]] = data["message"]
            if logged.name in ("CONVERSATION_OPENED", "MEMBER_ADDED"):
                opened = logged.name == "CONVERSATION_OPENED"
                for user_id in data["conversation"]["member_ids"] if opened else [data["user_id"]]:
                    inside.setdefault((room, user_id), []).append((logged.seq, None))
            elif logged.name == "MEMBER_REMOVED":
                times = inside.setdefault((room, data["user_id"]), [(0, None)])
                times[-1] = (times[-1][0], logged.seq)
    yield from _compare_rows(last, truth)
    yield from _compare_members(inside, truth)


def _compare_rows(last: dict[str, Any], truth: Truth) -> Iterator[Violation]:
    for row in truth.messages:
        told = last.get(row.id)
        if told is None or (told["text"], told["deleted"]) != (row.text, row.deleted):
            yield Violation("stored and not told", f"message {row.id}")


def _compare_members(
    inside: dict[tuple[str, str], list[tuple[int, int | None]]], truth: Truth
) -> Iterator[Violation]:
    for (room, user_id), times in inside.items():
        stored = truth.intervals(room.removeprefix("chat:"), user_id)
        if times != [(one.from_seq, one.to_seq) for one in stored]:
            yield Violation("stored and not told", f"{user_id} in {room}: {times}, not {stored}")
