"""A device that reconnects by itself, as real clients do, and records what it displays.

Invariants:
- It has at most one connection. When that is lost, it reconnects at a random address, sends the
  numbers that it has (`since`), and fetches the rooms that the server could not recover.
- It repeats a command with the same ids until the answer is not "try again".
- It is `up` only while it is connected, has fetched those rooms and has its presence watches.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from tests.chaos.connection import SYNCED, Connection, NoAnswer
from tests.chaos.line import ByPolling, ByWebSocket, Lost, Way
from tests.chaos.numbers import Numbers
from tests.chaos.records import Asked, Event, History, Records, Stream
from tests.chaos.shown import Shown
from tests.wire_client import Refused

RETRIED_CODES = ("UNAVAILABLE", "RATE_LIMITED")
RECONNECT_AFTER_S = (0.02, 0.4)
RETRY_AFTER_S = (0.05, 0.5)
PAGE = 100
JOINING = ("CONVERSATION_OPENED", "MEMBER_ADDED")


@dataclass(frozen=True)
class Kind:
    """The properties of a device."""

    namespaces: tuple[str, ...] = ("/chat", "/booking", "/presence")
    polling: bool = False
    watches_people: tuple[str, ...] = ()
    watches_consultant: str | None = None


class Device:
    """One device of a user."""

    def __init__(
        self,
        name: str,
        user_id: str,
        token: str,
        kind: Kind,
        ways: Sequence[Way],
        records: Records,
        seed: str,
    ) -> None:
        self.name = name
        self.user_id = user_id
        self.up = asyncio.Event()
        self._token = token
        self._kind = kind
        self._ways = ways
        self._records = records
        self._dice = Random(f"{seed} {name}")  # noqa: S311 - reproducible with the seed
        self.numbers = Numbers(self._found)
        history = History(name, user_id)
        records.histories.append(history)
        self.shown = Shown(history, self._found)
        self._connection: Connection | None = None
        self._living: asyncio.Task[None] | None = None
        self._replaying = False
        self.unreachable_since: datetime | None = None
        """When a fault broke its connection without closing it, which it notices later."""
        self._up_since = datetime.now(UTC)
        self.spans: list[tuple[datetime, datetime]] = []
        """The time spans in which it was reachable."""
        self.places: list[str] = []
        """Its instance in each of its spans, if there is a proxy that tells it."""
        self.answered: dict[str, datetime] = {}
        """The time of the last answer of each instance."""

    @property
    def there(self) -> bool:
        """Whether its user wants it to be connected."""
        return self._living is not None

    def arrive(self) -> None:
        self._living = asyncio.create_task(self._live())

    @property
    def namespaces(self) -> tuple[str, ...]:
        return self._kind.namespaces

    async def leave(self) -> None:
        """Disconnect, and do not reconnect."""
        living, self._living = self._living, None
        if living is not None:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)

    async def ask(self, namespace: str, command: str, **payload: Any) -> Asked:
        """Send a command until there is an answer, and record it."""
        asked = self.begin(namespace, command, **payload)
        await self.ask_until_answered(asked)
        return asked

    def begin(self, namespace: str, command: str, **payload: Any) -> Asked:
        """Record a command before it is sent."""
        asked = Asked(self.user_id, namespace, command, payload)
        self._records.asked.append(asked)
        return asked

    async def ask_until_answered(self, asked: Asked, later: bool = False) -> None:
        """Send an identical command; `later` means that it was answered before."""
        while True:
            answer = await self._try(asked)
            if answer is not None:
                (asked.later if later else asked.answers).append(answer)
                return
            self._records.counts["sent again"] += 1
            await asyncio.sleep(self._dice.uniform(*RETRY_AFTER_S))

    async def _try(self, asked: Asked) -> dict[str, Any] | None:
        """Send the command once; returns its answer, or None to try again."""
        await self.up.wait()
        connection = self._connection
        assert connection is not None
        self._records.counts["sent"] += 1
        try:
            answer = await connection.ask(asked.namespace, asked.command, asked.payload)
        except Lost:
            return None
        except NoAnswer:
            self._found("not answered", f"on a living connection: {asked}")
            return None
        if not answer["ok"] and answer["error"]["code"] in RETRIED_CODES:
            self._records.counts[answer["error"]["code"]] += 1
            return None
        self.answered[connection.place] = datetime.now(UTC)
        return answer

    # Connecting.

    async def _live(self) -> None:
        while True:
            try:
                await self._connect()
            except Lost:
                self._records.counts["connections lost"] += 1
            except NoAnswer as silence:
                self._found("not answered", f"on a living connection: {silence}")
            except Refused as refused:
                if refused.code not in RETRIED_CODES:
                    self._found("refused at the door", str(refused))
            await asyncio.sleep(self._dice.uniform(*RECONNECT_AFTER_S))

    async def _connect(self) -> None:
        """Connect and stay connected; raises Lost, NoAnswer and Refused."""
        transport = ByPolling if self._kind.polling else ByWebSocket
        connection = Connection(transport(self.name, self._dice.choice(self._ways)), self._hear)
        try:
            await connection.open()
            self._records.counts["connections"] += 1
            self.numbers.begin()
            self._replaying = True
            for namespace in self._kind.namespaces:
                since = self.numbers.since(namespace)
                await connection.enter(namespace, {"token": self._token, **since})
            await self._fetch_all(connection)
            await self._watch(connection)
            self._connection = connection
            self._replaying = False
            self.up.set()
            await self._be_up(connection)
            raise Lost("it was lost")
        finally:
            self.up.clear()
            await connection.close()

    async def _be_up(self, connection: Connection) -> None:
        self._begin_span(connection)
        try:
            await connection.lost.wait()
        finally:
            self._end_span()

    def _begin_span(self, connection: Connection) -> None:
        self._up_since, self.unreachable_since = datetime.now(UTC), None
        self.places.append(connection.place)

    def _end_span(self) -> None:
        self.spans.append((self._up_since, self.unreachable_since or datetime.now(UTC)))

    def note_reachable_again(self) -> None:
        """Note that a muted connection works again, unless it was lost meanwhile."""
        if self.unreachable_since is not None and self.up.is_set():
            assert self._connection is not None
            self._end_span()
            self._begin_span(self._connection)

    async def _watch(self, connection: Connection) -> None:
        """Start the watches, which end with their connection."""
        if self._kind.watches_people:
            ask = {"user_ids": list(self._kind.watches_people)}
            await self._read(connection, "/presence", "watch", ask, self._take_states)
        consultant_id = self._kind.watches_consultant
        stream = ("/availability", f"consultant:{consultant_id}")
        if consultant_id is not None and stream not in self.numbers.last:
            ask = {"consultant_id": consultant_id}
            await self._read(connection, "/availability", "watch", ask, self._take_watched(stream))
            await self._fetch(connection, stream)

    def _take_states(self, answer: dict[str, Any]) -> None:
        if answer["ok"]:
            self.shown.watched(answer["data"]["states"])

    def _take_watched(self, stream: Stream) -> Any:
        def take(answer: dict[str, Any]) -> None:
            if answer["ok"]:
                self.numbers.join(stream, answer["data"]["seq"])
                self.shown.must_fetch(stream, answer["data"]["seq"])

        return take

    # Fetching state.

    async def _fetch_all(self, connection: Connection) -> None:
        for stream in list(self.shown.stale):
            await self._fetch(connection, stream)

    async def _fetch(self, connection: Connection, stream: Stream) -> None:
        namespace, room = stream
        kind, _, room_id = room.partition(":")
        if namespace == "/chat" and kind == "chat":
            seq, items = await self._fetch_chat(connection, room_id)
        elif namespace == "/booking":
            seq, items = await self._fetch_bookings(connection)
        elif namespace == "/availability" and self._kind.watches_consultant == room_id:
            seq, items = await self._fetch_blocks(connection, room_id)
        else:
            seq, items = self.numbers.last.get(stream, 0), []  # this stream is not displayed
        self.numbers.fetched(stream, seq)
        self.shown.fetched(stream, seq, items)

    async def _fetch_chat(self, connection: Connection, conversation_id: str) -> Any:
        """Fetch all pages; messages after the first page's number arrive as events."""
        ask: dict[str, Any] = {"conversation_id": conversation_id, "limit": PAGE}
        seq, items, more = None, [], True
        while more:
            page = await self._read(connection, "/chat", "history", ask)
            seq = page["seq"] if seq is None else seq
            items = [one for one in page["messages"] if one["kind"] != "system"] + items
            more = page["has_more"]
            ask["before_seq"] = page["messages"][0]["seq"] if page["messages"] else 0
        return seq, items

    async def _fetch_bookings(self, connection: Connection) -> Any:
        ask: dict[str, Any] = {"limit": PAGE}
        first = page = await self._read(connection, "/booking", "list", ask)
        items = page["bookings"]
        while page["next"]:
            page = await self._read(connection, "/booking", "list", {**ask, "before": page["next"]})
            items = items + page["bookings"]
        return first["seq"], items

    async def _fetch_blocks(self, connection: Connection, consultant_id: str) -> Any:
        today = datetime.now(UTC)
        ask = {
            "consultant_id": consultant_id,
            "from": today.isoformat(),
            "to": (today + timedelta(days=60)).isoformat(),
        }
        listed = await self._read(connection, "/availability", "list_blocks", ask)
        return listed["seq"], listed["blocks"]

    async def _read(
        self, connection: Connection, namespace: str, command: str, ask: Any, then: Any = None
    ) -> Any:
        """Send a query; returns its data. Raises Lost, NoAnswer and Refused."""
        answer = await connection.ask(namespace, command, ask, then)
        if not answer["ok"]:
            raise Refused(answer["error"])
        return answer["data"]

    # Receiving events.

    def _hear(self, namespace: str, name: str, data: Any, meta: dict[str, Any]) -> None:
        if name == SYNCED:
            fetch, gone = self.numbers.synced(namespace, data)
            for stream in fetch:
                self._records.counts["rooms fetched"] += 1
                self.shown.must_fetch(stream, self.numbers.last[stream])
            for stream in gone:
                self.shown.gone(stream)
        elif "seq" in meta:
            self._hear_event((namespace, meta["room"]), name, data, meta)
        else:
            self._records.counts["ephemeral events heard"] += 1
            self.shown.said_ephemerally(name, data)

    def _hear_event(self, stream: Stream, name: str, data: Any, meta: dict[str, Any]) -> None:
        self._records.counts["events heard"] += 1
        self._records.counts["events replayed"] += self._replaying
        opens = name in JOINING and self._is_about_me(name, data)
        if self.numbers.take(stream, meta["seq"], opens):
            self.shown.show(stream, Event(meta["seq"], meta["id"], name), data)
        if name == "MEMBER_REMOVED" and stream[1].startswith("chat:") and self._is_me(data):
            self.numbers.out(stream)
            self.shown.out(stream)

    def _is_me(self, data: Any) -> bool:
        return bool(data["user_id"] == self.user_id)

    def _is_about_me(self, name: str, data: Any) -> bool:
        return name == "CONVERSATION_OPENED" or self._is_me(data)

    def _found(self, kind: str, what: str) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._records.found(kind, f"{at} {self.name}: {what}")
