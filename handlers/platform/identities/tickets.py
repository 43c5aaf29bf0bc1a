"""Attempts at a provider and the tickets that come of them: made, taken, spent.

Invariants:
- A state is good once, in the browser that began (by its cookie), within its time.
- A ticket is good once, within its time; one with a challenge only for who has its verifier. It is
  locked when it is looked at and torn with what it was good for, so a refusal does not cost it.
"""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from handlers.kit.contract import encode
from handlers.kit.transaction import Transaction
from handlers.platform.identities.contracts import StartOAuth, TicketInvalid
from handlers.platform.identities.openid import Errand, Identity
from storage.platform import identities as store
from storage.platform.identities import AttemptRow, TicketRow

T = TypeVar("T")


class Attempt(msgspec.Struct, frozen=True):
    """Somebody on their way to a provider, and what they asked for."""

    provider: str
    errand: Errand
    challenge: str | None
    redirect: str | None


class Bearer(msgspec.Struct, frozen=True):
    """Who a ticket stands for, and by which provider."""

    provider: str
    identity: Identity


def make_errand(now: datetime, ask: StartOAuth, redirect_uri: str) -> Errand:
    return Errand(
        state=make_secret(),
        nonce=make_secret(),
        verifier=make_secret(),
        fresh=ask.fresh is not UNSET,
        began_at=now,
        redirect_uri=redirect_uri,
    )


def begin(tx: Transaction, attempt: Attempt, browser: str) -> None:
    """Keep what the answer will be held against."""
    row = AttemptRow(
        state_hash=hash_of(attempt.errand.state),
        browser_hash=hash_of(browser),
        provider=attempt.provider,
        sealed=tx.keys.seal(encode(attempt)),
        expires_at=tx.now + tx.rules.span("oauth_attempt_s"),
    )
    store.insert_attempt(tx, row)


def take(tx: Transaction, provider: str, state: str, browser: str) -> Attempt | None:
    """The attempt of `state`, once; None when there is none in this browser, or too old."""
    row = store.take_attempt(tx, hash_of(state), hash_of(browser), provider)
    if row is None or row.expires_at <= tx.now:
        return None
    return _open(tx, row.sealed, Attempt)


def make_ticket(tx: Transaction, attempt: Attempt, identity: Identity) -> str:
    """A ticket for who came back."""
    ticket = make_secret()
    row = TicketRow(
        hash=hash_of(ticket),
        challenge=attempt.challenge,
        fresh=attempt.errand.fresh,
        sealed=tx.keys.seal(encode(Bearer(attempt.provider, identity))),
        expires_at=tx.now + tx.rules.span("oauth_ticket_s"),
    )
    store.insert_ticket(tx, row)
    return ticket


def look(
    tx: Transaction,
    ticket: str,
    verifier: str | UnsetType,
    *,
    bound: bool = False,
    fresh: bool = False,
) -> Bearer:
    """Who the ticket stands for; nobody else can use it before the commit. Raises TicketInvalid.

    `bound`: it must have a challenge; `fresh`: the provider was to ask the person anew.
    """
    row = store.lock_ticket(tx, hash_of(ticket))
    if row is None or row.expires_at <= tx.now:
        raise TicketInvalid
    if row.challenge is None and (bound or verifier is not UNSET):
        raise TicketInvalid  # who has a verifier began another way than this
    if fresh and not row.fresh:
        raise TicketInvalid
    if row.challenge is not None and not _opens(row.challenge, verifier):
        raise TicketInvalid
    return _open(tx, row.sealed, Bearer)


def tear(tx: Transaction, ticket: str) -> None:
    """It was used."""
    store.delete_ticket(tx, hash_of(ticket))


def make_secret() -> str:
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """States, tickets and browsers' keys have 256 random bits: a plain hash gives nothing away."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _opens(challenge: str, verifier: str | UnsetType) -> bool:
    if verifier is UNSET:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


def _open(tx: Transaction, sealed: str, kind: type[T]) -> T:
    return msgspec.json.decode(tx.keys.open(sealed), type=kind)
