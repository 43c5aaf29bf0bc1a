"""TURN credentials: for one user, for some minutes, renewed during the call, and never stored."""

import base64
import hashlib
import hmac

import pytest

from server.settings import WrongSetting, read_settings
from tests.consulting.call.scenes import CALL, talk_of
from tests.consulting.waiting_room.scenes import refusal_of

SECRET = "the secret that the TURN server shares"
URLS = ["turn:turn.example.org:3478?transport=udp", "turns:turn.example.org:5349"]
SETTINGS = {"PARLEY_TURN_URLS": ",".join(URLS), "PARLEY_TURN_SECRET": SECRET + "\n"}


@pytest.mark.settings(
    **SETTINGS,
    PARLEY_CALL_ACCESS_S="120",
    PARLEY_ICE_SERVERS='[{"urls":["stun:stun.example.org"]}]',
)
async def test_each_user_gets_credentials_that_expire_and_can_be_renewed(world):
    talk = await talk_of(world)
    for person in talk.participants:
        first = (await talk.join(person))["access"]
        stun, turn = first["ice_servers"]
        assert (stun, turn["urls"]) == ({"urls": ["stun:stun.example.org"]}, URLS)
        expires_s, user_id = turn["username"].split(":")
        assert (int(expires_s), user_id) == (int(world.clock.now().timestamp()) + 120, person.id)
        digest = hmac.digest(SECRET.encode(), turn["username"].encode(), hashlib.sha1)
        assert turn["credential"] == base64.b64encode(digest).decode()
        world.clock.advance(30)
        again = await person.call(CALL, "access", call_id=talk.id)
        assert again["expires_at"] > first["expires_at"]
        assert again["ice_servers"][1]["username"] != turn["username"]
    stranger = await world.person("eve")
    assert await refusal_of(stranger, CALL, "access", call_id=talk.id) == "NOT_FOUND"
    await talk.student.call(CALL, "end", call_id=talk.id)
    await world.settle()
    for name in ("CALL_INITIATED", "CALL_STARTED", "CALL_ENDED"):
        assert "turn" not in str(await world.stored(name))


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"PARLEY_TURN_URLS": "turn:a"}, "PARLEY_TURN_SECRET"),
        ({"PARLEY_TURN_SECRET": SECRET}, "PARLEY_TURN_URLS"),
        ({"PARLEY_TURN_URLS": "stun:a", "PARLEY_TURN_SECRET": SECRET}, "PARLEY_TURN_URLS"),
        ({"PARLEY_TURN_URLS": "turn:", "PARLEY_TURN_SECRET": SECRET}, "PARLEY_TURN_URLS"),
        ({**SETTINGS, "PARLEY_CALL_ACCESS_S": "59"}, "PARLEY_CALL_ACCESS_S"),
    ],
)
def test_an_unusable_turn_server_is_refused_at_the_start(environ, variable):
    with pytest.raises(WrongSetting, match=variable) as raised:
        read_settings(environ)
    assert SECRET not in str(raised.value)
