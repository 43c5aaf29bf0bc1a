"""Passwords that anybody would try first are refused wherever one is set, and cheaply."""

import time

import pytest

from handlers.kit.rules import Rules
from handlers.platform.auth import strength
from handlers.platform.auth.contracts import PasswordWeak
from handlers.platform.auth.rules import AuthRules
from tests.wire_client import Refused
from tests.world import PASSWORD, World, one_database

ABOUT = ("Ana.Lovelace@Example.org", "Ana-Maria", "Lovelace")


def reason(password: str) -> str:
    """Why it is refused; empty when it is not."""
    try:
        strength.check_strength(password, Rules(AuthRules()), *ABOUT)
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
def test_a_common_password_is_refused_in_any_case_and_with_a_usual_ending(password):
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
        ),
    ],
)
def test_a_password_made_of_ones_own_name_or_address_is_refused(password):
    assert reason(password) == "personal"


@pytest.mark.parametrize(
    "password",
    [
        *(PASSWORD, "lovelace sails at dawn", "eightlow", "Zimmer" + "ß" * 3, "8392018473629183"),
        *("ana 83920184736291", "abcdefgh" * 8, "パスワード長い文", "monkeys on the roof"),
    ],
)
def test_any_other_password_will_do(password):
    assert reason(password) == ""


def test_many_are_known_and_looking_costs_next_to_nothing():
    assert strength._COMMON.count("\n") > 10_000
    began = time.thread_time()
    for n in range(200):
        reason(f"a good password {n}")
    assert (time.thread_time() - began) / 200 < 0.003, "a hash takes ten times that"


@one_database
async def test_it_is_so_at_every_door(world: World):
    ana = await (await world.sign_up("ana")).enter("/profile")
    await ana.call("/profile", "update", first_name="Quintessa")
    door = await world.visitor("/signup", "/auth")
    form = {"first_name": "Margaret", "last_name": "Hamilton", "email": "peggy@example.org"}
    sent = await door.call("/signup", "start", email=form["email"])
    proof = {"pincode": await world.mails.pincode(form["email"]), "ticket": sent["ticket"]}
    for weak in ("hamilton1", "peggy1234", "iloveyou!", "example.org"):
        await refused(door, "/signup", "complete", {**form, **proof, "password": weak})
    ticket = (await door.call("/auth", "forgot", email=ana.email))["ticket"]
    lost = {"email": ana.email, "ticket": ticket}
    lost["pincode"] = await world.mails.pincode(ana.email, 2)
    await ana.call("/profile", "send_proof")
    proof = {"pincode": await world.mails.pincode(ana.email, 3)}
    for weak in ("Quintessa!", "ana@example.org", "Example1", "trustno1", "Parley2024"):
        await refused(door, "/auth", "reset", {**lost, "new_password": weak})
        change = {"current_password": PASSWORD, "new_password": weak}
        await refused(ana.client, "/profile", "change_password", change)
        await refused(ana.client, "/profile", "set_password", {**proof, "new_password": weak})
    await door.call("/auth", "login", email=ana.email, password=PASSWORD)
    await door.call("/auth", "reset", **lost, new_password="lovelace sails at dawn")


async def refused(client, namespace: str, command: str, payload: dict) -> None:
    with pytest.raises(Refused) as refusal:
        await client.call(namespace, command, **payload)
    assert refusal.value.code == "PASSWORD_WEAK", payload


@one_database
async def test_who_does_not_read_the_mail_learns_no_name(world: World):
    """A refusal for the owner's name would tell strangers who has an account."""
    ana = await world.sign_up("ana")
    await ana.call("/profile", "update", first_name="Quintessa")
    door = await world.visitor("/auth")
    for email in (ana.email, "nobody@example.org"):
        payload = {"email": email, "pincode": "123456", "new_password": "Quintessa1"}
        answer = await door.ask("/auth", "reset", payload)
        assert answer["error"]["code"] == "PINCODE_WRONG"
