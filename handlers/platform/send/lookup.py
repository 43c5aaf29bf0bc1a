"""What an operator asks about dispatches: which there are, what became of one, and to retry it."""

from collections.abc import Sequence
from datetime import datetime
from typing import get_args

import msgspec

from handlers.kit.transaction import Transaction
from handlers.platform.profile import public as profiles
from handlers.platform.send import channels, service
from handlers.platform.send.contracts import State
from storage.platform import send as store
from storage.platform.send import Dispatch

STATES: tuple[State, ...] = get_args(State)
AFTER_ALL_IDS = "~"
NOBODY = "-"
"""The hash of no address."""


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """Which dispatches to list. `person` is the id of a user, or an address."""

    person: str | None = None
    event: str | None = None
    state: State | None = None
    limit: int = 50


class Found(msgspec.Struct, frozen=True):
    """A dispatch, and the address it goes to; empty once the address was deleted."""

    dispatch: Dispatch
    address: str


class Pause(msgspec.Struct, frozen=True):
    """A channel that is paused, since when and why."""

    channel: str
    paused_at: datetime
    reason: str
    reply: str


def search(tx: Transaction, by: Search) -> list[Found]:
    """The dispatches that match all given fields, newest first."""
    states = (by.state,) if by.state else STATES
    if by.person is not None:
        found = _list_of_person(tx, by.person, states, by.limit)
        found = [one for one in found if by.event in (None, one.cause_id)]
    elif by.event is not None:
        found = store.list_of_event(tx, by.event, states, AFTER_ALL_IDS, by.limit)
    else:
        found = store.list_dispatches(tx, by.state, AFTER_ALL_IDS, by.limit)
    return [_with_address(tx, one) for one in found]


def find(tx: Transaction, dispatch_id: str) -> Found | None:
    dispatch = store.find_dispatch(tx, dispatch_id)
    return _with_address(tx, dispatch) if dispatch else None


def list_pauses(tx: Transaction) -> list[Pause]:
    """The channels that cannot send anything, with the latest fault of each."""
    return [
        Pause(one.channel, one.paused_at, one.reason, one.reply) for one in store.list_paused(tx)
    ]


def retry(tx: Transaction, dispatch_id: str) -> str | None:
    """Try a dispatch again, at once; returns the reason if that is impossible."""
    dispatch = store.lock_dispatch(tx, dispatch_id)
    if dispatch is None:
        return "there is no such mail"
    if obstacle := find_obstacle(tx, dispatch):
        return obstacle
    service.wait_again(tx, dispatch)
    channels.probe_now(tx)
    return None


def retry_given_up(
    tx: Transaction, since: datetime, after: str, limit: int
) -> list[tuple[str, str | None]]:
    """Retry a page of the dispatches that were given up since a time, with ids after `after`.

    Returns each id with the reason if a retry is impossible.
    """
    ids = store.list_ended(tx, "given_up", since, after, limit)
    return [(dispatch_id, retry(tx, dispatch_id)) for dispatch_id in ids]


def find_obstacle(tx: Transaction, dispatch: Dispatch) -> str | None:
    """Why a dispatch cannot be tried again; None if it can."""
    if dispatch.status == "sent":
        return "it was sent"
    if dispatch.expires_at is not None and dispatch.expires_at <= tx.now:
        return "its content is no longer of use"
    if dispatch.secret and not dispatch.sealed:
        return "it contained a pincode, which is not sent again; a new one can be requested"
    return None if dispatch.sealed else "its content was deleted"


def _list_of_person(
    tx: Transaction, person: str, states: Sequence[State], limit: int
) -> list[Dispatch]:
    """The dispatches to a user at any address, and those to an address with or without account."""
    user_id, to_hash = person, NOBODY
    if "@" in person:
        user = profiles.find_user_by_email(tx, person)
        user_id, to_hash = user.id if user else NOBODY, service.hash_of(tx, person)
    return store.list_of_person(tx, user_id, to_hash, states, AFTER_ALL_IDS, limit)


def _with_address(tx: Transaction, dispatch: Dispatch) -> Found:
    address = tx.keys.open(dispatch.sealed_to) if dispatch.sealed_to else ""
    return Found(dispatch, address)
