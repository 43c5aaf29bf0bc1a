"""Signing up: a mailed pincode confirms the email address, and the new user is signed in."""

import pytest

from tests.wire_client import Client
from tests.world import PASSWORD, World, address_of, one_database

USER = {
    "id",
    "email",
    "email_verified",
    "first_name",
    "last_name",
    "language",
    "time_zone",
    "roles",
    "settings",
    "picture_id",
    "created_at",
    "updated_at",
}
FORM = {
    "email": address_of("ana"),
    "pincode": "000000",
    "first_name": "Ana",
    "last_name": "Example",
    "password": PASSWORD,
}


@pytest.fixture
async def stranger(world: World) -> Client:
    return await world.visitor("/signup", "/auth")


async def start(world: World, stranger: Client, address: str, count: int = 1) -> str:
    """Request a pincode, and read it from the mail."""
    sent = await stranger.call("/signup", "start", email=address)
    assert sent.keys() == {"expires_in_s", "ticket"}
    assert sent["expires_in_s"] == 600
    return await world.mails.pincode(address, count)


async def complete(stranger: Client, **changes) -> dict:
    return await stranger.ask("/signup", "complete", FORM | changes)


async def code_of(stranger: Client, **changes):
    return (await complete(stranger, **changes))["error"]["code"]


async def test_completing_a_signup_creates_a_signed_in_user(world, stranger):
    pincode = await start(world, stranger, address_of("ana"))
    answer = await complete(stranger, email="ANA@example.org", pincode=pincode)
    session = answer["data"]
    assert session.keys() == {
        *("access_token", "access_expires_in_s", "refresh_token", "device_token", "user")
    }
    assert session["access_expires_in_s"] == 900
    user = session["user"]
    assert user.keys() == USER
    assert user | {"id": "", "created_at": "", "updated_at": ""} == {
        "id": "",
        "email": "ana@example.org",
        "email_verified": True,
        "first_name": "Ana",
        "last_name": "Example",
        "language": "en",
        "time_zone": "UTC",
        "roles": ["student"],
        "settings": {"theme": "system", "clock": "24h", "read_receipts": True},
        "picture_id": None,
        "created_at": "",
        "updated_at": "",
    }
    device = await world.connect(session["access_token"])
    await device.enter("/profile")
    assert await device.call("/profile", "me") == user
    again = await stranger.call("/auth", "login", email=FORM["email"], password=PASSWORD)
    assert again["user"] == user
    assert await world.stored("USER_CREATED") == [{"user": user}]
    [password] = await world.stored("NEW_PASSWORD_SET")
    assert password["user_id"] == user["id"]


async def test_wrong_locked_expired_and_used_pincodes_are_refused(world, stranger):
    assert await code_of(stranger, pincode="123456") == "PINCODE_WRONG"
    pincode = await start(world, stranger, FORM["email"])
    assert await code_of(stranger, password="short", pincode=pincode) == "PASSWORD_WEAK"
    for _ in range(5):
        assert await code_of(stranger, pincode=other_than(pincode)) == "PINCODE_WRONG"
    assert await code_of(stranger, pincode=pincode) == "PINCODE_LOCKED"
    pincode = await start(world, stranger, FORM["email"], 2)
    world.clock.advance(600)
    assert await code_of(stranger, pincode=pincode) == "PINCODE_EXPIRED"
    old = pincode
    pincode = await start(world, stranger, FORM["email"], 3)
    if old != pincode:
        assert await code_of(stranger, pincode=old) == "PINCODE_WRONG"
    assert (await complete(stranger, pincode=pincode))["ok"]
    assert await code_of(stranger, pincode=pincode) == "PINCODE_WRONG", "it is used up"
    assert len(await world.stored("USER_CREATED")) == 1


def other_than(pincode: str) -> str:
    return f"{(int(pincode) + 1) % 1_000_000:06d}"


async def test_a_taken_email_address_is_refused(world, stranger):
    ana = await world.person("ana")
    pincode = await start(world, stranger, ana.email)
    assert await code_of(stranger, pincode=other_than(pincode)) == "PINCODE_WRONG"
    assert await code_of(stranger, pincode=pincode) == "EMAIL_TAKEN"
    assert await code_of(stranger, pincode=pincode) == "PINCODE_WRONG", "that used it up"
    assert len(await world.stored("USER_CREATED")) == 1


@one_database
async def test_invalid_signup_forms_are_refused(stranger):
    wrong: list[dict] = [
        {"pincode": "12345"},
        {"pincode": "1234567"},
        {"pincode": "１２３４５６"},
        {"pincode": 123456},
        {"first_name": " "},
        {"last_name": "x" * 101},
        {"email": "ana"},
        {"password": "x" * 257},
        {"roles": ["admin"]},
        {"request_id": "r"},
    ]
    for changes in wrong:
        assert await code_of(stranger, **changes) == "INVALID", changes


@one_database
@pytest.mark.parametrize(
    "address",
    [
        "=?utf-8?q?victim=40x.com=2C?=z@y.z",
        "ana@[x.y",
        "ana@(x).y",
        "ana(home)@x.y",
        '"ana"@x.y',
        "ana@x.y, eve@x.y",
        "ana@x.y.",
        "ana@x.y\n\u0085x",
        " ana @x.y",
        "ána@x.y",
        "аna@x.y",
        "ana@\u200b.de",
        "ana@" + "ö" * 64 + ".de",
        "ana@" + "\ufdfa" * 60 + ".de",
        ".ana@x.y",
        "an..a@x.y",
        "ana@x",
        "ana@-x.y",
        "ana@127.0.0.1",
        "a" * 65 + "@x.y",
        "ana@" + "x" * 64 + ".y",
        "ana@" + "x." * 125 + "y",
    ],
)
async def test_malformed_email_addresses_are_invalid(stranger, address):
    answer = await stranger.ask("/signup", "start", {"email": address})
    assert answer["error"]["code"] == "INVALID"


@one_database
@pytest.mark.parametrize("address", ["o'neil+1@a-b.example.org", "ANA@x.y", "a" * 64 + "@x.xn--p1"])
async def test_unusual_but_valid_addresses_get_a_mail(world, stranger, address):
    await start(world, stranger, address.lower())


async def test_blanks_around_an_address_are_removed(world):
    ana = await world.sign_up("ana")
    visitor = await world.visitor("/auth")
    session = await visitor.call("/auth", "login", email=f" {ana.email}\n", password=PASSWORD)
    assert session["user"]["email"] == ana.email
