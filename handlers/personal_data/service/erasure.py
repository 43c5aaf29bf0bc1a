"""Erasing a person: a little in each transaction, whoever does the next one.

Invariants:
- The first transaction closes the account: sessions, ways in, address and name are gone together,
  so nobody acts as this person any more and their address is free.
- Each following one does a piece of a step and publishes the next piece with it. Pieces find what
  is left by themselves, so they can be done again, from anywhere.
- What was under way when the account was closed is found by a second round some time later.
- What stays (money, the places of conversations) leads to a user who is nobody.
"""

from collections.abc import Callable
from datetime import timedelta

from handlers.auth import public as accounts
from handlers.availability import public as availability
from handlers.booking import public as bookings
from handlers.chat import public as chat
from handlers.consultants import public as consultants
from handlers.kit.context import Transaction
from handlers.kit.personal import forget, list_namespaces
from handlers.personal_data.contracts import AccountDeleted, ErasureGoesOn
from handlers.personal_data.service.exports import drop
from handlers.profile import public as profiles
from handlers.send import public as mails
from handlers.uploads import public as uploads
from rooms import names
from storage import personal
from storage import personal_data as store
from storage.columns import metadata

AT_ONCE = 50
ROWS_AT_ONCE = 500
READ_AT_ONCE = 2_000
SECOND_LOOK_AFTER = timedelta(hours=1)
THE_DOOR = ("pincodes", "push_devices", "identities", "credentials", "users")
"""By what one comes in, with the user last, whose address leads to the pincodes."""
REASON = "The account of the other one was deleted."

Step = Callable[[Transaction, str, str], str | None]
"""Does a piece for a person, after what it answered last ("" at first); None when it is done."""


def begin(tx: Transaction, user_id: str) -> None:
    """Close the account; a locked user's."""
    user = profiles.get_user(tx, user_id)
    farewell = mails.compose(
        tx,
        "notice",
        user.email,
        title="Your account was deleted",
        body="Nothing of it is kept. You are welcome to come back any time.",
        link="/signup",
        first_name=user.first_name,
    )
    tx.publish(farewell)
    consultants.pause(tx, user_id)
    for name in THE_DOOR:
        while personal.erase_rows(tx, metadata.tables[name], user_id, ROWS_AT_ONCE):
            pass
    # Who came in at this moment held the door, and has a session by now.
    accounts.end_sessions_of(tx, user_id, "account_deleted")
    _publish(tx, user_id, next(iter(STEPS)), "", again=False)


def go_on(tx: Transaction, event: ErasureGoesOn) -> None:
    """Do the next piece, and say what follows it."""
    after = STEPS[event.step](tx, event.user_id, event.after)
    following = list(STEPS)[list(STEPS).index(event.step) + 1 :]
    if after is not None:
        _publish(tx, event.user_id, event.step, after, again=event.again)
    elif following:
        _publish(tx, event.user_id, following[0], "", again=event.again)
    elif not event.again:
        _finish(tx, event.user_id)


def _finish(tx: Transaction, user_id: str) -> None:
    store.note_erased(tx, user_id, tx.now)
    tx.publish(AccountDeleted(user_id=user_id))
    second = ErasureGoesOn(user_id=user_id, step=next(iter(STEPS)), after="", again=True)
    tx.publish_later(second, tx.now + SECOND_LOOK_AFTER, f"account_deletion:{user_id}")


def _publish(tx: Transaction, user_id: str, step: str, after: str, *, again: bool) -> None:
    tx.publish(ErasureGoesOn(user_id=user_id, step=step, after=after, again=again))


# The steps.


def _call_off(tx: Transaction, user_id: str, after: str) -> str | None:
    return _more(bookings.call_off_all(tx, user_id, REASON, AT_ONCE))


def _leave_lists(tx: Transaction, user_id: str, after: str) -> str | None:
    return _more(availability.leave_waiting_lists(tx, user_id, AT_ONCE))


def _wipe_messages(tx: Transaction, user_id: str, after: str) -> str | None:
    return chat.wipe_messages(tx, user_id, after, AT_ONCE)


def _take_reactions_back(tx: Transaction, user_id: str, after: str) -> str | None:
    return _more(chat.take_reactions_back(tx, user_id, AT_ONCE))


def _leave_groups(tx: Transaction, user_id: str, after: str) -> str | None:
    return _more(chat.leave_groups(tx, user_id, AT_ONCE))


def _clear_cards(tx: Transaction, user_id: str, after: str) -> str | None:
    return chat.clear_cards(tx, user_id, after, AT_ONCE)


def _drop_files(tx: Transaction, user_id: str, after: str) -> str | None:
    pictures = [row.id for row in uploads.list_uploads(tx, user_id, "", AT_ONCE)]
    chat.forget_pictures(tx, user_id, pictures)
    return _more(uploads.drop_all(tx, user_id, AT_ONCE))


def _drop_exports(tx: Transaction, user_id: str, after: str) -> str | None:
    rows = store.list_exports(tx, user_id, AT_ONCE)
    for row in rows:
        drop(tx, row)
    return _more(len(rows))


def _erase_rows(tx: Transaction, user_id: str, after: str) -> str | None:
    """Everything that tables say of themselves."""
    left = ROWS_AT_ONCE
    for table in personal.list_erasing():
        left -= personal.erase_rows(tx, table, user_id, left)
        if left <= 0:
            return "more"
    return None


def _forget_rooms(tx: Transaction, user_id: str, after: str) -> str | None:
    """What was told in their own rooms."""
    left = ROWS_AT_ONCE
    for namespace in list_namespaces():
        left -= store.forget_stream(tx, names.stream(namespace, names.user(user_id)), left)
        if left <= 0:
            return "more"
    return None


def _rewrite_told(tx: Transaction, user_id: str, after: str) -> str | None:
    """What was told of them to others, and is kept, word by word."""
    walked = {table.name: table for table in personal.list_walked()}
    name, _, key = after.partition("\n")
    table = walked[name or next(iter(walked))]
    gone = {user_id, *chat.take_names_away(tx, user_id)}
    rows, last = personal.list_told(tx, table, key, READ_AT_ONCE)
    for row in rows:
        texts = {name: forget(text, gone) for name, text in row.texts.items()}
        fresh = {name: text for name, text in texts.items() if text is not None}
        personal.rewrite_told(tx, table, row, fresh, user_id)
    if last is not None:
        return f"{table.name}\n{last}"
    following = list(walked)[list(walked).index(table.name) + 1 :]
    return f"{following[0]}\n" if following else None


STEPS: dict[str, Step] = {
    "bookings": _call_off,
    "waiting lists": _leave_lists,
    "messages": _wipe_messages,
    "reactions": _take_reactions_back,
    "groups": _leave_groups,
    "cards": _clear_cards,
    "files": _drop_files,
    "exports": _drop_exports,
    "rows": _erase_rows,
    "rooms": _forget_rooms,
    "told": _rewrite_told,
}


def _more(done: int) -> str | None:
    return "more" if done >= AT_ONCE else None
