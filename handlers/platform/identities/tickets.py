"""Attempts to sign in with a provider, and the tickets that they result in.

Invariants:
- A state is valid once, until it expires, and only in the browser that started (by its cookie).
- A ticket is valid once, until it expires. A ticket with a challenge also needs its verifier.
- A transaction locks a ticket when it opens it, and deletes it together with the change that the
  ticket allows. So a refusal, which rolls back, does not spend the ticket.
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
from handlers.platform.identities.openid import AuthorizationRequest, Identity
from storage.platform import identities as store
from storage.platform.identities import AttemptRow, TicketRow

T = TypeVar("T")


class Attempt(msgspec.Struct, frozen=True):
    """A sign-in with a provider that has not returned yet, and its parameters."""

    provider: str
    request: AuthorizationRequest = msgspec.field(name="errand")  # its name in stored attempts
    challenge: str | None
    redirect: str | None


class TicketHolder(msgspec.Struct, frozen=True):
    """The identity that a ticket proves, and its provider."""

    provider: str
    identity: Identity


def make_authorization_request(
    now: datetime, ask: StartOAuth, redirect_uri: str
) -> AuthorizationRequest:
    return AuthorizationRequest(
        state=make_secret(),
        nonce=make_secret(),
        verifier=make_secret(),
        fresh=ask.fresh is not UNSET,
        began_at=now,
        redirect_uri=redirect_uri,
    )


def keep_attempt(tx: Transaction, attempt: Attempt, browser: str) -> None:
    """Store an attempt, to be compared with the provider's response."""
    row = AttemptRow(
        state_hash=hash_of(attempt.request.state),
        browser_hash=hash_of(browser),
        provider=attempt.provider,
        sealed=tx.keys.seal(encode(attempt)),
        expires_at=tx.now + tx.rules.span("oauth_attempt_s"),
    )
    store.insert_attempt(tx, row)


def take_attempt(tx: Transaction, provider: str, state: str, browsers: list[str]) -> Attempt | None:
    """Take the attempt of `state`, once; None if it has expired or belongs to another browser.

    `browsers` are the keys of the browser that returns.
    """
    row = store.take_attempt(tx, hash_of(state), list(map(hash_of, browsers)), provider)
    if row is None or row.expires_at <= tx.now:
        return None
    return _open(tx, row.sealed, Attempt)


def make_ticket(tx: Transaction, attempt: Attempt, identity: Identity) -> str:
    """Store a ticket for the identity that an attempt returned."""
    ticket = make_secret()
    row = TicketRow(
        hash=hash_of(ticket),
        challenge=attempt.challenge,
        fresh=attempt.request.fresh,
        sealed=tx.keys.seal(encode(TicketHolder(attempt.provider, identity))),
        expires_at=tx.now + tx.rules.span("oauth_ticket_s"),
    )
    store.insert_ticket(tx, row)
    return ticket


def open_ticket(
    tx: Transaction,
    ticket: str,
    verifier: str | UnsetType,
    *,
    bound: bool = False,
    fresh: bool = False,
) -> TicketHolder:
    """The holder of a ticket, which stays locked until the commit. Raises TicketInvalid.

    `bound` requires a ticket with a challenge; `fresh` requires one for which the provider
    authenticated the user again.
    """
    row = store.lock_ticket(tx, hash_of(ticket))
    if row is None or row.expires_at <= tx.now:
        raise TicketInvalid
    if row.challenge is None and (bound or verifier is not UNSET):
        # A client with a verifier started with a challenge.
        raise TicketInvalid(details={"expected": "a ticket that was started with a `challenge`"})
    if fresh and not row.fresh:
        raise TicketInvalid
    if row.challenge is not None and not _opens(row.challenge, verifier):
        raise TicketInvalid
    return _open(tx, row.sealed, TicketHolder)


def delete_ticket(tx: Transaction, ticket: str) -> None:
    """Delete a ticket that was used."""
    store.delete_ticket(tx, hash_of(ticket))


def make_secret() -> str:
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """A plain SHA-256 is enough: states, tickets and browser keys have 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _opens(challenge: str, verifier: str | UnsetType) -> bool:
    if verifier is UNSET:
        return False
    digest = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)


def _open(tx: Transaction, sealed: str, kind: type[T]) -> T:
    return msgspec.json.decode(tx.keys.open(sealed), type=kind)
