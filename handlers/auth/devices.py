"""What a device is called, from what its client says of itself."""

from functools import lru_cache

from ua_parser import parse

NAME_MAX = 100


@lru_cache(maxsize=1_000)
def name_of(user_agent: str) -> str:
    """`Firefox on Linux`, without versions: an update makes no new device."""
    read = parse(user_agent)
    browser = read.user_agent.family if read.user_agent else ""
    system = read.os.family if read.os else ""
    own = user_agent.partition("/")[0].strip()
    return " on ".join(part for part in (browser or own, system) if part)[:NAME_MAX] or "unknown"
