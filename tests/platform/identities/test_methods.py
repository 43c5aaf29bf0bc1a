"""Sign-in methods: they are added and removed with a fresh proof, but never the last one."""

import asyncio
from typing import Any

import pytest

from tests.parts.provider import FakeProvider, person
from tests.platform.identities.travel import CHALLENGE, VERIFIER, Browser
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, World, both_databases, one_database, with_server

pytestmark = with_server


async def proof_of(browser: Browser, provider: FakeProvider, **query: str) -> dict[str, str]:
    """A ticket bound to a challenge, and its verifier."""
    ticket = await browser.ticket(provider, challenge=CHALLENGE, **query)
    return {"ticket": ticket, "verifier": VERIFIER}


async def code_of(user: Person, command: str, **payload: Any) -> str:
    with pytest.raises(Refused) as refused:
        await user.call("/profile", command, **payload)
    code: str = refused.value.code
    return code


async def sign_up_with_provider(world: World, provider: FakeProvider, browser: Browser) -> Person:
    """A user whose only sign-in method is the provider."""
    visitor = await world.visitor("/auth")
    session = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
    return Person(world, "ana", session, await world.connect(session["access_token"]))


async def test_a_linked_provider_signs_in_the_same_user(world, provider, browser):
    owner = await world.sign_up("ana")
    provider.person = person("somebody", email="ana@work.example")
    assert await owner.call("/profile", "sign_in_methods") == {"password": True, "identities": []}
    proof = await proof_of(browser, provider)
    methods = await owner.call("/profile", "link", **proof, request_id="one")
    (identity,) = methods["identities"]
    assert identity.keys() == {"id", "provider", "title", "email", "linked_at"}
    assert (identity["title"], identity["email"]) == ("House", "ana@work.example")
    assert await owner.call("/profile", "link", **proof, request_id="one") == methods
    assert await owner.call("/profile", "sign_in_methods") == methods
    visitor = await world.visitor("/auth")
    session = await visitor.call("/auth", "oauth", ticket=await browser.ticket(provider))
    assert session["user"]["id"] == owner.id
    assert session["user"]["email"] == "ana@example.org"
    (linked,) = await world.stored("OAUTH_LINKED")
    assert linked["identity_id"] == identity["id"]
    [added] = await world.stored("AUTH_METHOD_ADDED")
    assert (added["user_id"], added["method"]) == (owner.id, "house")
    again = await owner.call("/profile", "link", **await proof_of(browser, provider))
    assert again == methods
    assert len(await world.stored("OAUTH_LINKED")) == 1


@one_database
async def test_only_a_ticket_started_by_the_same_client_can_be_linked(world, provider, browser):
    """Otherwise an attacker could have their own identity linked to another user's account."""
    owner = await world.sign_up("ana")
    unbound = await browser.ticket(provider)
    assert await code_of(owner, "link", ticket=unbound, verifier=VERIFIER) == "TICKET_INVALID"


@one_database
async def test_an_identity_belongs_to_one_user(world, provider, browser):
    await sign_up_with_provider(world, provider, browser)
    ben = await world.sign_up("ben")
    assert await code_of(ben, "link", **await proof_of(browser, provider)) == "IDENTITY_TAKEN"
    proof = await proof_of(browser, provider, fresh="1")
    assert await code_of(ben, "prove", **proof) == "IDENTITY_TAKEN"


async def test_changing_sign_in_methods_needs_a_fresh_proof(world, provider, browser):
    owner = await world.sign_up("ana")
    world.clock.advance(601)
    for command, payload in (
        ("link", await proof_of(browser, provider)),
        ("unlink", {"identity_id": owner.id}),
        ("remove_password", {}),
    ):
        assert await code_of(owner, command, **payload) == "PROOF_NEEDED"
    assert await code_of(owner, "prove", password="wrong password") == "CREDENTIALS_WRONG"
    assert await code_of(owner, "remove_password") == "PROOF_NEEDED"
    assert await owner.call("/profile", "prove", password=PASSWORD) == {"fresh_for_s": 600}
    await owner.call("/profile", "link", **await proof_of(browser, provider))
    world.clock.advance(601)
    await owner.call("/profile", "send_proof")
    pincode = await world.mails.pincode(owner.email, 2)
    wrong = "000000" if pincode != "000000" else "000001"
    assert await code_of(owner, "prove", pincode=wrong) == "PINCODE_WRONG"
    await owner.call("/profile", "prove", pincode=pincode)
    await owner.call("/profile", "remove_password")
    world.clock.advance(601)
    stale = await proof_of(browser, provider)
    assert await code_of(owner, "prove", **stale) == "TICKET_INVALID"  # not a fresh sign-in
    assert await code_of(owner, "prove", password=PASSWORD) == "CREDENTIALS_WRONG"  # removed
    await owner.call("/profile", "prove", **await proof_of(browser, provider, fresh="1"))
    assert await code_of(owner, "unlink", identity_id=owner.id) == "NOT_FOUND"
    failures = [one for one in await world.stored("AUTH_FAILURE") if one["user_id"] == owner.id]
    assert [one["reason"] for one in failures] == ["PROOF_WRONG"] * 2


@one_database
async def test_a_fresh_sign_in_with_an_old_auth_time_is_refused(world, provider, browser):
    provider.lies = {"auth_time": 1}
    asked = await browser.sign_in(provider)
    assert "ticket" in asked  # no fresh sign-in was requested
    assert await browser.sign_in(provider, fresh="1") == {"error": "OAUTH_FAILED"}


@one_database
async def test_exactly_one_kind_of_proof_is_accepted(world):
    owner = await world.sign_up("ana")
    assert await code_of(owner, "prove") == "INVALID"
    assert await code_of(owner, "prove", password=PASSWORD, pincode="123456") == "INVALID"


@one_database
async def test_a_proof_is_valid_only_in_its_own_session(world):
    owner = await world.sign_up("ana")
    world.clock.advance(601)
    other = await world.another_session(owner)
    world.clock.advance(601)
    await other.call("/profile", "prove", password=PASSWORD)
    assert await code_of(owner, "remove_password") == "PROOF_NEEDED"


async def test_the_last_sign_in_method_cannot_be_removed(world, provider, browser):
    owner = await world.sign_up("ana")
    assert await code_of(owner, "remove_password") == "LAST_METHOD"
    provider.person = person("zoe")
    other = await sign_up_with_provider(world, provider, browser)
    (identity,) = (await other.call("/profile", "sign_in_methods"))["identities"]
    assert await code_of(other, "unlink", identity_id=identity["id"]) == "LAST_METHOD"
    assert await code_of(owner, "unlink", identity_id=identity["id"]) == "NOT_FOUND"
    assert len((await other.call("/profile", "sign_in_methods"))["identities"]) == 1


@both_databases
async def test_removing_two_sign_in_methods_at_once_leaves_one(world, provider, browser):
    owner = await world.sign_up("ana")
    methods = await owner.call("/profile", "link", **await proof_of(browser, provider))
    device = await owner.device()
    await device.enter("/profile")
    answers = await asyncio.gather(
        owner.client.ask("/profile", "remove_password", {}),
        device.ask("/profile", "unlink", {"identity_id": methods["identities"][0]["id"]}),
    )
    assert sorted(answer["ok"] for answer in answers) == [False, True]
    left = await owner.call("/profile", "sign_in_methods")
    assert left["password"] + len(left["identities"]) == 1


async def test_unlinking_a_provider_ends_the_other_sessions(world, provider, browser):
    owner = await world.sign_up("ana")
    methods = await owner.call("/profile", "link", **await proof_of(browser, provider))
    other = await world.another_session(owner)
    await other.enter("/profile")
    left = await owner.call("/profile", "unlink", identity_id=methods["identities"][0]["id"])
    assert left == {"password": True, "identities": []}
    await asyncio.wait_for(other.client.closed.wait(), 5)
    assert (await owner.call("/profile", "me"))["id"] == owner.id
    visitor = await world.visitor("/auth")
    answer = await visitor.ask("/auth", "oauth", {"ticket": await browser.ticket(provider)})
    assert answer["error"]["code"] == "EMAIL_TAKEN"
    [removed] = await world.stored("AUTH_METHOD_REMOVED")
    assert (removed["user_id"], removed["method"]) == (owner.id, "house")


@one_database
async def test_an_account_can_have_at_most_ten_identities(world, provider, browser):
    owner = await world.sign_up("ana")
    for number in range(10):
        provider.person = person(f"ana{number}")
        await owner.call("/profile", "link", **await proof_of(browser, provider))
    provider.person = person("ana11")
    assert await code_of(owner, "link", **await proof_of(browser, provider)) == "TOO_MANY_METHODS"
