"""What the shell needs of moderation: the filter, and roles."""

from handlers.moderation.filter import CHECKS, Filter
from handlers.moderation.service.roles import grant_role, revoke_role

__all__ = ["CHECKS", "Filter", "grant_role", "revoke_role"]
