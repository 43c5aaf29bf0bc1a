"""Functions for the server: granting and revoking roles."""

from handlers.platform.moderation.service.roles import grant_role, revoke_role

__all__ = ["grant_role", "revoke_role"]
