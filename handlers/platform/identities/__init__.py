"""Who a person is at other houses (OAuth, OIDC), and all the ways in which they can sign in."""

from handlers.kit.domain import Domain

identities = Domain("identities")
