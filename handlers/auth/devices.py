"""What a device is called, from what its client says of itself."""

import re
from functools import lru_cache

from ua_parser import parse

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
    read = parse(user_agent)
    browser = read.user_agent.family if read.user_agent else ""
    system = read.os.family if read.os else ""
    product = _PRODUCT.match(user_agent)
    own = product.group() if product else ""
    parts = (shortened(part, FAMILY_MAX) for part in (browser or own, system))
    return " on ".join(filter(None, parts)) or "unknown"
