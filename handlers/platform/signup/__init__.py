"""How a stranger becomes a user: an address, proved by a pincode. Never what a user is."""

from handlers.kit.domain import Domain

signup = Domain("signup", "/signup", visitors=True)
