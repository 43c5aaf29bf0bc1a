"""Signing up and in: pincodes resist guessing, passwords are checked, accounts stay hidden."""

import asyncio
import re
from collections import Counter

import pytest

from tests.wire_client import Client, Refused
from tests.world import PASSWORD, World, address_of, both_databases, one_database

ANA = address_of("ana")


@pytest.fixture
async def stranger(world):
    return await world.visitor("/signup", "/auth")


@pytest.fixture
def verified(monkeypatch) -> Counter:
    """Counts password verifications, which are the expensive part of signing in."""
    from handlers.platform.auth import passwords

    counted: Counter = Counter()
    verify, hash_it = passwords._verify, passwords._HASHER.hash

    def count_verify(password_hash, password):
        counted["verify"] += 1
        return verify(password_hash, password)

    monkeypatch.setattr(passwords, "_verify", count_verify)
    monkeypatch.setattr(passwords, "hash_password", counting(counted, hash_it))
    monkeypatch.setattr("handlers.platform.auth.public.hash_password", counting(counted, hash_it))
    return counted


def counting(counted: Counter, hash_it):
    async def hash_password(password):
        counted["hash"] += 1
        return hash_it(password)

    return hash_password


async def start(world: World, stranger: Client, address: str = ANA, count: int = 1) -> str:
    """Request a pincode and read it from the mail."""
    await stranger.call("/signup", "start", email=address)
    return await world.mails.pincode(address, count)


async def complete(stranger: Client, pincode: str, address: str = ANA, **changes: str) -> str:
    """Complete the sign-up; returns OK or the refusal's code."""
    form = {
        "email": address,
        "pincode": pincode,
        "first_name": "Ana",
        "last_name": "Example",
        "password": PASSWORD,
        **changes,
    }
    answer = await stranger.ask("/signup", "complete", form)
    return "OK" if answer["ok"] else str(answer["error"]["code"])


def other_than(pincode: str, count: int = 1) -> list[str]:
    return [f"{(int(pincode) + n) % 1_000_000:06d}" for n in range(1, count + 1)]


# 13: pincodes.


async def test_a_visitor_signs_up_with_the_pincode_from_the_mail(world, stranger):
    pincode = await start(world, stranger)
    assert re.fullmatch(r"\d{6}", pincode)
    assert await complete(stranger, pincode) == "OK"
    session = await stranger.call("/auth", "login", email=ANA, password=PASSWORD)
    assert session["user"]["email_verified"] is True
    assert session["user"]["roles"] == ["student"]


async def test_an_email_address_ignores_case(world, stranger):
    pincode = await start(world, stranger)
    assert await complete(stranger, pincode, "ANA@Example.ORG") == "OK"
    assert await stranger.call("/auth", "login", email="Ana@example.org", password=PASSWORD)


async def test_a_pincode_is_used_once(world, stranger):
    pincode = await start(world, stranger)
    assert await complete(stranger, pincode) == "OK"
    assert await complete(stranger, pincode) == "PINCODE_WRONG"


async def test_five_wrong_tries_invalidate_a_pincode(world, stranger):
    pincode = await start(world, stranger)
    codes = [await complete(stranger, wrong) for wrong in other_than(pincode, 5)]
    assert codes == ["PINCODE_WRONG"] * 5
    assert await complete(stranger, pincode) == "PINCODE_LOCKED"
    fresh = await start(world, stranger, count=2)
    assert await complete(stranger, fresh) == "OK"


async def test_four_wrong_tries_do_not_invalidate_a_pincode(world, stranger):
    pincode = await start(world, stranger)
    for wrong in other_than(pincode, 4):
        assert await complete(stranger, wrong) == "PINCODE_WRONG"
    assert await complete(stranger, pincode) == "OK"


@both_databases
async def test_parallel_guesses_are_counted_one_by_one(world, stranger):
    pincode = await start(world, stranger)
    guessers = [await world.visitor("/signup") for _ in range(12)]
    guesses = other_than(pincode, 12)
    codes = await asyncio.gather(
        *(complete(guesser, guess) for guesser, guess in zip(guessers, guesses, strict=True))
    )
    assert Counter(codes) == {"PINCODE_WRONG": 5, "PINCODE_LOCKED": 7}
    assert await complete(stranger, pincode) == "PINCODE_LOCKED"


@both_databases
async def test_the_right_pincode_many_times_at_once_makes_one_user(world, stranger):
    pincode = await start(world, stranger)
    guessers = [await world.visitor("/signup") for _ in range(6)]
    codes = await asyncio.gather(*(complete(guesser, pincode) for guesser in guessers))
    assert Counter(codes) == {"OK": 1, "PINCODE_WRONG": 5}
    assert len(await world.stored("USER_CREATED")) == 1


@pytest.mark.stopped_clock
async def test_a_pincode_is_valid_for_ten_minutes(world, stranger):
    await stranger.call("/signup", "start", email=ANA)
    pincode = await world.mails.pincode(ANA)
    world.clock.advance(599)
    assert await complete(stranger, other_than(pincode)[0]) == "PINCODE_WRONG"
    world.clock.advance(2)
    assert await complete(stranger, pincode) == "PINCODE_EXPIRED"


async def test_a_pincode_is_bound_to_its_request_and_address(world, stranger):
    first = await start(world, stranger)
    bens = await start(world, stranger, address_of("ben"))
    second = await start(world, stranger, count=2)
    for wrong in {first, bens} - {second}:
        assert await complete(stranger, wrong) == "PINCODE_WRONG"
    assert await complete(stranger, second) == "OK"


@one_database
async def test_pincodes_cover_their_whole_range(world, stranger):
    pincodes = [await start(world, stranger, address_of(f"p{n}")) for n in range(20)]
    assert len(set(pincodes)) > 15
    assert len({pincode[0] for pincode in pincodes}) > 3


async def test_an_address_has_an_hourly_limit_of_pincodes(world, stranger):
    for _ in range(10):
        await stranger.call("/signup", "start", email=ANA)
    with pytest.raises(Refused) as refused:
        await stranger.call("/signup", "start", email=ANA)
    assert refused.value.code == "RATE_LIMITED"
    wait_s = refused.value.error["retry_after_s"]
    assert 3_500 < wait_s <= 3_600
    world.clock.advance(wait_s + 1)
    assert await stranger.call("/signup", "start", email=ANA)


@both_databases
async def test_many_starts_at_once_do_not_get_past_the_cap(world, stranger):
    strangers = [await world.visitor("/signup") for _ in range(15)]
    answers = await asyncio.gather(
        *(one.ask("/signup", "start", {"email": ANA}) for one in strangers)
    )
    assert len([answer for answer in answers if answer["ok"]]) == 10


# 14: known and unknown accounts cannot be distinguished.


async def test_logging_in_has_the_same_answer_and_cost_for_unknown_accounts(
    world, stranger, verified
):
    await complete(stranger, await start(world, stranger))
    answers, costs = [], []
    for address in (ANA, address_of("nobody")):
        verified.clear()
        login = {"email": address, "password": "not this one"}
        answers.append(await stranger.ask("/auth", "login", login))
        costs.append(dict(verified))
    assert answers[0] == answers[1]
    assert answers[0]["error"]["code"] == "CREDENTIALS_WRONG"
    assert costs == [{"verify": 1}, {"verify": 1}]


async def test_starting_a_sign_up_has_the_same_answer_for_known_addresses(world, stranger):
    await complete(stranger, await start(world, stranger))
    known = await stranger.ask("/signup", "start", {"email": ANA})
    unknown = await stranger.ask("/signup", "start", {"email": address_of("nobody")})
    assert known["data"].pop("ticket") != unknown["data"].pop("ticket")
    assert known == unknown == {"ok": True, "data": {"expires_in_s": 600}}
    assert await world.mails.wait_for(ANA, 2), "the owner learns of it by mail alone"


async def test_completing_has_the_same_answer_and_cost_until_the_address_is_proved(
    world, stranger, verified
):
    await complete(stranger, await start(world, stranger))
    pincode = await start(world, stranger, count=2)
    answers, costs = [], []
    for address in (ANA, address_of("nobody")):
        verified.clear()
        answers.append(await complete(stranger, other_than(pincode)[0], address))
        costs.append(dict(verified))
    assert answers == ["PINCODE_WRONG"] * 2
    assert costs == [{"hash": 1}] * 2
    assert await complete(stranger, pincode) == "EMAIL_TAKEN"
    assert await complete(stranger, pincode) == "PINCODE_WRONG", "it was spent"


async def test_a_failed_and_a_successful_login_are_recorded(world, stranger):
    await complete(stranger, await start(world, stranger))
    await stranger.ask("/auth", "login", {"email": ANA, "password": "not this one"})
    await stranger.ask("/auth", "login", {"email": address_of("nobody"), "password": "x"})
    session = await stranger.call("/auth", "login", email=ANA, password=PASSWORD)
    failures = await world.stored("AUTH_FAILURE")
    assert [failure.get("user_id") for failure in failures] == [session["user"]["id"], None]
    assert ANA not in str(failures)
    (success,) = await world.stored("AUTH_SUCCESS")
    assert success["user_id"] == session["user"]["id"]


async def test_an_account_without_a_password_cannot_be_logged_into(world, stranger, verified):
    await world.person("ana")
    for password in ("", " ", "nobody has this password"):
        answer = await stranger.ask("/auth", "login", {"email": ANA, "password": password})
        assert answer["ok"] is False
    assert verified["verify"] == 2


# 15: passwords.


@one_database
@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short77", "PASSWORD_WEAK"),
        ("password", "PASSWORD_WEAK"),
        ("PassWord", "PASSWORD_WEAK"),
        ("12345678", "PASSWORD_WEAK"),
        ("aaaaaaaaaaaa", "PASSWORD_WEAK"),
        ("ana@example.org", "PASSWORD_WEAK"),
        ("x" * 300, "INVALID"),
        ("", "INVALID"),
        ("eightlow", "OK"),
        ("all lower case and spaces", "OK"),
        ("Zimmer" + "ß" * 3, "OK"),
        ("abcdefgh" * 8, "OK"),
        ("abcdefgh" * 16, "OK"),
    ],
)
async def test_a_password_only_has_to_be_long_enough_and_uncommon(world, stranger, password, code):
    pincode = await start(world, stranger)
    assert await complete(stranger, pincode, password=password) == code
    if code == "OK":
        assert await stranger.call("/auth", "login", email=ANA, password=password)
    else:
        assert await complete(stranger, pincode) == "OK", "the pincode must not be spent by it"


@one_database
@pytest.mark.settings(PARLEY_PASSWORD_LENGTH_MIN="12")
async def test_the_shortest_password_is_a_setting(world, stranger):
    pincode = await start(world, stranger)
    assert await complete(stranger, pincode, password="elevenchars") == "PASSWORD_WEAK"
    assert await complete(stranger, pincode, password="twelve chars") == "OK"


@one_database
async def test_a_changed_password_has_the_same_rules(world):
    ana = await world.sign_up("ana")
    for weak in ("short77", "password"):
        with pytest.raises(Refused) as refused:
            await ana.call(
                "/profile", "change_password", current_password=PASSWORD, new_password=weak
            )
        assert refused.value.code == "PASSWORD_WEAK"


@one_database
@pytest.mark.parametrize(
    "address",
    ["", "x", "x@y", "@example.org", "a b@example.org", "a@b@c.org", "a\n@example.org",
     "a,b@example.org", "x" * 250 + "@example.org", "<a@example.org>"],
)  # fmt: skip
async def test_an_invalid_email_address_is_refused(world, stranger, address):
    answer = await stranger.ask("/signup", "start", {"email": address})
    assert answer["error"]["code"] == "INVALID"
