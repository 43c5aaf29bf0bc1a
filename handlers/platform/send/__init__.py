"""Delivery of messages over channels such as mail. Not their content or timing."""

from handlers.kit.domain import Domain
from handlers.platform.send.rules import SendRules

send = Domain("send", rules=SendRules)
