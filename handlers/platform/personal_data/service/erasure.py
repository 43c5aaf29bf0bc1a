"""Erasing a person: a little in each transaction, whoever does the next one.

Invariants:
- The first transaction closes the account: sessions, ways in, address and name are gone together,
  so nobody acts as this person any more and their address is free.
- Each following one does a piece of a step and publishes the next piece with it. Pieces find what
  is left by themselves, so they can be done again, from anywhere. A step that is not known (any
  more) begins the erasure again.
- What was under way when the account was closed is found by a second round some time later.
- What stays (money, the places of conversations) leads to a user who is nobody.

The steps are what domains declare (`handlers/kit/personal_data.py`), in that order.
"""

from datetime import timedelta

from handlers.kit.context import Transaction
from handlers.kit.wording import Plain
from handlers.platform.personal_data.contracts import AccountDeleted, ErasureGoesOn
from handlers.platform.personal_data.mails import ACCOUNT_DELETED
from handlers.platform.profile import public as profiles
from handlers.platform.send import public as mails
from storage.platform.personal_data import personal_rows
from storage.platform.personal_data import tables as store

AT_ONCE = 50
ROWS_AT_ONCE = 500
SECOND_LOOK_AFTER = timedelta(hours=1)


def begin(tx: Transaction, user_id: str) -> None:
    """Close the account; a locked user's."""
    user = profiles.get_user(tx, user_id)
    farewell = mails.compose(
        tx,
        ACCOUNT_DELETED,
        user.email,
        profiles.reader_of(user),
        {"first_name": Plain(user.first_name)},
        link="/signup",
    )
    tx.publish(farewell)
    for close in tx.kernel.personal_data.closing:
        close(tx, user_id)
    for table in personal_rows.list_closing():
        while personal_rows.erase_rows(tx, table, user_id, ROWS_AT_ONCE):
            pass
    for end in tx.kernel.personal_data.closed:
        end(tx, user_id)
    _publish(tx, user_id, next(iter(tx.kernel.personal_data.erasures)), "", again=False)


def go_on(tx: Transaction, event: ErasureGoesOn) -> None:
    """Do the next piece, and say what follows it."""
    steps = tx.kernel.personal_data.erasures
    names = list(steps)
    if event.step not in steps:
        _publish(tx, event.user_id, names[0], "", again=event.again)
        return
    after = steps[event.step].run(tx, event.user_id, event.after, AT_ONCE)
    following = names[names.index(event.step) + 1 :]
    if after is not None:
        _publish(tx, event.user_id, event.step, after, again=event.again)
    elif following:
        _publish(tx, event.user_id, following[0], "", again=event.again)
    elif not event.again:
        _finish(tx, event.user_id)


def _finish(tx: Transaction, user_id: str) -> None:
    store.note_erased(tx, user_id, tx.now)
    tx.publish(AccountDeleted(user_id=user_id))
    first = next(iter(tx.kernel.personal_data.erasures))
    second = ErasureGoesOn(user_id=user_id, step=first, after="", again=True)
    tx.publish_later(second, tx.now + SECOND_LOOK_AFTER, f"account_deletion:{user_id}")


def _publish(tx: Transaction, user_id: str, step: str, after: str, *, again: bool) -> None:
    tx.publish(ErasureGoesOn(user_id=user_id, step=step, after=after, again=again))
