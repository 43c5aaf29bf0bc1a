"""Whether somebody reads the mail of an address, by six digits. Never what that is proof for."""

from handlers.kit.domain import Domain

pincodes = Domain("pincodes")
