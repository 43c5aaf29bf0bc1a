"""The demo of bookings: consultants with hours, students with requests, and their messages."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from handlers.kit.demo import Cast, Player, Story

STUDENTS = ("Mila", "Jonas", "Aiko", "Tariq")


@dataclass(frozen=True)
class Offer:
    """A consultant of the demo: profile, topics, hours and conversation."""

    first_name: str
    about_me: str
    languages: tuple[str, ...]
    country: str
    time_zone: str
    topics: tuple[dict[str, Any], ...]
    hours: tuple[int, ...]
    talk: tuple[tuple[bool, str], ...]

    def profile(self) -> dict[str, Any]:
        return {
            "about_me": self.about_me,
            "languages": self.languages,
            "country": self.country,
            "time_zone": self.time_zone,
        }

    def week(self) -> dict[str, Any]:
        blocks = [
            {"weekday": day, "hour": hour, "max_calls": 3}
            for day in range(7)
            for hour in self.hours
        ]
        return {"time_zone": self.time_zone, "blocks": blocks}


async def tell(story: Story) -> Cast:
    """Create four consultants and four students with bookings and conversations."""
    consultants = [await story.join(offer.first_name) for offer in CONSULTANTS]
    students = [await story.join(name) for name in STUDENTS]
    for consultant, offer in zip(consultants, CONSULTANTS, strict=True):
        await set_up(consultant, offer)
    story.pass_by(timedelta(hours=24))
    for number, student in enumerate(students):
        await live(student, consultants, number)
    return {CONSULTANTS[0].first_name: "consultant", STUDENTS[0]: "student"}


async def set_up(consultant: Player, offer: Offer) -> None:
    """Create a consultant's profile, topics and week."""
    await consultant.does("/profile", "update", time_zone=offer.time_zone)
    await consultant.does("/consultants", "become", **offer.profile())
    for topic in offer.topics:
        await consultant.does("/consultants", "add_topic", **topic)
    await consultant.does("/availability", "set_default_schedule", **offer.week())


async def live(student: Player, consultants: list[Player], number: int) -> None:
    """Create a student's conversation, an approved booking and an open request."""
    place = number % len(CONSULTANTS)
    consultant = consultants[place]
    conversation = await student.does("/chat", "open", user_id=consultant.id)
    await talk(student, consultant, conversation["id"], CONSULTANTS[place].talk)
    booking = await book(student, consultant, number)
    await consultant.does("/booking", "approve", booking_id=booking["id"])
    await book(student, consultants[(number + 1) % len(CONSULTANTS)], number + 6)


async def talk(
    student: Player, consultant: Player, conversation_id: str, lines: tuple[tuple[bool, str], ...]
) -> None:
    """Exchange messages; the consultant reads all but the last."""
    seq = 0
    for number, (by_student, text) in enumerate(lines):
        speaker = student if by_student else consultant
        fields = {"conversation_id": conversation_id, "client_id": f"demo-{number}"}
        sent = await speaker.does("/chat", "send", **fields, text=text)
        if number < len(lines) - 1:
            seq = sent["seq"]
    await consultant.does("/chat", "mark_read", conversation_id=conversation_id, seq=seq)


async def book(student: Player, consultant: Player, skip: int) -> Any:
    """Request one of the consultant's next blocks, for their first topic."""
    now = datetime.now(UTC)
    listed = await student.does(
        "/availability",
        "list_blocks",
        consultant_id=consultant.id,
        **{"from": now.isoformat(), "to": (now + timedelta(days=14)).isoformat()},
    )
    coming = [block for block in listed["blocks"] if block["starts_at"] > now.isoformat()]
    offered = await student.does("/consultants", "get", consultant_id=consultant.id)
    note = "I have read the first chapter and have three questions."
    fields = {"block_id": coming[skip]["id"], "topic_id": offered["topics"][0]["id"], "note": note}
    return await student.does("/booking", "request", **fields)


def _topic(name: str, description: str, amount: int, currency: str, minutes: int) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "hourly_rate": {"amount": amount, "currency": currency},
        "minimal_duration_minutes": minutes,
    }


CONSULTANTS = (
    Offer(
        "Ines",
        "Fifteen years of tax returns for people who work in two countries at once.",
        ("pt", "en", "fr"),
        "PT",
        "Europe/Lisbon",
        (
            _topic("Moving to Portugal", "Residency, tax years, what to keep.", 9000, "EUR", 15),
            _topic("Freelance invoices", "VAT across borders, in plain words.", 7500, "EUR", 10),
        ),
        (9, 10, 14, 15),
        (
            (True, "Hello! I move in March. Is a call now too early?"),
            (False, "Not at all: the tax year is what decides. Bring your contract."),
            (True, "Thank you, I have asked for Thursday's hour."),
        ),
    ),
    Offer(
        "Kofi",
        "I teach statistics to people who never wanted to learn it.",
        ("en",),
        "GH",
        "Africa/Accra",
        (
            _topic(
                "Thesis statistics", "Which test, and why; your data on screen.", 4000, "USD", 20
            ),
            _topic("R for beginners", "From a spreadsheet to a first plot.", 3500, "USD", 15),
        ),
        (8, 12, 18, 19),
        (
            (True, "My supervisor wants a mixed model. I have 42 people, two visits each."),
            (False, "That is enough to begin. Can you share the column names?"),
            (True, "person, visit, group, score. Nothing else."),
        ),
    ),
    Offer(
        "Sanna",
        "Choir conductor and voice coach; beginners are the best part of my week.",
        ("fi", "sv", "en"),
        "FI",
        "Europe/Helsinki",
        (_topic("Find your range", "Thirty minutes at the piano.", 5500, "EUR", 15),),
        (11, 16, 17),
        (
            (True, "Do I need a quiet room?"),
            (False, "A coat on the door helps. See you then!"),
        ),
    ),
    Offer(
        "Mateo",
        "I have taken apart every bicycle I ever owned. Most ride again.",
        ("es", "en"),
        "CL",
        "America/Santiago",
        (
            _topic(
                "Fix it on camera", "Gears, brakes, wheels: we do it together.", 3000, "EUR", 10
            ),
            _topic("Which used bike?", "Send the advert, we look at it.", 2500, "EUR", 10),
        ),
        (10, 13, 20),
        (
            (True, "It jumps between the third and the fourth gear."),
            (False, "Cable, nine times out of ten. Have a 5 mm key ready."),
            (True, "I found one!"),
        ),
    ),
)
