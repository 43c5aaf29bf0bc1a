"""Decisions about identities: sign-in with a provider, and a user's sign-in methods.

Invariants:
- An identity is the pair (issuer, subject). An equal email address never links an identity.
- A transaction that adds or removes a sign-in method first locks the user's row, so one method
  always remains.
"""

from msgspec import UNSET, UnsetType

from handlers.kit.errors import Conflict, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.auth import public as accounts
from handlers.platform.auth.contracts import (
    AuthFailure,
    AuthMethodAdded,
    AuthMethodRemoved,
    SessionView,
)
from handlers.platform.identities import tickets
from handlers.platform.identities.contracts import (
    EmailNeeded,
    IdentityTaken,
    IdentityView,
    LastMethod,
    Link,
    OAuth,
    OAuthLinked,
    SignInMethods,
    TooManyMethods,
)
from handlers.platform.identities.tickets import TicketHolder
from handlers.platform.pincodes import public as pincodes
from handlers.platform.profile import public as profiles
from handlers.platform.profile.contracts import EmailTaken, UserView
from storage.platform import identities as store
from storage.platform.identities import IdentityRow

SIGNUP = "signup"
IDENTITIES_MAX = 10


def note_failure(tx: Transaction, provider: str, reason: str) -> None:
    """Record a failed sign-in with a provider."""
    tx.publish(AuthFailure(method=provider, reason=reason))


def sign_in(tx: Transaction, ask: OAuth) -> SessionView:
    """Open a session for the identity of a ticket; sign the user up if the identity is new.

    Raises TicketInvalid, EmailNeeded, EmailTaken, Conflict, or a refusal of the pincode.
    """
    holder = tickets.open_ticket(tx, ask.ticket, ask.verifier)
    known = store.lock_identity(tx, holder.identity.issuer, holder.identity.subject)
    if known is None:
        user_id = _sign_up(tx, ask, holder).id
    else:
        user_id = known.user_id
        if known.email != holder.identity.email:
            store.note_email(tx, known.id, holder.identity.email)
    tickets.delete_ticket(tx, ask.ticket)
    return accounts.sign_in(tx, user_id, holder.provider, ask.device_token)


def link(tx: Transaction, ask: Link) -> SignInMethods:
    """Add the identity of a ticket to the actor's sign-in methods.

    Raises ProofNeeded, TicketInvalid, IdentityTaken or TooManyMethods.
    """
    accounts.require_fresh_proof(tx)
    holder = tickets.open_ticket(tx, ask.ticket, ask.verifier, bound=True)
    profiles.lock_user(tx, tx.actor.id)
    known = store.lock_identity(tx, holder.identity.issuer, holder.identity.subject)
    if known is not None and known.user_id != tx.actor.id:
        raise IdentityTaken
    if known is None:
        if len(store.list_identities(tx, tx.actor.id)) >= IDENTITIES_MAX:
            raise TooManyMethods(details={"limit": IDENTITIES_MAX})
        if not _link(tx, tx.actor.id, holder):
            raise IdentityTaken
        device, place = accounts.device_and_place(tx)
        added = AuthMethodAdded(
            user_id=tx.actor.id, method=holder.provider, device=device, place=place
        )
        tx.publish(added)
    tickets.delete_ticket(tx, ask.ticket)
    return list_methods(tx)


def unlink(tx: Transaction, identity_id: str) -> SignInMethods:
    """Remove an identity from the actor's sign-in methods.

    All other sessions end, because they may have been opened with it. Raises ProofNeeded, NotFound
    or LastMethod.
    """
    accounts.require_fresh_proof(tx)
    profiles.lock_user(tx, tx.actor.id)
    mine = {one.id: one for one in store.list_identities(tx, tx.actor.id)}
    if identity_id not in mine:
        raise NotFound
    others = [one for one in mine.values() if one.id != identity_id]
    if not accounts.has_password(tx, tx.actor.id) and not any(
        _is_usable(tx, one) for one in others
    ):
        raise LastMethod
    store.delete_identity(tx, identity_id, tx.actor.id)
    device, place = accounts.device_and_place(tx)
    method = mine[identity_id].provider
    removed = AuthMethodRemoved(user_id=tx.actor.id, method=method, device=device, place=place)
    tx.publish(removed)
    accounts.end_other_sessions(tx, "method_removed")
    return list_methods(tx)


def has_identity(tx: Transaction, user_id: str) -> bool:
    """Whether this user can sign in with a configured provider."""
    return any(_is_usable(tx, one) for one in store.list_identities(tx, user_id))


def list_methods(tx: Transaction) -> SignInMethods:
    titles = {config.name: config.title for config in tx.kernel.providers.list()}
    return SignInMethods(
        password=accounts.has_password(tx, tx.actor.id),
        identities=[
            IdentityView(
                id=one.id,
                provider=one.provider,
                title=titles.get(one.provider, one.provider),
                email=one.email,
                linked_at=one.linked_at,
            )
            for one in store.list_identities(tx, tx.actor.id)
        ],
    )


def spend_for_proof(tx: Transaction, ticket: str, verifier: str | UnsetType) -> None:
    """Spend a ticket as a fresh proof of the actor's identity.

    Raises TicketInvalid or IdentityTaken.
    """
    holder = tickets.open_ticket(tx, ticket, verifier, bound=True, fresh=True)
    known = store.lock_identity(tx, holder.identity.issuer, holder.identity.subject)
    if known is None or known.user_id != tx.actor.id:
        raise IdentityTaken("This identity is not one of your sign-in methods.")
    tickets.delete_ticket(tx, ticket)


def _is_usable(tx: Transaction, identity: IdentityRow) -> bool:
    """Whether the identity's provider is configured; the operator may have removed it."""
    return any(config.issuer == identity.issuer for config in tx.kernel.providers.list())


def _sign_up(tx: Transaction, ask: OAuth, holder: TicketHolder) -> UserView:
    """Create the user; raises EmailNeeded, EmailTaken, Conflict, or a refusal of the pincode."""
    identity = holder.identity
    email = _proved_address(tx, ask, holder)
    first_name = identity.first_name or email.partition("@")[0][:100]
    user = profiles.create_user(tx, email, first_name, identity.last_name)
    if user is None:
        raise EmailTaken("An account with this address exists: sign in, then link.")
    if not _link(tx, user.id, holder):
        raise Conflict("Another sign-up with this identity is in progress; try again.")
    return user


def _proved_address(tx: Transaction, ask: OAuth, holder: TicketHolder) -> str:
    """The address that the provider has verified, otherwise the one that a pincode proves."""
    if holder.identity.email is not None and holder.identity.email_verified:
        return holder.identity.email
    if ask.email is UNSET or ask.pincode is UNSET:
        raise EmailNeeded(details={"suggested": holder.identity.email})
    email = ask.email
    by, ticket = pincodes.visitor(tx), ask.pincode_ticket
    pincodes.spend_pincode(tx, email, SIGNUP, ask.pincode, by, ticket=ticket)
    return email


def _link(tx: Transaction, user_id: str, holder: TicketHolder) -> bool:
    """Store the identity; False when it belongs to a user already."""
    row = IdentityRow(
        id=tx.new_id(),
        issuer=holder.identity.issuer,
        subject=holder.identity.subject,
        user_id=user_id,
        provider=holder.provider,
        email=holder.identity.email,
        linked_at=tx.now,
    )
    if not store.insert_identity(tx, row):
        return False
    tx.publish(OAuthLinked(user_id=user_id, provider=holder.provider, identity_id=row.id))
    return True
