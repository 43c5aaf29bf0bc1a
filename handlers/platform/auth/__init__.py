"""How people sign in: passwords, tokens, sessions. Never who they are."""

from handlers.kit.domain import Domain
from handlers.platform.auth.rules import AuthRules

auth = Domain("auth", "/auth", visitors=True, rules=AuthRules)
