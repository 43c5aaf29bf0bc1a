"""Six-digit pincodes that prove control of an email address. Not what the proof is used for."""

from handlers.kit.domain import Domain
from handlers.platform.pincodes.rules import PincodeRules

pincodes = Domain("pincodes", rules=PincodeRules)
