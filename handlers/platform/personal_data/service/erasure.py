"""Erases a user's data in small batches, each in its own transaction, on any instance.

Invariants:
- The first transaction closes the account. It deletes sessions, sign-in methods, address and name
  together, so nobody can act as this user afterwards, and the address is free.
- Each following transaction runs one batch of a step and publishes the event for the next batch.
  A batch finds by itself what is left, so it can run again, from any cursor. An event that names
  an unknown step, such as one of an older version, starts the erasure again.
- Work that was in progress when the account closed may still write rows of this user: a command
  within seconds, an outbound consumer within an hour, a delivery that no instance serves within
  weeks. So all steps run again in later rounds, the last one after all such work has ended.
- The first round deletes pending idempotency keys. Their commands can no longer renew their
  leases, so their calls to external services stop within seconds.
- Rows that stay (money, the places of conversations) refer to an anonymous user.

Domains declare the steps and their order (`handlers/kit/personal_data.py`).
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

STEP_BATCH = 50
ROWS_BATCH = 500
SECOND_ROUND_AFTER = timedelta(hours=1)
THIRD_ROUND_AFTER = timedelta(days=1)
LAST_ROUND = 3


def begin(tx: Transaction, user_id: str) -> None:
    """Close the account of a locked user, and publish the first batch."""
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
        while personal_rows.erase_rows(tx, table, user_id, ROWS_BATCH):
            pass
    for end in tx.kernel.personal_data.closed:
        end(tx, user_id)
    _publish(tx, user_id, next(iter(tx.kernel.personal_data.erasures)), "")


def go_on(tx: Transaction, event: ErasureGoesOn) -> None:
    """Run the next batch, and publish the event for the one after it."""
    steps = tx.kernel.personal_data.erasures
    names = list(steps)
    if event.step not in steps:
        _publish(tx, event.user_id, names[0], "", event.round)
        return
    after = steps[event.step].run(tx, event.user_id, event.after, STEP_BATCH)
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
