"""Who a person is at other houses (OAuth, OIDC), and all the ways in which they can sign in."""

from handlers.kit.domain import Domain
from handlers.kit.rates import ATTEMPTS, Rate
from handlers.platform.identities.rules import IdentityRules

OAUTH = Rate("oauth", "ways to a provider and back", of="address", like=ATTEMPTS)
identities = Domain("identities", rates=(OAUTH,), rules=IdentityRules)
