"""Erasing a person: a little in each transaction, whoever does the next one.

Invariants:
- The first transaction closes the account: sessions, ways in, address and name are gone together,
  so nobody acts as this person any more and their address is free.
- Each following one does a piece of a step and publishes the next piece with it. Pieces find what
  is left by themselves, so they can be done again, from anywhere. A step that is not known (any
  more) begins the erasure again.
- Work that was under way when the account was closed may still write rows of this person: a
  command within seconds, an outbound consumer within an hour, a delivery that no instance serves
  within weeks. So all steps run again in later rounds, the last one when such work is over.
- The first round deletes pending idempotency keys. Their commands cannot renew their leases then,
  so what they do outside stops within seconds.
- What stays (money, the places of conversations) leads to a user who is nobody.

The steps are what domains declare (`handlers/kit/personal_data.py`), in that order.
"""

from datetime import timedelta

from handlers.kit.transaction import Transaction
from handlers.kit.wording import Plain
from handlers.platform.personal_data.contracts import AccountDeleted, ErasureGoesOn
from handlers.platform.personal_data.mails import ACCOUNT_DELETED
from handlers.platform.profile import public as profiles
from handlers.platform.send import public as mails
from storage.platform.personal_data import personal_rows
from storage.platform.personal_data import tables as store

AT_ONCE = 50
ROWS_AT_ONCE = 500
SECOND_ROUND_AFTER = timedelta(hours=1)
THIRD_ROUND_AFTER = timedelta(days=1)
LAST_ROUND = 3


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
    _publish(tx, user_id, next(iter(tx.kernel.personal_data.erasures)), "")


def go_on(tx: Transaction, event: ErasureGoesOn) -> None:
    """Do the next piece, and say what follows it."""
    steps = tx.kernel.personal_data.erasures
    names = list(steps)
    if event.step not in steps:
        _publish(tx, event.user_id, names[0], "", event.round)
        return
    after = steps[event.step].run(tx, event.user_id, event.after, AT_ONCE)
    following = names[names.index(event.step) + 1 :]
    if after is not None:
        _publish(tx, event.user_id, event.step, after, event.round)
    elif following:
        _publish(tx, event.user_id, following[0], "", event.round)
    else:
        _finish_round(tx, event)


def _finish_round(tx: Transaction, event: ErasureGoesOn) -> None:
    if event.round == 0:
        store.note_erased(tx, event.user_id, tx.now)
        tx.publish(AccountDeleted(user_id=event.user_id))
    if event.round < LAST_ROUND:
        first = next(iter(tx.kernel.personal_data.erasures))
        following = ErasureGoesOn(
            user_id=event.user_id, step=first, after="", round=event.round + 1
        )
        due = tx.now + _pause_before(tx, following.round)
        tx.publish_later(following, due, f"account_deletion:{event.user_id}")


def _pause_before(tx: Transaction, round_: int) -> timedelta:
    if round_ == LAST_ROUND:
        return tx.rules.span("unserved_kept_days")
    return SECOND_ROUND_AFTER if round_ == 1 else THIRD_ROUND_AFTER


def _publish(tx: Transaction, user_id: str, step: str, after: str, round_: int = 0) -> None:
    tx.publish(ErasureGoesOn(user_id=user_id, step=step, after=after, round=round_))
