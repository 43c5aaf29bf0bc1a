"""The ways in which a person signs in: added and removed with a fresh proof, never the last."""

import asyncio
from typing import Any

import pytest

from tests.parts.provider import FakeProvider, person
from tests.platform.identities.travel import CHALLENGE, VERIFIER, Traveller
from tests.wire_client import Refused
from tests.world import PASSWORD, Person, World, both_databases, one_database, with_server

pytestmark = with_server


async def proof_of(ana: Traveller, provider: FakeProvider, **query: str) -> dict[str, str]:
    """A ticket, and the verifier without which it is worth nothing."""
    ticket = await ana.ticket(provider, challenge=CHALLENGE, **query)
    return {"ticket": ticket, "verifier": VERIFIER}


async def code_of(who: Person, command: str, **payload: Any) -> str:
    with pytest.raises(Refused) as refused:
        await who.call("/profile", command, **payload)
    code: str = refused.value.code
    return code


async def by_oauth(world: World, provider: FakeProvider, ana: Traveller) -> Person:
    """Somebody whose only way in is the house."""
    door = await world.visitor("/auth")
    session = await door.call("/auth", "oauth", ticket=await ana.ticket(provider))
    return Person(world, "ana", session, await world.connect(session["access_token"]))


async def test_a_way_in_is_added_and_both_lead_to_the_same_person(world, provider, ana):
    owner = await world.sign_up("ana")
    provider.person = person("somebody", email="ana@work.example")
    assert await owner.call("/profile", "sign_in_methods") == {"password": True, "identities": []}
    proof = await proof_of(ana, provider)
    methods = await owner.call("/profile", "link", **proof, request_id="one")
    (identity,) = methods["identities"]
    assert identity.keys() == {"id", "provider", "title", "email", "linked_at"}
    assert (identity["title"], identity["email"]) == ("House", "ana@work.example")
    assert await owner.call("/profile", "link", **proof, request_id="one") == methods
    assert await owner.call("/profile", "sign_in_methods") == methods
    door = await world.visitor("/auth")
    session = await door.call("/auth", "oauth", ticket=await ana.ticket(provider))
    assert session["user"]["id"] == owner.id
    assert session["user"]["email"] == "ana@example.org"
    (linked,) = await world.stored("OAUTH_LINKED")
    assert linked["identity_id"] == identity["id"]
    [added] = await world.stored("AUTH_METHOD_ADDED")
    assert (added["user_id"], added["method"]) == (owner.id, "house")
    again = await owner.call("/profile", "link", **await proof_of(ana, provider))
    assert again == methods
    assert len(await world.stored("OAUTH_LINKED")) == 1


@one_database
async def test_only_a_ticket_that_this_client_began_is_linked(world, provider, ana):
    """Else a page that is led to somebody else's ticket would let them in for good."""
    owner = await world.sign_up("ana")
    unbound = await ana.ticket(provider)
    assert await code_of(owner, "link", ticket=unbound, verifier=VERIFIER) == "TICKET_INVALID"


@one_database
async def test_an_identity_is_one_persons(world, provider, ana):
    await by_oauth(world, provider, ana)
    ben = await world.sign_up("ben")
    assert await code_of(ben, "link", **await proof_of(ana, provider)) == "IDENTITY_TAKEN"
    proof = await proof_of(ana, provider, fresh="1")
    assert await code_of(ben, "prove", **proof) == "IDENTITY_TAKEN"


async def test_what_changes_the_ways_in_needs_a_proof_that_is_fresh(world, provider, ana):
    owner = await world.sign_up("ana")
    world.clock.advance(601)
    for command, payload in (
        ("link", await proof_of(ana, provider)),
        ("unlink", {"identity_id": owner.id}),
        ("remove_password", {}),
    ):
        assert await code_of(owner, command, **payload) == "PROOF_NEEDED"
    assert await code_of(owner, "prove", password="wrong password") == "CREDENTIALS_WRONG"
    assert await code_of(owner, "remove_password") == "PROOF_NEEDED"
    assert await owner.call("/profile", "prove", password=PASSWORD) == {"fresh_for_s": 600}
    await owner.call("/profile", "link", **await proof_of(ana, provider))
    world.clock.advance(601)
    await owner.call("/profile", "send_proof")
    pincode = await world.mails.pincode(owner.email, 2)
    wrong = "000000" if pincode != "000000" else "000001"
    assert await code_of(owner, "prove", pincode=wrong) == "PINCODE_WRONG"
    await owner.call("/profile", "prove", pincode=pincode)
    await owner.call("/profile", "remove_password")
    world.clock.advance(601)
    stale = await proof_of(ana, provider)
    assert await code_of(owner, "prove", **stale) == "TICKET_INVALID"  # not made fresh
    assert await code_of(owner, "prove", password=PASSWORD) == "CREDENTIALS_WRONG"  # removed
    await owner.call("/profile", "prove", **await proof_of(ana, provider, fresh="1"))
    assert await code_of(owner, "unlink", identity_id=owner.id) == "NOT_FOUND"
    failures = [one for one in await world.stored("AUTH_FAILURE") if one["user_id"] == owner.id]
    assert [one["reason"] for one in failures] == ["PROOF_WRONG"] * 2


@one_database
async def test_a_house_that_says_when_somebody_signed_in_is_held_to_it(world, provider, ana):
    provider.lies = {"auth_time": 1}
    asked = await ana.travel(provider)
    assert "ticket" in asked  # nobody asked for a fresh one
    assert await ana.travel(provider, fresh="1") == {"error": "OAUTH_FAILED"}


@one_database
async def test_a_proof_is_one_of_three(world):
    owner = await world.sign_up("ana")
    assert await code_of(owner, "prove") == "INVALID"
    assert await code_of(owner, "prove", password=PASSWORD, pincode="123456") == "INVALID"


@one_database
async def test_a_proof_is_the_sessions_own(world):
    owner = await world.sign_up("ana")
    world.clock.advance(601)
    other = await world.another_session(owner)
    world.clock.advance(601)
    await other.call("/profile", "prove", password=PASSWORD)
    assert await code_of(owner, "remove_password") == "PROOF_NEEDED"


async def test_the_last_way_in_stays(world, provider, ana):
    owner = await world.sign_up("ana")
    assert await code_of(owner, "remove_password") == "LAST_METHOD"
    provider.person = person("zoe")
    other = await by_oauth(world, provider, ana)
    (identity,) = (await other.call("/profile", "sign_in_methods"))["identities"]
    assert await code_of(other, "unlink", identity_id=identity["id"]) == "LAST_METHOD"
    assert await code_of(owner, "unlink", identity_id=identity["id"]) == "NOT_FOUND"
    assert len((await other.call("/profile", "sign_in_methods"))["identities"]) == 1


@both_databases
async def test_of_two_ways_in_removed_at_once_one_stays(world, provider, ana):
    owner = await world.sign_up("ana")
    methods = await owner.call("/profile", "link", **await proof_of(ana, provider))
    device = await owner.device()
    await device.enter("/profile")
    answers = await asyncio.gather(
        owner.client.ask("/profile", "remove_password", {}),
        device.ask("/profile", "unlink", {"identity_id": methods["identities"][0]["id"]}),
    )
    assert sorted(answer["ok"] for answer in answers) == [False, True]
    left = await owner.call("/profile", "sign_in_methods")
    assert left["password"] + len(left["identities"]) == 1


async def test_who_removes_a_way_in_ends_the_sessions_that_it_may_have_opened(world, provider, ana):
    owner = await world.sign_up("ana")
    methods = await owner.call("/profile", "link", **await proof_of(ana, provider))
    other = await world.another_session(owner)
    await other.enter("/profile")
    left = await owner.call("/profile", "unlink", identity_id=methods["identities"][0]["id"])
    assert left == {"password": True, "identities": []}
    await asyncio.wait_for(other.client.closed.wait(), 5)
    assert (await owner.call("/profile", "me"))["id"] == owner.id
    door = await world.visitor("/auth")
    answer = await door.ask("/auth", "oauth", {"ticket": await ana.ticket(provider)})
    assert answer["error"]["code"] == "EMAIL_TAKEN"
    [removed] = await world.stored("AUTH_METHOD_REMOVED")
    assert (removed["user_id"], removed["method"]) == (owner.id, "house")


@one_database
async def test_there_is_room_for_ten_identities(world, provider, ana):
    owner = await world.sign_up("ana")
    for number in range(10):
        provider.person = person(f"ana{number}")
        await owner.call("/profile", "link", **await proof_of(ana, provider))
    provider.person = person("ana11")
    assert await code_of(owner, "link", **await proof_of(ana, provider)) == "TOO_MANY_METHODS"
