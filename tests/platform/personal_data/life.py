"""A user with data in every domain, and a unique word in each field."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from sqlalchemy import Boolean, Integer, Text, column, func, or_, select, text, type_coerce

from storage.engine.columns import metadata
from storage.engine.personal import personal_of
from storage.platform.chat.search import catch_up
from storage.platform.personal_data.personal_rows import Row
from tests.parts.ports import free_port
from tests.parts.provider import FakeProvider
from tests.parts.provider import person as provider_person
from tests.platform.chat.scenes import FOREVER, offer, say, talk
from tests.platform.identities.travel import CHALLENGE, VERIFIER, open_browser, settings_for
from tests.platform.uploads.uploading import Uploader, picture
from tests.world import PASSWORD, Person, World, until

ADDRESS = "203.0.113.177"
PHONE = "Quetzalphone/7.0"
EMOJI = ("\U0001f99c", "\U0001f423")
UNIQUE_WORDS = {
    "email": "kanarie.vogel@birds.example",
    "first name": "Kanarinchen",
    "last name": "Zeisigfeder",
    "time zone": "Antarctica/Troll",
    "about me": "a life among finches",
    "gallery": "goldfinch-at-work.jpg",
    "topic": "Warbling for beginners",
    "description": "we warble until it hurts",
    "icon": "siskin-icon.png",
    "note": "a note about bullfinches",
    "reason": "approved because of the nightingale",
    "said": "chaffinch said nothing else",
    "edited": "brambling, said better",
    "client id": "greenfinch-of-the-client",
    "group": "Crossbill fellowship",
    "file name": "hawfinch-diary.txt",
    "draft": "a draft about yellowhammers",
    "caption": "look at this serin",
    "subject": "the house's linnet",
    "provider email": "linnet@work.example",
    "device": "Quetzalphone",
    "address": ADDRESS,
}
"""The unique words in Ana's data, by field."""
FILE_TEXT = "the content is about redpolls"
SECRETS = {"push token": "twite-push-token"}
DELETED_TEXT = "rosefinch was taken back at once"


@dataclass
class Life:
    """Ana and her data, and Ben and Cora, who share conversations and bookings with her."""

    world: World
    ana: Person
    ben: Person
    cora: Person
    files: Uploader


@asynccontextmanager
async def living(make_world: Any, provider: FakeProvider) -> AsyncIterator[Life]:
    """Create all data, and wait until it is processed."""
    port = free_port()
    settings = {
        **settings_for(provider),
        "PARLEY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "PARLEY_TRUSTED_PROXIES": "127.0.0.1/32",
        "PARLEY_EXPORT_PROGRESS_EVERY_S": "0",
    }
    world = await make_world(port=port, **settings)
    ana = await sign_up(world)
    ben, cora = await world.person("ben", consultant=True), await world.person("cora")
    await fill_in_profile(world, ana, provider)
    async with uploads_of(world, ana) as files:
        life = Life(world, ana, ben, cora, files)
        await book_and_call(life)
        await use_chat(life)
        await world.settle()
        yield life


@asynccontextmanager
async def uploads_of(world: World, person: Person) -> AsyncIterator[Uploader]:
    async with aiohttp.ClientSession(headers={"X-Forwarded-For": ADDRESS}) as http:
        yield Uploader(world, person, http)


def device_headers(**more: str) -> dict[str, str]:
    return {"User-Agent": f"{PHONE} (robin)", "X-Forwarded-For": ADDRESS, **more}


async def sign_up(world: World) -> Person:
    """Sign up, then log in with a wrong password and from a second device."""
    visitor = await world.connect(**device_headers())
    await visitor.enter("/signup", "/auth")
    email = UNIQUE_WORDS["email"]
    await visitor.call("/signup", "start", email=email)
    names = {name: UNIQUE_WORDS[name.replace("_", " ")] for name in ("first_name", "last_name")}
    pincode = await world.mails.pincode(email)
    about = {"email": email, "pincode": pincode, "password": PASSWORD}
    session = await visitor.call("/signup", "complete", **about, **names)
    await visitor.ask("/auth", "login", {"email": email, "password": "not this one"})
    second = await world.connect(**device_headers(**{"User-Agent": "Quetzalphone-two/8.0"}))
    await second.enter("/auth")
    await second.call("/auth", "login", email=email, password=PASSWORD)
    return Person(
        world, "ana", session, await world.connect(session["access_token"], **device_headers())
    )


async def fill_in_profile(world: World, ana: Person, provider: FakeProvider) -> None:
    await ana.call("/profile", "update", time_zone=UNIQUE_WORDS["time zone"], request_id="zone")
    provider.person = provider_person("linnet", email=UNIQUE_WORDS["provider email"])
    async with open_browser(world) as browser:
        proof = {
            "ticket": await browser.ticket(provider, challenge=CHALLENGE),
            "verifier": VERIFIER,
        }
    await ana.call("/profile", "link", **proof, request_id="link")
    await ana.call(
        "/consultants",
        "become",
        about_me=UNIQUE_WORDS["about me"],
        languages=["en"],
        country="AQ",
        time_zone=UNIQUE_WORDS["time zone"],
        age=77,
        gender="undisclosed",
    )
    token = SECRETS["push token"]
    await ana.call("/notifications", "register_device", platform="ios", token=token)
    await ana.call("/presence", "set_status", status="busy")
    await ana.call("/profile", "send_proof")


async def book_and_call(life: Life) -> None:
    """Create bookings in both roles, one of them in a conversation, a call and a waiting list."""
    ana, ben, cora = life.ana, life.ben, life.cora
    topic = await ana.call(
        "/consultants",
        "add_topic",
        name=UNIQUE_WORDS["topic"],
        description=UNIQUE_WORDS["description"],
        hourly_rate={"amount": 7777, "currency": "EUR"},
        minimal_duration_minutes=10,
    )
    days = [{"weekday": day, "hour": 9, "max_calls": 1} for day in FOREVER]
    week = await ana.call("/availability", "set_default_schedule", time_zone="UTC", blocks=days)
    block = {"block_id": week["blocks"][-1]["id"], "topic_id": topic["id"]}
    asked = await ben.call("/booking", "request", **block, note="of Ben to Ana")
    reason = UNIQUE_WORDS["reason"]
    about = {"booking_id": asked["id"], "reason": reason, "request_id": "yes"}
    await ana.call("/booking", "approve", **about)
    offered = await offer(life.world, ben)
    chat = await talk(ana, ben)
    note = UNIQUE_WORDS["note"]
    shown = {"conversation_id": chat, **offered.ask(20), "note": note}
    mine = await ana.call("/chat", "request_booking", **shown, request_id="ask")
    await ben.call("/booking", "approve", booking_id=mine["id"], request_id="approve")
    full = {"block_id": offered.blocks[3]["id"], "topic_id": offered.topic["id"]}
    await cora.call("/booking", "request", **full)
    await ana.call("/availability", "join_waiting_list", block_id=full["block_id"])
    await ana.call("/availability", "set_available_now", available=True)
    now = {"consultant_id": ana.id, "topic_id": topic["id"]}
    at_once = await cora.call("/booking", "request_now", **now)
    await ana.call("/booking", "approve", booking_id=at_once["id"])
    call = (await cora.call("/call", "current"))["call"]
    for one in (ana, cora):
        await one.call("/call", "join", call_id=call["id"])
    life.world.clock.advance(90)
    await ana.call("/call", "end", call_id=call["id"])


async def use_chat(life: Life) -> None:
    """Create texts, reactions, groups and files."""
    ana, ben, cora = life.ana, life.ben, life.cora
    chat = await talk(ana, ben)
    said = await say(ana, chat, UNIQUE_WORDS["said"], UNIQUE_WORDS["client id"])
    await ben.call("/chat", "react", message_id=said["id"], emoji=EMOJI[0], on=True)
    edited = await say(ana, chat, "before it was edited", "greenfinch-of-the-client two")
    text = UNIQUE_WORDS["edited"]
    await ana.call("/chat", "edit", message_id=edited["id"], text=text, request_id="edit")
    gone = await say(ana, chat, DELETED_TEXT, "greenfinch-of-the-client three")
    await ana.call("/chat", "delete", message_id=gone["id"])
    answered = await say(ben, chat, "Ben keeps what he said")
    await ana.call("/chat", "react", message_id=answered["id"], emoji=EMOJI[1], on=True)
    await ana.call("/chat", "mark_read", conversation_id=chat, seq=answered["seq"])
    name = UNIQUE_WORDS["group"]
    group = await ana.call("/chat", "create_group", name=name, member_ids=[ben.id])
    await ben.event("CONVERSATION_OPENED", lambda data: data["conversation"]["id"] == group["id"])
    added = {"conversation_id": group["id"], "user_id": cora.id, "request_id": "add"}
    await ben.call("/chat", "add_member", **added)
    await say(cora, group["id"], "Cora keeps it too")
    renamed = "Twite fellowship, renamed"
    about = {"conversation_id": group["id"], "request_id": "rename"}
    await ana.call("/chat", "rename", **about, name=renamed)
    await ana.call("/chat", "rename", **{**about, "request_id": "back"}, name=name)
    draft = {"conversation_id": chat, "text": UNIQUE_WORDS["draft"]}
    await ana.call("/chat", "draft", **draft)
    await ana.call("/chat", "pin", message_id=answered["id"], on=True)
    await ana.call("/chat", "delete_for_me", message_id=answered["id"])
    theirs = await talk(ben, cora, ana)
    await say(ana, theirs, UNIQUE_WORDS["said"], "greenfinch-of-the-client four")
    await upload_files(life, chat)


async def upload_files(life: Life, chat: str) -> None:
    mine = await life.files.upload(picture(), "image/jpeg", name="my face.jpg")
    await life.ana.call("/profile", "set_picture", upload_id=mine["id"], request_id="picture")
    await set_pictures(life)
    name, content = UNIQUE_WORDS["file name"], FILE_TEXT.encode()
    file = await life.files.upload(content, "text/plain", name=name)
    shown = {"conversation_id": chat, "upload_id": file["id"], "text": UNIQUE_WORDS["caption"]}
    client_id = "greenfinch-of-the-client five"
    await life.ana.call("/chat", "send_media", **shown, client_id=client_id, request_id="send")


async def set_pictures(life: Life) -> None:
    """Set the pictures of the consultant and of her topic."""
    seen, icon = [
        await life.files.upload(picture(), "image/jpeg", name=UNIQUE_WORDS[what])
        for what in ("gallery", "icon")
    ]
    await life.ana.call("/consultants", "update", picture_id=seen["id"])
    me = await life.ana.call("/consultants", "get", consultant_id=life.ana.id)
    shown = {"topic_id": me["topics"][0]["id"], "icon_id": icon["id"]}
    await life.ana.call("/consultants", "update_topic", **shown)


# Queries.


async def find(world: World, *words: str) -> dict[str, set[str]]:
    """For each word, the columns and files that contain it."""
    found: dict[str, set[str]] = {}
    for table in metadata.sorted_tables:
        rows = await world.read(lambda tx, one=EVERYTHING[table]: tx.all(Row, one))
        for row in rows:
            for place, value in zip(table.columns, row, strict=True):
                for word in words:
                    if word in str(value):
                        found.setdefault(word, set()).add(f"{table.name}.{place.name}")
    for file in files_of(world):
        content = file.read_bytes()
        for word in words:
            if word.encode() in content:
                found.setdefault(word, set()).add(str(file))
    return found


async def read_search_index(world: World) -> str:
    """The content of the search index of messages."""
    if not (shared := world.app.database.shared):
        await world.transact(catch_up)
    held = text("SELECT terms FROM messages" if shared else "SELECT text FROM message_search")
    rows = await world.read(lambda tx: tx.all(Row, held.columns(column("held", Text))))
    return str(rows)


def _raw(place: Any) -> Any:
    """The column as it is stored, without decoding."""
    return place if isinstance(place.type, Integer | Boolean) else type_coerce(place, Text)


EVERYTHING = {table: select(*map(_raw, table.columns)) for table in metadata.sorted_tables}


def files_of(world: World) -> list[Path]:
    folder = world.settings.data_dir / "files"
    return [file for file in folder.rglob("*") if file.is_file()]


async def count_rows(world: World, *people: Person) -> dict[str, int]:
    """The number of rows of these people, by table."""
    counts = {}
    for table in metadata.sorted_tables:
        declared = personal_of(table)
        owners = set(declared.deleted_with) or set(declared.cleared_for)
        owners -= set(declared.found_through)
        if owners:
            ids = [one.id for one in people]
            theirs = or_(*(table.c[owner].in_(ids) for owner in owners))
            counted = select(func.count()).select_from(table).where(theirs)
            counts[table.name] = await world.read(lambda tx, one=counted: tx.scalar(one))
    return counts


async def rows_of(world: World, table: Any, owner: str, user_id: str) -> list[dict[str, Any]]:
    """The rows in which the column `owner` has this user's id."""
    of_owner = select(table).where(table.c[owner] == user_id)
    rows = await world.read(lambda tx: tx.all(Row, of_owner))
    return [dict(zip(table.columns.keys(), row, strict=True)) for row in rows]


async def wait_for_export(person: Person) -> dict[str, Any]:
    """Wait until the export is ready, and return the answer of `get`."""

    async def ready() -> Any:
        account = await person.call("/account", "get")
        return account if account["url"] else None

    account: dict[str, Any] = await until(ready)
    return account
