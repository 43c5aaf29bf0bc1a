"""A flood of wrong passwords for one account, from many addresses, against a whole process."""

import asyncio
import os
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from handlers.platform.auth.passwords import COST
from handlers.platform.auth.service.guesses import STRANGERS
from tests.wire_client import Client
from tests.world import PASSWORD, Person, Process, one_database

ADDRESSES, TIMES = 60, 20
HASHER = PasswordHasher(**COST)
MAILED = f"Someone tried to sign in to your account {STRANGERS.free} times"


def cpu_s(process: Process) -> float:
    """What the process has used of the processors so far, in seconds."""
    assert process._running is not None
    fields = Path(f"/proc/{process._running.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hash_s() -> float:
    """What one hash costs here and now."""
    began = time.thread_time()
    HASHER.hash(PASSWORD)
    return time.thread_time() - began


async def door_at(process: Process, address: str) -> Client:
    client = Client(process.url, None, {"X-Forwarded-For": address})
    process.clients.append(client)
    return await (await client.open()).enter("/auth")


async def log_in(door: Client, ana: Person, password: str, **more: str) -> str:
    payload = {"email": ana.email, "password": password, **more}
    answer = await door.ask("/auth", "login", payload)
    return "OK" if answer["ok"] else str(answer["error"]["code"])


@one_database
@pytest.mark.settings(PARLEY_TRUSTED_PROXIES="127.0.0.1/32")
async def test_a_flood_of_guesses_costs_little_and_keeps_the_owner_in(process):
    ana = await process.sign_up("ana")
    doors = [await door_at(process, f"198.51.100.{n}") for n in range(ADDRESSES)]

    async def guess(door: Client, times: int) -> list[str]:
        return [await log_in(door, ana, f"wrong {n}") for n in range(times)]

    first = await asyncio.gather(*(guess(one, 1) for one in doors))
    codes = Counter(code for codes in first for code in codes)
    assert codes["CREDENTIALS_WRONG"] == STRANGERS.free
    before = cpu_s(process)
    answers = await asyncio.gather(*(guess(one, TIMES) for one in doors))
    each_s = (cpu_s(process) - before) / (ADDRESSES * TIMES)
    refused = Counter(code for codes in answers for code in codes)
    assert refused["RATE_LIMITED"] >= ADDRESSES * TIMES - 2, "but when a wait is over"
    assert each_s < hash_s() / 5
    owner = await door_at(process, "203.0.113.9")
    assert await log_in(owner, ana, PASSWORD) == "RATE_LIMITED", "an unknown device waits"
    known = ana.session["device_token"]
    assert await log_in(owner, ana, PASSWORD, device_token=known) == "OK"
    assert (await process.mails.wait_for(ana.email, 2))["Subject"] == MAILED


@one_database
async def test_what_is_stored_of_a_password_is_dear_to_guess_from(process, database_url):
    await process.sign_up("ana")
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as file:
        ((stored,),) = file.execute("SELECT password_hash FROM credentials")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$"), "by OWASP's second profile"
