"""Decisions about uploads: begun, checked, used, dropped.

Invariants:
- The sum of a person's sizes stays within their quota: it is looked at under the lock of their row.
- An upload is checked by one at a time and becomes ready once. `checked_until` is the lease and its
  token: whose lease was taken over meanwhile decides nothing any more.
- Objects are deleted by an event of the transaction that lets go of them, so none is left behind
  and none that is needed goes.
"""

import math
from datetime import timedelta
from typing import NamedTuple

from msgspec import UNSET

from handlers.kit.contract import Empty
from handlers.kit.errors import Conflict, Invalid, NotFound
from handlers.kit.transaction import Transaction
from handlers.platform.profile import public as profiles
from handlers.platform.uploads.contracts import (
    ObjectsDropped,
    QuotaExceeded,
    StartUpload,
    TooLarge,
    TypeNotAllowed,
    UploadCompleted,
    UploadDue,
)
from handlers.platform.uploads.kinds import kind_of, plain
from handlers.platform.uploads.pictures import Picture
from storage.objects import SIGNED_FOR
from storage.platform import uploads as store
from storage.platform.uploads import Kind, UploadRow

MEGABYTE = 1024**2
WHOLE_MAX = 16 * MEGABYTE
"""What is larger comes in parts."""
PART_SIZE = 8 * MEGABYTE
IMAGE_MAX = 25 * MEGABYTE
CHECK_LEASE = timedelta(minutes=10)
STRAGGLERS_UNTIL = SIGNED_FOR + timedelta(minutes=45)
"""A signed request may begin until its end, and go on for a while."""


class Seen(NamedTuple):
    """What a look at a file found: the picture that it is, and what the filter says to its text."""

    picture: Picture | None = None
    hit: str = ""


def begin(tx: Transaction, ask: StartUpload) -> UploadRow:
    """Keep that a file is coming; raises TypeNotAllowed, TooLarge, TextRefused or QuotaExceeded."""
    content_type = plain(ask.content_type)
    kind = check(tx, ask)
    hit = tx.kernel.filter.check(ask.name)
    room = _hold_room(tx)
    if room["held"] + ask.size > room["quota"] or room["waiting"] >= tx.rules.uploads_waiting_max:
        raise QuotaExceeded(details=room)
    upload_id = tx.new_id()
    row = UploadRow(
        id=upload_id,
        user_id=tx.actor.id,
        name=ask.name,
        content_type=content_type,
        kind=kind,
        size=ask.size,
        sha256=None if ask.sha256 is UNSET else ask.sha256,
        status="waiting",
        key=incoming_key(upload_id),
        parts_id=None,
        checked_until=None,
        thumbnail=False,
        width=None,
        height=None,
        used=False,
        public=False,
        created_at=tx.now,
        hit=hit or None,
    )
    store.insert_upload(tx, row)
    _look_again(tx, row)
    return row


def check(tx: Transaction, ask: StartUpload) -> Kind:
    """The kind of what shall come; raises what is wrong with it."""
    kind = kind_of(plain(ask.content_type))
    if kind is None:
        raise TypeNotAllowed
    most = IMAGE_MAX if kind == "image" else tx.rules.upload_size_mb * MEGABYTE
    if ask.size > most:
        raise TooLarge(details={"size_max": most})
    if ask.size <= WHOLE_MAX and ask.sha256 is UNSET:
        raise Invalid("A file uploaded in one piece requires its sha256.")
    return kind


def part_size_of(row: UploadRow, number: int) -> int:
    """The bytes of a part; raises NotFound when there is none of this number."""
    count = math.ceil(row.size / PART_SIZE)
    if row.size <= WHOLE_MAX or not 1 <= number <= count:
        raise NotFound
    return row.size - (count - 1) * PART_SIZE if number == count else PART_SIZE


def find_mine(tx: Transaction, upload_id: str) -> UploadRow:
    """One's own upload; raises NotFound."""
    row = store.find_upload(tx, upload_id)
    if row is None or row.user_id != tx.actor.id:
        raise NotFound
    return row


def find_ready(tx: Transaction, upload_id: str) -> UploadRow:
    """Anybody's ready upload; raises NotFound."""
    row = store.find_upload(tx, upload_id)
    if row is None or row.status != "ready":
        raise NotFound
    return row


def find_picture(tx: Transaction, upload_id: str) -> UploadRow:
    """A picture that is for everybody; raises NotFound."""
    row = find_ready(tx, upload_id)
    if not row.public:
        raise NotFound
    return row


def check_waits(tx: Transaction, key: str) -> None:
    """Raises NotFound unless the upload that `key` is of still waits for its bytes."""
    row = store.find_upload(tx, key.removeprefix("incoming/")[:36])
    if row is None or row.status != "waiting":
        raise NotFound


def note_parts(tx: Transaction, upload_id: str, parts_id: str) -> UploadRow:
    """Keep where the parts of an upload are gathered; of two the first counts."""
    row = _lock_mine(tx, upload_id)
    if row.parts_id is None:
        row.parts_id = parts_id
        store.update_upload(tx, row)
    return row


def claim(tx: Transaction, upload_id: str, poster_id: str | None = None) -> UploadRow:
    """Have an upload to oneself, to check it; one that is ready needs no more.

    Raises NotFound, and Conflict while somebody else checks it, or when its poster is in use.
    """
    row = _lock_mine(tx, upload_id)
    if row.status == "ready":
        return row
    if poster_id is not None:
        _check_poster(row, _lock_mine(tx, poster_id))
    if row.checked_until is not None and row.checked_until > tx.now:
        raise Conflict("This file is being checked.")
    row.checked_until = tx.now + CHECK_LEASE
    store.update_upload(tx, row)
    return row


def unclaim(tx: Transaction, claimed: UploadRow) -> None:
    """It cannot be checked now; it may be later."""
    row = store.lock_upload(tx, claimed.id)
    if row is not None and row.checked_until == claimed.checked_until:
        row.checked_until = None
        store.update_upload(tx, row)


def reject(tx: Transaction, claimed: UploadRow) -> None:
    """The bytes are not what was promised; raises Conflict when somebody else checks by now."""
    drop(tx, _lock_claimed(tx, claimed))


def accept(
    tx: Transaction, claimed: UploadRow, key: str, seen: Seen, poster_id: str | None = None
) -> UploadRow:
    """The bytes are what was promised, and are kept at `key`, or as the picture that was seen.

    Raises Conflict when somebody else checks by now, and QuotaExceeded for a picture that grew.
    """
    room = _hold_room(tx)
    row = _lock_claimed(tx, claimed)
    if poster_id is not None:
        _use_up(tx, row, _lock_mine(tx, poster_id))
    picture, row.hit = seen.picture, row.hit or seen.hit or None
    left = [incoming_key(row.id)]
    if picture is not None:
        if room["held"] - row.size + len(picture.content) > room["quota"]:
            raise QuotaExceeded(details=room)
        left.append(key)
        key = picture_key(row.id)
        row.size, row.width, row.height = len(picture.content), picture.width, picture.height
        row.thumbnail = True
    _sweep(tx, row, left)
    row.status, row.key, row.parts_id, row.checked_until = "ready", key, None, None
    store.update_upload(tx, row)
    tx.publish(UploadCompleted(upload_id=row.id, user_id=row.user_id, kind=row.kind, size=row.size))
    return row


def drop_mine(tx: Transaction, upload_id: str) -> Empty:
    """Let go of one's own upload that nothing uses; raises NotFound or Conflict."""
    row = _lock_mine(tx, upload_id)
    if row.used:
        raise Conflict("This file is in use.")
    drop(tx, row)
    return Empty()


def drop(tx: Transaction, row: UploadRow) -> None:
    """Forget an upload, and its objects wherever they may be by now."""
    makers = (incoming_key, kept_key, picture_key, thumbnail_key)
    store.delete_upload(tx, row.id)
    tx.cancel_timer(f"upload:{row.id}")
    _sweep(tx, row, [make(row.id) for make in makers])


def drop_if_unused(tx: Transaction, upload_id: str) -> None:
    """What did not come, or was never used, in its time goes."""
    row = store.lock_upload(tx, upload_id)
    if row is None or row.used:
        return
    if row.checked_until is not None and row.checked_until > tx.now:
        _look_again(tx, row)
    else:
        drop(tx, row)


def use(tx: Transaction, upload_id: str, *kinds: str, public: bool = False) -> UploadRow:
    """One's own upload, ready and of one of these kinds, is used from now on, by one thing.

    A `public` one is for everybody. Raises NotFound, and Conflict when it is in use.
    """
    row = _lock_mine(tx, upload_id)
    if row.status != "ready" or (kinds and row.kind not in kinds):
        raise NotFound
    if row.used:
        raise Conflict("This file is in use.")
    row.used, row.public = True, public
    store.update_upload(tx, row)
    tx.cancel_timer(f"upload:{row.id}")
    return row


def replace_picture(tx: Transaction, before: str | None, after: str | None) -> None:
    """Use one's own image `after` for everybody to see, in place of `before`; None is none.

    Raises NotFound, and Conflict when something else uses it.
    """
    if before == after:
        return
    if after is not None:
        use(tx, after, "image", public=True)
    if before is not None:
        disuse(tx, before)


def disuse(tx: Transaction, upload_id: str) -> None:
    """Nothing uses it any more."""
    row = store.lock_upload(tx, upload_id)
    if row is not None:
        drop(tx, row)


def incoming_key(upload_id: str) -> str:
    return f"incoming/{upload_id}"


def kept_key(upload_id: str) -> str:
    return f"kept/{upload_id}"


def picture_key(upload_id: str) -> str:
    return f"pictures/{upload_id}"


def thumbnail_key(upload_id: str) -> str:
    return f"thumbnails/{upload_id}"


def _hold_room(tx: Transaction) -> dict[str, int]:
    """What the actor has and may have, until the commit."""
    profiles.lock_user(tx, tx.actor.id)
    return {
        "held": store.sum_sizes(tx, tx.actor.id),
        "quota": tx.rules.upload_quota_mb * MEGABYTE,
        "waiting": store.count_waiting(tx, tx.actor.id),
    }


def _lock_mine(tx: Transaction, upload_id: str) -> UploadRow:
    row = store.lock_upload(tx, upload_id)
    if row is None or row.user_id != tx.actor.id:
        raise NotFound
    return row


def _lock_claimed(tx: Transaction, claimed: UploadRow) -> UploadRow:
    row = _lock_mine(tx, claimed.id)
    if row.status == "ready" or row.checked_until != claimed.checked_until:
        raise Conflict("Another request is checking this file.")
    return row


def _check_poster(row: UploadRow, poster: UploadRow) -> None:
    """Raises NotFound or Conflict unless this picture can be what a video shows before it plays."""
    if row.kind != "video" or poster.kind != "image" or poster.status != "ready":
        raise NotFound
    if poster.used:
        raise Conflict("This file is in use.")


def _use_up(tx: Transaction, row: UploadRow, poster: UploadRow) -> None:
    """Its small picture is this video's now, and nothing more is needed of it."""
    _check_poster(row, poster)
    row.thumbnail, row.width, row.height = True, poster.width, poster.height
    drop(tx, poster)


def _sweep(tx: Transaction, row: UploadRow, keys: list[str]) -> None:
    """Delete these objects now, and what a request that was signed before may still bring later."""
    dropped = ObjectsDropped(upload_id=row.id, keys=keys, parts_id=row.parts_id)
    tx.publish(dropped)
    tx.publish_later(dropped, tx.now + STRAGGLERS_UNTIL, f"objects:{row.id}")


def _look_again(tx: Transaction, row: UploadRow) -> None:
    due = tx.now + tx.rules.span("upload_life_s")
    tx.publish_later(UploadDue(upload_id=row.id), due, f"upload:{row.id}")
