"""Which address in a text is looked up."""

import re
from ipaddress import ip_address
from itertools import islice

from yarl import URL

from handlers.platform.previews.addresses import is_public

LINK_LENGTH_MAX = 2_000
AUTHORITY_LENGTH_MAX = 300
"""A host's name has 253 characters at most; looking for the ASCII form of a longer one is dear."""
LOOKED_AT_MAX = 20
"""So many links of a text are looked at for one that will do."""
_LINK = re.compile(
    r"(?<![\w/=&?%#@.+-])https://[^\s<>\"'`{}|\\^\x00-\x20\x7f-\x9f]+", re.IGNORECASE
)
_NAME_ENDS = re.compile(r"\.(?:[a-z]{2,}|xn--[a-z0-9-]+)\.?$", re.IGNORECASE)
_AFTER = ".,;:!?…*_~»”’"
_AUTHORITY_ENDS = re.compile(r"[/?#]")
_CLOSING = {")": "(", "]": "["}


def first_link(text: str) -> str | None:
    """The first https address in `text` that may be public, as it goes over the wire."""
    for found in islice(_LINK.finditer(text), LOOKED_AT_MAX):
        link = found.group()
        url = _read(_without_punctuation(link)) if len(link) <= LINK_LENGTH_MAX else None
        if url is not None:
            return str(url)
    return None


def is_named_or_public(host: str) -> bool:
    """Whether a host is a name of the public kind, or a literal of a public address.

    What looks like neither (`localhost`, `127.1`, `0x7f000001`) is nothing that people link.
    """
    try:
        ip_address(host)
    except ValueError:
        return _NAME_ENDS.search(host) is not None
    return is_public(host)


def _read(link: str) -> URL | None:
    if len(_AUTHORITY_ENDS.split(link, maxsplit=3)[2]) > AUTHORITY_LENGTH_MAX:
        return None
    try:
        url = URL(link)
        plain = url.user is None and url.password is None and url.port is not None
    except ValueError:
        return None
    if not plain or url.raw_host is None or not is_named_or_public(url.raw_host):
        return None
    return url if len(str(url)) <= LINK_LENGTH_MAX else None


def _without_punctuation(link: str) -> str:
    """A link at the end of a sentence or in brackets does not have these."""
    unopened = {
        closing: link.count(closing) - link.count(opening) for closing, opening in _CLOSING.items()
    }
    end = len(link)
    while end and (link[end - 1] in _AFTER or unopened.get(link[end - 1], 0) > 0):
        end -= 1
        if link[end] in unopened:
            unopened[link[end]] -= 1
    return link[:end]
