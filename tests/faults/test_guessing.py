"""Many addresses guess the password of one account, against a real server process."""

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

ADDRESSES, GUESSES_EACH = 60, 20
HASHER = PasswordHasher(**COST)
MAIL_SUBJECT = f"Someone tried to sign in to your account {STRANGERS.free} times"


def cpu_s(process: Process) -> float:
    """The CPU time that the process has used so far, in seconds."""
    assert process._running is not None
    fields = Path(f"/proc/{process._running.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def hash_s() -> float:
    """The CPU time of one password hash on this machine, in seconds."""
    began = time.thread_time()
    HASHER.hash(PASSWORD)
    return time.thread_time() - began


async def connect_from(process: Process, address: str) -> Client:
    client = Client(process.url, None, {"X-Forwarded-For": address})
    process.clients.append(client)
    return await (await client.open()).enter("/auth")


async def log_in(client: Client, ana: Person, password: str, **more: str) -> str:
    payload = {"email": ana.email, "password": password, **more}
    answer = await client.ask("/auth", "login", payload)
    return "OK" if answer["ok"] else str(answer["error"]["code"])


@one_database
@pytest.mark.settings(PARLEY_TRUSTED_PROXIES="127.0.0.1/32")
async def test_a_flood_of_guesses_is_cheap_and_does_not_lock_out_the_owner(process):
    ana = await process.sign_up("ana")
    clients = [await connect_from(process, f"198.51.100.{n}") for n in range(ADDRESSES)]

    async def guess(client: Client, times: int) -> list[str]:
        return [await log_in(client, ana, f"wrong {n}") for n in range(times)]

    first = await asyncio.gather(*(guess(one, 1) for one in clients))
    codes = Counter(code for codes in first for code in codes)
    assert codes["CREDENTIALS_WRONG"] == STRANGERS.free
    before = cpu_s(process)
    answers = await asyncio.gather(*(guess(one, GUESSES_EACH) for one in clients))
    each_s = (cpu_s(process) - before) / (ADDRESSES * GUESSES_EACH)
    refused = Counter(code for codes in answers for code in codes)
    assert refused["RATE_LIMITED"] >= ADDRESSES * GUESSES_EACH - 2, "all except after a wait"
    assert each_s < hash_s() / 5
    owner = await connect_from(process, "203.0.113.9")
    assert await log_in(owner, ana, PASSWORD) == "RATE_LIMITED", "an unknown device waits"
    known = ana.session["device_token"]
    assert await log_in(owner, ana, PASSWORD, device_token=known) == "OK"
    assert (await process.mails.wait_for(ana.email, 2))["Subject"] == MAIL_SUBJECT


@one_database
async def test_stored_password_hashes_are_expensive_to_guess(process, database_url):
    await process.sign_up("ana")
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as file:
        ((stored,),) = file.execute("SELECT password_hash FROM credentials")
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$"), "by OWASP's second profile"
