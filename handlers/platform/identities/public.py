"""Functions and types for other domains and for the composition root."""

from handlers.platform.identities.openid import open_providers
from handlers.platform.identities.service import has_identity, list_methods, spend_for_proof

__all__ = [
    "has_identity",
    "list_methods",
    "open_providers",
    "spend_for_proof",
]
