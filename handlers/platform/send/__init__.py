"""How something said leaves the house: by mail now, by other channels later. Never what or when."""

from handlers.kit.domain import Domain

send = Domain("send")
