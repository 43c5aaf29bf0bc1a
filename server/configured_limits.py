"""The rates and the bounds on connections and replays of one instance, from its settings."""

from typing import TYPE_CHECKING

from handlers.kit.contract import uncounted_in_replays
from handlers.kit.rates import Rate
from handlers.kit.uniqueness import WrongDeclaration
from rooms.replay import ReplayLimits
from server.capacity import Bounds
from server.interpreter import open_files_max
from server.limits import Limits
from server.rates import RateLimit
from server.settings import Settings
from server.shared_rates import SharedRates

if TYPE_CHECKING:
    from rooms.redis_client import RedisClient

VISITORS_OF_ADDRESS = 5
"""All visitors of an address together may cause as much work as this many users."""
FRAMES_TOGETHER = 10
"""All connections of a user, or of an address's visitors, may send as much as this many."""
NAMESPACES_USUAL = 14
"""The number of namespaces that a client typically enters after it connects."""
FILES_RESERVED = 200
"""File descriptors for databases, pipes, logs and uploads in progress, not for connections."""


def make_limits(
    settings: Settings, declared: dict[str, Rate], redis: "RedisClient | None"
) -> Limits:
    """The server's rates and those that the kit and the domains declare, with the set values.

    Raises WrongDeclaration if a declared rate has the name of one of the server's.
    """
    rates = make_rates(settings)
    for name, rate in declared.items():
        if name in rates:
            raise WrongDeclaration(f"the server itself declares the rate {name}")
        rates[name] = RateLimit(*rate.limit(settings.declared))
    shared = SharedRates(redis) if redis is not None else None
    of_addresses = [name for name, rate in declared.items() if rate.of == "address"]
    on = settings.environment.limits == "default"
    return Limits(rates, shared, on=on, of_addresses=of_addresses)


def make_rates(settings: Settings) -> dict[str, RateLimit]:
    """The server's rates, with the set values: connections, entries, frames and their costs."""
    environment = settings.environment
    return {
        "connections": RateLimit(environment.connections_per_s, environment.connections_per_s),
        "requests": RateLimit(environment.requests_burst, environment.requests_per_s),
        "entries": RateLimit(environment.entries_burst, environment.entries_per_s),
        "entries_of_address": RateLimit(
            environment.connections_per_s * NAMESPACES_USUAL * 2,
            environment.connections_per_s * NAMESPACES_USUAL,
        ),
        "frames": RateLimit(environment.frames_burst, environment.frames_per_s),
        "frames_together": RateLimit(
            environment.frames_burst * FRAMES_TOGETHER, environment.frames_per_s * FRAMES_TOGETHER
        ),
        "decoding": RateLimit(environment.decoding_burst, environment.decoding_per_s),
        "replays": RateLimit(environment.replays_burst, environment.replays_per_s),
        "work": RateLimit(environment.work_burst, environment.work_per_s),
        "work_of_visitors": RateLimit(
            environment.work_burst * VISITORS_OF_ADDRESS,
            environment.work_per_s * VISITORS_OF_ADDRESS,
        ),
    }


def make_bounds(settings: Settings) -> Bounds:
    """The limits on connections: the limit on open files, or the setting if that is lower.

    With `PARLEY_LIMITS=off`, a single address may have all of them.
    """
    environment = settings.environment
    room = max(open_files_max() - FILES_RESERVED, 1)
    most = min(environment.connections_max or room, room)
    if environment.limits == "off":
        return Bounds(most, most, most, most, most)
    return Bounds(
        connections=most,
        per_peer=min(2 * environment.connections_per_address, max(most // 4, 1)),
        per_address=min(environment.connections_per_address, max(most // 4, 1)),
        visitors=max(most // 2, 1),
        visitors_per_address=min(environment.visitors_per_address, max(most // 8, 1)),
    )


def make_replay_limits(settings: Settings) -> ReplayLimits:
    """The limits on replays, with the events that do not count."""
    environment = settings.environment
    return ReplayLimits(
        environment.replay_stream_max,
        environment.replay_connection_max,
        uncounted_in_replays(),
    )
