"""The operator's view of mails: tables without their content, and retries."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from handlers.kit.transaction import Transaction
from handlers.kit.visible import one_line
from handlers.platform.send import lookup
from handlers.platform.send.lookup import Found, Pause, Search
from handlers.platform.send.outcomes import REASONS
from server.app import App

RETRY_PAGE = 100
HEAD = ("ID", "CREATED", "STATE", "KIND", "TO", "TRIES", "NEXT TRY OR END", "REASON")
Retried = list[tuple[str, str | None]]
"""The ids of mails, each with the reason if it cannot be retried."""


async def list_mails(app: App, by: Search) -> str:
    """A table of the mails that match, newest first, after the channels that are paused."""
    found, paused = await app.context().read(
        lambda tx: (lookup.search(tx, by), lookup.list_pauses(tx))
    )
    notes = "".join(f"{_describe_pause(one)}\n" for one in paused)
    return notes + (_table([HEAD, *map(_row, found)]) if found else "no mails\n")


async def show_mail(app: App, dispatch_id: str) -> str | None:
    """All that is known about a mail, in lines; None if there is no such mail."""

    def read(tx: Transaction) -> str | None:
        found = lookup.find(tx, dispatch_id)
        if found is None:
            return None
        paused = [one for one in lookup.list_pauses(tx) if one.channel == found.dispatch.channel]
        retriable = lookup.find_obstacle(tx, found.dispatch) or "possible"
        return _table(_fields(found, paused, retriable))

    return await app.context().read(read)


async def retry_mails(app: App, dispatch_ids: Sequence[str]) -> Retried:
    """Try these mails again; a serving instance sends them within seconds."""
    context = app.context()
    return [(one, await context.transact(lookup.retry, one)) for one in dispatch_ids]


async def retry_given_up(app: App, since: datetime) -> Retried:
    """Try all mails again that were given up since this time, in pages."""
    retried: Retried = []
    after, page = "", RETRY_PAGE
    while page == RETRY_PAGE:
        done = await app.context().transact(lookup.retry_given_up, since, after, RETRY_PAGE)
        retried, page = [*retried, *done], len(done)
        after = done[-1][0] if done else after
    return retried


def _row(found: Found) -> tuple[str, ...]:
    mail = found.dispatch
    created, then = _moment(mail.created_at), _moment(mail.done_at or mail.next_at)
    return (
        *(mail.id, created, mail.status, mail.kind, one_line(found.address) or "-"),
        *(str(mail.attempts), then, mail.reason or "-"),
    )


def _fields(found: Found, paused: Iterable[Pause], retriable: str) -> Iterator[tuple[str, str]]:
    mail = found.dispatch
    yield "id", mail.id
    yield "state", mail.status
    yield "channel", mail.channel
    yield from (("", _describe_pause(one)) for one in paused)
    yield "kind", mail.kind
    yield "to", one_line(found.address) or "(deleted)"
    yield "user", mail.user_id or "-"
    yield "caused by event", mail.cause_id or "-"
    yield "notification", mail.notification_id or "-"
    yield "created", _moment(mail.created_at)
    yield "tries", str(mail.attempts)
    yield "last try", _moment(mail.tried_at)
    yield "next try", _moment(mail.next_at)
    yield "of no use after", _moment(mail.expires_at)
    yield "ended", _moment(mail.done_at)
    yield "reason", _in_words(mail.reason)
    yield "answer", one_line(mail.reply or "") or "-"
    yield "retry", retriable


def _in_words(reason: str | None) -> str:
    return f"{REASONS.get(reason, reason)} ({reason})" if reason else "-"


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}Z" if moment else "-"


def _describe_pause(paused: Pause) -> str:
    why, answer = _in_words(paused.reason), one_line(paused.reply)
    return f"{paused.channel} is paused since {_moment(paused.paused_at)}: {why} {answer}".rstrip()


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    """Left-aligned columns, separated by two spaces."""
    given = list(rows)
    widths = [max(map(len, column)) for column in zip(*given, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in given)
    return "".join(f"{line}\n" for line in lines)
