"""Device names, derived from the User-Agent header of the client."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from ua_parser import parse_os, parse_user_agent

from handlers.kit.visible import shortened
from handlers.kit.wording import Plain, Value

ON = " on "
UNKNOWN = "unknown"
NAME_MAX = 100
FAMILY_MAX = 40
_PRODUCT = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}(?=/|$)")
"""The product name in a User-Agent (RFC 9110, section 10.1.5): one word, so an app cannot put a
sentence into its name."""


@lru_cache(maxsize=1_000)
def name_of(user_agent: str) -> str:
    """A name such as `Firefox on Linux`.

    It has no versions, so an update does not make a new device. It is one line of visible text, but
    the client chooses its content: quote it.
    """
    browser, system = _family(parse_user_agent, user_agent), _family(parse_os, user_agent)
    product = _PRODUCT.match(user_agent)
    own = product.group() if product else ""
    parts = (shortened(part, FAMILY_MAX) for part in (browser or own, system))
    return ON.join(filter(None, parts)) or UNKNOWN


def where(device: str, place: str, at: datetime) -> Value:
    """A device by its name, a place and a moment, as a value of a text in any language."""
    return (_without_english(device), Plain(place), at)


def _without_english(name: str) -> str:
    """`Firefox (Linux)` for `Firefox on Linux`, and nothing for `unknown`."""
    browser, _, system = name.partition(ON)
    if system:
        return f"{browser} ({system})"
    return "" if name == UNKNOWN else name


def _family(parse: Callable[[str], Any], user_agent: str) -> str:
    try:
        found = parse(user_agent)
    except ValueError:  # a pattern matched, but its family is empty
        return ""
    return found.family if found else ""
