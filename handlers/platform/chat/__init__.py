"""Conversations, their members and messages. A card in a message shows another domain's object."""

from handlers.kit.domain import Domain, Subscription
from handlers.kit.kernel import Actor
from handlers.kit.rates import Rate
from handlers.kit.transaction import Transaction
from handlers.platform.chat.contracts.conversations import TypingEphemeral
from handlers.platform.chat.contracts.rooms import chat_room
from handlers.platform.chat.rules import ChatRules
from rooms import names
from storage.platform.chat import conversations as store
from storage.platform.chat import members as chat_members

ROOMS_MAX = 1_000


def rooms_of(tx: Transaction, actor: Actor) -> list[Subscription]:
    """The user's own room, then their most recently active conversations, up to `ROOMS_MAX`.

    Activity only selects the conversations. They are sorted by creation, the newest first, because
    the order by activity changes all the time.
    """
    memberships = store.list_memberships(tx, actor.id, ROOMS_MAX)
    memberships.sort(key=lambda one: one.conversation_id, reverse=True)
    chats = [Subscription(chat_room(one.conversation_id), one.from_seq) for one in memberships]
    return [Subscription(names.user(actor.id)), *chats]


def may_watch(tx: Transaction, actor: Actor | None, room: str) -> int | None:
    """A member may also watch a conversation beyond `ROOMS_MAX`, from the event that added them."""
    kind, _, conversation_id = room.partition(":")
    if actor is None or kind != "chat":
        return None
    return chat_members.find_from_seq(tx, conversation_id, actor.id)


RATES = (
    Rate("messages", "chat messages", burst=20, per_s=2),
    Rate("reactions", "reactions, drafts and typing events", burst=30, per_s=5),
    Rate("contact", "users contacted, added or asked for a booking", burst=30, per_s=0.5),
    Rate("searches", "searches", burst=10, per_s=2),
)
"""`reactions` limits small frequent actions, `contact` those that reach other people unasked."""
chat = Domain(
    "chat",
    "/chat",
    rooms_of=rooms_of,
    may_watch=may_watch,
    ephemeral_events={"typing": TypingEphemeral},
    rates=RATES,
    rules=ChatRules,
)
