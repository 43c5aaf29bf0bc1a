"""Common and personal passwords are refused by every command that sets one."""

import time

import pytest

from handlers.kit.rules import Rules
from handlers.platform.auth import strength
from handlers.platform.auth.contracts import PasswordWeak
from handlers.platform.auth.rules import AuthRules
from tests.wire_client import Refused
from tests.world import PASSWORD, World, one_database

PERSONAL_DATA = ("Ana.Lovelace@Example.org", "Ana-Maria", "Lovelace")


def reason(password: str) -> str:
    """Why the password is refused, or an empty string if it is accepted."""
    try:
        strength.check_strength(password, Rules(AuthRules()), *PERSONAL_DATA)
    except PasswordWeak as weak:
        return str(weak.details.get("reason", "short"))
    return ""


@pytest.mark.parametrize(
    "password",
    [
        *("iloveyou", "Sunshine", "football1", "PASSWORD!", "qwertyuiop", "letmein1", "Monkey24"),
        *(
            "dragon123!",
            "princess",
            "trustno1",
            "baseball?",
            "11223344",
            "aaaaaaaaaa",
            "ababababab",
        ),
        *("starwars", "whatever", "superman1!", "michelle", "changeme", "P@ssw0rd", "passw0rd!"),
    ],
)
def test_common_passwords_and_their_variations_are_assert_refused(password):
    assert reason(password) == "common"


@pytest.mark.parametrize(
    "password",
    [
        *("ana.lovelace@example.org", "ANA.LOVELACE", "analovelace", "Lovelace1815", "lovelace!"),
        *(
            "AnaMaria2024!",
            "maria-lovelace",
            "parleyparley",
            "Parley2024",
            "example.org",
            "Ana@Parley",
            "LÓVELACE２４",
        ),
    ],
)
def test_a_password_made_from_the_users_name_or_address_is_assert_refused(password):
    assert reason(password) == "personal"


@pytest.mark.parametrize(
    "password",
    [
        *(PASSWORD, "lovelace sails at dawn", "eightlow", "Zimmer" + "ß" * 3, "8392018473629183"),
        *("ana 83920184736291", "abcdefgh" * 8, "パスワード長い文", "monkeys on the roof"),
    ],
)
def test_other_passwords_are_accepted(password):
    assert reason(password) == ""


def test_the_list_of_common_passwords_is_long_and_checked_quickly():
    assert strength._COMMON.count("\n") > 10_000
    began = time.thread_time()
    for n in range(200):
        reason(f"a good password {n}")
    assert (time.thread_time() - began) / 200 < 0.003, "a hash takes ten times that"


@one_database
async def test_every_command_that_sets_a_password_refuses_weak_ones(world: World):
    ana = await (await world.sign_up("ana")).enter("/profile")
    await ana.call("/profile", "update", first_name="Quintessa")
    visitor = await world.visitor("/signup", "/auth")
    form = {"first_name": "Margaret", "last_name": "Hamilton", "email": "peggy@example.org"}
    sent = await visitor.call("/signup", "start", email=form["email"])
    proof = {"pincode": await world.mails.pincode(form["email"]), "ticket": sent["ticket"]}
    for weak in ("hamilton1", "peggy1234", "iloveyou!", "example.org"):
        await assert_refused(visitor, "/signup", "complete", {**form, **proof, "password": weak})
    ticket = (await visitor.call("/auth", "forgot", email=ana.email))["ticket"]
    lost = {"email": ana.email, "ticket": ticket}
    lost["pincode"] = await world.mails.pincode(ana.email, 2)
    await ana.call("/profile", "send_proof")
    proof = {"pincode": await world.mails.pincode(ana.email, 3)}
    for weak in ("Quintessa!", "ana@example.org", "Example1", "trustno1", "Parley2024"):
        await assert_refused(visitor, "/auth", "reset", {**lost, "new_password": weak})
        change = {"current_password": PASSWORD, "new_password": weak}
        await assert_refused(ana.client, "/profile", "change_password", change)
        await assert_refused(
            ana.client, "/profile", "set_password", {**proof, "new_password": weak}
        )
    await visitor.call("/auth", "login", email=ana.email, password=PASSWORD)
    await visitor.call("/auth", "reset", **lost, new_password="lovelace sails at dawn")


async def assert_refused(client, namespace: str, command: str, payload: dict) -> None:
    with pytest.raises(Refused) as refusal:
        await client.call(namespace, command, **payload)
    assert refusal.value.code == "PASSWORD_WEAK", payload


@one_database
async def test_a_reset_with_a_wrong_pincode_does_not_reveal_the_owners_name(world: World):
    """A refusal because of the owner's name would reveal who has an account."""
    ana = await world.sign_up("ana")
    await ana.call("/profile", "update", first_name="Quintessa")
    visitor = await world.visitor("/auth")
    for email in (ana.email, "nobody@example.org"):
        payload = {"email": email, "pincode": "123456", "new_password": "Quintessa1"}
        answer = await visitor.ask("/auth", "reset", payload)
        assert answer["error"]["code"] == "PINCODE_WRONG"
