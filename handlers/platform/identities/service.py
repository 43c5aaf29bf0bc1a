"""Decisions about identities: who signs in by one, and which ways in a person has.

Invariants:
- An identity is (issuer, subject). An address that is equal links nothing.
- Ways in are added and removed under the lock of the person's row, so one is always left.
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
from handlers.platform.identities.tickets import Bearer
from handlers.platform.pincodes import public as pincodes
from handlers.platform.profile import public as profiles
from handlers.platform.profile.contracts import EmailTaken, UserView
from storage.platform import identities as store
from storage.platform.identities import IdentityRow

SIGNUP = "signup"
IDENTITIES_MAX = 10


def note_failure(tx: Transaction, provider: str, reason: str) -> None:
    """Somebody tried to sign in at a provider and could not."""
    tx.publish(AuthFailure(method=provider, reason=reason))


def sign_in(tx: Transaction, ask: OAuth) -> SessionView:
    """A session for who the ticket stands for; they become a user when they are none yet."""
    bearer = tickets.look(tx, ask.ticket, ask.verifier)
    known = store.lock_identity(tx, bearer.identity.issuer, bearer.identity.subject)
    if known is None:
        user_id = _sign_up(tx, ask, bearer).id
    else:
        user_id = known.user_id
        if known.email != bearer.identity.email:
            store.note_email(tx, known.id, bearer.identity.email)
    tickets.tear(tx, ask.ticket)
    return accounts.sign_in(tx, user_id, bearer.provider, ask.device_token)


def link(tx: Transaction, ask: Link) -> SignInMethods:
    """Let the signed-in person sign in by what the ticket stands for, too."""
    accounts.require_fresh_proof(tx)
    bearer = tickets.look(tx, ask.ticket, ask.verifier, bound=True)
    profiles.lock_user(tx, tx.actor.id)
    known = store.lock_identity(tx, bearer.identity.issuer, bearer.identity.subject)
    if known is not None and known.user_id != tx.actor.id:
        raise IdentityTaken
    if known is None:
        if len(store.list_identities(tx, tx.actor.id)) >= IDENTITIES_MAX:
            raise TooManyMethods(details={"limit": IDENTITIES_MAX})
        if not _link(tx, tx.actor.id, bearer):
            raise IdentityTaken
        device, place = accounts.where(tx)
        added = AuthMethodAdded(
            user_id=tx.actor.id, method=bearer.provider, device=device, place=place
        )
        tx.publish(added)
    tickets.tear(tx, ask.ticket)
    return list_methods(tx)


def unlink(tx: Transaction, identity_id: str) -> SignInMethods:
    """Sign in no more by this identity; every other session ends, for it may be its work."""
    accounts.require_fresh_proof(tx)
    profiles.lock_user(tx, tx.actor.id)
    mine = {one.id: one for one in store.list_identities(tx, tx.actor.id)}
    if identity_id not in mine:
        raise NotFound
    others = [one for one in mine.values() if one.id != identity_id]
    if not accounts.has_password(tx, tx.actor.id) and not any(_leads_in(tx, one) for one in others):
        raise LastMethod
    store.delete_identity(tx, identity_id, tx.actor.id)
    device, place = accounts.where(tx)
    method = mine[identity_id].provider
    removed = AuthMethodRemoved(user_id=tx.actor.id, method=method, device=device, place=place)
    tx.publish(removed)
    accounts.end_other_sessions(tx, "method_removed")
    return list_methods(tx)


def has_identity(tx: Transaction, user_id: str) -> bool:
    """Whether this person can sign in at a provider that is set up."""
    return any(_leads_in(tx, one) for one in store.list_identities(tx, user_id))


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
    """Take a ticket for a fresh proof of the actor; raises TicketInvalid or IdentityTaken."""
    bearer = tickets.look(tx, ticket, verifier, bound=True, fresh=True)
    known = store.lock_identity(tx, bearer.identity.issuer, bearer.identity.subject)
    if known is None or known.user_id != tx.actor.id:
        raise IdentityTaken("This identity is not one of your sign-in methods.")
    tickets.tear(tx, ticket)


def _leads_in(tx: Transaction, identity: IdentityRow) -> bool:
    """What an operator took away is no way in, though it may come back."""
    return any(config.issuer == identity.issuer for config in tx.kernel.providers.list())


def _sign_up(tx: Transaction, ask: OAuth, bearer: Bearer) -> UserView:
    """A new user; raises EmailNeeded, EmailTaken, or what a pincode deserves."""
    identity = bearer.identity
    email = _proved_address(tx, ask, bearer)
    first_name = identity.first_name or email.partition("@")[0][:100]
    user = profiles.create_user(tx, email, first_name, identity.last_name)
    if user is None:
        raise EmailTaken("An account with this address exists: sign in, then link.")
    if not _link(tx, user.id, bearer):
        raise Conflict("Another sign-up with this identity is in progress; try again.")
    return user


def _proved_address(tx: Transaction, ask: OAuth, bearer: Bearer) -> str:
    """What the provider proved, else what a pincode proves."""
    if bearer.identity.email is not None and bearer.identity.email_verified:
        return profiles.normal_email(bearer.identity.email)
    if ask.email is UNSET or ask.pincode is UNSET:
        raise EmailNeeded(details={"suggested": bearer.identity.email})
    email = profiles.normal_email(ask.email)
    by, ticket = pincodes.visitor(tx), ask.pincode_ticket
    pincodes.spend_pincode(tx, email, SIGNUP, ask.pincode, by, ticket=ticket)
    return email


def _link(tx: Transaction, user_id: str, bearer: Bearer) -> bool:
    """Whether the identity was nobody's."""
    row = IdentityRow(
        id=tx.new_id(),
        issuer=bearer.identity.issuer,
        subject=bearer.identity.subject,
        user_id=user_id,
        provider=bearer.provider,
        email=bearer.identity.email,
        linked_at=tx.now,
    )
    if not store.insert_identity(tx, row):
        return False
    tx.publish(OAuthLinked(user_id=user_id, provider=bearer.provider, identity_id=row.id))
    return True
