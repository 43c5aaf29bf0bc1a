"""Any user agent is parsed within a few milliseconds."""

import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.platform.auth.devices import NAME_MAX, name_of, where
from tests.faults.attacker import HANDSHAKE, Line, frames
from tests.world import PASSWORD, with_server

pytestmark = with_server

PIECES = (
    ";",
    "a;",
    "Mozilla/5.0 ",
    "(Linux; Android 9; ",
    " Build/",
    "1.",
    "SM-",
    "bot",
    "a/1 ",
    "(",
)


@pytest.mark.parametrize("piece", PIECES)
def test_a_hostile_user_agent_is_parsed_quickly(piece):
    user_agent = (piece * 200)[:200]
    name_of.cache_clear()
    name_of("curl/8.0")
    times = []
    for number in range(5):
        began = time.thread_time()
        assert len(name_of(user_agent[:-1] + str(number))) <= NAME_MAX
        times.append(time.thread_time() - began)
    assert min(times) < 0.02, "some 3 ms here"


@given(
    st.lists(st.sampled_from([*PIECES, "CFNetwork/1 ", "Opera/", "Windows NT 10.0; ", "Android "]))
)
def test_every_user_agent_gets_a_name(pieces):
    assert 0 < len(name_of("".join(pieces)[:200])) <= NAME_MAX


NAMELESS_DEVICE = (
    "_botOpera/CFNetwork/1 AA Build/ Build/Mozilla/5.0 Opera/(Linux; Android 9;   Build/a;"
    "Android a/1 Windows NT 10.0; ;("
)
"""It matches a device pattern that yields no name, so the library raises ValueError."""


@pytest.mark.parametrize("user_agent", [NAMELESS_DEVICE, "", "\0", "é" * 200])
def test_malformed_user_agents_get_names(user_agent):
    assert name_of(user_agent)


def test_a_browser_is_named_without_versions():
    user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
    assert name_of(user_agent) == "Firefox on Linux"


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Firefox on Linux", "Firefox (Linux)"), ("ParleyApp", "ParleyApp"), ("unknown", "")],
)
def test_a_text_in_any_language_shows_a_device_without_english_words(name, shown):
    moment = datetime(2030, 1, 1, tzinfo=UTC)
    assert where(name, "Berlin", moment) == (shown, "Berlin", moment)


async def test_a_client_with_a_non_utf_8_user_agent_can_log_in(world):
    ana = await world.sign_up("ana")
    line = await Line(world.port, "127.0.0.1").open()
    await line.send(
        HANDSHAKE.removesuffix(b"\r\n") + b"User-Agent: T\xe9l\xe9 \xed\xa0\x80\r\n\r\n"
    )
    await line.reader.readuntil(b"\r\n\r\n")
    login = f'42/auth,1["login",{{"email":"{ana.email}","password":"{PASSWORD}"}}]'
    await line.send(frames("40/auth,", 1) + frames(login, 1))
    await line.reader.readuntil(b"43/auth,1[")
    answer = await line.reader.read(20)
    await line.close()
    assert answer.startswith(b'{"ok":true')
