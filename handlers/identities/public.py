"""What neighbours, the composition root and housekeeping need of identities."""

from handlers.identities.houses import House, HouseSettings, ProviderName, house_of
from handlers.identities.openid import Providers
from handlers.identities.service import has_identity, list_methods, spend_for_proof
from storage.identities import forget_attempts, forget_tickets

__all__ = [
    "House",
    "HouseSettings",
    "ProviderName",
    "Providers",
    "forget_attempts",
    "forget_tickets",
    "has_identity",
    "house_of",
    "list_methods",
    "spend_for_proof",
]
