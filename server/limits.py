"""Every bound on rates, per person, per address and per kind of use.

Each instance counts for itself, and, where Redis joins them, all count together: a token must be
had from both. So while Redis is away a rate is at most once that of each instance, never without
bound.

Sizes are bounds of other places (frames in the transport, texts in the contracts); they stay when
`PARLEY_LIMITS=off` lifts the rates.
"""

from collections.abc import Collection

from handlers.kit.networks import network_of
from server.rates import Buckets, RateLimit
from server.shared_rates import SharedRates


class Limits:
    """The rates of PROTOCOL's default limits, by name."""

    def __init__(
        self,
        rates: dict[str, RateLimit],
        shared: SharedRates | None = None,
        *,
        on: bool,
        of_addresses: Collection[str] = (),
    ) -> None:
        """`of_addresses` names the rates that count by address, also for signed-in people."""
        self._buckets = {name: Buckets(rate) for name, rate in rates.items()}
        self._shared = shared
        self._on = on
        self._of_addresses = frozenset(of_addresses)

    async def take(self, rate: str, key: str, count: int = 1) -> float:
        """Seconds to wait before `key` may do it, as often as that; 0.0 when it may now."""
        if not self._on:
            return 0.0
        buckets = self._buckets[rate]
        wait = buckets.take(key, count)
        if wait or self._shared is None:
            return wait
        return await self._shared.take(rate, key, buckets.limit, count) or 0.0

    def take_here(self, rate: str, key: str, count: float = 1) -> float:
        """The same, counted by this instance alone: for what only this instance has to do."""
        return self._buckets[rate].take(key, count) if self._on else 0.0

    def wait_of(self, rate: str, key: str) -> float:
        """Seconds until `key` may do it again on this instance; takes nothing."""
        return self._buckets[rate].wait_of(key) if self._on else 0.0

    def charge(self, rate: str, key: str, count: float) -> float:
        """Charge `key` on this instance for what was done already; the seconds to wait then."""
        return self._buckets[rate].charge(key, count) if self._on and count > 0 else 0.0

    @property
    def on(self) -> bool:
        return self._on

    def forget(self, rate: str, key: str) -> None:
        """Forget a key that does not come again, such as a connection's."""
        self._buckets[rate].forget(key)

    def keys_kept(self) -> int:
        """How many keys are remembered, of all rates together."""
        return sum(len(buckets) for buckets in self._buckets.values())

    async def take_for(
        self, rate: str, person_id: str | None, address: str, count: int = 1
    ) -> float:
        """The same for a use by a person, or by a visitor of this address when it is None."""
        if person_id is None or rate in self._of_addresses:
            return await self.take_from(rate, address)
        return await self.take(rate, person_id, count)

    async def take_from(self, rate: str, address: str) -> float:
        """The same for an address: all of an IPv6 network of one subscriber count together."""
        return await self.take(rate, network_of(address))
