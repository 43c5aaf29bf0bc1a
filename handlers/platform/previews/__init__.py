"""What a page that somebody linked says of itself. Only public pages, and never their pictures."""

from handlers.kit.domain import Domain
from handlers.platform.previews.rules import PreviewRules

previews = Domain("previews", rules=PreviewRules)
