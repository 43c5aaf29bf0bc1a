"""Malformed requests get a short answer, and none of their content is logged."""

import asyncio
import io
import json
import subprocess
import sys
from contextlib import suppress

import pytest
import structlog

from server.logs import LINES_PER_MINUTE, VALUE_MAX, Budget, log_loop_error, printable, set_up_logs
from tests.faults.attacker import HANDSHAKE, Line
from tests.world import ROOT, Process, World, one_database, until

CANARY = "canary-c0ffee"
ANSWERED_WITHIN_S = 3.0
UNFINISHED = 1
"""The number of requests in `ODD` for whose rest the server waits."""
ODD = [
    b"\x16\x03\x01\x02" + CANARY.encode(),
    f"{CANARY}\r\n\r\n".encode(),
    f"GET /{CANARY}\r\n\r\n".encode(),
    f"GET /{CANARY} HTTP/9.9\r\n\r\n".encode(),
    f"GET /{CANARY} HTTP/1.1 more\r\n\r\n".encode(),
    f"G<{CANARY}>T / HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET http://[{CANARY} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET //[{CANARY} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {CANARY}\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {CANARY}\x00\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\n {CANARY}\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\n: {CANARY}\r\n\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\nX: {CANARY * 2_000}\r\n\r\n".encode(),
    f"GET /{CANARY * 2_000} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    b"GET / HTTP/1.1\r\n" + f"X: {CANARY}\r\n".encode() * 500 + b"\r\n",
    f"GET /?signature={CANARY} HTTP/1.1\r\nHost: x\r\nHost: {CANARY}\r\n\r\n".encode(),
    f"POST /uploads HTTP/1.1\r\nHost: x\r\nContent-Length: {CANARY}\r\n\r\n".encode(),
    f"POST /uploads HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n{CANARY}".encode(),
    b"POST /uploads HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
    f"POST /uploads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: {CANARY}\r\n\r\n".encode(),
    f"POST /uploads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n".encode(),
    b"POST /uploads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"zz\r\n" + CANARY.encode() + b"\r\n",
    b"POST /uploads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
    + CANARY.encode(),
    f"PUT /files/incoming/{CANARY}?until={CANARY} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET /files/kept/{CANARY}?type=%ff HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET /%00{CANARY} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET /%0A{CANARY}%0A HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"{CANARY.upper()} / HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET /socket.io/?EIO=4&transport={CANARY} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET /socket.io/?EIO={CANARY} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET /socket.io/?EIO=4&transport=polling&sid=zz%0A{CANARY} HTTP/1.1\r\nHost: x\r\n"
    f"\r\n".encode(),
    f"POST /socket.io/?EIO=4&transport=polling&sid=zz%0D%0A{CANARY} HTTP/1.1\r\nHost: x\r\n"
    f"Content-Length: 1\r\n\r\n1".encode(),
    f"GET /socket.io/?EIO=4&transport=polling&j={CANARY} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: {CANARY}\r\n"
    f"Connection: Upgrade\r\n\r\n".encode(),
    f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    f"Connection: Upgrade\r\nSec-WebSocket-Key: {CANARY}\r\nSec-WebSocket-Version: 13\r\n"
    f"\r\n".encode(),
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Key: \xff\r\nSec-WebSocket-Version: 13\r\n\r\n",
    f"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\nOrigin: http://x/{CANARY}\r\n"
    f"\r\n".encode(),
    f"GET / HTTP/1.1\r\nHost: x\r\nExpect: {CANARY}\r\n\r\n".encode(),
    f"GET /{CANARY} HTTP/1.1\r\nHost: x\r\nExpect: {CANARY}\r\n\r\n".encode(),
    b"POST /uploads HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: \xff\r\n\r\n{}",
]


async def answer_to(port: int, data: bytes) -> bytes:
    """The whole answer; empty if the server still waits for more of the request."""
    answer = b""
    async with Line(port, "127.0.0.1") as line:
        await line.send(data)
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWERED_WITHIN_S):
                while chunk := await line.reader.read(65_536):
                    answer += chunk
                    if b"\r\n\r\n" in answer:
                        break
    return answer


@one_database
async def test_client_data_is_neither_logged_nor_echoed(process: Process):
    before = len(process.log)
    answers = await asyncio.gather(*(answer_to(process.port, data) for data in ODD))
    assert answers.count(b"") <= UNFINISHED
    for data, answer in zip(ODD, answers, strict=True):
        status = int(answer.split()[1]) if answer else 400
        assert 400 <= status < 500 or status == 200, (data, answer)
        assert CANARY.encode() not in answer, (data, answer)
        assert b"aiohttp" not in answer, (data, answer)
    written = process.log[before:]
    assert CANARY not in written
    assert "Traceback" not in written
    assert len(written.splitlines()) <= 3


@one_database
async def test_a_websocket_subprotocol_is_not_logged(process: Process):
    """Some clients put their token there, and aiohttp logs unknown protocols with the address."""
    handshake = (
        HANDSHAKE.removesuffix(b"\r\n") + f"Sec-WebSocket-Protocol: {CANARY}\r\n\r\n".encode()
    )
    answer = await answer_to(process.port, handshake)
    assert answer.startswith(b"HTTP/1.1 101 ")
    await until(lambda: "aiohttp.websocket" in process.log)
    assert CANARY not in process.log
    assert "127.0.0.1: " not in process.log


@one_database
async def test_a_flood_of_malformed_requests_is_counted_with_at_most_one_log_entry(
    world: World, logs
):
    for _ in range(200):
        await answer_to(world.port, b"nonsense\r\n\r\n")
    metrics = await world.metrics()
    assert metrics['parley_rejected_total{kind="malformed_http"}'] == 200
    assert "nonsense" not in logs.getvalue()
    assert len(logs.getvalue()) < 500


@one_database
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_jsonp_is_refused(world: World, method: str):
    head = f"{method} /socket.io/?EIO=4&transport=polling&j=0 HTTP/1.1\r\nHost: x\r\n\r\n"
    answer = await answer_to(world.port, head.encode())
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"___eio" not in answer
    assert not world.app.sockets.eio.sockets


# Lines.


def test_a_value_stays_on_one_line(logs):
    structlog.get_logger("x").warning("odd", path="a\nforged line\x1b[31m\u202e", many=["b\nc"])
    assert len(logs.getvalue().splitlines()) == 1
    assert "\x1b[31m\u202e" not in logs.getvalue()


def test_a_librarys_line_stays_one_line_without_the_exceptions_message():
    says = f"""
import logging
from server.logs import set_up_logs
set_up_logs("text")
try:
    raise ValueError("{CANARY}")
except ValueError:
    logging.getLogger("somebody.elses").exception("it\\nfailed")
"""
    ran = subprocess.run(
        [sys.executable, "-c", says], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert len(ran.stderr.splitlines()) == 1
    assert "ValueError" in ran.stderr
    assert CANARY not in ran.stderr


async def test_errors_of_the_event_loop_are_logged_without_arguments(logs):
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_loop_error)

    def broken(secret: str) -> None:
        raise ValueError(secret)

    loop.call_soon(broken, CANARY)
    await until(lambda: "ValueError" in logs.getvalue())
    assert CANARY not in logs.getvalue()


def test_a_long_value_is_cut():
    assert len(printable("x" * 10_000)) <= VALUE_MAX + 1


def test_entries_of_one_kind_are_limited_per_minute_and_the_rest_counted():
    now = [0.0]
    budget = Budget(lambda: now[0])
    taken = [budget.take("a") for _ in range(LINES_PER_MINUTE + 5)]
    assert taken.count(0) == LINES_PER_MINUTE
    assert taken[-5:] == [None] * 5
    assert budget.take("b") == 0
    now[0] = 60.0
    assert budget.take("a") == 5
    assert budget.take("a") == 0


def test_entries_of_too_many_kinds_share_a_limit(logs):
    for number in range(3_000):
        structlog.get_logger("x").warning(f"kind {number}")
    assert len(logs.getvalue().splitlines()) <= 1_100


def test_json_lines_are_one_object_each(monkeypatch):
    written = io.StringIO()
    before = structlog.get_config()
    monkeypatch.setattr(sys, "stderr", written)
    set_up_logs("json")
    structlog.get_logger("x").warning("odd", path="a\nb")
    structlog.configure(**before)
    assert json.loads(written.getvalue())["path"] == "a\\nb"
