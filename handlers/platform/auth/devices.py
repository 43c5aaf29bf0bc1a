"""What a device is called, from what its client says of itself."""

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from ua_parser import parse_os, parse_user_agent

from handlers.kit.visible import shortened

NAME_MAX = 100
FAMILY_MAX = 40
_PRODUCT = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}(?=/|$)")
"""A product of a User-Agent (RFC 9110, 10.1.5): one word, so an app's own name is no sentence."""


@lru_cache(maxsize=1_000)
def name_of(user_agent: str) -> str:
    """`Firefox on Linux`, without versions: an update makes no new device.

    It is one line of visible text, but a client may say that it is anything: quote it.
    """
    browser, system = _family(parse_user_agent, user_agent), _family(parse_os, user_agent)
    product = _PRODUCT.match(user_agent)
    own = product.group() if product else ""
    parts = (shortened(part, FAMILY_MAX) for part in (browser or own, system))
    return " on ".join(filter(None, parts)) or "unknown"


def _family(parse: Callable[[str], Any], user_agent: str) -> str:
    try:
        found = parse(user_agent)
    except ValueError:  # a pattern that fits, but leaves its family empty
        return ""
    return found.family if found else ""
