"""Finds the link in a text whose page is fetched."""

import re
from ipaddress import ip_address
from itertools import islice

from yarl import URL

from handlers.platform.previews.addresses import is_public

LINK_LENGTH_MAX = 2_000
AUTHORITY_LENGTH_MAX = 300
"""Host names have at most 253 characters; to encode a longer one in ASCII is expensive."""
CANDIDATES_MAX = 20
"""How many links of a text are checked to find a suitable one."""
_LINK = re.compile(
    r"(?<![\w/=&?%#@.+-])https://[^\s<>\"'`{}|\\^\x00-\x20\x7f-\x9f]+", re.IGNORECASE
)
_NAME_ENDS = re.compile(r"\.(?:[a-z]{2,}|xn--[a-z0-9-]+)\.?$", re.IGNORECASE)
_PUNCTUATION = ".,;:!?…*_~»”’"
_AUTHORITY_ENDS = re.compile(r"[/?#]")
_CLOSING = {")": "(", "]": "["}


def first_link(text: str) -> str | None:
    """The first https URL in `text` whose host may be public, in encoded form."""
    for found in islice(_LINK.finditer(text), CANDIDATES_MAX):
        link = found.group()
        url = _read(_without_punctuation(link)) if len(link) <= LINK_LENGTH_MAX else None
        if url is not None:
            return str(url)
    return None


def is_named_or_public(host: str) -> bool:
    """Whether a host is a domain name with a top-level domain, or a literal public address.

    Refuses hosts such as `localhost`, `127.1` and `0x7f000001`, which people do not link to.
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
    """The link without the punctuation or closing brackets that belong to the sentence."""
    unopened = {
        closing: link.count(closing) - link.count(opening) for closing, opening in _CLOSING.items()
    }
    end = len(link)
    while end and (link[end - 1] in _PUNCTUATION or unopened.get(link[end - 1], 0) > 0):
        end -= 1
        if link[end] in unopened:
            unopened[link[end]] -= 1
    return link[:end]
