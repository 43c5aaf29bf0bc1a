"""Video providers: tokens, rooms, verified webhooks, and the talked time that they confirm."""

import itertools
from datetime import timedelta

import aiohttp
import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from handlers.consulting.call import reports
from handlers.consulting.call.providers import livekit
from handlers.consulting.call.rules import CallRules
from handlers.kit.errors import Forbidden, Invalid
from server.settings import WrongSetting, read_settings
from storage.consulting.call.provider_stays import list_stays
from tests.consulting.call import fake_livekit
from tests.consulting.call.fake_livekit import body_of, running_livekit, sign, sign_at
from tests.consulting.call.scenes import CALL, talk_of
from tests.consulting.waiting_room.scenes import refusal_of
from tests.world import both_databases, with_server

LIVEKIT = fake_livekit.settings("wss://livekit.example")
JITSI_SECRET = "a secret of Jitsi, long enough for HS256"
JITSI = {
    "PARLEY_VIDEO_PROVIDER": "jitsi",
    "PARLEY_VIDEO_URL": "https://meet.example.org",
    "PARLEY_VIDEO_KEY": "parley",
    "PARLEY_VIDEO_SECRET": JITSI_SECRET,
}
RULES = CallRules(
    video_provider="livekit",
    video_url="wss://livekit.example",
    video_key=fake_livekit.KEY,
    video_secret=fake_livekit.SECRET,
)


@pytest.fixture
async def rooms():
    async with running_livekit() as server:
        yield server


@pytest.fixture
async def talk(make_world, rooms):
    """A call of two users on a server that uses LiveKit."""
    return await talk_of(await make_world(**fake_livekit.settings(rooms.url)))


async def report(talk, event, person=None, session="PA_1", began_s=0.0, at_s=0.0):
    """Take a webhook of the call's room; times are in seconds after the start of the test."""
    start = talk.world.clock.now()
    body = body_of(
        event,
        talk.id,
        start + timedelta(seconds=at_s),
        person.id if person else "",
        session,
        began=start + timedelta(seconds=began_s),
    )
    webhook = livekit.read_webhook(RULES, sign_at(body, start), body.encode(), start)
    await talk.world.transact(reports.take, webhook)


async def test_each_user_gets_a_token_for_the_room_of_the_call(talk, rooms):
    assert talk.call["provider"] == "livekit"
    for person in talk.participants:
        access = (await talk.join(person))["access"]
        claims = fake_livekit.read_token(access["token"])
        assert (access["url"], access["room"]) == (rooms.url, talk.id)
        assert (claims.identity, claims.video.room) == (person.id, talk.id)
        assert (claims.video.room_join, claims.video.room_admin) == (True, None)
        assert access["ice_servers"] == []
        again = await person.call(CALL, "access", call_id=talk.id)
        assert fake_livekit.read_token(again["token"]).identity == person.id


@pytest.mark.settings(**JITSI)
async def test_a_jitsi_token_makes_the_consultant_the_moderator(world):
    talk = await talk_of(world)
    for person in talk.participants:
        access = (await talk.join(person))["access"]
        read = jwt.decode(access["token"], OctKey.import_key(JITSI_SECRET), algorithms=["HS256"])
        claims, is_consultant = read.claims, person is talk.consultant
        assert (claims["aud"], claims["iss"], claims["sub"]) == (
            "jitsi",
            "parley",
            "meet.example.org",
        )
        assert claims["room"] == access["room"] == talk.id
        assert claims["context"]["user"]["id"] == person.id
        assert claims["context"]["user"]["moderator"] is is_consultant
        assert claims["exp"] - int(world.clock.now().timestamp()) == 600


async def test_no_stored_event_or_answer_contains_a_token(talk):
    token = (await talk.join())["access"]["token"]
    await talk.student.call(CALL, "end", call_id=talk.id)
    await talk.world.settle()
    for name in ("CALL_INITIATED", "CALL_STARTED", "CALL_ENDED", "CALL_DURATION_RECORDED"):
        for event in await talk.world.stored(name):
            assert "access" not in event["call"]
            assert token not in str(event)
    assert await refusal_of(talk.student, CALL, "access", call_id=talk.id) == "CALL_OVER"


async def test_a_call_keeps_its_provider_when_the_setting_changes(talk):
    talk.world.app.kernel.rules._by_kind[CallRules] = CallRules()
    assert await refusal_of(talk.student, CALL, "join", call_id=talk.id) == "VIDEO_UNAVAILABLE"
    assert await talk.open_stays() == 0
    assert (await talk.student.call(CALL, "end", call_id=talk.id))["provider"] == "livekit"


@both_databases
async def test_the_talked_time_follows_what_the_provider_confirms(talk):
    await talk.join()
    talk.world.clock.advance(60)
    await report(talk, "participant_joined", talk.student, "PA_1", -50, -50)
    await report(talk, "participant_joined", talk.consultant, "PA_2", -45, -45)
    await report(talk, "participant_left", talk.student, "PA_1", -50, -20)
    talk.world.clock.advance(30)
    ended = await talk.consultant.call(CALL, "end", call_id=talk.id)
    assert 25 <= ended["talked_s"] <= 27  # the provider's times are whole seconds


async def test_without_reports_the_talked_time_is_our_own(talk):
    await talk.join()
    talk.world.clock.advance(60)
    assert (await talk.consultant.call(CALL, "end", call_id=talk.id))["talked_s"] == 60


async def test_a_side_without_reports_counts_by_its_own_connections(talk):
    await talk.join()
    talk.world.clock.advance(60)
    await report(talk, "participant_joined", talk.student, "PA_1", -40, -40)
    assert 39 <= (await talk.consultant.call(CALL, "end", call_id=talk.id))["talked_s"] <= 41


async def test_repeated_and_reordered_reports_change_nothing(talk):
    await talk.join()
    talk.world.clock.advance(100)
    await talk.student.call(CALL, "end", call_id=talk.id)
    said = [
        ("participant_joined", talk.student, "PA_1", -90, -90),
        ("participant_left", talk.student, "PA_1", -90, -60),
        ("participant_joined", talk.student, "PA_3", -50, -50),
        ("participant_joined", talk.consultant, "PA_2", -100, -100),
        ("room_finished", None, "", 0, -10),
    ]
    seen = set()
    for order in itertools.islice(itertools.permutations(said), 0, 120, 17):
        for one in (*order, *order[:3]):
            await report(talk, *one)
        stays = await talk.world.read(list_stays, talk.id)
        seen.add((await talk.student.call(CALL, "end", call_id=talk.id))["talked_s"])
        assert len(stays) == 3
    assert len(seen) == 1
    assert 69 <= seen.pop() <= 73


async def test_a_report_after_the_end_corrects_the_recorded_time(talk):
    await talk.join()
    talk.world.clock.advance(60)
    assert (await talk.student.call(CALL, "end", call_id=talk.id))["talked_s"] == 60
    await report(talk, "participant_left", talk.student, "PA_1", -40, 0)
    assert (await talk.world.stored("CALL_DURATION_RECORDED"))[-1]["call"]["talked_s"] == 40
    recorded = len(await talk.world.stored("CALL_DURATION_RECORDED"))
    await report(talk, "participant_left", talk.student, "PA_1", -40, 0)
    assert len(await talk.world.stored("CALL_DURATION_RECORDED")) == recorded


async def test_a_departure_that_is_never_reported_does_not_make_the_call_longer(talk):
    await talk.join()
    await report(talk, "participant_joined", talk.student, "PA_1", 0, 0)
    talk.world.clock.advance(20)
    await talk.disconnect(talk.student.client)
    await talk.advance(61)
    assert (await talk.state())["talked_s"] == 20


async def test_reports_of_other_rooms_and_users_are_ignored_and_stays_are_bounded(
    talk, monkeypatch
):
    world = talk.world
    monkeypatch.setattr(reports, "STAYS_MAX", 2)
    stranger = await world.person("eve")
    await report(talk, "participant_joined", stranger)
    await report(talk, "track_published", talk.student)
    now = world.clock.now()
    body = body_of("participant_joined", "another room", now, talk.student.id)
    await world.transact(
        reports.take, livekit.read_webhook(RULES, sign_at(body, now), body.encode(), now)
    )
    assert await world.read(list_stays, talk.id) == []
    for number in range(4):
        await report(talk, "participant_left", talk.student, f"PA_{number}")
    assert len(await world.read(list_stays, talk.id)) == 2


def refused_by(body, authorization, now):
    try:
        livekit.read_webhook(RULES, authorization, body, now)
    except (Forbidden, Invalid) as refusal:
        return refusal.CODE
    return None


def test_a_webhook_that_the_provider_did_not_sign_is_refused():
    body = '{"event":"room_started","createdAt":"1800000000"}'
    now = fake_livekit.signed_at(sign(body))
    assert refused_by(body.encode(), sign(body), now) is None
    assert refused_by(body.encode(), f"Bearer {sign(body)}", now) is None
    for forged in (
        "",
        "nonsense",
        sign(body, secret="another secret, as long as the true one is"),
        sign(body, key="another key"),
        sign(body + " "),
        fake_livekit.api.AccessToken(fake_livekit.KEY, fake_livekit.SECRET).to_jwt(),
        jwt.encode({"alg": "HS256"}, {"iss": fake_livekit.KEY}, OctKey.import_key("x" * 32)),
    ):
        assert refused_by(body.encode(), forged, now) == "FORBIDDEN"
    late = now + timedelta(seconds=400)
    assert refused_by(body.encode(), sign(body), late) == "FORBIDDEN"
    assert refused_by(body.encode(), sign(body), now - timedelta(seconds=400)) == "FORBIDDEN"
    for odd in ("[]", "{", '{"event":1}', '{"event":"x","createdAt":"1e99"}', "\0"):
        assert refused_by(odd.encode(), sign(odd), now) == "INVALID"
    far = '{"event":"participant_joined","createdAt":"99999999999999999"}'
    assert refused_by(far.encode(), sign(far), now) == "INVALID"


@with_server
async def test_webhooks_arrive_over_http(talk):
    body = body_of("participant_joined", talk.id, talk.world.clock.now(), talk.student.id)
    headers = {
        "Content-Type": "application/webhook+json",
        "Authorization": sign_at(body, talk.world.clock.now()),
    }
    url = talk.world.url + fake_livekit.PATH
    async with aiohttp.ClientSession() as http:
        async with http.post(url, data=body, headers=headers) as answer:
            assert answer.status == 204
        async with http.post(url, data=body + " ", headers=headers) as answer:
            assert answer.status == 403
        async with http.post(url, data=b"x" * 100_000, headers=headers) as answer:
            assert answer.status == 413
    assert [one.session for one in await talk.world.read(list_stays, talk.id)] == ["PA_1"]


@with_server
async def test_without_livekit_there_is_no_webhook(world):
    body = body_of("participant_joined", "room", world.clock.now())
    async with (
        aiohttp.ClientSession() as http,
        http.post(world.url + fake_livekit.PATH, data=body) as answer,
    ):
        assert answer.status == 404


async def test_rooms_are_created_and_deleted_and_failures_are_retried(talk, rooms):
    await talk.world.settle()
    assert rooms.asked == [("CreateRoom", talk.id)]
    rooms.failures = 1
    assert (await talk.student.call(CALL, "end", call_id=talk.id))["status"] == "ended"
    await talk.advance(5)
    await talk.advance(5)
    assert rooms.asked[1:] == [("DeleteRoom", talk.id)]
    assert rooms.failures == 0


@pytest.mark.parametrize(
    ("without", "variable"),
    [
        ("PARLEY_VIDEO_URL", "PARLEY_VIDEO_URL"),
        ("PARLEY_VIDEO_KEY", "PARLEY_VIDEO_KEY"),
        ("PARLEY_VIDEO_SECRET", "PARLEY_VIDEO_SECRET"),
    ],
)
@pytest.mark.parametrize("given", [LIVEKIT, JITSI], ids=["livekit", "jitsi"])
def test_an_incomplete_provider_is_refused_at_the_start(given, without, variable):
    environ = {name: value for name, value in given.items() if name != without}
    with pytest.raises(WrongSetting) as raised:
        read_settings(environ)
    assert variable in str(raised.value)
    assert fake_livekit.SECRET not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["livekit.example", "ftp://a", "wss://", "wss://a?b=c", "wss://u:p@a", "wss://a:b"]
)
def test_an_unusable_address_is_refused_at_the_start(url):
    with pytest.raises(WrongSetting, match="PARLEY_VIDEO_URL"):
        read_settings({**LIVEKIT, "PARLEY_VIDEO_URL": url})
