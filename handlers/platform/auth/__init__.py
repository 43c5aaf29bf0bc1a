"""How people sign in: passwords, tokens, sessions. Never who they are."""

from handlers.kit.command import Domain

auth = Domain("auth", "/auth", visitors=True)
