"""Decisions about identities: who signs in by one, and which ways in a person has.

Invariants:
- An identity is (issuer, subject). An address that is equal links nothing.
- Ways in are added and removed under the lock of the person's row, so one is always left.
"""

from msgspec import UNSET

from handlers.auth import public as accounts
from handlers.auth.contracts import AuthFailure, AuthMethodAdded, AuthMethodRemoved, SessionView
from handlers.identities import tickets
from handlers.identities.contracts import (
    EmailNeeded,
    IdentityTaken,
    IdentityView,
    LastMethod,
    Link,
    OAuth,
    OAuthLinked,
    ProofView,
    Prove,
    SignInMethods,
    TooManyMethods,
)
from handlers.identities.tickets import Bearer
from handlers.kit.context import Providers, Transaction
from handlers.kit.errors import Conflict, NotFound
from handlers.pincodes import public as pincodes
from handlers.pincodes.contracts import PincodeSent
from handlers.profile import public as profiles
from handlers.profile.contracts import EmailTaken, UserView
from storage import identities as store
from storage.identities import IdentityRow

SIGNUP = "signup"
PROOF = "proof"
IDENTITIES_MAX = 10


def note_failure(tx: Transaction, provider: str, reason: str) -> None:
    """Somebody tried to sign in at a provider and could not."""
    tx.publish(AuthFailure(method=provider, reason=reason))


def sign_in(tx: Transaction, ask: OAuth) -> SessionView:
    """A session for who the ticket stands for; they become a user when they are none yet."""
    bearer = tickets.look(tx, ask.ticket, ask.verifier)
    known = store.find_identity(tx, bearer.identity.issuer, bearer.identity.subject)
    if known is None:
        user_id = _sign_up(tx, ask, bearer).id
    else:
        user_id = known.user_id
        if known.email != bearer.identity.email:
            store.note_email(tx, known.id, bearer.identity.email)
    tickets.tear(tx, ask.ticket)
    return accounts.sign_in(tx, user_id, bearer.provider)


def link(tx: Transaction, ask: Link, providers: Providers) -> SignInMethods:
    """Let the signed-in person sign in by what the ticket stands for, too."""
    accounts.require_fresh_proof(tx)
    bearer = tickets.look(tx, ask.ticket, ask.verifier, bound=True)
    profiles.lock_user(tx, tx.actor.id)
    known = store.find_identity(tx, bearer.identity.issuer, bearer.identity.subject)
    if known is not None and known.user_id != tx.actor.id:
        raise IdentityTaken
    if known is None:
        if len(store.list_identities(tx, tx.actor.id)) >= IDENTITIES_MAX:
            raise TooManyMethods(details={"limit": IDENTITIES_MAX})
        if not _link(tx, tx.actor.id, bearer):
            raise IdentityTaken
        tx.publish(AuthMethodAdded(user_id=tx.actor.id, method=bearer.provider))
    tickets.tear(tx, ask.ticket)
    return list_methods(tx, providers)


def unlink(tx: Transaction, identity_id: str, providers: Providers) -> SignInMethods:
    """Sign in no more by this identity; every other session ends, for it may be its work."""
    accounts.require_fresh_proof(tx)
    profiles.lock_user(tx, tx.actor.id)
    mine = {one.id: one for one in store.list_identities(tx, tx.actor.id)}
    if identity_id not in mine:
        raise NotFound
    if len(mine) == 1 and not accounts.has_password(tx, tx.actor.id):
        raise LastMethod
    store.delete_identity(tx, identity_id, tx.actor.id)
    tx.publish(AuthMethodRemoved(user_id=tx.actor.id, method=mine[identity_id].provider))
    accounts.end_other_sessions(tx, "method_removed")
    return list_methods(tx, providers)


def remove_password(tx: Transaction, providers: Providers) -> SignInMethods:
    """Sign in no more by password; every other session ends."""
    accounts.require_fresh_proof(tx)
    profiles.lock_user(tx, tx.actor.id)
    if not store.list_identities(tx, tx.actor.id):
        raise LastMethod
    accounts.remove_password(tx, tx.actor.id)
    accounts.end_other_sessions(tx, "method_removed")
    return list_methods(tx, providers)


def list_methods(tx: Transaction, providers: Providers) -> SignInMethods:
    titles = {house.name: house.title for house in providers.list()}
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


def send_proof(tx: Transaction) -> PincodeSent:
    """Mail the signed-in person a pincode with which they prove that it is them."""
    user = profiles.get_user(tx, tx.actor.id)
    return pincodes.send_pincode(tx, user.email, PROOF, bound_to=user.id)


def prove(tx: Transaction, ask: Prove, proved: str | None) -> ProofView:
    """Take a fresh proof; `proved` is the hash that a given password proved right for."""
    if ask.pincode is not UNSET:
        user = profiles.get_user(tx, tx.actor.id)
        pincodes.spend_pincode(tx, user.email, PROOF, ask.pincode, bound_to=user.id)
        accounts.note_proof(tx)
    elif ask.ticket is not UNSET:
        _prove_by_ticket(tx, ask)
    else:
        accounts.prove_by_password(tx, proved)
    return ProofView(fresh_for_s=tx.rules.fresh_proof_s)


def _prove_by_ticket(tx: Transaction, ask: Prove) -> None:
    assert ask.ticket is not UNSET
    bearer = tickets.look(tx, ask.ticket, ask.verifier, bound=True, fresh=True)
    known = store.find_identity(tx, bearer.identity.issuer, bearer.identity.subject)
    if known is None or known.user_id != tx.actor.id:
        raise IdentityTaken("This is not how you sign in.")
    tickets.tear(tx, ask.ticket)
    accounts.note_proof(tx)


def _sign_up(tx: Transaction, ask: OAuth, bearer: Bearer) -> UserView:
    """A new user; raises EmailNeeded, EmailTaken, or what a pincode deserves."""
    identity = bearer.identity
    email = _proved_address(tx, ask, bearer)
    first_name = identity.first_name or email.partition("@")[0][:100]
    user = profiles.create_user(tx, email, first_name, identity.last_name)
    if user is None:
        raise EmailTaken("There is an account with this address: sign in there, then link.")
    if not _link(tx, user.id, bearer):
        raise Conflict("Somebody signs up with this just now; try again.")
    return user


def _proved_address(tx: Transaction, ask: OAuth, bearer: Bearer) -> str:
    """What the provider proved, else what a pincode proves."""
    if bearer.identity.email is not None and bearer.identity.email_verified:
        return profiles.normal_email(bearer.identity.email)
    if ask.email is UNSET or ask.pincode is UNSET:
        raise EmailNeeded(details={"suggested": bearer.identity.email})
    email = profiles.normal_email(ask.email)
    pincodes.spend_pincode(tx, email, SIGNUP, ask.pincode)
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
