"""Mails of tests, and what became of them."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from handlers.kit.transaction import Transaction
from handlers.kit.wording import ANYBODY, Code, Plain
from handlers.platform.notifications.mails import NOTICE
from handlers.platform.pincodes.mails import PINCODE
from handlers.platform.send.contracts import SendNotification
from handlers.platform.send.public import compose
from storage.platform.send import Dispatch, dispatches
from tests.parts.mail import Mailbox
from tests.world import World, address_of

ANA, BEN = address_of("ana"), address_of("ben")
HOUR_S, DAY_S = 3_600, 86_400


def url_of(mailbox: Mailbox) -> str:
    return f"smtp://{mailbox.host}:{mailbox.port}"


def notice(tx: Transaction, to: str, **more: Any) -> SendNotification:
    """A mail without a secret."""
    values = {"title": Plain("News"), "first_name": Plain("Ana"), "body": Plain("Good news.")}
    return compose(tx, NOTICE, to, ANYBODY, values, link="/", **more)


def pincode(tx: Transaction, to: str) -> SendNotification:
    values = {"pincode": Code("123456"), "life": timedelta(minutes=10)}
    expires_at = tx.now + timedelta(minutes=10)
    return compose(tx, PINCODE, to, ANYBODY, values, expires_at=expires_at)


async def send(world: World, to: str, make: Any = notice, **more: Any) -> str:
    """Send a mail, as far as possible now; returns the id of its dispatch."""

    def publish(tx: Transaction) -> str:
        mail = make(tx, to, **more)
        tx.publish(mail)
        return str(mail.dispatch_id)

    dispatch_id: str = await world.transact(publish)
    await world.settle()
    return dispatch_id


async def all_dispatches(world: World) -> list[Dispatch]:
    """All dispatches, oldest first."""
    rows = select(dispatches).order_by(dispatches.c.id)
    found: list[Dispatch] = await world.read(lambda tx: tx.all(Dispatch, rows))
    return found


async def get(world: World, dispatch_id: str) -> Dispatch:
    return next(one for one in await all_dispatches(world) if one.id == dispatch_id)


async def pass_time(world: World, seconds: float) -> None:
    """Move the clock, and let everything that became due happen."""
    world.clock.advance(seconds)
    await world.settle()
