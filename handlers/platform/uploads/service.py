"""Decisions about uploads: to begin, check, use and delete them.

Invariants:
- The total size of a user's uploads stays within their quota, which is checked under the lock of
  the user's row.
- At most one request checks an upload, and an upload becomes ready once. `checked_until` is both
  the lease and its token: a request whose lease was taken over can no longer accept or reject it.
- Objects are deleted through an event of the transaction that releases them. So no object is left
  behind, and none that is still needed is deleted.
"""

import math
from datetime import timedelta
from typing import NamedTuple

from msgspec import UNSET

from handlers.kit.contract import Empty
from handlers.kit.errors import Conflict, NotFound
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
from handlers.platform.uploads.kinds import kind_of, renamed, type_of
from handlers.platform.uploads.pictures import Picture
from handlers.platform.uploads.rules import UploadRules
from storage.objects import SIGNED_FOR
from storage.platform import uploads as store
from storage.platform.uploads import UploadRow

MEGABYTE = 1024**2
WHOLE_MAX = 16 * MEGABYTE
"""Bytes; larger files, and those without a checksum, are uploaded in parts."""
PART_SIZE = 8 * MEGABYTE
IMAGE_MAX = 25 * MEGABYTE
CHECK_LEASE = timedelta(minutes=10)
LATE_WRITES_WITHIN = SIGNED_FOR + timedelta(minutes=45)
"""How long a signed request can still write: it may begin until it expires, and takes a while."""


class CheckResult(NamedTuple):
    """The result of checking a file: the re-encoded picture; or the encoding of a text, and what
    the filter found in it."""

    picture: Picture | None = None
    charset: str = ""
    hit: str = ""


def begin(tx: Transaction, ask: StartUpload) -> UploadRow:
    """Register a new upload; raises TypeNotAllowed, TooLarge, TextRefused or QuotaExceeded."""
    content_type = check(tx, ask)
    hit = tx.kernel.filter.check(ask.name)
    usage = _lock_usage(tx)
    over_quota = usage["held"] + ask.size > usage["quota"]
    if over_quota or usage["waiting"] >= tx.rules.of(UploadRules).uploads_waiting_max:
        raise QuotaExceeded(details=usage)
    upload_id = tx.new_id()
    row = UploadRow(
        id=upload_id,
        user_id=tx.actor.id,
        name=ask.name,
        content_type=content_type,
        kind=kind_of(content_type),
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
    _schedule_expiry(tx, row)
    return row


def check(tx: Transaction, ask: StartUpload) -> str:
    """The accepted type of the announced file; raises TypeNotAllowed or TooLarge."""
    content_type = type_of(ask.content_type, ask.name)
    if content_type is None:
        raise TypeNotAllowed
    is_image = kind_of(content_type) == "image"
    most = IMAGE_MAX if is_image else tx.rules.of(UploadRules).upload_size_mb * MEGABYTE
    if ask.size > most:
        raise TooLarge(details={"size_max": most})
    return content_type


def is_whole(row: UploadRow) -> bool:
    """Whether a file is uploaded in one request, which is signed for its checksum."""
    return row.size <= WHOLE_MAX and row.sha256 is not None


def part_size_of(row: UploadRow, number: int) -> int:
    """The size of a part in bytes; raises NotFound if there is no part with this number."""
    count = math.ceil(row.size / PART_SIZE)
    if is_whole(row) or not 1 <= number <= count:
        raise NotFound
    return row.size - (count - 1) * PART_SIZE if number == count else PART_SIZE


def find_mine(tx: Transaction, upload_id: str) -> UploadRow:
    """The actor's own upload; raises NotFound."""
    row = store.find_upload(tx, upload_id)
    if row is None or row.user_id != tx.actor.id:
        raise NotFound
    return row


def find_ready(tx: Transaction, upload_id: str) -> UploadRow:
    """A ready upload of any user; raises NotFound."""
    row = store.find_upload(tx, upload_id)
    if row is None or row.status != "ready":
        raise NotFound
    return row


def list_ready(tx: Transaction, upload_ids: list[str]) -> list[UploadRow]:
    """Those of these uploads, of any users, that are ready."""
    rows = [store.find_upload(tx, upload_id) for upload_id in upload_ids]
    return [row for row in rows if row is not None and row.status == "ready"]


def find_picture(tx: Transaction, upload_id: str) -> UploadRow:
    """A public picture; raises NotFound."""
    row = find_ready(tx, upload_id)
    if not row.public:
        raise NotFound
    return row


def check_waits(tx: Transaction, key: str) -> None:
    """Raises NotFound unless the upload with this object key still waits for its content."""
    row = store.find_upload(tx, key.removeprefix("incoming/")[:36])
    if row is None or row.status != "waiting":
        raise NotFound


def note_parts(tx: Transaction, upload_id: str, parts_id: str) -> UploadRow:
    """Record the multipart upload of an upload, unless one is recorded already."""
    row = _lock_mine(tx, upload_id)
    if row.parts_id is None:
        row.parts_id = parts_id
        store.update_upload(tx, row)
    return row


def claim(tx: Transaction, upload_id: str, poster_id: str | None = None) -> UploadRow:
    """Take the lease for checking an upload; one that is ready already needs none.

    Raises NotFound, and Conflict while another request checks it, or if its poster is in use.
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
    """Release the lease after a check that could not finish; the upload can be checked again."""
    row = store.lock_upload(tx, claimed.id)
    if row is not None and row.checked_until == claimed.checked_until:
        row.checked_until = None
        store.update_upload(tx, row)


def reject(tx: Transaction, claimed: UploadRow) -> None:
    """Delete an upload with wrong content; raises Conflict if another request took the lease."""
    drop(tx, _lock_claimed(tx, claimed))


def accept(
    tx: Transaction, claimed: UploadRow, key: str, found: CheckResult, poster_id: str | None = None
) -> UploadRow:
    """Make an upload ready after its check. Its content is at `key`, or is the re-encoded picture.

    Raises Conflict if another request took the lease, and QuotaExceeded if the re-encoded picture
    is too large for the quota.
    """
    usage = _lock_usage(tx)
    row = _lock_claimed(tx, claimed)
    if poster_id is not None:
        _take_poster(tx, row, _lock_mine(tx, poster_id))
    picture, row.hit = found.picture, row.hit or found.hit or None
    if found.charset:
        row.content_type = f"{row.content_type}; charset={found.charset}"
    unneeded = [incoming_key(row.id)]
    if picture is not None:
        if usage["held"] - row.size + len(picture.content) > usage["quota"]:
            raise QuotaExceeded(details=usage)
        unneeded.append(key)
        key = picture_key(row.id)
        row.size, row.width, row.height = len(picture.content), picture.width, picture.height
        row.thumbnail = True
        row.name = renamed(row.name, row.content_type, picture.content_type)
        row.content_type = picture.content_type
    _delete_objects(tx, row, unneeded)
    row.status, row.key, row.parts_id, row.checked_until = "ready", key, None, None
    store.update_upload(tx, row)
    tx.publish(UploadCompleted(upload_id=row.id, user_id=row.user_id, kind=row.kind, size=row.size))
    return row


def drop_mine(tx: Transaction, upload_id: str) -> Empty:
    """Delete the actor's own unused upload; raises NotFound or Conflict."""
    row = _lock_mine(tx, upload_id)
    if row.used:
        raise Conflict("This file is in use.")
    drop(tx, row)
    return Empty()


def drop(tx: Transaction, row: UploadRow) -> None:
    """Delete an upload and its objects, under every key that they can have."""
    key_makers = (incoming_key, kept_key, picture_key, thumbnail_key)
    store.delete_upload(tx, row.id)
    tx.cancel_timer(f"upload:{row.id}")
    _delete_objects(tx, row, [make_key(row.id) for make_key in key_makers])


def drop_if_unused(tx: Transaction, upload_id: str) -> None:
    """Delete an upload that was not completed or used in time, or wait for its current check."""
    row = store.lock_upload(tx, upload_id)
    if row is None or row.used:
        return
    if row.checked_until is not None and row.checked_until > tx.now:
        _schedule_expiry(tx, row)
    else:
        drop(tx, row)


def use(tx: Transaction, upload_id: str, *kinds: str, public: bool = False) -> UploadRow:
    """Mark the actor's own ready upload, of one of these kinds, as used by exactly one thing.

    Everybody can fetch a `public` one. Raises NotFound, and Conflict if it is in use.
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
    """Replace the public image `before` with the actor's own image `after`; None means no image.

    Raises NotFound, and Conflict if something else uses `after`.
    """
    if before == after:
        return
    if after is not None:
        use(tx, after, "image", public=True)
    if before is not None:
        disuse(tx, before)


def disuse(tx: Transaction, upload_id: str) -> None:
    """Delete an upload that is no longer used."""
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


def _lock_usage(tx: Transaction) -> dict[str, int]:
    """The actor's usage and quota in bytes, and unfinished uploads; locked until the commit."""
    profiles.lock_user(tx, tx.actor.id)
    return {
        "held": store.sum_sizes(tx, tx.actor.id),
        "quota": tx.rules.of(UploadRules).upload_quota_mb * MEGABYTE,
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
    """Raises NotFound or Conflict unless the picture can be the poster of this video."""
    if row.kind != "video" or poster.kind != "image" or poster.status != "ready":
        raise NotFound
    if poster.used:
        raise Conflict("This file is in use.")


def _take_poster(tx: Transaction, row: UploadRow, poster: UploadRow) -> None:
    """Give a video the thumbnail of its poster, and delete the poster's upload."""
    _check_poster(row, poster)
    row.thumbnail, row.width, row.height = True, poster.width, poster.height
    drop(tx, poster)


def _delete_objects(tx: Transaction, row: UploadRow, keys: list[str]) -> None:
    """Delete objects now, and again after all signed requests that could still write them."""
    dropped = ObjectsDropped(upload_id=row.id, keys=keys, parts_id=row.parts_id)
    tx.publish(dropped)
    tx.publish_later(dropped, tx.now + LATE_WRITES_WITHIN, f"objects:{row.id}")


def _schedule_expiry(tx: Transaction, row: UploadRow) -> None:
    due = tx.now + tx.rules.span("upload_life_s")
    tx.publish_later(UploadDue(upload_id=row.id), due, f"upload:{row.id}")
