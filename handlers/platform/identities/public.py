"""Functions and types for other domains and for the composition root."""

from handlers.platform.identities.openid import Providers
from handlers.platform.identities.providers import (
    ProviderConfig,
    ProviderName,
    ProviderSettings,
    provider_config,
)
from handlers.platform.identities.service import has_identity, list_methods, spend_for_proof

__all__ = [
    "ProviderConfig",
    "ProviderName",
    "ProviderSettings",
    "Providers",
    "has_identity",
    "list_methods",
    "provider_config",
    "spend_for_proof",
]
