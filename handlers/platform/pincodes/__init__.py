"""Whether somebody reads the mail of an address, by six digits. Never what that is proof for."""

from handlers.kit.domain import Domain
from handlers.platform.pincodes.rules import PincodeRules

pincodes = Domain("pincodes", rules=PincodeRules)
