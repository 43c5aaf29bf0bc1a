"""The display of a device: conversations, bookings, blocks and presence.

While the state of a room is being fetched, its events are kept aside. Then those above the fetched
number are applied to it. It is a violation if an event shows a message that is already displayed,
or that belongs before a displayed one.
"""

from typing import Any

from tests.chaos.numbers import Found
from tests.chaos.records import Event, Fetched, History, Out, Stream

Aside = tuple[int, str, Any]


class Shown:
    """The display of one device."""

    def __init__(self, history: History, found: Found) -> None:
        self.history = history
        self.chats: dict[str, dict[str, dict[str, Any]]] = {}
        self.bookings: dict[str, dict[str, Any]] = {}
        self.blocks: dict[str, dict[str, Any]] = {}
        self.online: dict[str, bool] = {}
        self.left: list[str] = []
        """The users that changed from online to offline, each time."""
        self.stale: dict[Stream, list[Aside]] = {}
        """Streams whose state must be fetched, with the events received meanwhile."""
        self._found = found

    def show(self, stream: Stream, event: Event, data: Any) -> None:
        """Display the next event of a stream."""
        self.history.note(stream, event)
        if stream in self.stale:
            self.stale[stream].append((event.seq, event.name, data))
        else:
            self._apply(event.name, data)

    def must_fetch(self, stream: Stream, seq: int) -> None:
        """Note that events do not give the state up to this number."""
        self.history.note(stream, Fetched(seq))
        self.stale.setdefault(stream, [])

    def fetched(self, stream: Stream, seq: int, items: list[dict[str, Any]]) -> None:
        """Display the complete state of a room as of `seq`."""
        self.history.note(stream, Fetched(seq))
        namespace, room = stream
        by_id = {one["id"]: one for one in items}
        if namespace == "/chat" and room.startswith("chat:"):
            self.chats[room.removeprefix("chat:")] = by_id
        elif namespace == "/booking":
            self.bookings = by_id
        elif namespace == "/availability":
            self.blocks |= by_id
        for number, name, data in self.stale.pop(stream, []):
            if number > seq:
                self._apply(name, data)

    def out(self, stream: Stream) -> None:
        """Note that an event removed the user from a room, whose display is complete up to it."""
        self.history.note(stream, Out())
        self.stale.pop(stream, None)

    def gone(self, stream: Stream) -> None:
        """Note that the server no longer lists a room; events of it may have been missed."""
        self.out(stream)
        self.chats.pop(stream[1].removeprefix("chat:"), None)

    def said_ephemerally(self, name: str, data: Any) -> None:
        if name in ("USER_ONLINE", "USER_OFFLINE"):
            self._take_presence(data["user_id"], name == "USER_ONLINE")

    def watched(self, states: dict[str, Any]) -> None:
        """Apply the answer to a presence watch."""
        for user_id, state in states.items():
            self._take_presence(user_id, state["online"])

    def _take_presence(self, user_id: str, online: bool) -> None:
        if self.online.get(user_id) and not online:
            self.left.append(user_id)
        self.online[user_id] = online

    def _apply(self, name: str, data: Any) -> None:
        if name.startswith("MESSAGE_") and "message" in data:
            self._apply_message(name, data["message"])
        elif "booking" in data:
            self.bookings[data["booking"]["id"]] = data["booking"]
        elif "block" in data:
            self.blocks[data["block"]["id"]] = data["block"]
        elif "blocks" in data:
            self.blocks |= {block["id"]: block for block in data["blocks"]}

    def _apply_message(self, name: str, message: dict[str, Any]) -> None:
        said = self.chats.setdefault(message["conversation_id"], {})
        if name == "MESSAGE_SENT":
            where = f"{self.history.device}, conversation {message['conversation_id']}"
            if message["id"] in said:
                self._found("shown twice", f"{where}: message {message['id']}")
            elif said and next(reversed(said.values()))["seq"] > message["seq"]:
                self._found("out of order", f"{where}: message {message['id']} came late")
        if name == "MESSAGE_SENT" or message["id"] in said:  # or sent during an absence
            said[message["id"]] = message
