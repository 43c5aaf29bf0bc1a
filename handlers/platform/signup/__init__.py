"""Sign-up with an email address that a pincode confirms. Not users' profiles."""

from handlers.kit.domain import Domain

signup = Domain("signup", "/signup", visitors=True, anonymous=True)
