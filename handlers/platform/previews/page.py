"""Reads a page's metadata: its title, description and site name, but no images.

This runs in the sandbox. `html.parser` can take a minute for a few KiB of malicious input. It
therefore gets single tags of limited length, found by regular expressions that look at each
character once.
"""

import codecs
import re
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from itertools import islice

import msgspec

from handlers.kit.visible import shortened

TITLE_MAX, DESCRIPTION_MAX, SITE_MAX = 200, 400, 80
TAG_MAX = 2_048
TAGS_MAX, PARSED_TAGS_MAX = 400, 64
"""Limits on the meta tags that are searched, and on the relevant ones that are parsed."""
CHARSET_WITHIN = 1_024
CHARSETS = frozenset(
    (
        *("utf-8", "utf8", "us-ascii", "koi8-r", "koi8-u", "shift_jis", "euc-jp", "euc-kr"),
        *("big5", "gb2312", "gbk", "gb18030"),
        *(
            f"{iso}-{part}"
            for iso in ("iso-8859", "iso8859")
            for part in range(1, 17)
            if part != 12
        ),
        *(f"windows-125{part}" for part in range(9)),
    )
)
"""The allowed encodings: some of Python's codecs are not character encodings."""
for _charset in CHARSETS:
    codecs.lookup(_charset)  # the sandbox opens no file later, not even to import a codec

_CHARSET = re.compile(rb"""<meta[^>]{1,200}?charset\s*=\s*["']?([A-Za-z0-9_-]{1,20})""", re.I)
_META = re.compile(r"""<meta[\s/](?:[^>"']|"[^"]*"|'[^']*')*+>""", re.I)
_META_BEGINS = re.compile(r"<meta[\s/]", re.I)
_TITLE_BEGINS = re.compile(r"<title(?:\s[^>]{0,200})?>", re.I)
_TITLE_ENDS = re.compile(r"</title", re.I)
_RELEVANT = re.compile(r"og:|description", re.I)


class Page(msgspec.Struct, frozen=True):
    """The preview of a page: plain text, cleaned and shortened."""

    title: str
    description: str | None
    site_name: str | None


def read_page(content: bytes, charset: str | None) -> Page | None:
    """The metadata in the first part of a page; None if it has no title.

    `charset` is the encoding from the Content-Type header.
    """
    text = content.decode(_charset_of(content, charset), errors="replace")
    meta = _read_tags(text)
    title = shortened(meta.get("og:title", ""), TITLE_MAX) or shortened(_title(text), TITLE_MAX)
    if not title:
        return None
    description = meta.get("og:description") or meta.get("description", "")
    return Page(
        title=title,
        description=shortened(description, DESCRIPTION_MAX) or None,
        site_name=shortened(meta.get("og:site_name", ""), SITE_MAX) or None,
    )


def _charset_of(content: bytes, declared: str | None) -> str:
    """The declared encoding if it is an allowed one; otherwise UTF-8."""
    found = _CHARSET.search(content[:CHARSET_WITHIN])
    named = declared or (found.group(1).decode() if found else "")
    return named.lower() if named.lower() in CHARSETS else "utf-8"


def _read_tags(text: str) -> dict[str, str]:
    """The contents of the page's meta tags by name; the first tag of each name counts."""
    parser = _MetaTags()
    for tag in islice(_relevant_tags(text), PARSED_TAGS_MAX):
        parser.feed(tag)
        parser.reset()
    return parser.contents


def _relevant_tags(text: str) -> Iterator[str]:
    for begin in islice(_META_BEGINS.finditer(text), TAGS_MAX):
        tag = _META.match(text, begin.start(), begin.start() + TAG_MAX)
        if tag is not None and _RELEVANT.search(tag.group()):
            yield tag.group()


def _title(text: str) -> str:
    begin = _TITLE_BEGINS.search(text)
    if begin is None:
        return ""
    end = _TITLE_ENDS.search(text, begin.end(), begin.end() + TAG_MAX)
    return unescape(text[begin.end() : end.start()]) if end else ""


class _MetaTags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.contents: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        name = (values.get("property") or values.get("name") or "").lower()
        self.contents.setdefault(name, values.get("content") or "")
