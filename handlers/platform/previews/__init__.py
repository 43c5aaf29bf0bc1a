"""Previews of linked pages: public pages only, and text without images."""

from handlers.kit.domain import Domain
from handlers.platform.previews.rules import PreviewRules

previews = Domain("previews", rules=PreviewRules)
