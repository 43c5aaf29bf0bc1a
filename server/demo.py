"""A believable small world, made through the same doors that people use.

Its clock begins some days ago and moves on while the story is told, so that there is a past.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from handlers.kit.context import Transaction
from handlers.kit.kernel import Actor
from handlers.platform.auth import public as accounts
from handlers.platform.profile import public as profiles
from server.app import App
from server.demo_story import CONSULTANTS, PASSWORD, STUDENTS, Offer, Teller
from server.dispatch import Incoming
from server.settings import Settings
from storage.engine.migrate import migrate

BEGAN_AGO = timedelta(hours=27)
MOMENT = timedelta(seconds=7)


class NotEmpty(Exception):
    """The database has users already: nothing was changed."""


class NotServed(Exception):
    """The story is of the consulting system, which this installation does not serve."""


class StoryClock:
    """The story's own time; it goes on with every act and ends at the present."""

    def __init__(self) -> None:
        self._now = datetime.now(UTC) - BEGAN_AGO

    def now(self) -> datetime:
        return self._now

    def pass_by(self, span: timedelta) -> None:
        self._now = min(self._now + span, datetime.now(UTC))


class Person(Teller):
    """Somebody of the story, who acts through commands."""

    def __init__(self, app: App, clock: StoryClock, actor: Actor, first_name: str) -> None:
        self.id = actor.id
        self.first_name = first_name
        self._app = app
        self._clock = clock
        self._actor = actor

    async def does(self, namespace: str, command: str, **payload: Any) -> Any:
        """The data of the answer; a refusal is a flaw of the story."""
        self._clock.pass_by(MOMENT)
        incoming = Incoming(
            namespace,
            command,
            msgspec.json.encode(payload),
            self._actor,
            self._app.context().origin,
        )
        answer = msgspec.json.decode((await self._app.dispatcher.answer(incoming)).body)
        await self._app.relay.idle()
        if not answer["ok"]:
            raise RuntimeError(f"{namespace} {command}: {answer['error']}")
        return answer["data"]


async def fill(settings: Settings) -> str:
    """Fill an empty database; gives what the newcomer needs to know.

    Raises NotServed and NotEmpty.
    """
    if "consulting" not in settings.systems:
        raise NotServed
    clock = StoryClock()
    app = App(settings, clock)
    try:
        await migrate(app.database)
        await app.database.start()
        if not await app.context().read(profiles.is_empty):
            raise NotEmpty
        await app.relay.start()
        await app.timers.start()
        await tell(app, clock)
        await app.relay.idle()
    finally:
        await app.timers.stop()
        await app.relay.stop()
        await app.database.stop()
    addresses = [address_of(name) for name in (CONSULTANTS[0].first_name, STUDENTS[0])]
    return f"Log in as {addresses[0]} (consultant) or {addresses[1]} (student): {PASSWORD}"


async def tell(app: App, clock: StoryClock) -> None:
    """The story: consultants offer, students ask, answers come, messages go to and fro."""
    password_hash = await accounts.hash_password(PASSWORD)
    everybody = {}
    for name in (*(offer.first_name for offer in CONSULTANTS), *STUDENTS):
        actor = await app.context().transact(sign_up, name, password_hash)
        everybody[name] = Person(app, clock, actor, name)
    for offer in CONSULTANTS:
        await set_up(everybody[offer.first_name], offer)
    clock.pass_by(timedelta(hours=24))
    for number, name in enumerate(STUDENTS):
        await live(everybody[name], everybody, number)


def sign_up(tx: Transaction, first_name: str, password_hash: str) -> Actor:
    """A user with a session, in a database that had nobody of the story yet."""
    user = profiles.create_user(tx, address_of(first_name), first_name, "(demo)")
    if user is None:
        raise NotEmpty  # somebody signed up at this very moment
    accounts.set_password(tx, user.id, password_hash)
    view = accounts.open_session(tx, user.id)
    claims = accounts.read_access_token(tx.keys, view.access_token, tx.now)
    return Actor(user.id, claims.sid, frozenset({"student", "consultant"}))


async def set_up(consultant: Person, offer: Offer) -> None:
    """A consultant's profile, topics and week."""
    await consultant.does("/profile", "update", time_zone=offer.time_zone)
    await consultant.does("/consultants", "become", **offer.profile())
    for topic in offer.topics:
        await consultant.does("/consultants", "add_topic", **topic)
    await consultant.does("/availability", "set_default_schedule", **offer.week())
    if offer.available_now:
        await consultant.does("/availability", "set_available_now", available=True)


async def live(student: Person, everybody: dict[str, Person], number: int) -> None:
    """One student's days: a conversation, an approved booking, and an open request."""
    first = CONSULTANTS[number % len(CONSULTANTS)]
    second = CONSULTANTS[(number + 1) % len(CONSULTANTS)]
    consultant = everybody[first.first_name]
    conversation = await student.does("/chat", "open", user_id=consultant.id)
    await student.talk_with(consultant, conversation["id"], first.talk)
    booking = await student.book(consultant, number)
    await consultant.does("/booking", "approve", booking_id=booking["id"])
    await student.book(everybody[second.first_name], number + 6)


def address_of(first_name: str) -> str:
    return f"{first_name.lower()}@demo.example"
