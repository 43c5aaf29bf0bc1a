"""Steps of every erasure: what tables declare, and stored copies of a user's data."""

from handlers.kit.kept_json import list_namespaces
from handlers.kit.personal_data import Rows, Stage, more
from handlers.kit.transaction import Transaction
from handlers.platform.personal_data import personal_data
from handlers.platform.personal_data.service.exports import drop
from rooms import names
from storage.platform.personal_data import kept_json, personal_rows
from storage.platform.personal_data import tables as store

ROWS_BATCH = 500
KEPT_JSON_PAGE = 2_000


@personal_data.personal_data.erase(Stage.FILES)
def drop_exports(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Delete the user's exports."""
    rows = store.list_exports(tx, user_id, limit)
    for row in rows:
        drop(tx, row)
    return more(len(rows), limit)


@personal_data.personal_data.erase(Stage.ROWS)
def erase_rows(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Delete and clear the user's rows as the tables declare."""
    left = ROWS_BATCH
    for table in personal_rows.list_erasing():
        left -= personal_rows.erase_rows(tx, table, user_id, left)
        if left <= 0:
            return "more"
    return None


@personal_data.personal_data.erase(Stage.COPIES)
def forget_own_rooms(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Delete the events of the user's own rooms."""
    left = ROWS_BATCH
    for namespace in list_namespaces():
        left -= store.forget_stream(tx, names.stream(namespace, names.user(user_id)), left)
        if left <= 0:
            return "more"
    return None


@personal_data.personal_data.erase(Stage.COPIES)
def rewrite_kept_json(tx: Transaction, user_id: str, after: str, limit: int) -> str | None:
    """Remove the user's data from events, answers and other stored JSON, one page per call.

    `after` is the table and, after a newline, the key of the last row read.
    """
    walked = {table.name: table for table in kept_json.list_walked()}
    name, _, key = after.partition("\n")
    table = walked[name or next(iter(walked))]
    declared = kept_json.kept_json_of(table)
    everything = tx.kernel.personal_data
    forget = everything.kept.forget
    gone = {user_id, *everything.find_related_ids(tx, user_id)}
    rows, last = kept_json.list_kept(tx, table, key, KEPT_JSON_PAGE)
    for row in rows:
        fresh = {
            name: left
            for name, text in row.texts.items()
            if (left := forget(text, declared.kind_of(name), row.named, gone)) is not None
        }
        kept_json.rewrite_kept(tx, table, row, fresh, user_id)
    if last is not None:
        return f"{table.name}\n{last}"
    following = list(walked)[list(walked).index(table.name) + 1 :]
    return f"{following[0]}\n" if following else None


@personal_data.personal_data.export_rows(
    "events", "Recent events that this server sent to your devices."
)
def list_events(tx: Transaction, user_id: str, after: str, limit: int) -> tuple[Rows, str | None]:
    """The events of the user's own rooms, without text by other users.

    `after` is the namespace and, after a newline, the last sequence number.
    """
    namespaces = list_namespaces()
    place, _, seq = after.partition("\n")
    namespace = place or namespaces[0]
    stream = names.stream(namespace, names.user(user_id))
    events = store.list_stream_events(tx, stream, int(seq or 0), limit)
    rows = [_exported(tx, namespace, event, user_id) for event in events]
    if len(events) == limit:
        return rows, f"{namespace}\n{events[-1].seq}"
    following = namespaces[namespaces.index(namespace) + 1 :]
    return rows, f"{following[0]}\n" if following else None


def _exported(
    tx: Transaction, namespace: str, event: store.StreamEvent, reader_id: str
) -> dict[str, object]:
    kept = tx.kernel.personal_data.kept
    data = kept.without_others_words(event.data, "event", event.name, reader_id)
    return {"namespace": namespace, "name": event.name, "at": event.at, "data": data}
