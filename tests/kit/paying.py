"""A domain whose command calls an external provider, the provider, and a process with both.

`python -m tests.kit.paying` is `run.py` with this domain.
"""

import asyncio
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar
from unittest.mock import patch

import aiohttp
from aiohttp import web

from handlers.kit.context import Context
from handlers.kit.contract import ChangeOnce, Event, Personal, View
from handlers.kit.domain import Domain
from handlers.kit.errors import Refusal, Unavailable
from handlers.kit.registry import Registry, load_domains
from handlers.kit.transaction import Transaction

PROVIDER_URL = "TEST_PROVIDER_URL"
WITHIN_S = 1.0
"""The timeout of a call to the provider."""

paying = Domain("paying", "/paying")


class Declined(Refusal):
    """The provider does not take this."""


class Pay(ChangeOnce, kw_only=True):
    amount: int
    payee_id: str | None = None
    payee_name: str = ""


class Intent(View):
    """What is about to be paid; its id is the provider's idempotency key."""

    PERSONAL: ClassVar[Personal] = {"payee_id": {"payee_name": ""}}
    id: str
    amount: int
    payee_id: str | None = None
    payee_name: str = ""


class Paid(View):
    """What was paid."""

    intent_id: str
    charge: str


class PaymentIntended(Event):
    """Somebody is about to pay."""

    NAME: ClassVar[str] = "TEST_PAYMENT_INTENDED"
    PLAIN: ClassVar[tuple[str, ...]] = ("intent_id",)
    intent_id: str

    def key(self) -> str:
        return self.intent_id


class PaymentSettled(PaymentIntended):
    """It is paid."""

    NAME: ClassVar[str] = "TEST_PAYMENT_SETTLED"
    PLAIN: ClassVar[tuple[str, ...]] = ("intent_id", "charge")
    charge: str


@paying.command(refuses=(Declined, Unavailable), steps={"intent": Intent})
async def pay(ctx: Context, ask: Pay) -> Paid:
    """Pay by the provider."""
    intent = await ctx.step("intent", intend, ask)
    charge = await ctx.outside(charge_for(intent))
    return await ctx.transact(settle, intent, charge)


def intend(tx: Transaction, ask: Pay) -> Intent:
    intent = Intent(
        id=tx.new_id(), amount=ask.amount, payee_id=ask.payee_id, payee_name=ask.payee_name
    )
    tx.publish(PaymentIntended(intent_id=intent.id))
    return intent


def settle(tx: Transaction, intent: Intent, charge: str) -> Paid:
    tx.publish(PaymentSettled(intent_id=intent.id, charge=charge))
    return Paid(intent_id=intent.id, charge=charge)


async def charge_for(intent: Intent) -> str:
    """The provider's id of the charge; raises Declined, and TimeoutError after `WITHIN_S`."""
    address = f"{os.environ[PROVIDER_URL]}/charges/{intent.id}?amount={intent.amount}"
    async with (
        asyncio.timeout(WITHIN_S),
        aiohttp.ClientSession() as http,
        http.post(address) as answer,
    ):
        if answer.status == 402:
            raise Declined
        return await answer.text()


@dataclass
class Provider:
    """Charges once for each idempotency key, and answers as `behaves` says."""

    url: str = ""
    behaves: str = "well"
    """`well`, `declines`, `slow`, `loses` (charges, never answers), `hangs` (does neither)."""
    asked: Counter[str] = field(default_factory=Counter)
    charged: dict[str, int] = field(default_factory=dict)
    at_once: int = 0
    at_once_max: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """Set to let `slow` answer."""

    async def charge(self, request: web.Request) -> web.Response:
        self.at_once += 1
        self.at_once_max = max(self.at_once, self.at_once_max)
        try:
            return await self._charge(request)
        finally:
            self.at_once -= 1

    async def _charge(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        self.asked[key] += 1
        if self.behaves == "declines":
            return web.Response(status=402)
        if self.behaves != "hangs":
            self.charged.setdefault(key, int(request.query["amount"]))
        if self.behaves == "slow":
            await self.open.wait()
        if self.behaves in ("hangs", "loses"):
            await asyncio.Event().wait()
        return web.Response(text=f"charge {key}")


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """A provider on loopback to which `charge_for` sends its requests."""
    it = Provider()
    app = web.Application()
    app.router.add_post("/charges/{key}", it.charge)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    it.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        with patch.dict(os.environ, {PROVIDER_URL: it.url}):
            yield it
    finally:
        await runner.cleanup()


def main() -> None:
    import run

    def with_paying(names: tuple[str, ...]) -> Registry:
        return Registry((*load_domains(names).domains, paying))

    with patch("server.app.load_domains", with_paying):
        run.main()


if __name__ == "__main__":
    main()
