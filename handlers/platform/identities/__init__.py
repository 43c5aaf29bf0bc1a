"""Sign-in with external providers (OAuth, OpenID Connect), and users' sign-in methods."""

from handlers.kit.domain import Domain
from handlers.kit.rates import ATTEMPTS, Rate
from handlers.platform.identities.rules import IdentityRules

OAUTH = Rate("oauth", "OAuth redirects", of="address", like=ATTEMPTS)
identities = Domain("identities", rates=(OAUTH,), rules=IdentityRules)
