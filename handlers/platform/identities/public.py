"""What neighbours and the composition root need of identities."""

from handlers.platform.identities.houses import House, HouseSettings, ProviderName, house_of
from handlers.platform.identities.openid import Providers
from handlers.platform.identities.service import has_identity, list_methods, spend_for_proof

__all__ = [
    "House",
    "HouseSettings",
    "ProviderName",
    "Providers",
    "has_identity",
    "house_of",
    "list_methods",
    "spend_for_proof",
]
