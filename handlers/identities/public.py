"""What the composition root, the settings and housekeeping need of identities."""

from handlers.identities.houses import House, HouseSettings, ProviderName, house_of
from handlers.identities.openid import Providers
from storage.identities import forget_attempts, forget_tickets

__all__ = [
    "House",
    "HouseSettings",
    "ProviderName",
    "Providers",
    "forget_attempts",
    "forget_tickets",
    "house_of",
]
