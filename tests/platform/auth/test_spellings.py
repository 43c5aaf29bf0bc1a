"""A password or an address signs in, however the keyboard spells it."""

import asyncio
import unicodedata

import pytest

from handlers.platform.auth.passwords import COST, PasswordHasher
from storage.platform.auth import sessions as store
from tests.wire_client import Client, Refused
from tests.world import PASSWORD, Person, World, address_of

ACCENTED = "Crème brûlée für ガラス"
FORMS = {form: unicodedata.normalize(form, ACCENTED) for form in ("NFC", "NFD")}


@pytest.fixture
async def ana(world: World) -> Person:
    return await (await world.sign_up("ana")).enter("/profile")


@pytest.fixture
async def visitor(world: World) -> Client:
    return await world.visitor("/auth")


async def log_in(visitor: Client, password: str, email: str = address_of("ana")) -> dict:
    return await visitor.call("/auth", "login", email=email, password=password)


async def store_hash_of(world: World, ana: Person, password: str) -> None:
    """Store the hash of exactly this text, as earlier versions did."""
    hashed = await asyncio.to_thread(PasswordHasher(**COST).hash, password)
    now = world.app.clock.now()
    await world.transact(lambda tx: store.set_password(tx, ana.id, hashed, now))


async def stored_hash(world: World, ana: Person) -> str | None:
    return await world.read(lambda tx: store.find_password(tx, ana.id))


@pytest.mark.parametrize("form", FORMS)
async def test_a_password_matches_composed_and_decomposed(ana, visitor, form):
    change = {"current_password": PASSWORD, "new_password": FORMS[form]}
    await ana.call("/profile", "change_password", **change)
    for typed in FORMS.values():
        assert (await log_in(visitor, typed))["user"]["id"] == ana.id
    with pytest.raises(Refused, match="CREDENTIALS_WRONG"):
        await log_in(visitor, FORMS["NFC"].replace("è", "e"))


@pytest.mark.parametrize("form", FORMS)
async def test_a_hash_of_an_earlier_version_is_renewed_at_the_next_sign_in(
    world, ana, visitor, form
):
    await store_hash_of(world, ana, FORMS["NFD"])
    earlier = await stored_hash(world, ana)
    sets = len(await world.stored("NEW_PASSWORD_SET"))
    await log_in(visitor, FORMS[form])
    renewed = await stored_hash(world, ana)
    assert renewed != earlier
    await log_in(visitor, FORMS["NFC"])
    await log_in(visitor, FORMS["NFD"])
    assert await stored_hash(world, ana) == renewed
    assert len(await world.stored("NEW_PASSWORD_SET")) == sets, "the password stayed the same"


async def test_the_minimum_length_counts_letters_and_not_their_parts(ana):
    with pytest.raises(Refused, match="PASSWORD_WEAK"):
        await ana.call(
            "/profile", "change_password", current_password=PASSWORD, new_password="e\u0301zq" * 2
        )


@pytest.mark.parametrize("typed", ["ＡＮＡ＠example.org", "ana@EXAMPLE。org", "Ana@Ｅxample．org"])
async def test_an_address_signs_in_in_every_spelling(ana, visitor, typed):
    assert (await log_in(visitor, PASSWORD, typed))["user"]["email"] == ana.email


async def test_mail_goes_to_the_address_that_was_looked_up(world):
    stranger = await world.visitor("/signup", "/auth")
    await stranger.call("/signup", "start", email="ſam@BÜCHER.example")
    pincode = await world.mails.pincode("sam@xn--bcher-kva.example")
    form = {"first_name": "Sam", "last_name": "Example", "password": PASSWORD}
    session = await stranger.call(
        "/signup", "complete", email="sam@bücher.example", pincode=pincode, **form
    )
    assert session["user"]["email"] == "sam@xn--bcher-kva.example"
