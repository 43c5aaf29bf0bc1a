"""All rate limits, per user, per address and per kind of use.

Each instance has its own token buckets, and with Redis all instances also share buckets. A use
needs a token from both. So while Redis is unavailable, the total rate is at most the limit times
the number of instances, never unlimited.

`PARLEY_LIMITS=off` removes the rates. Limits on sizes are elsewhere (frames in the transport, texts
in the contracts) and stay.
"""

from collections.abc import Collection

from handlers.kit.networks import network_of
from server.rates import Buckets, RateLimit
from server.shared_rates import SharedRates


class Limits:
    """The rates by name; PROTOCOL.md lists their defaults."""

    def __init__(
        self,
        rates: dict[str, RateLimit],
        shared: SharedRates | None = None,
        *,
        on: bool,
        of_addresses: Collection[str] = (),
    ) -> None:
        """`of_addresses` names the rates that count per address even for signed-in users."""
        self._buckets = {name: Buckets(rate) for name, rate in rates.items()}
        self._shared = shared
        self._on = on
        self._of_addresses = frozenset(of_addresses)

    async def take(self, rate: str, key: str, count: int = 1) -> float:
        """Take `count` tokens of `key`; returns the seconds to wait, or 0.0 if they were taken."""
        if not self._on:
            return 0.0
        buckets = self._buckets[rate]
        wait = buckets.take(key, count)
        if wait or self._shared is None:
            return wait
        return await self._shared.take(rate, key, buckets.limit, count) or 0.0

    def take_here(self, rate: str, key: str, count: float = 1) -> float:
        """Like `take`, with this instance's buckets only: for work that only it does."""
        return self._buckets[rate].take(key, count) if self._on else 0.0

    def wait_of(self, rate: str, key: str) -> float:
        """Seconds until `key` has a token on this instance; takes none."""
        return self._buckets[rate].wait_of(key) if self._on else 0.0

    def charge(self, rate: str, key: str, count: float) -> float:
        """Charge `key` on this instance for completed work; returns the seconds to wait next."""
        return self._buckets[rate].charge(key, count) if self._on and count > 0 else 0.0

    @property
    def on(self) -> bool:
        return self._on

    def forget(self, rate: str, key: str) -> None:
        """Remove a key that will not return, such as a connection's."""
        self._buckets[rate].forget(key)

    def keys_kept(self) -> int:
        """The number of keys in memory, over all rates."""
        return sum(len(buckets) for buckets in self._buckets.values())

    async def take_for(
        self, rate: str, person_id: str | None, address: str, count: int = 1
    ) -> float:
        """Like `take`, for a user, or for a visitor of this address if `person_id` is None."""
        if person_id is None or rate in self._of_addresses:
            return await self.take_from(rate, address)
        return await self.take(rate, person_id, count)

    async def take_from(self, rate: str, address: str) -> float:
        """Like `take`, for an address; all IPv6 addresses of a /64 network count as one."""
        return await self.take(rate, network_of(address))
