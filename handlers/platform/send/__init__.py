"""How something said leaves the house: by mail now, by other channels later. Never what or when."""

from handlers.kit.domain import Domain
from handlers.platform.send.rules import SendRules

send = Domain("send", rules=SendRules)
