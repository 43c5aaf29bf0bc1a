"""What a returning client says that it has already received: `auth.since`."""

from dataclasses import dataclass
from typing import Any

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


def since_of(auth: dict[str, Any], epoch: str) -> Since:
    """Parse `auth.since` on a server with this `epoch`.

    An invalid sequence number, or one of another epoch, becomes `NEVER_GIVEN`, so that the room is
    not recovered. If `since` is not an object, this applies to every room.
    """
    if "since" not in auth:
        return Since({})
    since = auth["since"]
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


def is_seq(value: Any) -> bool:
    """Whether decoded JSON is a sequence number, by the rule for integers in commands."""
    return type(value) is int and 0 <= value <= NUMBER_MAX
