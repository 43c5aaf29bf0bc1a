"""Authentication: passwords, tokens and sessions. Not users' profiles."""

from handlers.kit.domain import Domain
from handlers.platform.auth.rules import AuthRules

auth = Domain("auth", "/auth", visitors=True, anonymous=True, rules=AuthRules)
