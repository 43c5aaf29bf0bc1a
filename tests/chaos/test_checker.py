"""The checker reports lost, duplicate, unordered and double-booked items, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from storage.consulting.booking import BookingRow
from storage.events.holds import Hold
from storage.platform.chat.members import Interval
from storage.platform.chat.messages import MessageRow
from tests.chaos.checker import check, check_flaps, check_held, check_presence
from tests.chaos.displays import Screen
from tests.chaos.numbers import Numbers
from tests.chaos.records import Asked, Event, Fetched, History, Out, Records
from tests.chaos.shown import Shown
from tests.chaos.truth import Logged, Pool, Truth

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
CHAT = ("/chat", "chat:c")
HERS = ("/booking", "user:ana")
BLOCKS = ("/availability", "consultant:clara")


def said(number: int, text: str = "hello", *, deleted: bool = False) -> dict[str, Any]:
    """A message as clients get it, with the number of its event."""
    return {
        "id": f"m{number}",
        "conversation_id": "c",
        "seq": number,
        "client_id": f"client {number}",
        "text": text,
        "deleted": deleted,
    }


def row_of(message: dict[str, Any]) -> MessageRow:
    empty = ("card_kind", "card_id", "card_data", "edited_at", "reply_to", "mentions", "preview")
    rest = dict.fromkeys(one for one in empty if one in MessageRow.__struct_fields__)
    kept = {"said_seq": message["seq"], "sender_id": "ana", "kind": "text", "sent_at": NOON}
    return MessageRow(**message, **kept, **rest)


def booking(booking_id: str, student: str = "ana", status: str = "requested") -> BookingRow:
    return BookingRow(
        id=booking_id,
        student_id=student,
        consultant_id="clara",
        topic_id="t",
        topic_name="T",
        block_id="b",
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=1),
        status=status,
        note="",
        reason=None,
        rate_amount=1,
        rate_currency="EUR",
        minimal_duration_minutes=1,
        hold_expires_at=None,
        version=1,
        created_at=NOON,
        call_held=False,
        terms=None,
        fee_percent=0,
        student_came_at=None,
        consultant_came_at=None,
    )


def logged(stream: tuple[str, str], seq: int, name: str, **data: Any) -> Logged:
    text = msgspec.json.encode(data).decode()
    return Logged("|".join(stream), seq, f"e{seq}", name, NOON, text)


def view_of(row: BookingRow) -> dict[str, Any]:
    return {"id": row.id, "status": row.status, "version": row.version}


def done(user_id: str, namespace: str, command: str, data: Any, **payload: Any) -> Asked:
    return Asked(user_id, namespace, command, payload, [{"ok": True, "data": data}])


class Story:
    """Ana and Ben have a conversation; Ana sent three messages and booked Clara's only place."""

    def __init__(self) -> None:
        messages = [said(2), said(3), said(4)]
        opened = {"conversation": {"member_ids": ["ana", "ben"]}, "user_id": "ana"}
        log = [logged(CHAT, 1, "CONVERSATION_OPENED", **opened)]
        log += [logged(CHAT, m["seq"], "MESSAGE_SENT", message=m) for m in messages]
        booked = booking("k1")
        hold = Hold("b", "k1", "booking", "ana", NOON, None)
        requested = logged(HERS, 1, "BOOKING_REQUESTED", booking=view_of(booked))
        counted = {"id": "b", "taken": 1, "max_calls": 1}
        self.truth = Truth(
            logs={
                CHAT: log,
                HERS: [requested],
                BLOCKS: [logged(BLOCKS, 1, "AVAILABILITY_UPDATED", block=counted)],
            },
            heads={CHAT: 4, HERS: 1, BLOCKS: 1},
            messages=[row_of(message) for message in messages],
            members=[Interval("c", "ana", 1, None), Interval("c", "ben", 1, None)],
            bookings=[booked],
            pools=[Pool("b", 1, 1)],
            holds=[hold],
        )
        here = {"conversation_id": "c"}
        self.asked = [
            done("ana", "/chat", "send", m, **here, client_id=m["client_id"], text=m["text"])
            for m in messages
        ]
        self.asked.append(done("ana", "/booking", "request", view_of(booked), block_id="b"))
        self.found = Records()
        self.shown = Shown(History("Ben's telephone", "ben"), self.found.found)
        for one in log:
            self.hear(one)

    def hear(self, one: Logged) -> None:
        """Display an event on Ben's phone."""
        event = Event(one.seq, one.id, one.name)
        self.shown.show(CHAT, event, msgspec.json.decode(one.data))

    @property
    def entries(self) -> list[Any]:
        return self.shown.history.streams[CHAT]

    @property
    def messages(self) -> dict[str, Any]:
        return self.shown.chats["c"]

    def kinds(self) -> set[str]:
        """The kinds of violations that the checker finds."""
        screens = [Screen(self.shown)]
        found = [*self.found.violations, *check(self.asked, screens, self.truth)]
        return {violation.kind for violation in found}


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_consistent_run_has_no_violations(story):
    assert story.kinds() == set()


def test_a_skipped_event_is_reported_as_lost(story):
    del story.entries[2]
    assert story.kinds() == {"acknowledged and lost"}


def test_a_missing_last_event_is_reported_as_lost(story):
    del story.entries[-1]
    del story.messages["m4"]
    assert story.kinds() == {"acknowledged and lost"}


def test_a_message_that_is_not_displayed_is_reported_as_lost(story):
    del story.messages["m3"]
    assert story.kinds() == {"acknowledged and lost"}


def test_a_disconnected_device_may_miss_the_last_events(story):
    del story.entries[-1]
    del story.messages["m4"]
    away = [Screen(story.shown, there=False)]
    assert list(check(story.asked, away, story.truth)) == []


def test_an_acknowledged_message_that_is_not_stored_is_reported_as_lost(story):
    story.truth.messages.pop()
    assert "acknowledged and lost" in story.kinds()


def test_a_refused_message_that_is_stored_is_reported(story):
    story.asked[0].answers = [{"ok": False, "error": {"code": "NOT_FOUND"}}]
    assert "refused and done" in story.kinds()


def test_a_message_stored_twice_is_reported(story):
    again = msgspec.structs.replace(story.truth.messages[0], id="m9", seq=9)
    story.truth.messages.append(again)
    assert "acknowledged and lost" in story.kinds()  # its number is not the acknowledged one


def test_a_repeated_event_is_reported_as_shown_twice(story):
    story.hear(story.truth.logs[CHAT][-1])
    assert story.kinds() == {"shown twice"}


def test_swapped_events_are_reported_as_out_of_order(story):
    story.entries[2], story.entries[3] = story.entries[3], story.entries[2]
    assert "out of order" in story.kinds()


def test_swapped_messages_are_reported_as_out_of_order(story):
    story.messages["m2"] = story.messages.pop("m2")
    assert story.kinds() == {"out of order"}


def test_a_displayed_event_that_is_not_stored_is_reported(story):
    story.hear(logged(CHAT, 5, "MESSAGE_SENT", message=said(5)))
    assert story.kinds() == {"shown and not stored"}


def test_a_change_that_is_not_displayed_is_reported_as_lost(story):
    story.truth.messages[0].text = "changed"
    edited = said(2, "changed")
    story.truth.logs[CHAT].append(logged(CHAT, 5, "MESSAGE_EDITED", message=edited))
    story.truth.heads[CHAT] = 5
    story.truth.messages[0].said_seq = 5
    story.asked.append(done("ana", "/chat", "edit", edited, message_id="m2"))
    assert story.kinds() == {"acknowledged and lost"}
    story.hear(story.truth.logs[CHAT][-1])
    assert story.kinds() == set()


def test_a_repeated_change_is_reported(story):
    for seq in (5, 6):
        event = logged(CHAT, seq, "MESSAGE_EDITED", message=said(2, "changed"))
        story.truth.logs[CHAT].append(event)
        story.hear(event)
    story.truth.heads[CHAT] = 6
    story.truth.messages[0].text, story.truth.messages[0].said_seq = "changed", 6
    story.asked.append(done("ana", "/chat", "edit", said(2, "changed"), message_id="m2"))
    assert story.kinds() == {"done twice"}


def test_messages_during_an_absence_need_not_be_displayed(story):
    story.truth.members[1:] = [Interval("c", "ben", 1, 2), Interval("c", "ben", 4, None)]
    story.truth.logs[CHAT][2:2] = []
    story.entries[2:3] = [Out()]
    del story.messages["m3"]
    assert story.kinds() == {"stored and not told"}  # no event removed or added Ben


def test_a_fetched_state_replaces_its_events(story):
    story.entries[1:3] = [Fetched(3)]
    assert story.kinds() == set()


@pytest.mark.parametrize(
    "answers",
    [[], [{"ok": False, "error": {"code": "INTERNAL"}}], [{"ok": False, "error": {"code": "?"}}]],
)
def test_a_command_without_a_valid_answer_is_reported(story, answers):
    story.asked.append(Asked("ana", "/chat", "mark_read", {}, answers))
    assert len(story.kinds()) == 1


def test_a_different_answer_to_a_repeat_is_reported(story):
    story.asked[-1].later = [{"ok": True, "data": view_of(booking("k2"))}]
    assert story.kinds() == {"two answers"}
    story.asked[-1].later = [{"ok": False, "error": {"code": "BLOCK_FULL"}}]
    assert story.kinds() == {"two answers"}


def test_a_refusal_before_the_stored_answer_is_allowed(story):
    story.asked[-1].answers.insert(0, {"ok": False, "error": {"code": "BLOCK_FULL"}})
    assert story.kinds() == set()


def overbook(story: Story, student: str) -> None:
    """Add one more active booking than the block has places, with its event and its answer."""
    more = booking("k2", student)
    story.truth.bookings.append(more)
    stream = ("/booking", f"user:{student}")
    log = story.truth.logs.setdefault(stream, [])
    log.append(logged(stream, len(log) + 1, "BOOKING_REQUESTED", booking=view_of(more)))
    story.truth.heads[stream] = len(log)
    story.asked.append(done(student, "/booking", "request", view_of(more), block_id="b"))


def test_an_overbooked_block_is_reported(story):
    overbook(story, "ben")
    assert "double booking" in story.kinds()


def test_a_double_booked_student_is_reported(story):
    story.truth.pools = [Pool("b", 2, 2)]
    overbook(story, "ana")
    story.truth.holds.append(Hold("b", "k2", "booking", "ana", NOON, None))
    assert story.kinds() == {"double booking"}


def test_a_temporarily_overbooked_block_is_reported(story):
    too_full = {"id": "b", "taken": 2, "max_calls": 1}
    story.truth.logs[BLOCKS].append(logged(BLOCKS, 2, "AVAILABILITY_UPDATED", block=too_full))
    story.truth.heads[BLOCKS] = 2
    assert story.kinds() == {"double booking"}


def test_a_booking_without_a_place_and_a_place_without_a_booking_are_reported(story):
    story.truth.holds[0].for_id = "somebody else's"
    assert story.kinds() == {"places do not add up"}


def test_an_acknowledged_booking_that_is_not_stored_is_reported_as_lost(story):
    story.truth.bookings.clear()
    story.truth.holds.clear()
    story.truth.pools = [Pool("b", 1, 0)]
    assert "acknowledged and lost" in story.kinds()


def test_a_booking_that_ended_twice_is_reported(story):
    for seq, name in ((2, "BOOKING_EXPIRED"), (3, "BOOKING_EXPIRED")):
        ended = view_of(booking("k1", status="expired"))
        story.truth.logs[HERS].append(logged(HERS, seq, name, booking=ended))
    story.truth.heads[HERS] = 3
    story.truth.bookings[0].status = "expired"
    story.truth.holds.clear()
    story.truth.pools = [Pool("b", 1, 0)]
    assert story.kinds() == {"ended otherwise"}


def test_a_stream_that_skips_a_number_is_reported(story):
    story.truth.logs[CHAT][-1] = replace_seq(story.truth.logs[CHAT][-1], 9)
    assert "numbers with a gap" in story.kinds()


def replace_seq(one: Logged, seq: int) -> Logged:
    return msgspec.structs.replace(one, seq=seq)


def test_wrong_presence_is_reported_for_the_database_and_each_watcher(story):
    story.shown.online = {"ana": True, "ben": True}
    there = {"ana": True, "ben": True}
    assert list(check_presence(there, there, [Screen(story.shown)])) == []
    gone = {**there, "ana": False}
    found = list(check_presence(gone, there, [Screen(story.shown)]))
    assert [violation.kind for violation in found] == ["wrong presence"] * 2


def test_a_short_absence_must_not_be_reported_offline():
    away = {"ana": [(NOON, NOON + timedelta(seconds=30))], "ben": [(NOON, NOON)]}
    offline = [("ana", NOON + timedelta(seconds=1)), ("ben", NOON)]
    found = list(check_flaps(away, offline, grace_s=10))
    assert [violation.what.split()[0] for violation in found] == ["ben"]


def test_resources_that_are_not_released_are_reported():
    assert list(check_held({"tasks": 3}, {"tasks": 3})) == []
    assert len(list(check_held({"tasks": 3}, {"tasks": 4, "streams": 1}))) == 2


class TestOnTheWire:
    """The numbers on one connection, regardless of the display."""

    @pytest.fixture
    def numbers(self):
        self.found = Records()
        numbers = Numbers(self.found.found)
        numbers.synced("/chat", {"epoch": "1", "rooms": {"chat:c": entry(5, recovered=True)}})
        return numbers

    def kinds(self) -> list[str]:
        return [violation.kind for violation in self.found.violations]

    def test_consecutive_numbers_are_not_reported(self, numbers):
        assert [numbers.take(CHAT, seq, opens=False) for seq in (6, 7)] == [True, True]
        assert self.kinds() == []

    def test_a_gap_is_reported(self, numbers):
        numbers.take(CHAT, 7, opens=False)
        assert self.kinds() == ["lost on the wire"]

    def test_a_repeated_number_is_reported_and_not_displayed(self, numbers):
        assert [numbers.take(CHAT, 6, opens=False) for _ in range(2)] == [True, False]
        assert self.kinds() == ["twice on the wire"]

    def test_a_replay_that_ends_too_soon_is_reported(self, numbers):
        numbers.begin()
        assert numbers.since("/chat") == {"since": {"chat:c": 5}, "epoch": "1"}
        numbers.take(CHAT, 6, opens=False)
        numbers.synced("/chat", {"epoch": "1", "rooms": {"chat:c": entry(7, recovered=True)}})
        assert self.kinds() == ["lost on the wire"]

    def test_a_room_that_could_not_be_recovered_is_fetched(self, numbers):
        numbers.begin()
        numbers.since("/chat")
        said = {"epoch": "1", "rooms": {"chat:c": entry(7, recovered=False)}}
        assert numbers.synced("/chat", said) == ([CHAT], [])
        assert self.kinds() == []

    def test_a_room_that_is_no_longer_listed_is_left(self, numbers):
        numbers.begin()
        numbers.since("/chat")
        assert numbers.synced("/chat", {"epoch": "1", "rooms": {}}) == ([], [CHAT])

    def test_a_room_that_starts_in_the_middle_is_reported(self, numbers):
        numbers.take(("/chat", "chat:other"), 4, opens=False)
        assert self.kinds() == ["lost on the wire"]


def entry(seq: int, *, recovered: bool) -> dict[str, Any]:
    return {"seq": seq, "recovered": recovered}
