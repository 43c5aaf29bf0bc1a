"""A domain for tests that shows cards in conversations: polls in which users vote."""

from typing import ClassVar

from handlers.kit.context import Context
from handlers.kit.contract import Change, Event, Id, Personal, Text, View
from handlers.kit.domain import Domain
from handlers.kit.errors import NotFound, Refusal, TooMany
from handlers.kit.filter import TextRefused
from handlers.kit.transaction import Transaction
from handlers.platform.chat import public as chats
from handlers.platform.chat.contracts.personal import Blocked

polls = Domain("polls", "/polls")


class PollClosed(Refusal):
    """Nobody can vote in this poll any more."""


class PollView(View):
    """A poll; it closes with the second vote."""

    PERSONAL: ClassVar[Personal] = {"author_id": {"question": ""}}
    id: str
    author_id: str
    question: str
    votes: int
    version: int


class ShowPoll(Change, kw_only=True):
    """A new poll with a question, or one that there is; `id` is for a new one."""

    conversation_id: Id
    question: Text = "?"
    poll_id: Id | None = None
    id: Id | None = None


class Vote(Change, kw_only=True):
    poll_id: Id


class PollChanged(Event):
    """Somebody voted."""

    NAME: ClassVar[str] = "POLL_CHANGED"
    poll: PollView

    def key(self) -> str:
        return f"poll:{self.poll.id}"


CARD = polls.card("poll", PollView)
NAMED_LIKE_A_FILE = polls.card("upload", PollView)
made: dict[str, PollView] = {}
voters: dict[str, set[str]] = {}


@polls.command(namespace="/chat", refuses=(Blocked, TextRefused, TooMany))
async def show_poll(ctx: Context, ask: ShowPoll) -> PollView:
    """Show a poll in a conversation."""
    return await ctx.transact(show, ask)


@polls.command(refuses=(PollClosed,))
async def vote(ctx: Context, ask: Vote) -> PollView:
    """Vote in a poll, once."""
    return await ctx.transact(count_vote, ask)


@polls.consumer(PollChanged)
def keep_the_cards_current(tx: Transaction, event: PollChanged) -> None:
    """A poll changed that conversations show."""
    for kind in (CARD, NAMED_LIKE_A_FILE):
        chats.refresh_cards(tx, kind, event.poll)


def show(tx: Transaction, ask: ShowPoll) -> PollView:
    hit = tx.kernel.filter.check(ask.question)
    if ask.poll_id is not None:
        poll = made[ask.poll_id]
    else:
        name = ask.id or tx.new_id()
        poll = PollView(id=name, author_id=tx.actor.id, question=ask.question, votes=0, version=1)
    kind = CARD if ask.id is None else NAMED_LIKE_A_FILE
    chats.show_card(tx, ask.conversation_id, kind, poll, hit)
    made[poll.id] = poll
    return poll


def count_vote(tx: Transaction, ask: Vote) -> PollView:
    if (poll := made.get(ask.poll_id)) is None:
        raise NotFound
    if poll.votes == 2:
        raise PollClosed
    people = voters.setdefault(poll.id, set())
    people.add(tx.actor.id)
    poll.votes, poll.version = len(people), 1 + len(people)
    tx.publish(PollChanged(poll=poll))
    return poll
