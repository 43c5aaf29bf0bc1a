"""How people sign in: passwords, tokens, sessions. Never who they are."""

from handlers.kit.domain import Domain

auth = Domain("auth", "/auth", visitors=True)
