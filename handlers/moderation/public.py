"""What the shell needs of moderation: roles."""

from handlers.moderation.service.roles import grant_role, revoke_role

__all__ = ["grant_role", "revoke_role"]
