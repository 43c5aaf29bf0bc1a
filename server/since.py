"""What a returning client says that it has already received: `auth.since`."""

from dataclasses import dataclass
from typing import Any

import msgspec

from handlers.kit.contract import NUMBER_MAX

NEVER_GIVEN = 2**60
"""A sequence number beyond every head: a client that names it gets `recovered: false`."""


@dataclass(frozen=True)
class Since:
    """The last sequence numbers of a returning client: for each room it names, and for all others.

    None if the client does not claim any earlier events.
    """

    numbers: dict[str, int]
    elsewhere: int | None = None

    def of(self, room: str) -> int | None:
        return self.numbers.get(room, self.elsewhere)


def since_of(auth: dict[str, Any], namespace: str, epoch: str) -> Since:
    """Parse `auth.since` for a namespace, on a server with this `epoch`.

    `since` maps rooms to sequence numbers, or namespaces to such maps, for clients that send the
    same `auth` to all namespaces. It can be JSON text, for clients whose `auth` has only texts. An
    invalid sequence number, or one of another epoch, becomes `NEVER_GIVEN`, so that the room is not
    recovered. If there is no map, this applies to every room.
    """
    if "since" not in auth:
        return Since({})
    since = of_namespace(decoded(auth["since"]), namespace)
    if not isinstance(since, dict):
        return Since({}, elsewhere=NEVER_GIVEN)
    is_current = auth.get("epoch", epoch) == epoch
    return Since(
        {
            room: seq if is_current and is_seq(seq) else NEVER_GIVEN
            for room, seq in since.items()
            if "\0" not in room  # no room has such a name, and PostgreSQL rejects such text
        }
    )


def decoded(since: Any) -> Any:
    """`since` itself, or what its JSON text means; None for other texts."""
    if not isinstance(since, str):
        return since
    try:
        return msgspec.json.decode(since)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None


def of_namespace(since: Any, namespace: str) -> Any:
    """The part of `since` for `namespace`, if it maps namespaces, whose names begin with a slash.

    It is empty if the client names only other namespaces.
    """
    if not isinstance(since, dict) or not any(key.startswith("/") for key in since):
        return since
    return since.get(namespace, {})


def is_seq(value: Any) -> bool:
    """Whether decoded JSON is a sequence number, by the rule for integers in commands."""
    return type(value) is int and 0 <= value <= NUMBER_MAX
